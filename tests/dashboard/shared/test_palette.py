"""How outcomes look."""

import pytest

from dashboard.shared.palette import STYLES, format_pill
from workflow.executions import Outcome


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_word_and_an_icon_beside_its_colour(outcome: Outcome) -> None:
    style = STYLES[outcome]

    assert format_pill(outcome) == f":{style.badge}-badge[{style.icon} {style.word}]"
    assert format_pill(outcome, "3 of them") == f":{style.badge}-badge[{style.icon} 3 of them]"


def test_no_two_outcomes_share_a_word_or_an_icon() -> None:
    assert len({style.word for style in STYLES.values()}) == len(STYLES)
    assert len({style.icon for style in STYLES.values()}) == len(STYLES)


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2.2, definition of relative luminance)."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("background", ["#FFFFFF", "#10151C"])
def test_every_chart_colour_stands_out_on_both_themes(outcome: Outcome, background: str) -> None:
    lighter, darker = sorted(
        (luminance(STYLES[outcome].color), luminance(background)), reverse=True
    )

    # Bars are large, and each has its words beside it: 2:1 is enough to see that they are there.
    assert (lighter + 0.05) / (darker + 0.05) >= 2
