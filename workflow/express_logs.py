"""Executions of an EXPRESS state machine, read from the events in its log group. Pure.

Step Functions keeps no executions of this type; with logging at level ALL each event is a line of
JSON. Source: Step Functions developer guide, "Using CloudWatch Logs to log execution history".
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from workflow.executions import Execution, Status

_TYPE, _MACHINE, _NAME, _PARTS = 5, 6, 7, 9
"""Places in ``arn:aws:states:region:account:express:machine:name:id``."""

_MILLISECONDS_DIGITS: Final = 13
_ENDS: Final = {
    "ExecutionSucceeded": Status.SUCCEEDED,
    "ExecutionFailed": Status.FAILED,
    "ExecutionTimedOut": Status.TIMED_OUT,
    "ExecutionAborted": Status.ABORTED,
}


def express_executions(lines: Iterable[str]) -> tuple[Execution, ...]:
    """Return the executions that began in some log lines, the newest first.

    Lines that are no event of an execution are left out. An execution whose end is not among the
    lines is running, as far as they tell.

    Args:
        lines: Messages of the log group, in any order.
    """
    events = sorted(
        (event for line in lines if (event := _parse_event(line)) is not None),
        key=lambda event: int(event["id"]),
    )
    found: dict[str, Execution] = {}
    for event in events:
        arn, kind = event["execution_arn"], event["type"]
        machine = arn.split(":")[_MACHINE]
        at = datetime.fromtimestamp(int(event["event_timestamp"]) / 1000, UTC)
        details = event.get("details")
        said = details if isinstance(details, Mapping) else {}
        if kind == "ExecutionStarted":
            found[arn] = Execution(
                arn=arn,
                name=arn.split(":")[_NAME],
                state_machine_arn=":".join([*arn.split(":")[:_TYPE], "stateMachine", machine]),
                status=Status.RUNNING,
                started_at=at,
                input=_text_field(said, "input"),
            )
        # An end without its beginning is older than the lines that were read.
        elif kind in _ENDS and arn in found:
            found[arn] = replace(
                found[arn],
                status=_ENDS[kind],
                stopped_at=at,
                output=_text_field(said, "output"),
                error=_text_field(said, "error"),
                cause=_text_field(said, "cause"),
            )
    return tuple(sorted(found.values(), key=lambda one: one.started_at, reverse=True))


def _parse_event(line: str) -> dict[str, Any] | None:
    """Return an event with the fields that are needed; None for any other line."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    arn, kind = event.get("execution_arn"), event.get("type")
    if not isinstance(kind, str) or not isinstance(arn, str) or len(arn.split(":")) != _PARTS:
        return None
    numbers = (str(event.get("id", "")), str(event.get("event_timestamp", "")))
    usable = all(number.isascii() and number.isdecimal() for number in numbers)
    # A number that long would overflow datetime, or be no time in milliseconds.
    return event if usable and len(numbers[1]) <= _MILLISECONDS_DIGITS else None


def _text_field(details: Mapping[str, Any], name: str) -> str | None:
    value = details.get(name)
    return value if isinstance(value, str) else None
