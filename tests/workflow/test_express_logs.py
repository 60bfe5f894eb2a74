"""Executions in the log group of an EXPRESS state machine."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.executions import Status
from workflow.express_logs import express_executions

ARN = "arn:aws:states:eu-west-1:123456789012:express:theirs:run-1:4f2c"


def event(id_: int, kind: str, arn: str = ARN, **details: str) -> str:
    return json.dumps(
        {
            "id": str(id_),
            "type": kind,
            "details": details,
            "previous_event_id": str(id_ - 1),
            "event_timestamp": str(1_790_000_000_000 + id_),
            "execution_arn": arn,
        }
    )


def test_an_execution_is_put_together_from_its_first_and_its_last_event() -> None:
    lines = [
        event(5, "ExecutionFailed", error="ModelBroken", cause="out of memory"),
        event(2, "TaskStateEntered", name="Classify"),
        event(1, "ExecutionStarted", input='{"a": 1}'),
    ]

    (found,) = express_executions(lines)

    assert (found.arn, found.name, found.status) == (ARN, "run-1", Status.FAILED)
    assert found.state_machine_arn == "arn:aws:states:eu-west-1:123456789012:stateMachine:theirs"
    assert (found.error, found.cause, found.input) == ("ModelBroken", "out of memory", '{"a": 1}')
    assert found.stopped_at is not None
    assert (found.stopped_at - found.started_at).total_seconds() == pytest.approx(0.004)


def test_an_execution_without_an_end_runs_and_an_end_without_a_beginning_is_left_out() -> None:
    lines = [
        event(1, "ExecutionStarted", ARN.replace("run-1", "run-2")),
        event(9, "ExecutionSucceeded", ARN.replace("run-1", "run-3"), output="{}"),
    ]

    assert [one.status for one in express_executions(lines)] == [Status.RUNNING]


@given(
    st.lists(
        st.text()
        | st.dictionaries(
            st.sampled_from(["id", "type", "details", "event_timestamp", "execution_arn"]),
            st.none() | st.integers() | st.text() | st.sampled_from([ARN, "ExecutionStarted"]),
        ).map(json.dumps)
    )
)
def test_any_other_line_of_the_group_is_left_out(lines: list[str]) -> None:
    assert len(express_executions([*lines, event(1, "ExecutionStarted")])) >= 1
