"""A repair in a process of its own, ended by ``kill -9``: nothing twice, nothing forgotten."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dashboard.aws.executions import ExecutionReader
from dashboard.aws.quotas import Pacer
from dashboard.failures.redrives import Repairer, RepairLog
from dashboard.failures.repair_plan import RepairItem, plan_repair
from tests.conftest import LocalCloud
from workflow.redrive import RedriveAction

pytestmark = pytest.mark.cloud
COUNT = 96
BUCKET = "killed-repairs"
DEFINITION = {"StartAt": "Broken", "States": {"Broken": {"Type": "Fail", "Error": "Boom"}}}
REPAIR = """
import sys
from datetime import UTC, datetime
import boto3
from dashboard.aws.executions import States
from dashboard.aws.quotas import Pacer
from dashboard.failures.redrives import Repairer, RepairLog

region, machine, bucket = sys.argv[1:]
client = boto3.client("stepfunctions")
log = RepairLog(boto3.client("s3"), bucket)
states = States(client, Pacer(region), machine)
repairer = Repairer(client, states, log, most=1000, now=lambda: datetime.now(UTC))
for result in repairer.run(log.runs()[0]):
    print(result.arn, flush=True)
"""


@pytest.fixture
def machine(local_cloud: LocalCloud) -> str:
    local_cloud.client("s3").create_bucket(Bucket=BUCKET)
    states = local_cloud.client("stepfunctions")
    answer = states.create_state_machine(
        name="killed-repairs",
        definition=json.dumps(DEFINITION),
        roleArn=f"arn:aws:iam::{local_cloud.account}:role/states",
    )
    for number in range(COUNT):
        states.start_execution(
            stateMachineArn=answer["stateMachineArn"], name=f"e{number}", input="{}"
        )
    return str(answer["stateMachineArn"])


def listed(cloud: LocalCloud, machine: str) -> list[dict[str, Any]]:
    states = cloud.client("stepfunctions")
    found = states.list_executions(stateMachineArn=machine, maxResults=1000)
    return list(found["executions"])


def settled(cloud: LocalCloud, machine: str) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while any(one["status"] == "RUNNING" for one in listed(cloud, machine)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return listed(cloud, machine)


def test_each_is_redriven_once_though_the_process_is_killed(
    local_cloud: LocalCloud, machine: str
) -> None:
    arns = [one["executionArn"] for one in settled(local_cloud, machine)]
    log = RepairLog(local_cloud.client("s3"), BUCKET)
    log.add_plan(
        plan_repair(
            [RepairItem(arn=arn, action=RedriveAction.REDRIVE, redrive_count=0) for arn in arns],
            now=datetime.now(UTC),
            author="ada",
            fingerprint="f" * 16,
            target=machine,
        )
    )
    arguments = [local_cloud.region, machine, BUCKET]
    killed = subprocess.Popen(
        [sys.executable, "-c", REPAIR, *arguments],
        env={**os.environ, **local_cloud.environ},
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert killed.stdout is not None
    for _ in range(COUNT // 3):
        killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    killed.stdout.close()

    left = log.read_runs()[0]
    assert left.pending, "It was killed too late to show anything."
    client = local_cloud.client("stepfunctions")
    states = ExecutionReader(client, Pacer(local_cloud.region), machine)
    list(Repairer(client, states, log, most=1000, now=lambda: datetime.now(UTC)).run(left))

    assert not log.read_runs()[0].pending
    counts = [one["redriveCount"] for one in settled(local_cloud, machine)]
    assert counts == [1] * COUNT
