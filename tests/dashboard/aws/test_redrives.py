"""Repairs in bulk: once each, nothing forgotten, whatever is killed or refused in between."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from benchmarks.simulated_states import MACHINE, Clock, SimulatedStates
from dashboard.aws.executions import States
from dashboard.aws.quotas import Pacer
from dashboard.aws.redrives import (
    ItemStatus,
    Repairer,
    RepairItem,
    RepairLog,
    RepairPlan,
    RepairRun,
    client_token,
    plan_repair,
)
from workflow.errors import WorkflowError
from workflow.redrive import RedriveAction

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BUCKET = "scones-unlimited-dev-123456789012-us-east-1"


@pytest.fixture
def s3() -> Iterator["S3Client"]:
    with mock_aws():
        client = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        client.create_bucket(Bucket=BUCKET)
        yield client


class Bench:
    """Failed executions, a bucket for the journal, and repairers that can be killed."""

    def __init__(self, s3: "S3Client", failed: int) -> None:
        self.s3 = s3
        self.clock = Clock()
        self.aws = SimulatedStates(self.clock)
        self.arns = [
            self.aws.add(f"e{at}", started=at, status="FAILED", input=f'{{"n": {at}}}')
            for at in range(failed)
        ]

    @property
    def log(self) -> RepairLog:
        return RepairLog(self.s3, BUCKET)

    def repairer(self) -> Repairer:
        pacer = Pacer("us-east-1", clock=self.clock.monotonic, sleep=self.clock.sleep)
        states = States(self.aws, pacer, MACHINE)  # type: ignore[arg-type]
        return Repairer(self.aws, states, self.log, now=self.clock.now)  # type: ignore[arg-type]

    def plan(self, action: RedriveAction = RedriveAction.REDRIVE) -> RepairPlan:
        plan = plan_repair(
            [RepairItem(arn=arn, action=action, redrive_count=0) for arn in self.arns],
            now=self.clock.now(),
            author="ada",
            fingerprint="f" * 16,
            target=f"{MACHINE}:live",
        )
        self.log.add_plan(plan)
        return plan

    def resume(self) -> RepairRun:
        list(self.repairer().run(self.log.runs()[0]))
        return self.log.runs()[0]


def test_every_item_is_redriven_once_and_recorded(s3: "S3Client") -> None:
    bench = Bench(s3, 40)
    bench.plan()
    run = bench.resume()
    assert {result.status for result in run.results.values()} == {ItemStatus.REDRIVEN}
    assert not run.pending
    assert set(bench.aws.redrives.values()) == {1}


def test_killed_halfway_nothing_is_redriven_twice_and_nothing_forgotten(s3: "S3Client") -> None:
    bench = Bench(s3, 400)
    run = RepairRun(plan=bench.plan(), results={})
    killed = bench.repairer().run(run)
    for _ in range(200):
        next(killed)
    killed.close()
    assert 0 < len(bench.log.runs()[0].pending) < 400
    bench.clock.sleep(3600)  # long after the client tokens have been forgotten
    final = bench.resume()
    assert not final.pending
    assert len(bench.aws.redrives) == 400
    assert set(bench.aws.redrives.values()) == {1}


def test_a_batch_done_but_not_recorded_is_not_done_again(s3: "S3Client") -> None:
    bench = Bench(s3, 20)
    plan = bench.plan()
    for arn in bench.arns[:10]:
        bench.aws.redrive_execution(executionArn=arn, clientToken=client_token(plan.id, arn))
        bench.aws.finish(arn, "FAILED")
    bench.clock.sleep(3600)
    run = bench.resume()
    statuses = [run.results[arn].status for arn in bench.arns]
    assert statuses == [ItemStatus.ALREADY] * 10 + [ItemStatus.REDRIVEN] * 10
    assert set(bench.aws.redrives.values()) == {1}


def test_two_dashboards_resuming_at_once_do_it_once(s3: "S3Client") -> None:
    bench = Bench(s3, 64)
    run = RepairRun(plan=bench.plan(), results={})
    one, other = bench.repairer().run(run), bench.repairer().run(run)
    for pair in zip(one, other, strict=True):
        assert pair[0].arn == pair[1].arn
    assert set(bench.aws.redrives.values()) == {1}
    assert not bench.log.runs()[0].pending


def test_one_refused_of_many_is_shown_and_the_rest_is_done(s3: "S3Client") -> None:
    bench = Bench(s3, 500)
    bench.aws.unredrivable = {bench.arns[123]}
    bench.plan()
    run = bench.resume()
    refused = [one for one in run.results.values() if one.status is ItemStatus.REFUSED]
    assert [one.arn for one in refused] == [bench.arns[123]]
    assert "not redrivable" in refused[0].message
    assert len(bench.aws.redrives) == 499


def test_a_deleted_execution_is_refused_by_name(s3: "S3Client") -> None:
    bench = Bench(s3, 2)
    bench.plan()
    del bench.aws.executions[bench.arns[0]]
    run = bench.resume()
    assert run.results[bench.arns[0]].status is ItemStatus.REFUSED
    assert "Execution Does Not Exist" in run.results[bench.arns[0]].message


def test_a_missing_permission_stops_the_run_and_leaves_the_rest_pending(s3: "S3Client") -> None:
    bench = Bench(s3, 100)
    bench.plan()
    bench.aws.refusals["RedriveExecution"] = "AccessDeniedException"
    with pytest.raises(WorkflowError, match="permission states:RedriveExecution"):
        bench.resume()
    assert len(bench.log.runs()[0].pending) == 100
    bench.aws.refusals.clear()
    assert not bench.resume().pending


def test_a_restart_takes_the_same_input_links_both_and_happens_once(s3: "S3Client") -> None:
    bench = Bench(s3, 30)
    plan = bench.plan(RedriveAction.RESTART)
    list(bench.repairer().run(RepairRun(plan=plan, results={})))
    for arn in list(bench.aws.starts):
        bench.aws.finish(arn)
    list(bench.repairer().run(RepairRun(plan=plan, results={})))  # as if no result was written
    assert len(bench.aws.starts) == 30
    assert set(bench.aws.starts.values()) == {1}
    links = bench.log.restarts()
    assert set(links) == set(bench.arns)
    for old, new in links.items():
        assert bench.aws.executions[old]["input"] == bench.aws.executions[new]["input"]


def test_a_restart_without_input_is_refused(s3: "S3Client") -> None:
    bench = Bench(s3, 1)
    bench.plan(RedriveAction.RESTART)
    del bench.aws.executions[bench.arns[0]]["input"]
    run = bench.resume()
    assert run.results[bench.arns[0]].status is ItemStatus.REFUSED
    assert not bench.aws.starts


def test_stopping_ends_between_batches_and_resuming_does_the_rest(s3: "S3Client") -> None:
    bench = Bench(s3, 100)
    run = RepairRun(plan=bench.plan(), results={})
    done: list[Any] = []
    for result in bench.repairer().run(run, stopped=lambda: len(done) >= 30):
        done.append(result)  # noqa: PERF402 - the generator is asked while it grows
    assert 30 <= len(done) < 50
    assert not bench.resume().pending
    assert set(bench.aws.redrives.values()) == {1}


def test_what_neither_repairs_is_not_in_the_plan(s3: "S3Client") -> None:
    bench = Bench(s3, 3)
    assert bench.plan(RedriveAction.NEITHER).items == ()


@settings(max_examples=15, deadline=None)
@given(
    kills=st.lists(st.integers(0, 60), max_size=4), waits=st.lists(st.integers(0, 2000), max_size=4)
)
def test_killed_anywhere_any_number_of_times_each_is_redriven_once(
    kills: list[int], waits: list[int]
) -> None:
    with mock_aws():
        client = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        client.create_bucket(Bucket=BUCKET)
        bench = Bench(client, 60)
        bench.plan()
        for at, steps in enumerate(kills):
            killed = bench.repairer().run(bench.log.runs()[0])
            list(zip(range(steps), killed, strict=False))
            killed.close()
            bench.clock.sleep(waits[at] if at < len(waits) else 0)
        assert not bench.resume().pending
        assert len(bench.aws.redrives) == 60
        assert set(bench.aws.redrives.values()) == {1}
