"""An exported execution is read in both eras, and shown with the status its history proves."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflow.histories import ARN, MACHINE, START, History, execution
from workflow.errors import WorkflowError
from workflow.executions import Status
from workflow.exports import read_export, write_export


def console_export(history: History, *, era: str, **record: object) -> str:
    """``execution-detail.json`` as the console wrote it in one of its two eras."""

    def moment(value: datetime) -> object:
        return value.isoformat() if era == "iso" else int(value.timestamp() * 1000)

    unused = {} if era == "iso" else {"mapRunFailedEventDetails": None}
    events = {
        str(raw["id"]): raw | unused | {"timestamp": moment(raw["timestamp"])}
        for raw in history.raw
    }
    known = {
        "executionArn": ARN,
        "stateMachineArn": MACHINE,
        "status": "RUNNING",
        "startDate": moment(START),
        "stopDate": None,
        "redriveCount": None,
    }
    return json.dumps(
        {
            "execution": known | record,
            "historyHash": events,
            "stateMachine": {"definition": "{}"},
            "eventCount": len(events),
        }
    )


def finished() -> History:
    history = History()
    history.run("Classify")
    history.add("ExecutionSucceeded", output='{"ok": true}')
    return history


@pytest.mark.parametrize("era", ["iso", "epoch"])
def test_a_run_that_the_console_calls_running_has_ended(era: str) -> None:
    export = read_export(console_export(finished(), era=era))

    assert export.recorded_status == "RUNNING"
    assert export.execution.status is Status.SUCCEEDED
    assert export.execution.output == '{"ok": true}'
    assert export.events == finished().events
    assert (export.definition, export.problems) == ("{}", ())


def test_missing_events_are_said() -> None:
    value = json.loads(console_export(finished(), era="iso"))
    del value["historyHash"]["3"]

    assert read_export(json.dumps(value)).problems == ("The file holds 6 of 7 events.",)


def test_an_event_that_cannot_be_read_costs_only_itself() -> None:
    value = json.loads(console_export(finished(), era="iso"))
    value["historyHash"]["3"] = "lost"
    value["historyHash"]["4"] = {"id": None}
    value["eventCount"] = 5

    export = read_export(json.dumps(value).encode("utf-8-sig"))

    assert len(export.events) == 5
    assert export.problems == (
        "An event is str, not an object.",
        "A history event has id None and type None.",
    )
    assert export.execution.status is Status.SUCCEEDED


@pytest.mark.parametrize(
    "content",
    ["", "no json", "[]", "{}", '{"execution": 1}', b"\xff\xfe", "[" * 100_000],
)
def test_what_is_no_export_is_refused_with_a_remedy(content: str | bytes) -> None:
    with pytest.raises(WorkflowError) as caught:
        read_export(content)

    assert caught.value.code == "ExportInvalid"
    assert "execution-detail.json" in caught.value.remedy


def test_an_export_without_history_or_machine_is_its_record() -> None:
    record: dict[str, Any] = {"executionArn": ARN, "status": "FAILED", "startDate": 1_700_000_000}

    export = read_export(json.dumps({"execution": record}))

    assert export.execution.status is Status.FAILED
    assert (export.events, export.definition) == ((), None)


@given(
    version=st.none() | st.integers(1, 999).map(str),
    output=st.none() | st.text(),
    step=st.none() | st.text(min_size=1),
)
def test_what_is_written_is_read_back(
    version: str | None, output: str | None, step: str | None
) -> None:
    history = finished()
    history.raw[2]["stepName"] = step
    known = read_export(console_export(history, era="iso")).execution
    shown = execution(
        status=Status.SUCCEEDED,
        stopped_at=known.stopped_at,
        started_at=known.started_at,
        input=known.input,
        output=known.output,
        version=version,
        alias="live" if version else None,
        redrive_reason=output,
    )

    export = read_export(write_export(shown, history.events, "{}"))

    assert export.execution == shown
    assert export.events == history.events
    assert export.definition == "{}"


def test_the_answer_of_the_command_line_is_its_record() -> None:
    record = json.loads(console_export(finished(), era="iso", status="FAILED"))["execution"]

    export = read_export(json.dumps(record))

    assert (export.execution.status, export.events) == (Status.FAILED, ())


def test_what_windows_saves_as_utf_16_is_read() -> None:
    text = console_export(finished(), era="iso")

    assert read_export(text.encode("utf-16")) == read_export(text)


@pytest.mark.parametrize(
    ("content", "held"),
    [
        ({"events": []}, "a history, but no execution"),
        ({"historyHash": {}}, "a history, but no execution"),
        ({"StartAt": "A", "States": {}}, "a state machine, but no execution"),
        ({"executionInput": 1}, "holds no execution"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name(content: object, held: str) -> None:
    with pytest.raises(WorkflowError, match=held):
        read_export(json.dumps(content))


@pytest.mark.parametrize("history", [3, "lost"])
def test_a_history_that_is_none_is_said(history: object) -> None:
    value = json.loads(console_export(finished(), era="iso"))
    value["historyHash"] = history

    export = read_export(json.dumps(value))

    assert export.events == ()
    assert export.problems[0] == f"The history is {type(history).__name__}, not events."


def test_a_record_with_values_of_other_types_is_read() -> None:
    odd = {"name": 5, "stateMachineVersionArn": 3, "redriveCount": "1", "input": {"s3_key": "a"}}

    execution_read = read_export(console_export(finished(), era="iso", **odd)).execution

    assert (execution_read.name, execution_read.redrive_count) == ("5", 0)
    assert execution_read.input == '{"s3_key": "a"}'
