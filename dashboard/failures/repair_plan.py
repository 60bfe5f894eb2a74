"""The plan of a repair in bulk, and what became of each of its items."""

import math
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from workflow.executions import Outcome
from workflow.redrive import RedriveAction

_NAMESPACE = uuid.UUID("5c0e5d52-9d27-4c1f-8c4e-3a0d2a5b7f10")


class ItemStatus(StrEnum):
    """The outcome of one item of a repair."""

    REDRIVEN = "redriven"
    RESTARTED = "restarted"
    ALREADY = "already redriven"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairItem:
    """One execution to repair; ``redrive_count`` is that of the attempt that failed."""

    arn: str
    action: RedriveAction
    redrive_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPlan:
    """What a run is to do; immutable once written.

    Attributes:
        id: Unique, and sorts by time.
        fingerprint: Digest of the group that is repaired, of several the first.
        target: ARN through which restarts are started: the alias, so today's version.
        groups: Digests of all groups that are repaired; empty where it is one.
        canary: So many of the items are repaired first; the others follow once none of these has
            failed again. 0 for all at once.
    """

    id: str
    at: datetime
    author: str
    fingerprint: str
    target: str
    items: tuple[RepairItem, ...]
    groups: tuple[str, ...] = ()
    canary: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """The outcome of one item; ``started`` is the ARN of the new execution of a restart."""

    arn: str
    status: ItemStatus
    at: datetime
    message: str = ""
    started: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairRun:
    """A plan and its results so far."""

    plan: RepairPlan
    results: Mapping[str, ItemResult]

    @property
    def pending(self) -> tuple[RepairItem, ...]:
        """Items without a result."""
        return tuple(item for item in self.plan.items if item.arn not in self.results)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairTally:
    """What became of the items of a run; the numbers add up to all of them."""

    succeeded: int = 0
    rejected: int = 0
    failed_again: int = 0
    running: int = 0
    refused: int = 0
    not_started: int = 0

    def format_sentence(self) -> str:
        """Return the numbers in words, without those that are zero."""
        parts = [
            f"{number:,} {name.replace('_', ' ')}"
            for name, number in ((field.name, getattr(self, field.name)) for field in fields(self))
            if number
        ]
        return ", ".join(parts) or "nothing to repair"


def count_items(run: RepairRun, standing: Mapping[str, tuple[Outcome, int]]) -> RepairTally:
    """Count what became of each item.

    Args:
        run: The run so far.
        standing: Outcome and redrive count of executions as far as they are known, by ARN. One
            that still shows the attempt that failed is running: its redrive is not listed yet.
    """
    results = run.results
    counts = Counter(_item_standing(one, results.get(one.arn), standing) for one in run.plan.items)
    return RepairTally(**counts)


_ENDED = {
    Outcome.ACCEPTED: "succeeded",
    Outcome.UNEXAMINED: "succeeded",
    Outcome.REJECTED: "rejected",
    Outcome.RUNNING: "running",
}


def _item_standing(
    item: RepairItem, result: ItemResult | None, standing: Mapping[str, tuple[Outcome, int]]
) -> str:
    if result is None:
        return "not_started"
    if result.status is ItemStatus.REFUSED:
        return "refused"
    outcome, redrives = standing.get(result.started or item.arn, (Outcome.RUNNING, 0))
    if result.started is None and redrives <= item.redrive_count:
        return "running"
    return _ENDED.get(outcome, "failed_again")


def plan_repair(
    items: Iterable[RepairItem],
    *,
    now: datetime,
    author: str,
    fingerprint: str,
    target: str,
    groups: tuple[str, ...] = (),
    canary: int = 0,
) -> RepairPlan:
    """Return a plan for the items that can be repaired; leave the others out."""
    chosen = tuple(item for item in items if item.action is not RedriveAction.NEITHER)
    seed = f"{now.isoformat()} {author} {fingerprint} {[item.arn for item in chosen]}"
    identity = f"{now:%Y%m%dT%H%M%S}-{uuid.uuid5(_NAMESPACE, seed).hex[:8]}"
    return RepairPlan(
        id=identity,
        at=now,
        author=author,
        fingerprint=fingerprint,
        target=target,
        items=chosen,
        groups=groups,
        canary=canary,
    )


def estimated_seconds(items: int, at_once: int, median: float) -> float:
    """Return how long a repair takes: rounds of so many executions, each of the median duration.

    NaN where no duration is known.
    """
    return math.ceil(items / at_once) * median


def client_token(run: str, arn: str) -> str:
    """Return the idempotency token of one item: 32 characters, the same on every attempt."""
    return uuid.uuid5(_NAMESPACE, f"{run} {arn}").hex
