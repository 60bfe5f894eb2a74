"""Span: which stretch of executions was listed without a gap, so that listing can resume.

ListExecutions goes from the newest start to the oldest and cannot jump to a time: only its token
leads on. A pass that is killed leaves a span with a token; the next pass starts at the top, meets
that span and goes on from its token instead of listing the whole past again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

TOKEN_LIFE = timedelta(hours=23)
"""AWS expires a pagination token after 24 hours (ListExecutions API reference)."""

OVERLAP = timedelta(minutes=5)
"""ListExecutions is eventually consistent: this much is listed again below the known top."""


@dataclass(frozen=True, slots=True)
class ListedSpan:
    """Executions started from ``oldest`` to ``newest`` were listed without a gap.

    Attributes:
        newest: Start of the newest execution listed.
        oldest: Start of the oldest execution listed.
        token: Leads to what is older; None when nothing is.
        token_at: When the token was given.
    """

    newest: datetime
    oldest: datetime
    token: str | None
    token_at: datetime

    @property
    def complete(self) -> bool:
        """Whether the span reaches back to the first execution that AWS still lists."""
        return self.token is None


def join_spans(span: ListedSpan, known: Iterable[ListedSpan], *, now: datetime) -> ListedSpan:
    """Extend a span by every known one that it reaches into.

    A known span is joined only when that leads on: it is complete, or it is deeper and its token
    still lives. Otherwise listing goes on through it with the token at hand.

    Args:
        span: What this pass has listed so far, from the very top.
        known: What earlier passes have listed.
        now: The time of asking.
    """
    for other in sorted(known, key=lambda one: one.newest, reverse=True):
        reaches = span.oldest <= other.newest - OVERLAP
        alive = other.complete or now - other.token_at < TOKEN_LIFE
        deeper = other.oldest < span.oldest or other.complete
        if reaches and alive and deeper and not span.complete:
            token_at = other.token_at
            oldest = min(span.oldest, other.oldest)
            span = replace(span, oldest=oldest, token=other.token, token_at=token_at)
    return span


def drop_covered(spans: Iterable[ListedSpan]) -> tuple[ListedSpan, ...]:
    """Return the spans, newest first, without those inside another."""
    kept: list[ListedSpan] = []
    for span in sorted(spans, key=lambda one: (-one.newest.timestamp(), one.oldest)):
        if not any(_covers(other, span) for other in kept):
            kept.append(span)
    return tuple(kept)


def _covers(outer: ListedSpan, inner: ListedSpan) -> bool:
    deeper = outer.oldest < inner.oldest or outer.complete or not inner.complete
    return outer.newest >= inner.newest and outer.oldest <= inner.oldest and deeper
