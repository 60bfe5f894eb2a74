"""The adviser says which of redrive and restart repairs an execution, and why."""

from datetime import timedelta
from typing import Any

import pytest

from tests.workflow.histories import START, execution, failure
from workflow.executions import Failure, Status
from workflow.redrive import RedriveAction, RedriveAdvice, advise, summarise

NOW = START + timedelta(days=1)
PASSING = failure(error="EndpointUnavailable", cause="busy")
DENIED = failure(error="EndpointAccessDenied", cause="no")
BUG = failure(error="AttributeError", cause="no")


def advice(
    reason: Failure = PASSING,
    *,
    current_version: str | None = "3",
    state_type: str | None = "Task",
    events: int | None = 20,
    **changes: Any,
) -> RedriveAdvice:
    return advise(
        execution(**({"version": "3", "stopped_at": START} | changes)),
        reason,
        now=NOW,
        current_version=current_version,
        state_type=state_type,
        events=events,
    )


def test_what_passes_by_itself_is_redriven() -> None:
    assert advice().action is RedriveAction.REDRIVE


def test_a_transient_failure_is_redriven_even_if_the_definition_changed() -> None:
    assert advice(current_version="4").action is RedriveAction.REDRIVE


def test_a_missing_permission_is_redriven_once_it_is_there() -> None:
    found = advice(DENIED)

    assert found.action is RedriveAction.REDRIVE
    assert "Once the permission" in found.reason


def test_a_changed_definition_asks_for_a_restart() -> None:
    found = advice(DENIED, current_version="4")

    assert found.action is RedriveAction.RESTART
    assert "version 3 again, a restart runs version 4" in found.reason


def test_a_bug_in_what_still_runs_helps_nobody() -> None:
    found = advice(BUG)

    assert found.action is RedriveAction.NEITHER
    assert "Deploy the repair first" in found.reason


def test_a_bug_is_restarted_when_the_version_is_new_or_unknown() -> None:
    assert advice(BUG, current_version="4").action is RedriveAction.RESTART
    assert advice(BUG, current_version=None).action is RedriveAction.RESTART


@pytest.mark.parametrize("error", ["THRESHOLD_CONFIDENCE_NOT_MET", "NotAnImage"])
def test_a_rejection_or_a_bad_input_would_end_the_same(error: str) -> None:
    reason = failure(error=error, cause="told")

    assert advice(reason, current_version="4").action is RedriveAction.NEITHER


def test_what_runs_again_is_left_alone() -> None:
    assert advice(status=Status.RUNNING).action is RedriveAction.NEITHER


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"stopped_at": NOW - timedelta(days=14)}, "14 days ago"),
        ({"stopped_at": None, "started_at": NOW - timedelta(days=40)}, "40 days ago"),
        ({"events": 24_999}, "24,999 events"),
        ({"state_type": "Fail"}, "Fail state"),
        ({"status": Status.SUCCEEDED}, "SUCCEEDED"),
        ({"redrive_status": "NOT_REDRIVABLE", "redrive_reason": "gone"}, "gone"),
        ({"redrive_status": "REDRIVABLE_BY_MAP_RUN"}, "Map Run"),
    ],
)
def test_what_cannot_be_redriven_is_restarted(changes: dict[str, Any], word: str) -> None:
    found = advice(**changes)

    assert found.action is RedriveAction.RESTART
    assert word in found.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"stopped_at": NOW - timedelta(days=14) + timedelta(seconds=1)},
        {"events": 24_998},
        {"events": None, "state_type": None},
        {"redrive_status": "REDRIVABLE", "status": Status.TIMED_OUT},
        {"status": Status.ABORTED},
    ],
)
def test_up_to_the_limits_it_is_redriven(changes: dict[str, Any]) -> None:
    assert advice(**changes).action is RedriveAction.REDRIVE


def test_a_group_has_the_advice_of_the_most() -> None:
    several = [advice()] * 3 + [advice(events=30_000), advice(BUG)]

    found = summarise(several)

    assert found.action is RedriveAction.REDRIVE
    assert found.reason.startswith("3 of 5: ")
    assert found.reason.endswith("The others: 1 neither, 1 restart.")
    assert summarise([advice()] * 2) == advice()


def test_reasons_of_one_action_are_counted_together() -> None:
    old = [advice(stopped_at=NOW - timedelta(days=days)) for days in (20, 21)]

    found = summarise([*old, advice()])

    assert found.action is RedriveAction.RESTART
    assert found.reason.startswith("2 of 3: ")


def test_no_advice_has_no_summary() -> None:
    with pytest.raises(ValueError, match="no advice"):
        summarise([])


def test_a_caught_failure_that_ended_in_a_fail_state_is_restarted() -> None:
    passing = failure(error="EndpointUnavailable", cause="busy", ended_in="HandleError")

    found = advice(passing)

    assert found.action is RedriveAction.RESTART
    assert "Fail state" in found.reason


@pytest.mark.parametrize("error", ["Weird", "", "Exception", "Lambda.Unknown", "States.TaskFailed"])
def test_an_unknown_error_is_not_redriven(error: str) -> None:
    found = advice(failure(error=error, cause="odd"), current_version="4")

    assert found.action is RedriveAction.NEITHER
    assert "ask who knows" in found.reason
