"""Endpoint configurations: which one served when and what it captured, as far as AWS tells. Pure.

AWS keeps no list of what an endpoint served. It tells when each configuration that still exists was
created, which one serves now, and when the endpoint was last changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from workflow.spans import Span

MOVING: Final = timedelta(minutes=30)
"""An endpoint serves by a new configuration so long after that was created: SageMaker starts new
instances first, which takes minutes, and tells nobody afterwards how long it took."""


@dataclass(frozen=True, slots=True)
class Served:
    """A time in which an endpoint may have served by a configuration.

    Attributes:
        name: Of the configuration.
        made: When it was created.
        span: The time; it has no end where it serves now.
        again: Whether it serves now for a second time, or did for the first of two times.
    """

    name: str
    made: datetime
    span: Span
    again: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """A time in which a known share of an endpoint's invocations was captured.

    Attributes:
        span: The time.
        percentage: The share, 0 to 100.
    """

    span: Span
    percentage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Configurations:
    """What AWS tells of the configurations of an endpoint.

    Attributes:
        present: Name of the one that serves now.
        created: When the endpoint was created.
        changed: When it was last changed: since then at the latest the present one has served.
        made: When each that may have served and still exists was created, by its name.
    """

    present: str
    created: datetime
    changed: datetime
    made: Mapping[str, datetime]

    def served(self) -> tuple[Served, ...]:
        """Return which one may have served when, the oldest first; the present one comes last.

        Each serves from its creation until that of the next. The present one does from the
        endpoint's last change; where others were created before that and after it, it is used
        again, and its first time is listed too. That an earlier one was used again is not known.
        """
        *earlier, present = self._in_turn()
        return (*earlier, Served(present.name, present.made, Span(self.changed), present.again))

    def samplings(self, percentages: Mapping[str, float]) -> tuple[Sampling, ...]:
        """Return the times in which it is known what share was captured, the oldest first.

        Args:
            percentages: What share each configuration captures, 0 to 100, by its name.
        """
        found: list[Sampling] = []
        for one in self._in_turn():
            share = percentages.get(one.name)
            if share is None:
                continue
            last = found[-1] if found else None
            if last and last.percentage == share and last.span.end == one.span.start:
                found[-1] = Sampling(Span(last.span.start, one.span.end), share)
            else:
                found.extend(_unless_empty(Span(self._served_from(one), one.span.end), share))
        return tuple(found)

    def _in_turn(self) -> list[Served]:
        """Return as ``served``, but the present one from its creation, unless it is used again."""
        begun = self.made.get(self.present, self.changed)
        others = [
            (at, name)
            for name, at in self.made.items()
            if name != self.present and at < self.changed
        ]
        # A younger configuration than the present one: somebody went back.
        again = any(at > begun for at, _ in others)
        dated = sorted([*others, (begun, self.present)])
        ends = [*(at for at, _ in dated[1:]), self.changed if again else None]
        found = [
            Served(name, at, Span(at, end), again and name == self.present)
            for (at, name), end in zip(dated, ends, strict=True)
        ]
        if again:
            found.append(Served(self.present, begun, Span(self.changed), again))
        return found

    def _served_from(self, one: Served) -> datetime:
        """Return from when on a configuration surely served, if it did."""
        start = one.span.start or one.made
        if start <= self.created:
            return self.created  # nothing served before there was an endpoint
        moved = start + MOVING
        # The endpoint's last change proves that the present one serves, even before the usual time.
        return moved if one.span.end else min(self.changed, moved)


def _unless_empty(span: Span, percentage: float) -> Iterable[Sampling]:
    return () if span.is_empty else (Sampling(span, percentage),)
