"""Culprits: which visit of a state is why an execution failed.

The end of an execution often only repeats, in general words, what an earlier state said: a Fail
state that a Catch led to, straight or by way of states that only tell somebody. Then the caught
failure is the failure. What an execution survived, by a retry or with other work, is none.
"""

import re
from dataclasses import dataclass
from typing import Final

from workflow.visits import StateVisit, VisitStatus

_FAILED: Final = (VisitStatus.FAILED, VisitStatus.TIMED_OUT)
_SURVIVED: Final = (VisitStatus.SUCCEEDED, VisitStatus.CAUGHT)
_NAMED: Final = re.compile(
    r"An error occurred while executing the state '(?P<state>.+?)' "
    r"\(entered at the event id #(?P<event>\d+)\)",
    re.DOTALL,
)
_PASSES_ON: Final = ("Pass", "Choice", "Wait")
_TELLS: Final = re.compile(
    r"\b(sns|sqs|events|ses|sesv2|logs|cloudwatch|dynamodb|chatbot):"
    r"|notif|alert|alarm|report|record|handl|clean|fail(?!over)|error|roll.?back|compensat|dead.?letter"
    r"|dlq|mail|slack|pager|escalat|warn|publish|audit|inform|send|message|save|store|updat|mark|status|queue|emit|\blog",
    re.IGNORECASE,
)
"""In the name or resource of a Task: it tells somebody, or tidies up, after a failure."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """Why an execution failed.

    Attributes:
        visit: The innermost visit that failed.
        ended_in: Name of the Fail state that a Catch of it led to, or None.
    """

    visit: StateVisit
    ended_in: str | None = None


def culprit(visits: tuple[StateVisit, ...], *, rejected: bool = False) -> Culprit | None:
    """Return the innermost visit that failed the execution, or None where the visits do not tell.

    Args:
        visits: In the order they began.
        rejected: Whether the end says that the confidence is too low: then it is the answer.
    """
    by_id = {visit.event_id: visit for visit in visits}
    failed = [v for v in visits if v.status in _FAILED and not _was_survived(v, by_id)]
    parents = {visit.parent for visit in failed}
    # Of a Map and the state that failed inside it, the inner one is the reason.
    leaves = [visit for visit in failed if visit.event_id not in parents]
    # A visit that was only stopped has no error: it is taken where there is no other.
    last = max(leaves, key=lambda v: (v.error is not None or _is_fail(v), v.event_id), default=None)
    if last is None:
        return None
    origin = last if rejected else _find_origin(last, visits)
    return Culprit(origin, last.name if origin is not last else None)


def named_state(cause: str | None) -> str | None:
    """Return the state that Step Functions names in the cause of an execution."""
    found = _NAMED.match(cause or "")
    return found["state"] if found else None


def named_event(cause: str | None) -> int | None:
    """Return the event by which that state was entered."""
    found = _NAMED.match(cause or "")
    return int(found["event"]) if found else None


def _is_fail(visit: StateVisit) -> bool:
    return visit.type == "Fail"


def _was_survived(visit: StateVisit, by_id: dict[int, StateVisit]) -> bool:
    """Return whether a Map or Parallel around the visit ended well, or its failure was caught."""
    while visit.parent is not None and (outer := by_id.get(visit.parent)):
        if outer.status in _SURVIVED:
            return True
        visit = outer
    return False


def _find_origin(visit: StateVisit, visits: tuple[StateVisit, ...]) -> StateVisit:
    """Return the failure behind a visit: what was caught before a Fail state, or failed inside."""
    if _is_fail(visit):
        caught = _caught_before(visit, visits)
        return _find_origin(caught, visits) if caught else visit
    inside = [v for v in visits if v.parent == visit.event_id and v.status in _FAILED]
    if not inside:
        return visit
    # A Parallel repeats the error of the branch that ended it; other branches may have failed too.
    said = [inner for inner in inside if inner.error == visit.error]
    return _find_origin((said or inside)[-1], visits)


def _caught_before(fail: StateVisit, visits: tuple[StateVisit, ...]) -> StateVisit | None:
    """Return the caught failure that led to a Fail state of the same branch."""
    before = [
        visit
        for visit in visits
        if (visit.parent, visit.iteration) == (fail.parent, fail.iteration)
        and visit.event_id < fail.event_id
    ]
    found: StateVisit | None = None
    # Back from the Fail state, as long as states only pass on or report what was caught.
    for visit in reversed(before):
        caught = visit.status is VisitStatus.CAUGHT
        found = visit if caught else found
        if not _only_reports(visit, visits):
            break
    # Real work lies between: then a Fail state that repeats the caught error still tells.
    if found is None and fail.error:
        repeated = [v for v in before if v.status is VisitStatus.CAUGHT and v.error == fail.error]
        found = repeated[-1] if repeated else None
    return found


def _only_reports(visit: StateVisit, visits: tuple[StateVisit, ...]) -> bool:
    """Return whether a visit only passes on, or tells somebody of, what was caught before it."""
    if visit.type in _PASSES_ON:
        return True
    inside = [inner for inner in visits if inner.parent == visit.event_id]
    if visit.type in ("Map", "Parallel"):
        return bool(inside) and all(_only_reports(inner, visits) for inner in inside)
    return _TELLS.search(f"{visit.name} {visit.resource}") is not None
