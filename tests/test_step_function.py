"""step_function.json is valid by two validators and means the same to two interpreters."""

import io
import json
import shutil
import subprocess
import time
import uuid
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LocalCloud
from workflow import contract

ROOT = Path(__file__).parents[1]
NODE = ROOT / "tests/node"
DEFINITION = json.loads((ROOT / "step_function.json").read_text())
STATES = DEFINITION["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
INPUT = contract.execution_input(contract.ImageLocation("a-bucket", "images/a.png"))

needs_node = [
    pytest.mark.node,
    pytest.mark.skipif(
        not shutil.which("node") or not (NODE / "node_modules").exists(),
        reason="Node.js or its packages are absent; `make node` installs the packages",
    ),
]


def gives(state: contract.State) -> dict[str, Any]:
    return {"result": state}


def raises(error: type[contract.ContractError]) -> dict[str, Any]:
    return {"error": error.__name__}


@dataclass(frozen=True)
class Journey:
    """What each function does on each attempt (the last goes on), and how the execution ends."""

    name: str
    ends: dict[str, Any]
    attempts: dict[str, int]
    serialize: tuple[dict[str, Any], ...] = (gives(INPUT),)
    classify: tuple[dict[str, Any], ...] = (gives({**INPUT, "inferences": [0.97, 0.03]}),)
    decide: tuple[dict[str, Any], ...] = ()

    @property
    def outcomes(self) -> dict[str, list[dict[str, Any]]]:
        decide = self.decide or (gives(ACCEPTED),)
        return {
            "SerializeImage": list(self.serialize),
            "ClassifyImage": list(self.classify),
            "FilterInferences": list(decide),
        }


ACCEPTED = contract.with_decision({**INPUT, "inferences": [0.97, 0.03]}, 0.93)
REJECTED = contract.with_decision({**INPUT, "inferences": [0.71, 0.29]}, 0.93)
ONCE = {"SerializeImage": 1, "ClassifyImage": 1, "FilterInferences": 1}

JOURNEYS = (
    Journey(name="happy", ends={"status": "SUCCEEDED", "output": ACCEPTED}, attempts=ONCE),
    Journey(
        name="rejected",
        decide=(gives(REJECTED),),
        ends={
            "status": "FAILED",
            "error": contract.REJECTED,
            "cause": REJECTED["rejection"],
        },
        attempts=ONCE,
    ),
    Journey(
        name="transient fault that passes",
        classify=(raises(contract.EndpointUnavailable), gives(INPUT)),
        ends={"status": "SUCCEEDED", "output": ACCEPTED},
        attempts={**ONCE, "ClassifyImage": 2},
    ),
    Journey(
        name="transient fault that stays",
        serialize=(raises(contract.StorageUnavailable),),
        ends={"status": "FAILED", "error": "StorageUnavailable"},
        attempts={"SerializeImage": 5},
    ),
    Journey(
        name="deterministic fault",
        serialize=(raises(contract.NotAnImage),),
        ends={"status": "FAILED", "error": "NotAnImage"},
        attempts={"SerializeImage": 1},
    ),
)
each_journey = pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.name)


class TestDefinition:
    def test_names_each_function_by_a_placeholder(self) -> None:
        functions = {name: task["Parameters"]["FunctionName"] for name, task in TASKS.items()}

        assert functions == {name: f"${{{name}Arn}}" for name in ONCE}

    def test_retries_transient_errors_only(self) -> None:
        transient = {error.__name__ for error in contract.TRANSIENT}
        for name, task in TASKS.items():
            retried = {error for retry in task["Retry"] for error in retry["ErrorEquals"]}
            own = {error for error in retried if not error.startswith("Lambda.")}

            assert own <= transient, name
            assert not {"States.ALL", "States.TaskFailed", "Lambda.Unknown"} & retried

    def test_retries_every_transient_error_of_the_function_that_raises_it(self) -> None:
        retried = TASKS["ClassifyImage"]["Retry"][0]["ErrorEquals"]

        assert {error.__name__ for error in contract.TRANSIENT} <= set(retried)

    def test_retries_with_backoff_and_jitter(self) -> None:
        for task in TASKS.values():
            for retry in task["Retry"]:
                assert retry["BackoffRate"] > 1
                assert retry["JitterStrategy"] == "FULL"

    def test_turns_low_confidence_into_a_named_failure(self) -> None:
        choice = next(state for state in STATES.values() if state["Type"] == "Choice")
        fail = STATES[choice["Default"]]

        assert choice["Choices"][0]["Variable"] == "$.meets_threshold"
        assert (fail["Type"], fail["Error"]) == ("Fail", contract.REJECTED)


class TestSecondOpinion:
    pytestmark = needs_node

    def test_is_valid_to_asl_validator(self) -> None:
        validator = NODE / "node_modules/.bin/asl-validator"
        run = subprocess.run(
            ["node", validator, "--json-path", ROOT / "step_function.json"],
            capture_output=True,
            text=True,
            check=False,
        )

        assert run.returncode == 0, run.stdout + run.stderr

    @each_journey
    def test_another_interpreter_agrees(self, journey: Journey) -> None:
        last, attempts = interpret(journey)

        ends = journey.ends
        if ends["status"] == "SUCCEEDED":
            assert (last["type"], last["output"]) == ("ExecutionSucceeded", ends["output"])
        else:
            assert (last["type"], last["Error"]) == ("ExecutionFailed", ends["error"])
            assert last["Cause"] == ends.get("cause", last["Cause"])
        assert attempts == journey.attempts


@pytest.mark.cloud
class TestLocalCloud:
    def test_finds_the_definition_valid(self, local_cloud: LocalCloud) -> None:
        answer = local_cloud.client("stepfunctions").validate_state_machine_definition(
            definition=json.dumps(DEFINITION)
        )

        assert (answer["result"], answer["diagnostics"]) == ("OK", [])

    @each_journey
    def test_gives_the_outcomes_of_the_other_interpreter(
        self, journey: Journey, local_cloud: LocalCloud
    ) -> None:
        ended = execute(journey, local_cloud)

        assert ended["status"] == journey.ends["status"]
        if "output" in journey.ends:
            assert json.loads(ended["output"]) == journey.ends["output"]
        assert ended.get("error") == journey.ends.get("error")
        assert journey.ends.get("cause", ended.get("cause")) == ended.get("cause")
        assert attempts(local_cloud, ended["executionArn"]) == journey.attempts


def interpret(journey: Journey) -> tuple[dict[str, Any], dict[str, int]]:
    """Run a journey in aws-local-stepfunctions: its last event, and the attempts by state."""
    question = {
        "definition": DEFINITION,
        "input": INPUT,
        "executionArn": "arn:aws:states:us-east-1:123456789012:execution:scones:one",
        "outcomes": journey.outcomes,
    }
    run = subprocess.run(
        ["node", NODE / "interpret.mjs"],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(run.stdout)
    return answer["last"], answer["attempts"]


PLAYER = """
import json, os, pathlib


def handler(event, context):
    outcomes = json.loads(os.environ["OUTCOMES"])
    turns = pathlib.Path("/tmp/turns")  # of this function's environment alone
    turn = len(turns.read_text()) if turns.exists() else 0
    turns.write_text("x" * (turn + 1))
    outcome = outcomes[min(turn, len(outcomes) - 1)]
    if "error" in outcome:
        raise type(outcome["error"], (Exception,), {})("as the journey says")
    return outcome["result"]
"""


def execute(journey: Journey, cloud: LocalCloud) -> dict[str, Any]:
    """Run a journey in the local cloud, with functions that play its outcomes, to its end."""
    prefix = f"j{uuid.uuid4().hex[:8]}"
    role = create_role(cloud, prefix)
    text = json.dumps(with_quick_retries(DEFINITION))
    for state, outcomes in journey.outcomes.items():
        arn = create_player(cloud, f"{prefix}-{state}", role, outcomes)
        text = text.replace(f"${{{state}Arn}}", arn)
    states = cloud.client("stepfunctions")
    machine = states.create_state_machine(name=prefix, definition=text, roleArn=role)
    started = states.start_execution(
        stateMachineArn=machine["stateMachineArn"], input=json.dumps(INPUT)
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        execution: dict[str, Any] = states.describe_execution(executionArn=started["executionArn"])
        if execution["status"] != "RUNNING":
            return execution
        time.sleep(0.1)
    raise AssertionError(f"the execution still runs: {execution}")


def with_quick_retries(definition: dict[str, Any]) -> dict[str, Any]:
    """The same definition with the shortest waits, so that five attempts take seconds."""
    quick: dict[str, Any] = json.loads(json.dumps(definition))
    for task in quick["States"].values():
        for retry in task.get("Retry", ()):
            retry |= {"IntervalSeconds": 1, "BackoffRate": 1}
            del retry["MaxDelaySeconds"]
    return quick


def create_role(cloud: LocalCloud, name: str) -> str:
    """A role that Lambda and Step Functions may assume and that may invoke; returns its ARN."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam = cloud.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    invoke = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [invoke]})
    iam.put_role_policy(RoleName=name, PolicyName="invoke", PolicyDocument=policy)
    return str(role["Role"]["Arn"])


def create_player(cloud: LocalCloud, name: str, role: str, outcomes: list[dict[str, Any]]) -> str:
    """Deploy a function that plays outcomes in turn, and return its ARN."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("player.py", PLAYER)
    function = cloud.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="player.handler",
        Role=role,
        Code={"ZipFile": packed.getvalue()},
        Environment={"Variables": {"OUTCOMES": json.dumps(outcomes)}},
    )
    cloud.client("lambda").get_waiter("function_active_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 1}
    )
    return str(function["FunctionArn"])


def attempts(cloud: LocalCloud, execution_arn: str) -> dict[str, int]:
    """How often each Task called its function."""
    history = cloud.client("stepfunctions").get_execution_history(
        executionArn=execution_arn, maxResults=1000
    )
    counts, state = Counter[str](), ""
    for event in history["events"]:
        state = event.get("stateEnteredEventDetails", {"name": state})["name"]
        counts[state] += event["type"] == "TaskScheduled"
    return {name: count for name, count in counts.items() if count}
