"""Needs: which histories and outputs are still to be read, and in which order."""

import heapq
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

from workflow.causes import is_rejection
from workflow.executions import Execution, Status

Attempt = tuple[str, int]
"""An execution's ARN and its redrive count: what was read of it once never changes."""

SAMPLED_AN_HOUR = 20
"""Histories of successes read for one hour of starts, so that states that work have timings."""

SAMPLED_HOURS = 5


class Priority(IntEnum):
    """What is read first; within one priority, the newest start is."""

    FAULT = 0
    REJECTION = 1
    SILENT = 2
    SAMPLE = 3


class Needs:
    """What is known of every execution, and what is missing.

    Each execution counts by its latest attempt; what an earlier attempt lacked is lacking no more.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._open: set[str] = set()
        self._read: set[Attempt] = set()
        self._seen: set[Attempt] = set()
        self._wanted: set[Attempt] = set()
        self._unread: set[Attempt] = set()
        self._succeeded: set[Attempt] = set()
        self._unseen: set[Attempt] = set()
        self._sampled: dict[datetime, int] = {}
        self._pending: dict[Attempt, Execution] = {}
        self._history_queue: list[_Queued] = []
        self._detail_queue: list[_Queued] = []

    def __len__(self) -> int:
        return len(self._known)

    @property
    def histories(self) -> tuple[int, int]:
        """Histories read, and those that failed, were rejected or are silently wrong."""
        return len(self._wanted) - len(self._unread), len(self._wanted)

    @property
    def examined(self) -> tuple[int, int]:
        """Successes whose output was seen, and all."""
        return len(self._succeeded) - len(self._unseen), len(self._succeeded)

    @property
    def lacks_histories(self) -> bool:
        """Whether ``next_histories`` may have something to give."""
        return bool(self._history_queue)

    @property
    def lacks_details(self) -> bool:
        """Whether ``next_details`` may have something to give."""
        return bool(self._detail_queue)

    def open_arns(self, *, before: datetime | None = None) -> frozenset[str]:
        """Return the ARNs of executions that had not ended when seen, started before a time."""
        limit = before.timestamp() if before else float("inf")
        return frozenset(arn for arn in self._open if self._known[arn].started < limit)

    def age_of(self, arn: str, now: datetime) -> timedelta:
        """Return how long ago an execution that was observed has started."""
        return now - datetime.fromtimestamp(self._known[arn].started, UTC)

    def observe(self, execution: Execution) -> bool:
        """Take note of an execution; whether that says more than what was known."""
        arn = execution.arn
        now = _Known(
            execution.redrive_count, execution.status.ended, execution.started_at.timestamp()
        )
        before = self._known.get(arn)
        # Redrive count and end alone: events and listings come in any order.
        if before is not None and now[:2] <= before[:2]:
            return False
        if before is not None:
            self._forget_attempt((arn, before.redrive_count))
        self._known[arn] = now
        if now.ended:
            self._open.discard(arn)
            self._want_details(execution)
        else:
            self._open.add(arn)
        return True

    def history_read(self, attempt: Attempt) -> None:
        """Note that a history is in the store, or that AWS will never give it."""
        self._read.add(attempt)
        self._unread.discard(attempt)
        self._pending.pop(attempt, None)

    def details_seen(self, attempt: Attempt) -> bool:
        """Note that input and output of an ended attempt were seen, or are gone; whether first."""
        news = attempt not in self._seen
        self._seen.add(attempt)
        self._unseen.discard(attempt)
        self._open.discard(attempt[0])
        return news

    def silently_wrong(self, execution: Execution) -> None:
        """Ask for the history of a success that turned out wrong."""
        self._want_history(execution, Priority.SILENT)

    def ended_unseen(self, arns: Iterable[str]) -> None:
        """Ask for descriptions of what ended without being listed again: only they tell how."""
        for arn in arns:
            self._push(self._detail_queue, 0, (arn, self._known[arn].redrive_count))

    def describe_failures(self) -> None:
        """Ask for descriptions where histories are refused: they at least tell error and cause."""
        for attempt in self._unread - self._seen:
            self._push(self._detail_queue, 0, attempt)

    def next_histories(self, most: int) -> list[Execution]:
        """Take up to so many executions whose histories are to be read next."""
        return [
            self._pending[it] for it in self._pop_attempts(self._history_queue, self._read, most)
        ]

    def next_details(self, most: int) -> list[Attempt]:
        """Take up to so many attempts that are to be described next."""
        return self._pop_attempts(self._detail_queue, self._seen, most)

    def history_refused(self, execution: Execution) -> None:
        """Put back a history that could not be read now."""
        attempt = (execution.arn, execution.redrive_count)
        self._push(self._history_queue, Priority.FAULT, attempt)

    def details_refused(self, attempt: Attempt) -> None:
        """Put back an attempt that could not be described now."""
        self._push(self._detail_queue, 1, attempt)

    def _want_details(self, execution: Execution) -> None:
        attempt = (execution.arn, execution.redrive_count)
        if execution.status in (Status.FAILED, Status.TIMED_OUT):
            rejected = is_rejection(execution.error, execution.cause)
            self._want_history(execution, Priority.REJECTION if rejected else Priority.FAULT)
        if execution.status is Status.SUCCEEDED:
            self._succeeded.add(attempt)
            if attempt not in self._seen:
                self._unseen.add(attempt)
                self._push(self._detail_queue, 1, attempt)
            self._sample_success(execution)

    def _want_history(self, execution: Execution, priority: Priority) -> None:
        attempt = (execution.arn, execution.redrive_count)
        self._wanted.add(attempt)
        if attempt not in self._read:
            self._unread.add(attempt)
            self._queue_history(execution, priority)

    def _sample_success(self, execution: Execution) -> None:
        hour = execution.started_at.replace(minute=0, second=0, microsecond=0)
        newest = sorted({hour, *self._sampled}, reverse=True)[:SAMPLED_HOURS]
        if hour in newest and self._sampled.get(hour, 0) < SAMPLED_AN_HOUR:
            self._sampled[hour] = self._sampled.get(hour, 0) + 1
            if (execution.arn, execution.redrive_count) not in self._read:
                self._queue_history(execution, Priority.SAMPLE)

    def _queue_history(self, execution: Execution, priority: Priority) -> None:
        attempt = (execution.arn, execution.redrive_count)
        self._pending[attempt] = execution
        self._push(self._history_queue, priority, attempt)

    def _forget_attempt(self, attempt: Attempt) -> None:
        for group in (self._wanted, self._unread, self._succeeded, self._unseen):
            group.discard(attempt)
        self._pending.pop(attempt, None)

    def _push(self, queue: list["_Queued"], priority: int, attempt: Attempt) -> None:
        # A heap gives the smallest first, and the newest start is wanted.
        heapq.heappush(queue, (priority, -self._known[attempt[0]].started, attempt))

    def _pop_attempts(self, queue: list["_Queued"], done: set[Attempt], most: int) -> list[Attempt]:
        taken: list[Attempt] = []
        while queue and len(taken) < most:
            # A heap cannot remove from its middle: what was read or redriven since is skipped
            # here.
            _, _, attempt = heapq.heappop(queue)
            latest = self._known[attempt[0]].redrive_count == attempt[1]
            if latest and attempt not in done and attempt not in taken:
                taken.append(attempt)
        return taken


class _Known(NamedTuple):
    redrive_count: int
    ended: bool
    started: float


_Queued = tuple[int, float, Attempt]
