"""The plan of a repair in bulk, and what became of each of its items."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
        fingerprint: Digest of the group that is repaired.
        target: ARN through which restarts are started: the alias, so today's version.
    """

    id: str
    at: datetime
    author: str
    fingerprint: str
    target: str
    items: tuple[RepairItem, ...]


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


def plan_repair(
    items: Iterable[RepairItem], *, now: datetime, author: str, fingerprint: str, target: str
) -> RepairPlan:
    """Return a plan for the items that can be repaired; leave the others out."""
    chosen = tuple(item for item in items if item.action is not RedriveAction.NEITHER)
    seed = f"{now.isoformat()} {author} {fingerprint} {[item.arn for item in chosen]}"
    identity = f"{now:%Y%m%dT%H%M%S}-{uuid.uuid5(_NAMESPACE, seed).hex[:8]}"
    return RepairPlan(
        id=identity, at=now, author=author, fingerprint=fingerprint, target=target, items=chosen
    )


def client_token(run: str, arn: str) -> str:
    """Return the idempotency token of one item: 32 characters, the same on every attempt."""
    return uuid.uuid5(_NAMESPACE, f"{run} {arn}").hex
