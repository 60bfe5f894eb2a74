"""Executions and events are read from every shape in which AWS writes them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflow.histories import ARN, MACHINE, START
from workflow.errors import WorkflowError
from workflow.executions import Status, in_order, parse_event, parse_execution, parse_time


@pytest.mark.parametrize(
    "value",
    [
        START,
        START.replace(tzinfo=None),
        START.astimezone(timezone(timedelta(hours=2))),
        "2026-11-20T12:00:00.000Z",
        "2026-11-20T14:00:00+02:00",
        START.timestamp(),
        int(START.timestamp() * 1000),
    ],
)
def test_a_moment_is_utc_whatever_wrote_it(value: object) -> None:
    assert parse_time(value) == START
    assert parse_time(value).tzinfo is UTC


@pytest.mark.parametrize("value", [None, "yesterday", True, float("inf"), 1e300, []])
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(WorkflowError) as caught:
        parse_time(value)

    assert caught.value.code == "TimestampInvalid"


def test_both_eras_of_the_console_give_the_same_event() -> None:
    details = {"name": "Filter", "input": "{}"}
    young = {
        "id": 2,
        "previousEventId": 1,
        "type": "TaskStateEntered",
        "timestamp": "2026-11-20T12:00:00.000Z",
        "stateEnteredEventDetails": details,
    }
    old = young | {
        "timestamp": int(START.timestamp() * 1000),
        "taskFailedEventDetails": None,
        "executionFailedEventDetails": None,
    }

    assert parse_event(young) == parse_event(old)
    assert parse_event(old).details == details


def test_an_unknown_event_type_is_kept() -> None:
    event = parse_event({"id": 9, "type": "QuantumLeapt", "timestamp": START})

    assert (event.type, event.previous_id, event.details) == ("QuantumLeapt", 0, {})


@pytest.mark.parametrize("raw", [{}, {"id": "1", "type": "TaskFailed"}, {"id": 1, "type": None}])
def test_an_event_without_id_or_type_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(WorkflowError) as caught:
        parse_event(raw)

    assert caught.value.code == "HistoryEventInvalid"


def test_a_described_execution_is_read_whole() -> None:
    found = parse_execution(
        {
            "executionArn": ARN,
            "stateMachineArn": MACHINE,
            "name": "one",
            "status": "FAILED",
            "startDate": START,
            "stopDate": START + timedelta(seconds=3),
            "stateMachineVersionArn": f"{MACHINE}:7",
            "stateMachineAliasArn": f"{MACHINE}:live",
            "redriveCount": 2,
            "redriveStatus": "REDRIVABLE",
            "input": "{}",
            "error": "KeyError",
            "cause": "no",
        }
    )

    assert (found.version, found.alias, found.redrive_count) == ("7", "live", 2)
    assert found.stopped_at == START + timedelta(seconds=3)
    assert found.status.ended


def test_a_listed_execution_lacks_what_the_list_does_not_give() -> None:
    found = parse_execution(
        {"executionArn": ARN, "status": "RUNNING", "startDate": START, "redriveCount": None}
    )

    assert (found.name, found.version, found.alias, found.input) == ("one", None, None, None)
    assert (found.stopped_at, found.redrive_count) == (None, 0)
    assert not found.status.ended


@pytest.mark.parametrize("raw", [{}, {"executionArn": ARN, "status": "LOST"}, {"status": []}])
def test_what_is_no_execution_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(WorkflowError) as caught:
        parse_execution(raw)

    assert caught.value.code == "ExecutionInvalid"


@given(st.lists(st.integers(1, 40)))
def test_events_are_ordered_by_id_and_counted_once(ids: list[int]) -> None:
    events = [parse_event({"id": i, "type": "T", "timestamp": START}) for i in ids]

    assert [event.id for event in in_order(events)] == sorted(set(ids))


def test_waiting_for_a_redrive_is_no_end() -> None:
    assert not Status.PENDING_REDRIVE.ended


def test_naive_datetimes_are_taken_as_utc() -> None:
    assert parse_time(datetime(2026, 1, 1)) == datetime(2026, 1, 1, tzinfo=UTC)  # noqa: DTZ001
