"""Opening one execution: as much as can be had, from the store or from AWS."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.simulated_states import MACHINE, Clock, SimulatedStates, failed_history, refusal
from dashboard.aws.executions import ExecutionReader
from dashboard.aws.quotas import Pacer
from dashboard.executions import tables
from dashboard.executions.execution_reader import open_execution
from dashboard.executions.sync import ExecutionSync
from dashboard.shared.store import SegmentStore
from workflow.errors import WorkflowError
from workflow.execution_rules import ExecutionRules
from workflow.executions import Status

DEFINITION = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'


class DefinedStates(SimulatedStates):
    """A simulated Step Functions that also knows definitions and aliases."""

    def describe_state_machine_for_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        self._find("DescribeStateMachineForExecution", executionArn)
        return {"definition": DEFINITION}

    def describe_state_machine(self, *, stateMachineArn: str) -> dict[str, Any]:  # noqa: N803
        assert stateMachineArn == MACHINE
        return {"definition": DEFINITION}

    def describe_state_machine_alias(self, *, stateMachineAliasArn: str) -> dict[str, Any]:  # noqa: N803
        if not stateMachineAliasArn.endswith(":live"):
            raise refusal("DescribeStateMachineAlias", "ResourceNotFound")
        routes = [(1, 10), (2, 90)]
        return {
            "routingConfiguration": [
                {"stateMachineVersionArn": f"{MACHINE}:{number}", "weight": weight}
                for number, weight in routes
            ]
        }


class Desk:
    """A simulated cloud with a store beside it."""

    def __init__(self, root: Path) -> None:
        self.clock = Clock()
        self.aws = DefinedStates(self.clock)
        pacer = Pacer("us-east-1", clock=self.clock.monotonic, sleep=self.clock.sleep)
        self.states = ExecutionReader(self.aws, pacer, MACHINE)  # type: ignore[arg-type]
        self.store = SegmentStore(root, tables.TABLES)

    def sync(self) -> None:
        sync = ExecutionSync(
            self.states,
            self.store,
            None,
            rules=ExecutionRules(threshold=0.93),
            now=self.clock.now,
            clock=self.clock.monotonic,
            at_once=1,
        )
        list(sync.run(budget_s=1e6))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_stored_history_is_not_read_again(desk: Desk) -> None:
    arn = desk.aws.add("bad", status="FAILED", error="E", cause="C", history=failed_history())
    desk.sync()
    asked = desk.aws.calls["GetExecutionHistory"]
    record = open_execution(desk.states, desk.store, arn)
    assert desk.aws.calls["GetExecutionHistory"] == asked
    assert len(record.events) == 6
    assert record.execution.status is Status.FAILED
    assert record.definition == DEFINITION
    assert record.problems == ()


def test_an_execution_that_was_never_synced_is_read_live(desk: Desk) -> None:
    arn = desk.aws.add("bad", status="FAILED", history=failed_history())
    assert len(open_execution(desk.states, desk.store, arn).events) == 6


def test_what_aws_has_forgotten_is_shown_from_the_store(desk: Desk) -> None:
    arn = desk.aws.add("old", status="FAILED", history=failed_history())
    desk.sync()
    del desk.aws.executions[arn]
    record = open_execution(desk.states, desk.store, arn)
    assert len(record.events) == 6
    assert record.definition is None
    assert any("Execution Does Not Exist" in problem for problem in record.problems)


def test_an_execution_that_nobody_knows_is_an_error(desk: Desk) -> None:
    with pytest.raises(WorkflowError, match="Execution Does Not Exist"):
        open_execution(desk.states, desk.store, f"{MACHINE}:nobody")


def test_histories_that_may_not_be_read_leave_the_rest(desk: Desk) -> None:
    arn = desk.aws.add("bad", status="FAILED", error="E", cause="C")
    desk.aws.refusals["GetExecutionHistory"] = "AccessDeniedException"
    record = open_execution(desk.states, desk.store, arn)
    assert record.events == ()
    assert record.execution.error == "E"
    assert any("states:GetExecutionHistory" in problem for problem in record.problems)


def test_a_history_of_25_000_events_is_read_page_by_page(desk: Desk) -> None:
    event = failed_history()[0]
    history = [event | {"id": at + 1, "previousEventId": at} for at in range(25_000)]
    arn = desk.aws.add("long", status="RUNNING", history=history)
    record = open_execution(desk.states, desk.store, arn)
    assert len(record.events) == 25_000
    assert desk.aws.calls["GetExecutionHistory"] == 25


def test_the_live_version_is_the_one_that_most_starts_run(desk: Desk) -> None:
    assert desk.states.live_version(f"{MACHINE}:live") == "2"
    assert desk.states.live_version(f"{MACHINE}:none") is None
    assert desk.states.current_definition() == DEFINITION
