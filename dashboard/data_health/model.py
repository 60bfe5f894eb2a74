"""What the *Inferences* page shows of data health: are all inferences captured, soon, and once?"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class HealthFindingKind(StrEnum):
    """A kind of thing that is wrong with the captures."""

    OFF = "capture is off"
    SILENCE = "silence"
    GAP = "gap"
    SURPLUS = "surplus"
    LATE = "late"
    DUPLICATES = "duplicates"
    UNREADABLE = "unreadable"
    UNTIMED = "no usable time"


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One thing that is wrong.

    Attributes:
        kind: What.
        sentence: With its numbers, and what to do about it.
        subject: Which endpoint, and which of its variants; empty where all that is shown.
    """

    kind: HealthFindingKind
    sentence: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """What was looked at, what could not be, and what is wrong.

    Attributes:
        findings: What is wrong with what was judged.
        judged: What was looked at, in words; empty where nothing was.
        unjudged: What nothing can be said of, and why.
    """

    findings: tuple[HealthFinding, ...] = ()
    judged: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()


def combine_health(parts: Iterable[Health]) -> Health:
    """Return all of them as one; what several of them find is told once."""
    every = tuple(parts)
    return Health(
        tuple(dict.fromkeys(finding for part in every for finding in part.findings)),
        tuple(said for part in every for said in part.judged),
        tuple(said for part in every for said in part.unjudged),
    )
