"""Sync: everything that matters arrives, once, in the right order, whatever gets in the way."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.simulated_states import EPOCH, MACHINE, Clock, SimulatedStates, failed_history
from dashboard.aws.executions import ExecutionReader, decode_events
from dashboard.aws.quotas import Pacer
from dashboard.executions import tables
from dashboard.executions.events import EventQueue
from dashboard.executions.stored_progress import stored_progress
from dashboard.executions.sync import ExecutionSync
from dashboard.executions.sync_progress import SyncProgress
from dashboard.shared.store import SegmentStore
from workflow.errors import WorkflowError
from workflow.execution_rules import ExecutionRules

OUTPUT = '{"inferences": [0.98, 0.02], "label": "bicycle", "confidence": 0.98}'
UNSURE = '{"inferences": [0.6, 0.4], "label": "bicycle", "confidence": 0.6}'


class World:
    """A simulated Step Functions, a store, and syncs between them."""

    def __init__(self, root: Path) -> None:
        self.clock = Clock()
        self.aws = SimulatedStates(self.clock)
        self.root = root

    def store(self) -> SegmentStore:
        return SegmentStore(self.root, tables.TABLES)

    def sync(self, queue: EventQueue | None = None) -> ExecutionSync:
        pacer = Pacer("us-east-1", clock=self.clock.monotonic, sleep=self.clock.sleep)
        return ExecutionSync(
            ExecutionReader(self.aws, pacer, MACHINE),  # type: ignore[arg-type]  # speaks boto3
            self.store(),
            queue,
            rules=ExecutionRules(threshold=0.93),
            now=self.clock.now,
            clock=self.clock.monotonic,
            at_once=1,
        )

    def run(self, sync: ExecutionSync | None = None, budget_s: float = 1e6) -> SyncProgress:
        *_, last = (sync or self.sync()).run(budget_s=budget_s)
        return last

    def rows(self, table: str) -> list[dict[str, Any]]:
        return self.store().scan(table).collect().to_dicts()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def fill(world: World, count: int, *, fail_every: int = 10) -> None:
    for at in range(count):
        if at % fail_every == 0:
            world.aws.add(f"e{at}", started=at, status="FAILED", history=failed_history())
        else:
            world.aws.add(f"e{at}", started=at, output=OUTPUT)


def test_everything_arrives_and_nothing_is_asked_twice(world: World) -> None:
    fill(world, 100)
    progress = world.run()
    assert (progress.executions, progress.listed) == (100, True)
    assert (progress.histories, progress.wanted) == (10, 10)
    assert (progress.examined, progress.succeeded) == (90, 90)
    before = world.aws.calls.copy()
    world.run()
    again = world.aws.calls - before
    assert again == {"ListExecutions": 2}


def test_only_failures_and_a_few_successes_cost_a_history(world: World) -> None:
    fill(world, 300, fail_every=100)
    world.run()
    assert world.aws.calls["GetExecutionHistory"] == 3 + 20


def test_failures_keep_their_state_error_cause_and_image(world: World) -> None:
    world.aws.add("bad", status="FAILED", history=failed_history(state="Serialize", error="Oops"))
    world.run()
    (failure,) = tables.build_failures(world.store().scan("failures"))
    assert (failure.state, failure.error) == ("Serialize", "Oops")
    assert failure.image == "s3://b/images/1.png"
    assert failure.version == "1"
    (history,) = world.rows("histories")
    assert [event.type for event in decode_events(history["events"])][-1] == "ExecutionFailed"


def test_faults_are_read_newest_first(world: World) -> None:
    for at in range(5):
        world.aws.add(f"e{at}", started=at, status="FAILED", history=failed_history())
    world.run()
    assert [row["arn"][-2:] for row in world.rows("histories")] == ["e4", "e3", "e2", "e1", "e0"]


def test_a_sync_killed_at_any_step_goes_on_where_it_stopped(world: World) -> None:
    fill(world, 2500, fail_every=25)
    for steps in (1, 2, 5, 40):
        killed = iter(world.sync().run(budget_s=1e6))
        for _ in range(steps):
            next(killed)
        world.clock.sleep(3)
    progress = world.run()
    assert (progress.executions, progress.listed) == (2500, True)
    assert (progress.histories, progress.wanted) == (100, 100)
    arns = [row["arn"] for row in world.rows("histories")]
    assert len(set(arns)) == 100 + 20


def test_a_pass_ends_with_its_budget_so_that_new_failures_come_first(world: World) -> None:
    fill(world, 1000, fail_every=1)
    sync = world.sync()
    assert world.run(sync, budget_s=10).histories < 1000
    world.aws.add("newest", started=5000, status="FAILED", history=failed_history())
    list(sync.run(budget_s=1))
    assert world.rows("histories")[-1]["arn"] != "newest"
    read = [row["arn"].rpartition(":")[2] for row in world.rows("histories")]
    assert "newest" in read
    assert len(read) < 1000


def test_a_process_that_only_reads_tells_the_same_progress(world: World) -> None:
    fill(world, 60)
    world.aws.add("unsure", started=70, output=UNSURE)
    synced = world.run()
    read = stored_progress(world.store(), as_of=synced.as_of)
    assert read == synced
    assert read.wanted == 7


def test_what_was_running_is_followed_to_its_end(world: World) -> None:
    arn = world.aws.add("slow", status="RUNNING")
    for at in range(1200):
        world.aws.add(f"e{at}", started=10 + at, output=OUTPUT)
    sync = world.sync()
    world.run(sync)
    world.aws.finish(arn, "SUCCEEDED", output=UNSURE)
    progress = world.run(sync)
    assert progress.succeeded == progress.examined == 1201
    (failure,) = tables.build_failures(world.store().scan("failures"))
    assert failure.error == "Silent.BelowThreshold"


def test_a_redrive_by_anybody_is_noticed_and_its_new_history_read(world: World) -> None:
    arn = world.aws.add("bad", status="FAILED", history=failed_history())
    sync = world.sync()
    world.run(sync)
    world.aws.redrive_execution(executionArn=arn, clientToken="by-hand")
    assert world.run(sync).wanted == 0
    world.aws.finish(arn, "FAILED")
    world.aws.histories[arn] = redriven_history()
    progress = world.run(sync)
    assert (progress.histories, progress.wanted) == (1, 1)
    attempts = [
        failure.attempt for failure in tables.build_failures(world.store().scan("failures"))
    ]
    assert attempts == [0, 1]


def redriven_history() -> list[dict[str, Any]]:
    events = failed_history()
    again = {"id": 7, "previousEventId": 6, "type": "ExecutionRedriven"}
    again |= {
        "timestamp": events[-1]["timestamp"],
        "executionRedrivenEventDetails": {"redriveCount": 1},
    }
    tail = [dict(event) for event in events[2:]]
    for at, event in enumerate(tail):
        event |= {"id": 8 + at, "previousEventId": 7 + at}
    return [*events, again, *tail]


def test_a_success_that_is_silently_wrong_is_found_and_its_history_read(world: World) -> None:
    world.aws.add("unsure", output=UNSURE)
    for at in range(40):
        world.aws.add(f"e{at}", started=at + 1, output=OUTPUT)
    progress = world.run()
    assert (progress.histories, progress.wanted) == (1, 1)
    assert any(row["arn"].endswith("unsure") for row in world.rows("histories"))


def test_outputs_never_starve_failures(world: World) -> None:
    fill(world, 3000, fail_every=3)
    histories_done = successes_left = None
    for progress in world.sync().run(budget_s=1e6):
        if progress.listed and progress.histories == progress.wanted and histories_done is None:
            histories_done, successes_left = (
                world.clock.seconds,
                progress.succeeded - progress.examined,
            )
    assert histories_done == pytest.approx((1000 - 400) / 20, rel=0.1)
    assert successes_left
    assert sum(world.aws.throttled.values()) == 0


def test_permission_to_list_but_not_to_read_histories_still_tells_error_and_cause(
    world: World,
) -> None:
    world.aws.add("bad", status="FAILED", error="Oops", cause="Broken.", history=failed_history())
    world.aws.refusals["GetExecutionHistory"] = "AccessDeniedException"
    progress = world.run()
    assert progress.problems["GetExecutionHistory"].code == "AccessDeniedException"
    assert world.aws.calls["GetExecutionHistory"] == 1
    (failure,) = tables.build_failures(world.store().scan("failures"))
    assert (failure.state, failure.error, failure.cause) == ("", "Oops", "Broken.")
    world.aws.refusals.clear()
    assert world.run().histories == 1


def test_a_history_that_cannot_be_found_yet_is_asked_for_again(world: World) -> None:
    began = (world.clock.now() - EPOCH).total_seconds()
    arn = world.aws.add("new", started=began, status="FAILED", history=failed_history())
    sync = world.sync()
    list(zip(range(1), sync.run(budget_s=1e6), strict=False))
    hidden = world.aws.executions.pop(arn)
    world.run(sync)
    world.aws.executions[arn] = hidden

    assert world.run(sync).histories == 1
    assert len(tables.build_failures(world.store().scan("failures"))) == 1


def test_an_output_that_cannot_be_found_yet_is_asked_for_again(world: World) -> None:
    began = (world.clock.now() - EPOCH).total_seconds()
    arn = world.aws.add("new", started=began, output=OUTPUT)
    sync = world.sync()
    list(zip(range(1), sync.run(budget_s=1e6), strict=False))
    hidden = world.aws.executions.pop(arn)
    world.run(sync)
    world.aws.executions[arn] = hidden

    assert world.run(sync).examined == 1


def test_a_history_gone_after_90_days_is_never_asked_for_again(world: World) -> None:
    arn = world.aws.add("old", status="FAILED")
    sync = world.sync()
    list(zip(range(1), sync.run(budget_s=1e6), strict=False))
    del world.aws.executions[arn]
    world.run(sync)
    assert world.rows("histories")[0]["problem"] == "ExecutionDoesNotExist"
    asked = world.aws.calls["GetExecutionHistory"]
    world.run()
    assert world.aws.calls["GetExecutionHistory"] == asked


def test_an_execution_deleted_while_it_ran_is_let_go(world: World) -> None:
    arn = world.aws.add("gone", status="RUNNING")
    sync = world.sync()
    world.run(sync)
    del world.aws.executions[arn]
    world.aws._newest = None
    for at in range(3):
        world.aws.add(f"e{at}", started=10 + at, output=OUTPUT)
    world.run(sync)
    assert {row["source"] for row in world.rows("execution_details")} >= {"gone"}
    asked = world.aws.calls["DescribeExecution"]
    world.run(sync)
    assert world.aws.calls["DescribeExecution"] == asked


def test_throttling_for_minutes_is_reported_and_the_rest_goes_on(world: World) -> None:
    fill(world, 20)
    world.aws.refusals["GetExecutionHistory"] = "ThrottlingException"
    progress = world.run()
    assert progress.problems["GetExecutionHistory"].code == "Throttled"
    assert progress.examined == 18
    world.aws.refusals.clear()
    assert world.run().histories == 2


def test_an_expired_token_starts_the_listing_over(world: World) -> None:
    fill(world, 2500)
    sync = world.sync()
    list(zip(range(1), sync.run(budget_s=1e6), strict=False))
    listing = world.aws.list_executions

    def once(**request: object) -> dict[str, Any]:
        if request.get("nextToken"):
            world.aws.list_executions = listing  # type: ignore[method-assign]
            world.aws.refusals["ListExecutions"] = "InvalidToken"
            try:
                return listing(**request)  # type: ignore[arg-type]
            finally:
                world.aws.refusals.clear()
        return listing(**request)  # type: ignore[arg-type]

    world.aws.list_executions = once  # type: ignore[method-assign]
    assert world.run(sync).executions == 2500


def test_an_account_without_executions_is_complete(world: World) -> None:
    progress = world.run()
    assert (progress.executions, progress.listed, progress.problems) == (0, True, {})


def test_a_lost_segment_is_read_again(world: World) -> None:
    fill(world, 50)
    world.run()
    store = world.store()
    victim = next((world.root / "segments").iterdir())
    for file in victim.iterdir():
        file.write_bytes(b"")
    assert store.scan("executions").collect().height < 50
    assert world.run().executions == 50
    assert len({row["arn"] for row in world.rows("executions")}) == 50
    assert world.store().damaged == ()


def test_a_sync_that_goes_on_reads_again_what_was_lost_under_it(world: World) -> None:
    fill(world, 50)
    sync = world.sync()
    assert world.run(sync).executions == 50
    (victim,) = (world.root / "segments").glob("*/executions.parquet")
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    assert world.rows("executions") == []
    world.clock.sleep(60)
    progress = next(iter(sync.run(budget_s=1e9)))
    assert progress.problems["Damage"].code == "StoreDamaged"
    assert world.run(sync).problems == {}
    assert len({row["arn"] for row in world.rows("executions")}) == 50
    assert world.store().damaged == ()


def test_a_full_disk_is_a_problem_beside_the_count_and_nothing_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world, 50)
    sync = world.sync()

    def full(*_: object, **__: object) -> None:
        raise WorkflowError("StoreUnwritable", "No space left on device.", "Free space there.")

    with monkeypatch.context() as patched:
        patched.setattr(SegmentStore, "commit", full)
        assert world.run(sync).problems["Store"].code == "StoreUnwritable"
        assert world.run(sync).problems["Store"].code == "StoreUnwritable"
    assert world.rows("executions") == []
    assert world.run(sync).problems == {}
    assert len({row["arn"] for row in world.rows("executions")}) == 50


def test_a_history_that_cannot_be_read_is_kept_and_named_and_hides_no_failure(
    world: World,
) -> None:
    broken = [{"id": "one", "type": None, "timestamp": EPOCH}]
    world.aws.add("odd", status="FAILED", error="Boom", cause="C", history=broken)
    progress = world.run()
    assert progress.histories == 1
    (row,) = world.rows("histories")
    assert row["problem"] == "HistoryEventInvalid"
    assert len(tables.build_failures(world.store().scan("failures"))) == 1


def test_an_execution_redriven_while_its_history_is_read_waits_for_its_new_end(
    world: World,
) -> None:
    world.aws.add("bad", status="FAILED", history=redriven_history()[:-1])
    world.run()
    assert world.rows("histories") == []


def test_thousands_that_run_for_long_are_followed_by_listing_them(world: World) -> None:
    slow = [world.aws.add(f"slow{at}", status="RUNNING") for at in range(1500)]
    for at in range(1001):
        world.aws.add(f"e{at}", started=10 + at, output=OUTPUT)
    sync = world.sync()
    world.run(sync)
    world.aws.finish(slow[0], output=OUTPUT)
    before = world.aws.calls["DescribeExecution"]
    assert world.run(sync).examined == 1002
    assert world.aws.calls["DescribeExecution"] == before + 1


def test_thousands_of_redrives_are_found_page_by_page(world: World) -> None:
    for at in range(1500):
        world.aws.add(f"e{at}", started=at, output=OUTPUT, redriveCount=1)
    assert world.run().executions == 1500


def test_a_description_refused_now_is_asked_for_again(world: World) -> None:
    world.aws.add("good", output=OUTPUT, history=failed_history()[:1])
    world.aws.refusals["DescribeExecution"] = "AccessDeniedException"
    world.aws.refusals["GetExecutionHistory"] = "AccessDeniedException"
    progress = world.run()
    assert set(progress.problems) == {"DescribeExecution", "GetExecutionHistory"}
    world.aws.refusals.clear()
    assert world.run().examined == 1


class FakeQueue:
    """Hands out each message until it is deleted, like SQS."""

    def __init__(self, bodies: list[str]) -> None:
        self.bodies = dict(enumerate(bodies))

    def get_queue_url(self, QueueName: str) -> dict[str, str]:  # noqa: N803
        return {"QueueUrl": f"https://sqs/{QueueName}"}

    def receive_message(self, **_: object) -> dict[str, Any]:
        batch = list(self.bodies.items())[:10]
        return {"Messages": [{"ReceiptHandle": str(at), "Body": body} for at, body in batch]}

    def delete_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> None:  # noqa: N803
        assert QueueUrl
        for entry in Entries:
            del self.bodies[int(entry["ReceiptHandle"])]


def event(world: World, arn: str) -> str:
    detail = dict(world.aws.executions[arn])
    for name in ("startDate", "stopDate"):
        detail[name] = int(detail[name].timestamp() * 1000) if detail[name] else None
    return json.dumps({"source": "aws.states", "detail": detail})


@pytest.fixture
def queued(world: World) -> tuple[World, FakeQueue]:
    for at in range(30):
        world.aws.add(f"e{at}", started=at, output=OUTPUT)
    return world, FakeQueue([event(world, arn) for arn in world.aws.executions])


def test_events_carry_outputs_so_that_nothing_is_described(queued: tuple[World, FakeQueue]) -> None:
    world, fake = queued
    progress = world.run(world.sync(EventQueue(fake, "executions")))  # type: ignore[arg-type]
    assert progress.examined == progress.succeeded == 30
    assert world.aws.calls["DescribeExecution"] == 0
    assert not fake.bodies


def test_repeated_and_unordered_events_change_nothing(world: World) -> None:
    arn = world.aws.add("one", status="RUNNING")
    started = event(world, arn)
    world.aws.finish(arn, output=OUTPUT)
    ended = event(world, arn)
    fake = FakeQueue([ended, started, ended, "not json", '{"detail": {}}'])
    progress = world.run(world.sync(EventQueue(fake, "executions")))  # type: ignore[arg-type]
    assert (progress.executions, progress.succeeded, progress.examined) == (1, 1, 1)
    assert len(world.rows("executions")) == 1
    assert not fake.bodies


def test_where_events_arrive_listing_is_rare(queued: tuple[World, FakeQueue]) -> None:
    world, fake = queued
    sync = world.sync(EventQueue(fake, "executions"))  # type: ignore[arg-type]
    world.run(sync)
    listed = world.aws.calls["ListExecutions"]
    world.run(sync)
    assert world.aws.calls["ListExecutions"] == listed
    world.clock.sleep(61)
    world.run(sync)
    assert world.aws.calls["ListExecutions"] > listed
