"""The one vocabulary of outcomes: a word, an icon and a colour each, the same on every page.

Colours come from Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), which people with any
common colour vision deficiency can tell apart; none is ever used without its word and icon.
"""

from dataclasses import dataclass
from typing import Literal

BadgeColor = Literal["green", "orange", "red", "blue", "gray", "violet"]


@dataclass(frozen=True, slots=True)
class Outcome:
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


ACCEPTED = Outcome("Accepted", ":material/check_circle:", "green", "#009E73")
REJECTED = Outcome("Rejected", ":material/do_not_disturb_on:", "orange", "#E69F00")
FAULT = Outcome("Fault", ":material/error:", "red", "#D55E00")
RUNNING = Outcome("Running", ":material/progress_activity:", "blue", "#0072B2")
ABORTED = Outcome("Aborted", ":material/block:", "gray", "#8A8F98")
WAITING = Outcome("Waiting", ":material/schedule:", "gray", "#8A8F98")
SILENT = Outcome("Succeeded but wrong", ":material/warning:", "violet", "#CC79A7")

OUTCOMES = {
    "accepted": ACCEPTED,
    "rejected": REJECTED,
    "fault": FAULT,
    "running": RUNNING,
    "aborted": ABORTED,
    "waiting": WAITING,
    "silent": SILENT,
}
"""By the key that models and URLs use."""


def pill(outcome: Outcome, text: str = "") -> str:
    """The outcome as a Markdown badge, for any Streamlit text: icon, word, colour.

    Args:
        outcome: One of this module's outcomes.
        text: What to say instead of the outcome's word, such as ``3 rejected``.
    """
    return f":{outcome.badge}-badge[{outcome.icon} {text or outcome.word}]"
