"""How each outcome looks: a word, an icon and a colour, the same on every page.

Colours come from Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), which people with any
common colour vision deficiency can tell apart; none is ever used without its word and icon.
"""

from dataclasses import dataclass
from typing import Literal

from workflow.executions import Outcome

BadgeColor = Literal["green", "orange", "red", "blue", "gray", "violet"]


@dataclass(frozen=True, slots=True)
class Style:
    """How one outcome is shown.

    Attributes:
        word: What it is called, capitalised as shown.
        icon: A Material symbol, in Streamlit's notation.
        badge: Streamlit's name of the badge colour; the theme gives it its shades.
        color: Hex colour for charts; readable on the light and on the dark background.
    """

    word: str
    icon: str
    badge: BadgeColor
    color: str


STYLES = {
    Outcome.ACCEPTED: Style("Accepted", ":material/check_circle:", "green", "#009E73"),
    Outcome.REJECTED: Style("Rejected", ":material/do_not_disturb_on:", "orange", "#E69F00"),
    Outcome.FAULTED: Style("Fault", ":material/error:", "red", "#D55E00"),
    Outcome.SILENT: Style("Succeeded but wrong", ":material/warning:", "violet", "#CC79A7"),
    Outcome.UNEXAMINED: Style("Not examined", ":material/help:", "gray", "#8A8F98"),
    Outcome.RUNNING: Style("Running", ":material/progress_activity:", "blue", "#0072B2"),
    Outcome.ABORTED: Style("Aborted", ":material/block:", "gray", "#8A8F98"),
}
"""The look of every outcome."""


def format_pill(outcome: Outcome, text: str = "") -> str:
    """Return the outcome as a Markdown badge, for any Streamlit text: icon, word, colour.

    Args:
        outcome: What to show.
        text: What to say instead of the outcome's word, such as ``3 rejected``.
    """
    style = STYLES[outcome]
    return f":{style.badge}-badge[{style.icon} {text or style.word}]"
