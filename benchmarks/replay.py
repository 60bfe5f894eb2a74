"""Replay: state machines that people ran on AWS, run by our interpreter, history against history.

`python -m benchmarks.replay PATH` takes every console export and every definition below PATH.

- An export is run again with its own definition and input; each Task is answered as AWS recorded
  it. Types, states, inputs, outputs, errors and causes of the events are compared one by one.
- A definition without a recording is only checked: AWS took it, so it is not to be refused.

The table names what differs first. Exits 1 where anything does.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from localcloud.errors import AwsError
from localcloud.states.definitions import check_definition
from localcloud.states.engine import Ending, ExecutionRequest, Run
from localcloud.states.history import Event
from localcloud.states.progress import ExecutionProgress
from localcloud.states.services import ServiceError
from localcloud.states.tokens import Tokens
from workflow.errors import WorkflowError
from workflow.executions import HistoryEvent
from workflow.exports import Export, read_export

SECONDS = 60.0
JSON_FIELDS = ("input", "output")
TOLD = (*JSON_FIELDS, "error", "cause", "name")
NOT_OURS = ("SdkHttpMetadata", "SdkResponseMetadata")
"""Members of a Task's result that no two calls share."""

ANSWERS = ("TaskSucceeded", "TaskFailed", "TaskTimedOut", "LambdaFunctionSucceeded",
           "LambdaFunctionFailed", "LambdaFunctionTimedOut")  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        path: The file.
        kind: ``export`` or ``definition``.
        differs: What differs first; empty where nothing does.
        events: How many recorded events were compared.
    """

    path: str
    kind: str
    differs: str
    events: int = 0


class RecordedServices:
    """Answers each Task as AWS recorded it, one after the other."""

    def __init__(self, events: Sequence[HistoryEvent]) -> None:
        self._answers = [event for event in events if event.type in ANSWERS]

    def invoke_function(self, parameters: Mapping[str, Any], role_arn: str) -> dict[str, Any]:  # noqa: ARG002
        """Answer an invocation of a function."""
        event = self._next()
        output = json.loads(event.details.get("output") or "null")
        version = "$LATEST"
        if event.type == "TaskSucceeded" and isinstance(output, dict):
            version, output = output.get("ExecutedVersion", version), output.get("Payload")
        return {
            "Payload": json.dumps(output).encode(),
            "StatusCode": 200,
            "ExecutedVersion": version,
            "ResponseMetadata": {"HTTPHeaders": {}, "HTTPStatusCode": 200},
        }

    def call_service(
        self,
        service: str,  # noqa: ARG002
        action: str,  # noqa: ARG002
        parameters: Mapping[str, Any],  # noqa: ARG002
    ) -> dict[str, Any]:
        """Answer a call of any other service."""
        answer: dict[str, Any] = json.loads(self._next().details.get("output") or "{}")
        return answer | {"ResponseMetadata": {"HTTPHeaders": {}, "HTTPStatusCode": 200}}

    def read_object(self, parameters: Mapping[str, Any]) -> bytes:
        """Refuse: no recording holds what an ItemReader read."""
        raise ServiceError("S3.NoSuchKeyException", f"{dict(parameters)} was not recorded.")

    def describe_execution(self, execution_arn: str) -> dict[str, Any]:
        """Refuse: no recording holds an execution that another one started."""
        raise ServiceError("States.TaskFailed", f"{execution_arn} was not recorded.")

    def _next(self) -> HistoryEvent:
        if not self._answers:
            raise ServiceError("Replay.NotRecorded", "AWS called nothing more here.")
        event = self._answers.pop(0)
        if not event.type.endswith("Succeeded"):
            error = event.details.get("error") or "States.Timeout"
            raise ServiceError(error, event.details.get("cause") or "")
        return event


def replayed(export: Export) -> tuple[list[Event], Ending | None]:
    """Run an export again: its history here, and its end; None where it does not end in time.

    Raises:
        AwsError: Its definition is refused.
    """
    history, endings = list[Event](), list[Ending]()
    definition = export.definition or ""
    check_definition(definition)
    started = (e.details.get("input") for e in export.events if e.type == "ExecutionStarted")
    given = next(started, None)
    execution = export.execution
    machine = execution.state_machine_arn
    job = ExecutionRequest(
        execution_arn=execution.arn,
        name=execution.arn.rpartition(":")[2],
        machine_arn=machine,
        machine_name=machine.rpartition(":")[2],
        machine_type="STANDARD",
        role_arn="arn:aws:iam::123456789012:role/r",
        definition=definition,
        input=given or "{}",
        started=time.time(),
        first_event={
            "type": "ExecutionStarted",
            "details": {"executionStartedEventDetails": {"input": given or "{}"}},
        },
        last_event_id=0,
        variables={},
    )
    services, tokens = RecordedServices(export.events), Tokens()
    while True:
        run = Run(job, services, tokens, history.append, endings.append)
        run.start()
        if not run.wait(SECONDS):
            run.stop(None, None)
            return history, None
        following = export.events[len(history) : len(history) + 1]
        if not following or following[0].type != "ExecutionRedriven":
            return history, endings[-1]
        job = _redriven(job, history, run.progress)


def _redriven(
    job: ExecutionRequest, history: Sequence[Event], progress: ExecutionProgress
) -> ExecutionRequest:
    """Return the job that goes on where a run failed."""
    count = job.redrives + 1
    return replace(
        job,
        before=progress,
        redrives=count,
        last_event_id=len(history),
        first_event={
            "type": "ExecutionRedriven",
            "details": {"executionRedrivenEventDetails": {"redriveCount": count}},
        },
    )


def first_difference(recorded: Sequence[HistoryEvent], found: Sequence[Event]) -> str:
    """What differs first between what AWS recorded and what happened here; empty: nothing."""
    for number, event in enumerate(recorded):
        if number >= len(found):
            return f"event {event.id} {event.type} is missing"
        here = found[number]
        if here["type"] != event.type:
            return f"event {event.id} is {here['type']}, not {event.type}"
        if here["previousEventId"] != event.previous_id:
            return f"event {event.id} follows {here['previousEventId']}, not {event.previous_id}"
        details: Mapping[str, Any] = next(
            (v for k, v in here.items() if k.endswith("EventDetails")), {}
        )
        for field in TOLD:
            wanted = event.details.get(field)
            if wanted is None or event.type == "ExecutionStarted":
                continue
            got = details.get(field)
            if _value(field, wanted) != _value(field, got):
                return (
                    f"event {event.id} {event.type}: {field} is {_short(got)}, not {_short(wanted)}"
                )
    if len(found) > len(recorded):
        return f"{found[len(recorded)]['type']} follows the last recorded event"
    return ""


def _value(field: str, text: object) -> object:
    """Return a field as it is compared: JSON parsed, without what no two calls share."""
    if field not in JSON_FIELDS or not isinstance(text, str):
        return text
    try:
        return _without(json.loads(text))
    except ValueError:
        return text


def _without(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without(item) for key, item in value.items() if key not in NOT_OURS}
    return [_without(item) for item in value] if isinstance(value, list) else value


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}..."  # noqa: PLR2004 - fits a line


def row_of(path: Path, name: str) -> Row | None:
    """Return the line of a file; None for a file that is neither an export nor a definition."""
    text = path.read_bytes()
    try:
        value = json.loads(text)
        if isinstance(value, dict) and "States" in value and "StartAt" in value:
            check_definition(json.dumps(value))
            return Row(name, "definition", "")
        export = read_export(text)
    except AwsError as error:
        return Row(name, "definition", f"refused: {error.message}")
    except (ValueError, WorkflowError):
        return None
    return _row_of_export(export, name) if export.events and export.definition else None


def _row_of_export(export: Export, name: str) -> Row:
    try:
        found, ending = replayed(export)
    except AwsError as error:
        return Row(name, "export", f"refused: {error.message}")
    differs = first_difference(export.events, found)
    if ending is None and not differs:
        differs = "still running"
    return Row(name, "export", differs, len(export.events))


def rows(root: Path) -> Iterator[Row]:
    """Yield a line for each export and definition below a folder."""
    for path in sorted(root.rglob("*.[jJ][sS][oO][nN]")):
        row = row_of(path, str(path.relative_to(root)))
        if row is not None:
            yield row


def main(arguments: list[str]) -> int:
    """Print the table; 0 where nothing differs, 2 without a path."""
    if len(arguments) != 1:
        print("usage: python -m benchmarks.replay PATH", file=sys.stderr)
        return 2
    found = list(rows(Path(arguments[0])))
    for row in found:
        print(f"{row.kind:10} {row.events or '':>4} {row.path}: {row.differs or 'same'}")
    for kind in ("export", "definition"):
        same = [not row.differs for row in found if row.kind == kind]
        print(f"{kind}s: {sum(same)} of {len(same)} as on AWS")
    return 1 if any(row.differs for row in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
