"""What the history of one execution proves about it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from workflow.causes import is_rejection
from workflow.errors import WorkflowError
from workflow.execution_rules import ExecutionRules
from workflow.executions import Execution, Failure, parse_event
from workflow.timelines import StateVisit, failure_of, settle, timeline

Events = tuple[Mapping[str, Any], ...]
"""Events as GetExecutionHistory or a console export gives them."""


@dataclass(frozen=True, slots=True)
class HistoryReading:
    """What a history proves.

    Attributes:
        execution: With the status, output, error and cause that the history proves.
        failure: Why it failed or is silently wrong, or None.
        visits: Its timeline.
        problem: Code of what made the history unreadable, or None.
    """

    execution: Execution
    failure: Failure | None
    visits: tuple[StateVisit, ...]
    problem: str | None


def read_history(execution: Execution, events: Events, *, rules: ExecutionRules) -> HistoryReading:
    """Read the events of an ended execution as far as they can be read."""
    try:
        history = tuple(parse_event(event) for event in events)
    except WorkflowError as error:
        return HistoryReading(execution, failure_of(execution, ()), (), error.code)
    # The history decides: a listing may be older than the end of the execution.
    settled, visits = settle(execution, history), timeline(history)
    image = rules.image(settled, visits)
    failure = failure_of(settled, visits, image=image)
    if failure and is_rejection(failure.error, failure.cause):  # perhaps one that was caught
        settled = replace(settled, error=failure.error, cause=failure.cause)
    silent = rules.silent(settled, visits, image=image)
    return HistoryReading(settled, failure or silent, visits, None)
