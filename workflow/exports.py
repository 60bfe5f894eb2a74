"""Exports: executions with their history as files, the console's and our own.

The console's "Export" gives ``execution-detail.json`` with ``execution``, ``historyHash`` (events
by id) and ``stateMachine`` (with the definition). Two eras exist: until 2023 times are epoch
milliseconds and every ``...EventDetails`` key is there, all but one null; since then times are ISO
text and only the relevant key is there. ``write_export`` writes the younger shape.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workflow.errors import WorkflowError
from workflow.executions import Execution, HistoryEvent, in_order, parse_event, parse_execution
from workflow.timelines import settle


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One exported execution.

    Attributes:
        execution: With the status that its history proves, whatever the record says.
        recorded_status: The status as the file's record has it; the console writes RUNNING for
            most runs that have ended.
        events: By id, each once.
        definition: ASL as JSON text, None when the file does not hold it. It is the state machine's
            at the time of the export, which may be younger than the execution.
        problems: What could not be read, a sentence each.
    """

    execution: Execution
    recorded_status: str
    events: tuple[HistoryEvent, ...]
    definition: str | None
    problems: tuple[str, ...] = ()


def read_export(text: str | bytes) -> Export:
    """Read an exported execution.

    Args:
        text: The console's export, or DescribeExecution's answer as the AWS CLI prints it. Bytes
            are UTF-8 or, as Windows' shell redirects, UTF-16.

    Raises:
        WorkflowError: ``ExportInvalid`` where the file is no export, or an error of
            ``parse_execution``. An event that cannot be read is a problem, not an error.
    """
    value = _decode_object(text)
    events, problems = _read_events(value)
    record = value.get("execution", value)
    if not isinstance(record, Mapping) or "executionArn" not in record:
        raise _invalid_export(f"The file holds {_describe_content(value)}no execution.")
    machine = value.get("stateMachine")
    count = value.get("eventCount")
    if isinstance(count, int) and count > len(events):
        problems = (*problems, f"The file holds {len(events):,} of {count:,} events.")
    return Export(
        execution=settle(parse_execution(record), events),
        recorded_status=record["status"],
        events=events,
        definition=machine.get("definition") if isinstance(machine, Mapping) else None,
        problems=problems,
    )


def write_export(
    execution: Execution, events: Iterable[HistoryEvent], definition: str | None
) -> str:
    """Write an execution as the console would; ``read_export`` reads it back."""
    record = {
        "executionArn": execution.arn,
        "name": execution.name,
        "stateMachineArn": execution.state_machine_arn,
        "stateMachineVersionArn": _qualified_arn(execution.state_machine_arn, execution.version),
        "stateMachineAliasArn": _qualified_arn(execution.state_machine_arn, execution.alias),
        "status": execution.status.value,
        "startDate": _format_time(execution.started_at),
        "stopDate": _format_time(execution.stopped_at),
        "redriveCount": execution.redrive_count,
        "redriveStatus": execution.redrive_status,
        "redriveStatusReason": execution.redrive_reason,
        "input": execution.input,
        "output": execution.output,
        "error": execution.error,
        "cause": execution.cause,
    }
    history = in_order(events)
    value = {
        "execution": {key: item for key, item in record.items() if item is not None},
        "historyHash": {str(event.id): _raw_event(event) for event in history},
        "stateMachine": {"stateMachineArn": execution.state_machine_arn, "definition": definition},
        "eventCount": len(history),
    }
    return json.dumps(value, indent=2, ensure_ascii=False)


def _decode_object(text: str | bytes) -> Mapping[str, Any]:
    try:
        if isinstance(text, bytes):
            # PowerShell 5 redirects the CLI's answer as UTF-16 with a byte order mark.
            text = text.decode(json.detect_encoding(text))
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid_export(f"The file is not JSON: {error}.") from None
    if not isinstance(value, Mapping):
        raise _invalid_export("The file is JSON, but not an object.")
    return value


def _read_events(value: Mapping[str, Any]) -> tuple[tuple[HistoryEvent, ...], tuple[str, ...]]:
    raw = value.get("historyHash") or value.get("events") or ()
    items = raw.values() if isinstance(raw, Mapping) else raw
    if not isinstance(items, Iterable) or isinstance(items, str):
        return (), (f"The history is {type(raw).__name__}, not events.",)
    events, problems = [], []
    for item in items:
        if not isinstance(item, Mapping):
            problems.append(f"An event is {type(item).__name__}, not an object.")
            continue
        try:
            events.append(parse_event(item))
        except WorkflowError as error:
            problems.append(error.message)
    return in_order(events), tuple(problems)


def _describe_content(value: Mapping[str, Any]) -> str:
    """Return what a file without an execution holds, where that is known."""
    if "events" in value or "historyHash" in value:
        return "a history, but "
    return "a state machine, but " if "definition" in value or "States" in value else ""


def _raw_event(event: HistoryEvent) -> dict[str, Any]:
    kind = event.type
    # All state types share stateEnteredEventDetails and stateExitedEventDetails (API reference,
    # HistoryEvent).
    if kind.endswith(("StateEntered", "StateExited")):
        kind = kind[kind.index("State") :]
    raw = {
        "id": event.id,
        "previousEventId": event.previous_id,
        "type": event.type,
        "timestamp": _format_time(event.timestamp),
    }
    details = {f"{kind[0].lower()}{kind[1:]}EventDetails": dict(event.details)}
    step = {"stepName": event.step} if event.step else {}
    return raw | (details if event.details else {}) | step


def _format_time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="microseconds") if moment else None


def _qualified_arn(arn: str, part: str | None) -> str | None:
    return f"{arn}:{part}" if part else None


def _invalid_export(message: str) -> WorkflowError:
    return WorkflowError(
        "ExportInvalid",
        message,
        "Export the execution in the Step Functions console (execution-detail.json) and give "
        "that file.",
    )
