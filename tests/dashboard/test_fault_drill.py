"""The drill on a real cloud: executions fail of 7 causes, are grouped, and most are repaired.

Nothing is generated but the trouble: the local cloud runs the deployed workflow under injected
faults, and the real sync, grouping and repair read and mend what comes of it.
"""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dashboard.aws.cloud import Connection, connect
from dashboard.aws.executions import open_reader
from dashboard.executions import tables
from dashboard.executions.sync import ExecutionSync
from dashboard.executions.tables import stored_listing
from dashboard.failures.inbox import build_inbox
from dashboard.failures.redrives import Repairer, RepairLog
from dashboard.failures.repair_plan import RepairItem, plan_repair
from dashboard.shared.store import SegmentStore
from tests.builders import PNG
from tests.conftest import LocalCloud, start_local_cloud, stop_local_cloud
from tests.dashboard.conftest import deploy
from tests.dashboard.test_repair_killed import REPAIR
from tests.nightly import often
from workflow.execution_rules import ExecutionRules
from workflow.executions import Kind
from workflow.redrive import RedriveAction
from workflow.triage import FailureGroup

pytestmark = pytest.mark.cloud

SHARES = {
    "throttling": 8,
    "endpoint down": 8,
    "missing permission": 8,
    "missing image": 8,
    "poisoned image": 8,
    "bad deploy": 7,
    "slow state": 3,
}
COUNTS = {cause: often(nightly=10, otherwise=2) * share for cause, share in SHARES.items()}
"""Executions that fail of each cause: 100, nightly 500."""
ENDED_BY: dict[str, dict[str, Any] | None] = {
    "throttling": {"error": "ThrottlingException", "status": 400},
    "endpoint down": {"error": "ServiceUnavailable", "status": 503},
    "missing permission": {"error": "AccessDeniedException", "status": 400},
    "slow state": {"delay_seconds": 2},
}
REPAIRABLE = ("throttling", "endpoint down", "missing permission", "missing image")


class Drill:
    """A deployed workflow, its trouble, and what the dashboard makes of it."""

    def __init__(self, cloud: LocalCloud, connection: Connection, root: Path) -> None:
        self.cloud, self.connection, self.settings = cloud, connection, connection.settings
        self.store = SegmentStore(root, tables.TABLES)
        self.states: Any = cloud.client("stepfunctions")
        self.s3: Any = cloud.client("s3")
        self.expected: dict[str, list[str]] = {}

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.settings.bucket, Key=key, Body=body)

    def start(self, cause: str, keys: Sequence[str], target: str) -> None:
        """Start an execution for each key and wait until none runs."""

        def one(key: str) -> str:
            given = {"s3_bucket": self.settings.bucket, "s3_key": key, "image_data": ""}
            answer = self.states.start_execution(stateMachineArn=target, input=json.dumps(given))
            return str(answer["executionArn"])

        with ThreadPoolExecutor(16) as pool:
            self.expected[cause] = list(pool.map(one, keys))
        self.wait()

    def wait(self) -> None:
        machine = self.settings.state_machine_arn
        deadline = time.monotonic() + 240
        while self.states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")[
            "executions"
        ]:
            assert time.monotonic() < deadline, "The executions do not end."
            time.sleep(0.3)

    def fault(self, fields: dict[str, Any] | None) -> None:
        """Make InvokeEndpoint fail or wait from now on, and in no other way; None mends it."""
        self.cloud.admin("DELETE", "faults")
        if fields:
            body = {"service": "sagemaker-runtime", "operation": "InvokeEndpoint", **fields}
            self.cloud.admin("POST", "faults", body)

    def version(self, state: str, change: str, to: str) -> str:
        """Publish the definition with a text changed in one state; the version's ARN."""
        machine = self.settings.state_machine_arn
        now = self.states.describe_state_machine(stateMachineArn=machine)["definition"]
        changed = json.loads(now)
        written = json.dumps(changed["States"][state])
        assert change in written
        changed["States"][state] = json.loads(written.replace(change, to))
        answer = self.states.update_state_machine(
            stateMachineArn=machine, definition=json.dumps(changed), publish=True
        )
        self.states.update_state_machine(stateMachineArn=machine, definition=now)
        return str(answer["stateMachineVersionArn"])

    def broken_function(self) -> str:
        """Publish SerializeImage with a bug; the version's ARN."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(
                "lambdas/serialize_image/handler.py",
                "def handler(event, context):\n    return event['image_bytes']\n",
            )
        client = self.cloud.client("lambda")
        answer = client.update_function_code(
            FunctionName=self.settings.serialize_function,
            ZipFile=packed.getvalue(),
            Publish=True,
        )
        client.get_waiter("function_updated_v2").wait(
            FunctionName=self.settings.serialize_function, WaiterConfig={"Delay": 1}
        )
        return str(answer["FunctionArn"])

    def happen(self) -> None:
        """Let the executions fail."""
        self.put("images/good.png", PNG)
        self.put("images/text.png", b"this is a text")
        live, good = self.settings.alias_arn, "images/good.png"
        for cause in ("throttling", "endpoint down", "missing permission"):
            self.fault(ENDED_BY[cause])
            self.start(cause, [good] * COUNTS[cause], live)
        self.fault(None)
        missing = [f"images/missing-{number}.png" for number in range(COUNTS["missing image"])]
        self.start("missing image", missing, live)
        self.start("poisoned image", ["images/text.png"] * COUNTS["poisoned image"], live)
        old = f"{self.settings.serialize_function}:1"
        broken = self.broken_function().rpartition(":")[2]
        new = f"{self.settings.serialize_function}:{broken}"
        bad = self.version("SerializeImage", old, new)
        self.start("bad deploy", [good] * COUNTS["bad deploy"], bad)
        self.fault(ENDED_BY["slow state"])
        slow = self.version("ClassifyImage", '"TimeoutSeconds": 130', '"TimeoutSeconds": 1')
        self.start("slow state", [good] * COUNTS["slow state"], slow)
        self.fault(None)

    def inbox(self) -> tuple[FailureGroup, ...]:
        """Sync and group, as the Failures page does."""
        source = open_reader(
            self.connection.session, self.connection.pacer, self.settings.state_machine_arn
        )
        sync = ExecutionSync(
            source,
            self.store,
            None,
            rules=ExecutionRules(threshold=0.5),
            now=lambda: datetime.now(UTC),
        )
        list(sync.run(budget_s=1e6))
        failures = tables.build_failures(self.store.scan("failures"))
        restarts = RepairLog(self.s3, self.settings.bucket).read_restarts()
        return build_inbox(
            failures, stored_listing(self.store.scan), (), restarts, now=datetime.now(UTC)
        )


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """The bad night, in a cloud of its own: faults there hurt nobody else's tests."""
    cloud = start_local_cloud(tmp_path_factory.mktemp("drill"))
    connection = connect(
        {
            "SCONES_LOCALCLOUD_DIR": str(cloud.directory),
            "SCONES_LOCALCLOUD_PORT": cloud.endpoint_url.rpartition(":")[2],
            "SCONES_THRESHOLD": "0.5",
        }
    )
    deploy(connection)
    night = Drill(cloud, connection, tmp_path_factory.mktemp("store"))
    night.happen()
    yield night
    stop_local_cloud(cloud)


def test_the_inbox_shows_exactly_the_seven_causes_with_their_counts(drill: Drill) -> None:
    groups = drill.inbox()

    cause_of = {arn: cause for cause, arns in drill.expected.items() for arn in arns}
    found = [dict(Counter(cause_of[arn] for arn in group.executions)) for group in groups]
    assert sorted(found, key=str) == sorted([{c: n} for c, n in COUNTS.items()], key=str)
    assert sum(group.count for group in groups) == sum(COUNTS.values())
    kinds = {group.kind for group in groups}
    assert {Kind.THROTTLING, Kind.PERMISSION, Kind.BAD_INPUT, Kind.CODE, Kind.TIMEOUT} <= kinds
    assert all(group.diagnosis.remedy for group in groups)


def test_a_repair_that_is_killed_halfway_redrives_each_execution_once(drill: Drill) -> None:
    drill.inbox()
    for number in range(COUNTS["missing image"]):
        drill.put(f"images/missing-{number}.png", PNG)
    drill.put("images/text.png", PNG)
    repaired = [arn for cause in (*REPAIRABLE, "poisoned image") for arn in drill.expected[cause]]
    log = RepairLog(drill.s3, drill.settings.bucket)
    log.add_plan(
        plan_repair(
            [RepairItem(arn=a, action=RedriveAction.REDRIVE, redrive_count=0) for a in repaired],
            now=datetime.now(UTC),
            author="ada",
            fingerprint="f" * 16,
            target=drill.settings.alias_arn,
        )
    )
    kill_after(len(repaired) // 2, drill)
    left = log.read_runs()[0]
    assert left.pending, "It was killed too late to show anything."

    source = open_reader(
        drill.connection.session, drill.connection.pacer, drill.settings.state_machine_arn
    )
    list(Repairer(drill.states, source, log, most=1000, now=lambda: datetime.now(UTC)).run(left))
    drill.wait()

    listed = drill.states.list_executions(
        stateMachineArn=drill.settings.state_machine_arn, maxResults=1000
    )["executions"]
    counts = {one["executionArn"]: one.get("redriveCount", 0) for one in listed}
    assert {arn for arn, count in counts.items() if count} == set(repaired)
    assert {counts[arn] for arn in repaired} == {1}
    still = {arn for group in drill.inbox() for arn in group.executions}
    assert still == {*drill.expected["bad deploy"], *drill.expected["slow state"]}


def kill_after(results: int, drill: Drill) -> None:
    """Run the repair in a process of its own and kill it after so many results."""
    settings = drill.settings
    arguments = [drill.cloud.region, settings.state_machine_arn]
    process = subprocess.Popen(
        [sys.executable, "-c", REPAIR, *arguments, settings.bucket],
        env={**os.environ, **drill.cloud.environ},
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    for _ in range(results):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.stdout.close()
