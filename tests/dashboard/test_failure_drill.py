"""The drill: a bad night of 500 executions and 7 causes, from red to repaired.

Histories are generated in the shapes that Step Functions gives and served by a simulated Step
Functions with AWS's quotas; sync, grouping, triage and repair are the real ones.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from benchmarks.simulated_states import EPOCH, MACHINE, Clock, SimulatedStates, failed_history
from dashboard.aws.executions import ExecutionReader
from dashboard.aws.quotas import Pacer
from dashboard.executions import tables
from dashboard.executions.sync import ExecutionSync
from dashboard.executions.tables import stored_listing
from dashboard.failures import model
from dashboard.failures.inbox import build_inbox
from dashboard.failures.redrives import Repairer, RepairLog
from dashboard.failures.repair_plan import RepairItem, RepairRun, plan_repair
from dashboard.shared.store import SegmentStore
from workflow.execution_rules import ExecutionRules
from workflow.executions import Kind
from workflow.redrive import RedriveAction
from workflow.triage import FailureGroup

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BUCKET = "scones-unlimited-dev-123456789012-us-east-1"
OUTPUT = '{"inferences": [0.98, 0.02], "label": "bicycle", "confidence": 0.98}'
WRONG = '{"statusCode": 500, "body": "{\\"error\\": \\"model not loaded\\"}"}'


def lambda_cause(kind: str, message: str, at: int) -> str:
    trace = [f'  File "/var/task/handler.py", line {40 + at % 3}, in handler\n    run()\n']
    request = f"{at:08x}-0000-4000-8000-{at:012x}"
    said = {"errorMessage": message, "errorType": kind, "requestId": request, "stackTrace": trace}
    return json.dumps(said)


DENIED = (
    "An error occurred (AccessDeniedException) when calling the InvokeEndpoint operation: User: "
    "arn:aws:sts::123456789012:assumed-role/classify/s{at} is not authorized to perform: "
    "sagemaker:InvokeEndpoint on resource: arn:aws:sagemaker:us-east-1:123456789012:endpoint/x"
)
CAUSES: dict[str, tuple[int, str, str, str]] = {
    "throttling": (60, "ClassifyImage", "ThrottlingException", "Rate exceeded (request {at})"),
    "endpoint down": (120, "ClassifyImage", "EndpointUnavailable", "Endpoint e-{at} is starting."),
    "permission": (
        80,
        "ClassifyImage",
        "ClientError",
        DENIED,
    ),
    "bad deploy": (70, "SerializeImage", "KeyError", "'s3_key_{at}'"),
    "slow state": (
        70,
        "ClassifyImage",
        "Sandbox.Timedout",
        "2026-11-01T00:00:{at:02}.000Z Task timed out after {at}.00 seconds",
    ),
    "poisoned image": (40, "SerializeImage", "NotAnImage", "s3://b/images/{at}.png is text."),
    "silent": (60, "", "", ""),
}


class Night:
    """500 executions in 7 hours, and the means to read and repair them."""

    def __init__(self, root: Path, s3: "S3Client") -> None:
        self.clock = Clock()
        self.clock.seconds = -20 * 86400 + 8 * 3600  # eight hours after the first start
        self.aws = SimulatedStates(self.clock)
        self.store = SegmentStore(root, tables.TABLES)
        self.s3 = s3
        self.expected: dict[str, set[str]] = {name: set() for name in CAUSES}
        at = 0
        for name, (count, *_) in CAUSES.items():
            for _ in range(count):
                self.expected[name].add(self._fail(at, name))
                at += 1
        for number in range(200):
            self.aws.add(f"fine-{number}", started=number * 100, output=OUTPUT)

    def _fail(self, at: int, name: str) -> str:
        _, state, error, message = CAUSES[name]
        started = (at * 7919) % 25_200
        fields: dict[str, Any] = {"input": json.dumps({"s3_bucket": "b", "s3_key": f"{at}.png"})}
        if name == "silent":
            return self.aws.add(f"e{at}", started=started, output=WRONG, **fields)
        cause = lambda_cause(error, message.format(at=at % 60), at)
        began = EPOCH + timedelta(seconds=started)
        history = failed_history(state=state, error=error, cause=cause, began=began)
        return self.aws.add(f"e{at}", started=started, status="FAILED", history=history, **fields)

    def pacer(self) -> Pacer:
        return Pacer("us-east-1", clock=self.clock.monotonic, sleep=self.clock.sleep)

    def states(self) -> ExecutionReader:
        return ExecutionReader(self.aws, self.pacer(), MACHINE)  # type: ignore[arg-type]

    def sync(self) -> None:
        sync = ExecutionSync(
            self.states(),
            self.store,
            None,
            rules=ExecutionRules(threshold=0.93),
            now=self.clock.now,
            clock=self.clock.monotonic,
            at_once=1,
        )
        list(sync.run(budget_s=1e6))

    def inbox(self) -> tuple[FailureGroup, ...]:
        failures = tables.build_failures(self.store.scan("failures"))
        restarts = RepairLog(self.s3, BUCKET).read_restarts()
        return build_inbox(
            failures, stored_listing(self.store.scan), (), restarts, now=self.clock.now()
        )


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with mock_aws():
        client = boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t"
        )
        client.create_bucket(Bucket=BUCKET)
        yield Night(tmp_path, client)


def test_the_inbox_shows_exactly_the_seven_causes_with_their_counts(night: Night) -> None:
    night.sync()
    groups = night.inbox()
    found = {frozenset(group.executions) for group in groups}
    assert found == {frozenset(arns) for arns in night.expected.values()}
    kinds = Counter(group.kind for group in groups)
    assert kinds[Kind.THROTTLING] == kinds[Kind.PERMISSION] == kinds[Kind.TIMEOUT] == 1
    assert kinds[Kind.SILENT] == kinds[Kind.BAD_INPUT] == kinds[Kind.CODE] == 1
    assert all(group.diagnosis.remedy for group in groups)


def test_repairing_400_killed_halfway_does_each_once_and_empties_the_inbox(night: Night) -> None:
    night.sync()
    wanted = [arn for name in CAUSES if name != "silent" for arn in sorted(night.expected[name])]
    repaired = wanted[:400]
    plan = plan_repair(
        [RepairItem(arn=a, action=RedriveAction.REDRIVE, redrive_count=0) for a in repaired],
        now=night.clock.now(),
        author="ada",
        fingerprint="f" * 16,
        target=f"{MACHINE}:live",
    )
    log = RepairLog(night.s3, BUCKET)
    log.add_plan(plan)

    def repairer() -> Repairer:
        return Repairer(night.aws, night.states(), log, most=1000, now=night.clock.now)  # type: ignore[arg-type]

    killed = repairer().run(RepairRun(plan=plan, results={}))
    for _ in range(203):
        next(killed)
    killed.close()
    night.clock.sleep(3600)
    resumed = RepairLog(night.s3, BUCKET).read_runs()[0]
    assert resumed.pending
    list(repairer().run(resumed))

    assert set(night.aws.redrives) == set(repaired)
    assert set(night.aws.redrives.values()) == {1}
    assert not RepairLog(night.s3, BUCKET).read_runs()[0].pending
    for arn in repaired:
        night.aws.finish(arn, output=OUTPUT)
    night.sync()
    left = {arn for group in night.inbox() for arn in group.executions}
    assert left == {arn for arns in night.expected.values() for arn in arns} - set(repaired)


def test_the_dry_run_says_for_each_what_repairs_it(night: Night) -> None:
    night.sync()
    failures = {
        one.execution_arn: one for one in tables.build_failures(night.store.scan("failures"))
    }
    advised = {}
    for group in night.inbox():
        dry = model.dry_run(
            group,
            stored_listing(night.store.scan),
            failures,
            now=night.clock.now(),
            current_version="2",
            state_types={"ClassifyImage": "Task"},
        )
        assert len(dry.table) == group.count
        advised[group.kind] = dry.advice
    throttling, code, bad = (advised[kind] for kind in (Kind.THROTTLING, Kind.CODE, Kind.BAD_INPUT))
    assert throttling is not None
    assert throttling.action is RedriveAction.REDRIVE
    assert code is not None
    assert code.action is RedriveAction.RESTART
    assert bad is not None
    assert bad.action is RedriveAction.NEITHER
