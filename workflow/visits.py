"""Visits of states: the records of which a timeline consists."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class VisitStatus(StrEnum):
    """How one visit of a state went; CAUGHT is a failure that a Catch took over."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    CAUGHT = "CAUGHT"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a Task state's work: the first, a retry or a redrive.

    ``ended_at`` is None while it runs; ``error`` is None unless it failed.
    """

    started_at: datetime
    ended_at: datetime | None = None
    error: str | None = None
    cause: str | None = None
    redriven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StateVisit:
    """One visit of one state, from its Entered event to its end.

    Attributes:
        event_id: Id of the event that began the visit; unique within a history.
        type: Task, Choice, Pass, Wait, Parallel, Map, Fail, Succeed, or empty when a truncated
            history does not tell.
        exited_at: When the visit ended, by its Exited event or by the failure or abort that ended
            it; None while it runs. May lie before ``entered_at`` where clocks disagree.
        input: JSON text as the state got it, None when not recorded.
        output: JSON text as the state gave it, None when it gave none.
        payload: JSON text of the event that a Lambda function got, where that is not the input.
        error: Error of the last attempt if that failed, caught or not.
        parent: ``event_id`` of the enclosing Map or Parallel visit, None at the top.
        iteration: Index of the Map iteration or Parallel branch within ``parent``.
        resource: What a Task calls: Lambda function name or ARN, else the ``service:action``.
        child: ARN of the nested execution or Map Run that a state started.
    """

    event_id: int
    name: str
    type: str
    entered_at: datetime
    exited_at: datetime | None = None
    input: str | None = None
    output: str | None = None
    attempts: tuple[Attempt, ...] = ()
    error: str | None = None
    cause: str | None = None
    status: VisitStatus = VisitStatus.RUNNING
    parent: int | None = None
    iteration: int | None = None
    resource: str | None = None
    child: str | None = None
    payload: str | None = None
