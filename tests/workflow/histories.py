"""Histories and failures that tests build, in the shapes of the Step Functions API."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from workflow.executions import Execution, Failure, HistoryEvent, Status, parse_event

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:scones"
ARN = "arn:aws:states:eu-west-1:123456789012:execution:scones:one"

_DETAILS = {
    "StateEntered": "stateEnteredEventDetails",
    "StateExited": "stateExitedEventDetails",
}


class History:
    """Writes events one after another, a second apart, each after the one before it."""

    def __init__(self) -> None:
        self.raw: list[dict[str, Any]] = []
        self.add("ExecutionStarted", input='{"s3_key": "bike.png"}')

    def add(self, kind: str, *, previous: int | None = None, **details: object) -> int:
        """Append an event and give its id."""
        identity = len(self.raw) + 1
        key = next((key for end, key in _DETAILS.items() if kind.endswith(end)), None)
        key = key or f"{kind[0].lower()}{kind[1:]}EventDetails"
        event = {
            "id": identity,
            "previousEventId": identity - 1 if previous is None else previous,
            "type": kind,
            "timestamp": START + timedelta(seconds=identity),
        }
        self.raw.append(event | ({key: details} if details else {}))
        return identity

    def enter(self, name: str, kind: str = "Task", *, previous: int | None = None) -> int:
        return self.add(f"{kind}StateEntered", previous=previous, name=name, input='{"a": 1}')

    def exit(self, name: str, kind: str = "Task", output: str = '{"b": 2}') -> int:
        return self.add(f"{kind}StateExited", name=name, output=output)

    def attempt(self, function: str = "f", *, previous: int | None = None) -> int:
        parameters = json.dumps({"FunctionName": function, "Payload": {"a": 1}})
        known: dict[str, Any] = {"resourceType": "lambda", "resource": "invoke"}
        self.add("TaskScheduled", previous=previous, parameters=parameters, **known)
        return self.add("TaskStarted", **known)

    def succeed(self) -> int:
        return self.add("TaskSucceeded", resourceType="lambda", output="{}")

    def fail(self, error: str = "KeyError", cause: str = "no") -> int:
        return self.add("TaskFailed", error=error, cause=cause)

    def run(self, name: str) -> int:
        """A whole Task that succeeds."""
        self.enter(name)
        self.attempt()
        self.succeed()
        return self.exit(name)

    @property
    def events(self) -> tuple[HistoryEvent, ...]:
        return tuple(parse_event(event) for event in self.raw)


def lambda_cause(
    message: str,
    kind: str = "KeyError",
    *,
    line: int = 7,
    request: str = "r",
    frames: Sequence[str] = (),
) -> str:
    """A cause as the Lambda runtime for Python writes it; ``frames`` come before its own."""
    own = f'  File "/var/task/lambda_function.py", line {line}, in lambda_handler'
    library = f'  File "/var/lang/lib/python3.13/json/decoder.py", line {line}, in decode'
    return json.dumps(
        {
            "errorMessage": message,
            "errorType": kind,
            "requestId": request,
            "stackTrace": [*frames, f"{own}\n    go()\n", f"{library}\n    x\n"],
        }
    )


def execution(**changes: Any) -> Execution:
    known: dict[str, Any] = {
        "arn": ARN,
        "name": "one",
        "state_machine_arn": MACHINE,
        "status": Status.FAILED,
        "started_at": START,
    }
    return Execution(**(known | changes))


def failure(**changes: Any) -> Failure:
    known: dict[str, Any] = {
        "execution_arn": ARN,
        "state": "ClassifyImage",
        "error": "KeyError",
        "cause": lambda_cause("'inferences'"),
        "failed_at": START,
    }
    return Failure(**(known | changes))
