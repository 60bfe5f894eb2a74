"""The States Language: every case of tests/cases/asl, run by the local cloud."""

import json
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.cloud

CASES = sorted(Path(__file__).parents[1].joinpath("cases", "asl").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_an_execution_ends_as_the_language_says(local_cloud, path):
    case = json.loads(path.read_text())
    states = local_cloud.client("stepfunctions")
    machine = states.create_state_machine(
        name=path.stem,
        definition=json.dumps(case["definition"]),
        roleArn="arn:aws:iam::123456789012:role/asl",
    )["stateMachineArn"]
    arn = states.start_execution(stateMachineArn=machine, input=json.dumps(case["input"]))[
        "executionArn"
    ]
    ended = states.describe_execution(executionArn=arn)
    deadline = time.monotonic() + 60
    while ended["status"] == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.02)
        ended = states.describe_execution(executionArn=arn)
    found = {"status": ended["status"]}
    if "output" in ended:
        found["output"] = json.loads(ended["output"])
    found |= {key: ended[key] for key in ("error", "cause") if key in case["expected"]}
    assert found == case["expected"], ended.get("cause")
