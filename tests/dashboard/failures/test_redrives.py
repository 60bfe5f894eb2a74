"""Repairs in bulk: once each, nothing forgotten, whatever is killed or refused in between."""

import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulated_states import MACHINE, Clock, SimulatedStates, refusal
from dashboard.aws.executions import ExecutionReader
from dashboard.aws.quotas import Pacer
from dashboard.failures.concurrency import repairs_at_once
from dashboard.failures.redrives import Repairer, RepairLog
from dashboard.failures.repair_plan import (
    ItemStatus,
    RepairItem,
    RepairPlan,
    RepairRun,
    client_token,
    plan_repair,
)
from tests.dashboard.failures.conftest import BUCKET, empty_bucket
from tests.nightly import often
from workflow.errors import WorkflowError
from workflow.redrive import RedriveAction

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class Throttled(SimulatedStates):
    """Executions that end after some seconds, or at once where too many run for Lambda.

    Attributes:
        seconds: How long an execution runs; None: until it is finished by hand.
        unseen: How long after its start an execution is not found.
        concurrency: How many may run at once.
        peak: How many ran at once.
    """

    seconds: float | None = None
    unseen = 0.0
    concurrency = 10
    peak = 0

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.lock = threading.Lock()

    def redrive_execution(self, *, executionArn: str, clientToken: str) -> dict[str, Any]:  # noqa: N803
        with self.lock:
            answer = super().redrive_execution(executionArn=executionArn, clientToken=clientToken)
            self._run(executionArn)
        return answer

    def start_execution(self, **request: Any) -> dict[str, Any]:
        with self.lock:
            answer = super().start_execution(**request)
            self._run(answer["executionArn"])
        return answer

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        with self.lock:
            self._pass()
            since = self.executions.get(executionArn, {}).get("since", -1.0)
            if since >= 0 and self.clock.seconds - since < self.unseen:
                raise refusal("DescribeExecution", "ExecutionDoesNotExist")
        return super().describe_execution(executionArn=executionArn)

    def running(self) -> list[dict[str, Any]]:
        return [one for one in self.executions.values() if one["status"] == "RUNNING"]

    def _run(self, arn: str) -> None:
        if self.seconds is None:
            return
        self.executions[arn]["since"] = self.clock.seconds
        self._pass()
        running = len(self.running())
        self.peak = max(self.peak, running)
        if running > self.concurrency:
            self.finish(arn, "FAILED")
            self.executions[arn]["error"] = "Lambda.TooManyRequestsException"

    def _pass(self) -> None:
        if self.seconds is None:
            return
        for one in self.running():
            if self.clock.seconds - one["since"] >= self.seconds:
                self.finish(one["executionArn"])


class Bench:
    """Failed executions, a bucket for the journal, and repairers that can be killed."""

    def __init__(self, s3: "S3Client", failed: int, most: int = 1000) -> None:
        self.s3 = s3
        self.most = most
        self.clock = Clock()
        self.aws = Throttled(self.clock)
        self.arns = [
            self.aws.add(f"e{at}", started=at, status="FAILED", input=f'{{"n": {at}}}')
            for at in range(failed)
        ]

    @property
    def log(self) -> RepairLog:
        return RepairLog(self.s3, BUCKET)

    def repairer(self) -> Repairer:
        pacer = Pacer("us-east-1", clock=self.clock.monotonic, sleep=self.clock.sleep)
        states = ExecutionReader(self.aws, pacer, MACHINE)  # type: ignore[arg-type]
        return Repairer(
            self.aws,  # type: ignore[arg-type]
            states,
            self.log,
            most=self.most,
            now=self.clock.now,
            pause=self.clock.sleep,
        )

    def plan(self, action: RedriveAction = RedriveAction.REDRIVE, *, canary: int = 0) -> RepairPlan:
        plan = plan_repair(
            [RepairItem(arn=arn, action=action, redrive_count=0) for arn in self.arns],
            now=self.clock.now(),
            author="ada",
            fingerprint="f" * 16,
            target=f"{MACHINE}:live",
            canary=canary,
        )
        self.log.add_plan(plan)
        return plan

    def resume(self) -> RepairRun:
        list(self.repairer().run(self.log.read_runs()[0]))
        return self.log.read_runs()[0]


def test_every_item_is_redriven_once_and_recorded(s3: "S3Client") -> None:
    bench = Bench(s3, 40)
    bench.plan()
    run = bench.resume()
    assert {result.status for result in run.results.values()} == {ItemStatus.REDRIVEN}
    assert not run.pending
    assert set(bench.aws.redrives.values()) == {1}


def test_the_others_follow_once_the_first_few_have_ended_well(s3: "S3Client") -> None:
    bench = Bench(s3, 40)
    bench.aws.seconds = 5.0
    bench.aws.concurrency = 1000
    bench.plan(canary=3)

    order = [result.arn for result in bench.repairer().run(bench.log.read_runs()[0])]

    assert order[:3] == bench.arns[:3]
    assert not bench.log.read_runs()[0].pending
    assert bench.clock.seconds >= 5.0


def test_where_one_of_the_first_few_fails_again_the_others_are_not_touched(
    s3: "S3Client",
) -> None:
    bench = Bench(s3, 40)
    bench.aws.seconds = 5.0
    bench.aws.concurrency = 0  # whatever starts is throttled
    run = RepairRun(plan=bench.plan(canary=3), results={})

    with pytest.raises(WorkflowError) as caught:
        list(bench.repairer().run(run))

    assert caught.value.code == "CanaryFailed"
    assert set(bench.aws.redrives) == set(bench.arns[:3])
    assert len(bench.log.read_runs()[0].pending) == 37


def test_killed_halfway_nothing_is_redriven_twice_and_nothing_forgotten(s3: "S3Client") -> None:
    bench = Bench(s3, 400)
    run = RepairRun(plan=bench.plan(), results={})
    killed = bench.repairer().run(run)
    for _ in range(200):
        next(killed)
    killed.close()
    assert 0 < len(bench.log.read_runs()[0].pending) < 400
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
    assert not bench.log.read_runs()[0].pending


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
    assert len(bench.log.read_runs()[0].pending) == 100
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
    links = bench.log.read_restarts()
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


@settings(max_examples=often(100, 5), deadline=None)
@given(
    kills=st.lists(st.integers(0, 60), max_size=4), waits=st.lists(st.integers(0, 2000), max_size=4)
)
def test_killed_anywhere_any_number_of_times_each_is_redriven_once(
    kills: list[int], waits: list[int]
) -> None:
    with empty_bucket() as client:
        bench = Bench(client, 60)
        bench.plan()
        for at, steps in enumerate(kills):
            killed = bench.repairer().run(bench.log.read_runs()[0])
            list(zip(range(steps), killed, strict=False))
            killed.close()
            bench.clock.sleep(waits[at] if at < len(waits) else 0)
        assert not bench.resume().pending
        assert len(bench.aws.redrives) == 60
        assert set(bench.aws.redrives.values()) == {1}


class FakeLambda:
    """Answers GetAccountSettings, or refuses to."""

    def __init__(self, limit: dict[str, int] | str) -> None:
        self.limit = limit

    def get_account_settings(self) -> dict[str, Any]:
        if isinstance(self.limit, str):
            raise refusal("GetAccountSettings", self.limit)
        return {"AccountLimit": self.limit}


@pytest.mark.parametrize(
    ("limit", "most"),
    [
        ({"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}, 5),
        ({"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 100}, 50),
        ({"ConcurrentExecutions": 10_000, "UnreservedConcurrentExecutions": 10_000}, 100),
        ({"UnreservedConcurrentExecutions": 0}, 1),
        ({}, 5),
        ("AccessDeniedException", 5),
        ("NotImplemented", 5),
    ],
)
def test_half_of_what_lambda_has_free_is_used(limit: dict[str, int] | str, most: int) -> None:
    assert repairs_at_once(FakeLambda(limit)) == most  # type: ignore[arg-type]


@pytest.mark.parametrize("action", [RedriveAction.REDRIVE, RedriveAction.RESTART])
def test_in_a_new_account_none_of_300_fails_again_for_throttling(
    action: RedriveAction, s3: "S3Client"
) -> None:
    bench = Bench(s3, 300, most=5)
    bench.aws.seconds = 3.0
    bench.plan(action)

    run = bench.resume()
    bench.clock.sleep(10)

    assert not run.pending
    assert bench.aws.peak <= 5
    ended = [result.started or result.arn for result in run.results.values()]
    assert {bench.aws.describe_execution(executionArn=arn)["status"] for arn in ended} == {
        "SUCCEEDED"
    }


def test_what_was_just_restarted_and_does_not_show_yet_is_under_way(s3: "S3Client") -> None:
    bench = Bench(s3, 60, most=5)
    bench.aws.seconds, bench.aws.unseen = 3.0, 1.5
    bench.plan(RedriveAction.RESTART)

    assert not bench.resume().pending
    assert bench.aws.peak == 5


def test_one_that_never_ends_does_not_hold_up_the_others(s3: "S3Client") -> None:
    bench = Bench(s3, 20, most=2)
    bench.aws.seconds = 3.0
    bench.plan()
    repairing = bench.repairer().run(bench.log.read_runs()[0])
    first = next(repairing)
    bench.aws.executions[first.arn]["since"] = 1e9

    assert len(list(repairing)) == 19


def test_a_resumed_run_counts_what_is_still_under_way(s3: "S3Client") -> None:
    bench = Bench(s3, 20, most=5)
    bench.aws.seconds = 3.0
    bench.plan()
    killed = bench.repairer().run(bench.log.read_runs()[0])
    for _ in range(5):
        next(killed)
    killed.close()

    assert not bench.resume().pending
    assert bench.aws.peak == 5


def test_what_was_deleted_while_it_ran_makes_room(s3: "S3Client") -> None:
    bench = Bench(s3, 3, most=1)
    bench.plan()
    repairing = bench.repairer().run(bench.log.read_runs()[0])
    del bench.aws.executions[next(repairing).arn]
    second = next(repairing)
    bench.aws.finish(second.arn)

    assert len(list(repairing)) == 1


def test_a_run_that_waits_for_room_can_be_stopped(s3: "S3Client") -> None:
    bench = Bench(s3, 3, most=1)
    bench.plan()
    stops = iter([False] * 5)

    done = list(bench.repairer().run(bench.log.read_runs()[0], stopped=lambda: next(stops, True)))

    assert len(done) == 1
    assert len(bench.log.read_runs()[0].pending) == 2
