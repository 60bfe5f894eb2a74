"""Turns of a check: when a verdict that changed is worth an alert. Pure.

The alert that went out last is the memory: it says in its key whether the check was wrong then, so
all dashboards, restarted or not, name the next alert alike and one of them sends it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dashboard.alerts.client import Alert

_KEY = re.compile(r"check-([a-z-]+)-(\d{6})-(wrong|recovered)")


CHECKS = ("Data health", "Drift")
"""Names of the checks that send alerts."""


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """What a check says now.

    Attributes:
        name: What was looked at, such as ``Data health``: letters and spaces.
        wrong: Whether it needs somebody; None where that could not be judged.
        sentence: The same in words.
    """

    name: str
    wrong: bool | None
    sentence: str

    @property
    def slug(self) -> str:
        """Return the name as keys have it."""
        return slug_of(self.name)


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """An alert about a check.

    Attributes:
        number: Counts the times that the check became wrong, from 1.
        recovered: Whether it says that the check is right again.
    """

    number: int
    recovered: bool


def slug_of(name: str) -> str:
    """Return the name of a check as keys have it."""
    return name.lower().replace(" ", "-")


def prefix_of(slug: str) -> str:
    """Return how the keys of all alerts about a check begin."""
    return f"check-{slug}-"


def key_of(slug: str, turn: Turn) -> str:
    """Return the key of an alert about a check."""
    return f"{prefix_of(slug)}{turn.number:06}-{'recovered' if turn.recovered else 'wrong'}"


def last_turn(slug: str, keys: Iterable[str]) -> Turn | None:
    """Return the latest alert about a check, of all keys of alerts; None where there is none."""
    # The prefix of one check may begin that of another: the whole key decides.
    found = (_KEY.fullmatch(key) for key in keys)
    return max(
        (
            Turn(int(one[2]), recovered=one[3] == "recovered")
            for one in found
            if one and one[1] == slug
        ),
        default=None,
    )


def turn_alert(finding: CheckFinding, last: Turn | None) -> Alert | None:
    """Return the alert that a check has turned; None where it says what was sent last.

    Args:
        finding: What the check says now.
        last: The latest alert about it, sent or waiting.
    """
    was_wrong = last is not None and not last.recovered
    if finding.wrong is None or finding.wrong == was_wrong:
        return None
    number = last.number if last else 0
    turn = Turn(number + finding.wrong, recovered=not finding.wrong)
    said = "needs attention" if finding.wrong else "is right again"
    return Alert(
        key_of(finding.slug, turn),
        f"{finding.name} {said}",
        f"{finding.sentence}\n\nSee {finding.name} on the Inferences page.",
    )
