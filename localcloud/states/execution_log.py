"""Execution log: the events of an execution in the log group that its state machine names.

https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
"""

import datetime as dt
import json
import uuid
from collections.abc import Callable
from typing import Any

from localcloud.states.history import Event
from localcloud.wire import Params

_FATAL = ("ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")
_ERROR_ENDINGS = ("Failed", "TimedOut", "Aborted")
_DATA = ("input", "output", "inputDetails", "outputDetails", "parameters", "assignedVariables",
         "assignedVariablesDetails")  # fmt: skip

Append = Callable[[str, str, list[str]], None]


class ExecutionLog:
    """Writes the events that a logging configuration asks for.

    Args:
        configuration: ``loggingConfiguration`` of the state machine.
        append: Writes lines to a log group and stream.
        execution_arn: The execution.
        redrives: How often it was redriven.
        started: When it started, seconds since 1970.
    """

    def __init__(
        self,
        configuration: Params,
        append: Append,
        execution_arn: str,
        redrives: int,
        started: float,
    ) -> None:
        destinations = configuration.get("destinations") or [{}]
        arn = destinations[0].get("cloudWatchLogsLogGroup", {}).get("logGroupArn", "")
        # AWS wants the ARN of the group with this ending; the name of the group is without it.
        self._group = arn.partition(":log-group:")[2].removesuffix(":*")
        self._level = configuration.get("level", "OFF") if self._group else "OFF"
        self._with_data = bool(configuration.get("includeExecutionData"))
        self._append = append
        self._execution_arn = execution_arn
        self._redrives = redrives
        moment = dt.datetime.fromtimestamp(started, dt.UTC)
        name = execution_arn.split(":")[6]
        self._stream = f"states/{name}/{moment:%Y-%m-%d-%H-%M}/{uuid.uuid4().hex[:8]}"

    def write(self, event: Event) -> None:
        """Write an event, if its level asks for it."""
        if self._level == "OFF" or not _is_logged(event["type"], self._level):
            return
        # Of the members of an event only its details are an object.
        details: dict[str, Any] = next(
            (value for value in event.values() if isinstance(value, dict)), {}
        )
        if not self._with_data:
            details = {key: value for key, value in details.items() if key not in _DATA}
        line = {
            # CloudWatch Logs gets these numbers as text.
            "id": str(event["id"]),
            "type": event["type"],
            "details": details,
            "redrive_count": str(self._redrives),
            "previous_event_id": str(event["previousEventId"]),
            "event_timestamp": str(int(event["timestamp"] * 1000)),
            "execution_arn": self._execution_arn,
        }
        self._append(self._group, self._stream, [json.dumps(line, separators=(",", ":"))])


def _is_logged(kind: str, level: str) -> bool:
    if level == "ALL" or kind in _FATAL:
        return True
    return level == "ERROR" and (kind.endswith(_ERROR_ENDINGS) or kind == "FailStateEntered")
