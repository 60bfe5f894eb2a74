"""A span of time: from one moment to another, either end of which may be open."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

_SHOWN: Final = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment (inclusive) to another (exclusive).

    Attributes:
        start: Aware; None where the span has no beginning.
        end: Aware; None where it has no end.
    """

    start: datetime | None = None
    end: datetime | None = None

    def meet(self, other: "Span") -> "Span | None":
        """Return the time that both share; None where they share none."""
        starts = [one.start for one in (self, other) if one.start is not None]
        ends = [one.end for one in (self, other) if one.end is not None]
        shared = Span(max(starts, default=None), min(ends, default=None))
        return None if shared.is_empty else shared

    def without(self, other: "Span") -> tuple["Span", ...]:
        """Return what is left of this span without another: none, one or two spans."""
        return tuple(self._remaining_spans(other))

    def _remaining_spans(self, other: "Span") -> Iterator["Span"]:
        for rest in (other.start and Span(end=other.start), other.end and Span(other.end)):
            shared = rest and self.meet(rest)
            if shared:
                yield shared

    @property
    def is_empty(self) -> bool:
        """Whether it ends no later than it begins."""
        return self.start is not None and self.end is not None and self.end <= self.start

    def words(self, zone: tzinfo = UTC) -> str:
        """Such as ``2026-11-23 10:00:00 to 2026-11-23 11:00:00 UTC``, in a zone."""
        start = self.start and f"{self.start.astimezone(zone):{_SHOWN}}"
        end = self.end and f"{self.end.astimezone(zone):{_SHOWN}}"
        if start and end:
            return f"{start} to {end} {zone}"
        if start:
            return f"from {start} {zone} on"
        return f"until {end} {zone}" if end else "any time"
