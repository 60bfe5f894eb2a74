"""Timelines: the visits of states that a history proves, nested, retried and redriven.

A history is a tree by ``previousEventId``; states inside Map and Parallel interleave, so an event
belongs to the visit of the event before it, not to the state entered last. Events may be missing at
either end (histories are read from the tail, and end at 25,000 events), repeated, or of a type
newer than this code: each is placed as well as it can be and nothing raises.

More than 400 lines because one reader holds what an event may refer to: apart, its halves would
share all of it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, pairwise
from typing import Any

from workflow.causes import is_rejection
from workflow.culprits import culprit, named_event, named_state
from workflow.executions import Execution, Failure, HistoryEvent, Status, in_order
from workflow.visits import Attempt, StateVisit, VisitStatus

__all__ = ["Attempt", "StateVisit", "VisitStatus", "failure_of", "settle", "timeline"]

_ENDS = {
    "ExecutionSucceeded": Status.SUCCEEDED,
    "ExecutionFailed": Status.FAILED,
    "ExecutionTimedOut": Status.TIMED_OUT,
    "ExecutionAborted": Status.ABORTED,
}
_BEGINS_ATTEMPT = ("TaskScheduled", "LambdaFunctionScheduled", "ActivityScheduled")
_SCOPES = ("MapIteration", "MapState", "MapRun", "ParallelState")
_REPEATS = (None, "States.BranchFailed", "States.TaskFailed")
"""Errors of an execution that say less than that of the state inside."""

_UNDONE = (VisitStatus.FAILED, VisitStatus.TIMED_OUT, VisitStatus.ABORTED)


def timeline(events: Iterable[HistoryEvent]) -> tuple[StateVisit, ...]:
    """Return the visits of states, in the order they began.

    Args:
        events: A history or part of one, in any order, with repetitions.
    """
    reader = _Reader()
    for event in in_order(events):
        reader.read_event(event)
    return tuple(visit.to_record() for visit in reader.visits)


def waiting_for_redrives(events: Iterable[HistoryEvent]) -> timedelta:
    """Return the time between the ends of attempts and the redrives that went on from them."""
    history = in_order(events)
    return sum(
        (
            max(event.timestamp - before.timestamp, timedelta())
            for before, event in pairwise(history)
            if event.type == "ExecutionRedriven"
        ),
        timedelta(),
    )


def settle(execution: Execution, events: Iterable[HistoryEvent]) -> Execution:
    """Return the execution with the status, times, error and output that its history proves.

    The console's export often says RUNNING for a run whose history has an end. The history wins
    unless the record knows of a later redrive: then the history is the older of the two.
    """
    history = in_order(events)
    redrives = [event for event in history if event.type == "ExecutionRedriven"]
    if not history or execution.redrive_count > len(redrives):
        return execution
    started = next((event for event in history if event.type == "ExecutionStarted"), None)
    decisive = (*_ENDS, "ExecutionRedriven")
    # A redriven history holds an end for each attempt; only the last one holds.
    last = next((event for event in reversed(history) if event.type in decisive), None)
    known = replace(execution, redrive_count=len(redrives))
    if started:
        text = execution.input or started.details.get("input")
        known = replace(known, input=text, started_at=started.timestamp)
    if last is None:
        return known
    if last.type == "ExecutionRedriven":
        return replace(known, status=Status.RUNNING, stopped_at=None, error=None, cause=None)
    return replace(
        known,
        status=_ENDS[last.type],
        stopped_at=last.timestamp,
        output=last.details.get("output") or execution.output,
        error=last.details.get("error") or execution.error,
        cause=last.details.get("cause") or execution.cause,
    )


def failure_of(
    execution: Execution, visits: Iterable[StateVisit], *, image: str | None = None
) -> Failure | None:
    """Return why the execution failed or timed out, with the innermost state that did; else None.

    What a Catch led to a Fail state is the failure, not the general words of that Fail state.
    ABORTED is somebody's decision, not a failure.
    """
    if execution.status not in (Status.FAILED, Status.TIMED_OUT):
        return None
    found = culprit(tuple(visits), rejected=is_rejection(execution.error, execution.cause))
    error, cause = execution.error, execution.cause
    # Of what a Catch led to a Fail state, and of errors that only say "a state failed", the state
    # itself says more.
    if found and (found.ended_in or error in _REPEATS):
        error, cause = found.visit.error or error, found.visit.cause or cause
    elif found:
        error, cause = error or found.visit.error, cause or found.visit.cause
    # Step Functions may give an execution that ran out of time no error of its own.
    if error is None and execution.status is Status.TIMED_OUT:
        error = "States.Timeout"
    return Failure(
        execution_arn=execution.arn,
        state=found.visit.name if found else named_state(cause) or "",
        error=error or "",
        cause=cause or "",
        failed_at=execution.stopped_at or execution.started_at,
        version=execution.version,
        image=image,
        attempt=execution.redrive_count,
        ended_in=found.ended_in if found else None,
    )


@dataclass(slots=True, kw_only=True)
class _Visit:
    """A visit while it is being read."""

    event_id: int
    name: str
    type: str
    entered_at: datetime
    parent: "_Visit | None" = None
    iteration: int | None = None
    exited_at: datetime | None = None
    input: str | None = None
    output: str | None = None
    attempts: list[Attempt] = field(default_factory=list)
    error: str | None = None
    cause: str | None = None
    status: VisitStatus = VisitStatus.RUNNING
    resource: str | None = None
    child: str | None = None
    payload: str | None = None

    def to_record(self) -> StateVisit:
        return StateVisit(
            event_id=self.event_id,
            name=self.name,
            type=self.type,
            entered_at=self.entered_at,
            exited_at=self.exited_at,
            input=self.input,
            output=self.output,
            attempts=tuple(self.attempts),
            error=self.error,
            cause=self.cause,
            status=self.status,
            parent=self.parent.event_id if self.parent else None,
            iteration=self.iteration,
            resource=self.resource,
            child=self.child,
            payload=self.payload,
        )

    def record_failure(self, at: datetime, details: Mapping[str, Any]) -> None:
        self.error, self.cause = details.get("error"), details.get("cause")
        if self.attempts and self.attempts[-1].ended_at is None:
            self.attempts[-1] = replace(
                self.attempts[-1], ended_at=at, error=self.error or "", cause=self.cause
            )

    def end(self, at: datetime, status: VisitStatus) -> None:
        self.exited_at, self.status = at, status

    def reopen(self) -> None:
        self.exited_at, self.status, self.error, self.cause = None, VisitStatus.RUNNING, None, None

    def self_and_parents(self) -> Iterable["_Visit"]:
        visit: _Visit | None = self
        while visit:
            yield visit
            visit = visit.parent


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an event belongs: a visit, and the iteration that states entered next belong to."""

    visit: _Visit | None
    inside: tuple[_Visit | None, int | None] = (None, None)


class _Reader:
    """Places events one after another; ``visits`` grows in the order visits began."""

    def __init__(self) -> None:
        self.visits: list[_Visit] = []
        # previousEventId 0 is the first event's: it has no predecessor.
        self._places: dict[int, _Place] = {0: _Place(None)}
        self._branches: dict[int, int] = {}
        self._redriven = False

    def read_event(self, event: HistoryEvent) -> None:
        before = self._places.get(event.previous_id) or self._guess_place(event)
        if event.type in _ENDS:
            place = self._end_execution(event, before)
        elif event.type == "ExecutionRedriven":
            self._redriven, place = True, before
        elif event.type.endswith("StateEntered"):
            place = self._enter_state(event, before)
        elif event.type.endswith("StateExited"):
            place = self._exit_state(event, before)
        elif event.type.startswith(_SCOPES):
            place = self._read_scope(event, before)
        else:
            place = self._read_work(event, before)
        self._places[event.id] = place

    def _guess_place(self, event: HistoryEvent) -> _Place:
        """Return the likeliest place of an event whose predecessor is not in the history."""
        running = [visit for visit in self.visits if visit.status is VisitStatus.RUNNING]
        named = [visit for visit in running if visit.name == event.step]
        visit = next(iter(reversed(named or running)), None)
        return _Place(visit, (visit.parent, visit.iteration)) if visit else _Place(None)

    def _begin_visit(
        self, event: HistoryEvent, name: str, scope: tuple[_Visit | None, int | None] = (None, None)
    ) -> _Visit:
        visit = _Visit(
            event_id=event.id,
            name=name,
            type=event.type.removesuffix("StateEntered") if event.type.endswith("Entered") else "",
            entered_at=event.timestamp,
            parent=scope[0],
            iteration=scope[1],
        )
        self.visits.append(visit)
        return visit

    def _enter_state(self, event: HistoryEvent, before: _Place) -> _Place:
        scope = before.inside
        # Branches have no index in a history: they are numbered in the order of their first events.
        if scope[0] and scope[0].type == "Parallel" and scope[1] is None:
            branch = self._branches.get(scope[0].event_id, 0)
            self._branches[scope[0].event_id] = branch + 1
            scope = (scope[0], branch)
        visit = self._begin_visit(event, event.details.get("name") or event.step or "", scope)
        visit.input = event.details.get("input")
        return _Place(visit, scope)

    def _exit_state(self, event: HistoryEvent, before: _Place) -> _Place:
        name = event.details.get("name") or event.step or ""
        # States of one name may run in several branches at once: look outwards from this event
        # first.
        nearby = tuple(before.visit.self_and_parents()) if before.visit else ()
        visit = next(
            (v for v in chain(nearby, reversed(self.visits)) if v.name == name and not v.exited_at),
            None,
        ) or self._begin_visit(event, name, before.inside)
        visit.type = visit.type or event.type.removesuffix("StateExited")
        visit.output = event.details.get("output")
        status = VisitStatus.SUCCEEDED if visit.error is None else VisitStatus.CAUGHT
        visit.end(event.timestamp, status)
        self._end_within(visit, event.timestamp)
        return _Place(visit, (visit.parent, visit.iteration))

    def _read_scope(self, event: HistoryEvent, before: _Place) -> _Place:
        """Read an event of a Map or Parallel as a whole, of an iteration, or of a Map Run."""
        kind = "Parallel" if event.type.startswith("Parallel") else "Map"
        name = event.details.get("name")
        nearby = tuple(before.visit.self_and_parents()) if before.visit else ()
        visit = next(
            (
                v
                for v in chain(nearby, reversed(self.visits))
                # A redrive goes on inside a Map that has ended, without another Entered event.
                if v.type == kind and name in (None, v.name) and (not v.exited_at or self._redriven)
            ),
            None,
        )
        if visit is None:
            return _Place(None)
        if event.type.endswith(("Started", "Redriven")):
            return self._start_scope(event, visit)
        if event.type.endswith(("Failed", "Aborted")):
            self._fail_scope(event, visit)
        return _Place(visit, (visit.parent, visit.iteration))

    def _start_scope(self, event: HistoryEvent, visit: _Visit) -> _Place:
        self._reopen_scopes(visit)
        visit.child = event.details.get("mapRunArn") or visit.child
        if event.type == "ParallelStateStarted":
            self._branches[visit.event_id] = 0
        return _Place(visit, (visit, event.details.get("index")))

    def _fail_scope(self, event: HistoryEvent, visit: _Visit) -> None:
        iteration = event.details.get("index")
        self._end_within(visit, event.timestamp, iteration)
        failed = event.type.endswith("Failed")
        if failed and iteration is None:
            inner = next((v for v in self.visits if v.parent is visit and v.error), None)
            known = {"error": inner.error, "cause": inner.cause} if inner else {}
            # The event often has no details: then the state that failed inside tells why.
            visit.record_failure(
                event.timestamp, {"error": "States.TaskFailed", **known, **event.details}
            )
        elif event.type.endswith("StateAborted"):
            visit.end(event.timestamp, VisitStatus.ABORTED)

    def _read_work(self, event: HistoryEvent, before: _Place) -> _Place:
        """Read an event of a Task's work, or of a type newer than this code."""
        begins = event.type in _BEGINS_ATTEMPT
        failed = event.type.endswith(("Failed", "TimedOut"))
        visit = before.visit
        if begins and self._redriven:
            visit = self._redriven_visit(event, visit)
        if visit is None and (begins or failed):
            visit = self._begin_visit(event, event.details.get("state") or event.step or "")
        if visit is None:
            return before
        if begins:
            self._begin_attempt(event, visit)
        elif failed:
            visit.record_failure(event.timestamp, event.details)
        # A retry has succeeded: the error of the attempt before it is not the visit's any more.
        elif event.type.endswith("Succeeded") and visit.attempts:
            visit.error = visit.cause = None
            visit.attempts[-1] = replace(visit.attempts[-1], ended_at=event.timestamp)
        elif event.type.endswith("StateAborted"):
            visit.end(event.timestamp, VisitStatus.ABORTED)
        visit.child = _execution_started_by(event) or visit.child
        return _Place(visit, (visit.parent, visit.iteration))

    def _begin_attempt(self, event: HistoryEvent, visit: _Visit) -> None:
        redriven = visit.status in _UNDONE
        self._reopen_scopes(visit)
        visit.error = visit.cause = None
        visit.resource = _find_resource(event.details) or visit.resource
        payload = _decode_object(event.details.get("parameters")).get("Payload")
        # Most payloads equal the input, and large ones would be kept twice.
        if payload is not None and payload != _decode_object(visit.input):
            visit.payload = json.dumps(payload)
        visit.attempts.append(Attempt(started_at=event.timestamp, redriven=redriven))

    def _redriven_visit(self, event: HistoryEvent, before: _Visit | None) -> _Visit | None:
        """Return the visit that a redrive takes up again: of several, one that calls the same."""
        if before and before.status is VisitStatus.RUNNING:
            return before
        undone = [visit for visit in self.visits if visit.status in _UNDONE and visit.attempts]
        same = [
            v for v in undone if v.name == event.step or v.resource == _find_resource(event.details)
        ]
        return before if before in same else next(iter(same or undone), before)

    def _reopen_scopes(self, visit: _Visit) -> None:
        for scope in visit.self_and_parents():
            if scope.status in _UNDONE:
                scope.reopen()

    def _end_within(self, outer: _Visit, at: datetime, iteration: int | None = None) -> None:
        """End what still ran inside a Map or Parallel that has ended."""
        if outer.type not in ("Map", "Parallel"):
            return
        for visit in self.visits:
            if visit.exited_at or visit is outer or outer not in visit.self_and_parents():
                continue
            if iteration is None or self._iteration_within(visit, outer) == iteration:
                failed = visit.error or visit.type == "Fail"
                visit.end(at, VisitStatus.FAILED if failed else VisitStatus.ABORTED)

    @staticmethod
    def _iteration_within(visit: _Visit, outer: _Visit) -> int | None:
        return next((v.iteration for v in visit.self_and_parents() if v.parent is outer), None)

    def _end_execution(self, event: HistoryEvent, before: _Place) -> _Place:
        status = VisitStatus(_ENDS[event.type])
        running = [visit for visit in self.visits if not visit.exited_at]
        # The cause names the state that failed; in a branch, the last event may be of another one.
        last = self._find_named(event) or before.visit
        if status is VisitStatus.FAILED and last in running and last and last.error is None:
            last.record_failure(event.timestamp, event.details)
        for visit in running:
            # One failed state ends its siblings: they were stopped and did not fail.
            failed = visit.error is not None or (visit is last and visit.type == "Fail")
            ended = status if failed or status is not VisitStatus.FAILED else VisitStatus.ABORTED
            visit.end(event.timestamp, ended)
        return before

    def _find_named(self, event: HistoryEvent) -> _Visit | None:
        """Return the visit that the cause of an execution's end names, if it names one."""
        identity = named_event(event.details.get("cause"))
        return next((visit for visit in self.visits if visit.event_id == identity), None)


def _find_resource(details: Mapping[str, Any]) -> str | None:
    """Return what a Scheduled event calls, from either shape of its parameters."""
    parameters = _decode_object(details.get("parameters"))
    name = parameters.get("FunctionName")
    if isinstance(name, str):
        return name
    service, action = details.get("resourceType"), details.get("resource")
    return f"{service}:{action}" if service and action else action


def _execution_started_by(event: HistoryEvent) -> str | None:
    if event.details.get("resourceType") != "states":
        return None
    arn = _decode_object(event.details.get("output")).get("ExecutionArn")
    return arn if isinstance(arn, str) else None


def _decode_object(value: object) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}
