"""Pages of a workflow that somebody else made, for readers with and without permissions."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

pytestmark = [
    pytest.mark.cloud,
    # pyarrow asks pandas for values with a time zone; Streamlit hands it every table.
    pytest.mark.filterwarnings("ignore:Series.values"),
]
Visit = Callable[..., AppTest]
Seen = Callable[..., str]
DEFINITION = {
    "StartAt": "Predict",
    "States": {
        "Predict": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.bad", "BooleanEquals": True, "Next": "Broken"}],
            "Default": "Probabilities",
        },
        "Probabilities": {"Type": "Pass", "Result": {"cat": 0.9, "dog": 0.1}, "End": True},
        "Broken": {"Type": "Fail", "Error": "ModelBroken", "Cause": "out of memory"},
    },
}


@pytest.fixture
def machine(local_cloud: Any) -> str:
    """ARN of a state machine with a good and a bad execution; each has a store of its own."""
    states = local_cloud.client("stepfunctions")
    arn = states.create_state_machine(
        name=f"theirs-{uuid.uuid4().hex[:8]}",
        definition=json.dumps(DEFINITION),
        roleArn="arn:aws:iam::123456789012:role/theirs",
    )["stateMachineArn"]
    for bad in (False, True):
        given = {"bad": bad, "photo": {"bucketName": "their-photos", "file": "a.png"}}
        states.start_execution(stateMachineArn=arn, input=json.dumps(given))
    return str(arn)


def test_executions_of_any_state_machine_show_image_label_and_confidence(
    visit: Visit, seen: Seen, machine: str
) -> None:
    shown = seen(visit("executions", machine), "2 executions", "cat")
    assert "a.png" in shown
    assert "ModelBroken" in shown


def test_the_workflow_of_the_environment_is_watched_by_its_name(
    visit: Visit, seen: Seen, machine: str
) -> None:
    name = machine.rpartition(":")[2]
    shown = seen(visit("workflows", "", SCONES_STATE_MACHINE=name), machine)
    assert "on this machine only" in shown


@pytest.mark.parametrize(
    "case",
    [
        ("executions", "states:GetExecutionHistory", "2 executions"),
        ("executions", "states:ListExecutions", "Executions"),
        ("overview", "states:GetExecutionHistory", "What needs attention"),
        ("workflows", "states:ListStateMachines", "on this machine only"),
        ("workflows", "states:ListExecutions", "on this machine only"),
        ("deployment", "sagemaker:ListEndpoints", "Last changed"),
    ],
)
def test_what_a_reader_may_not_do_is_named_and_the_rest_is_shown(
    visit: Visit,
    seen: Seen,
    machine: str,
    case: tuple[str, str, str],
) -> None:
    page, action, still = case
    seen(visit(page, machine, action.partition(":")[2]), action, still)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("no such machine", "neither the name nor the ARN"),
        ("arn:aws:states:eu-west-3:123456789012:stateMachine:x", "AWS_REGION=eu-west-3"),
        ("arn:aws:states:us-east-1:999999999999:stateMachine:x", "account 999999999999"),
        ("never-made", "never made"),
        ("s3://No_Bucket/x", "not where captures lie"),
    ],
)
def test_a_reference_that_leads_nowhere_is_said_and_the_deployed_workflow_shown(
    visit: Visit, seen: Seen, reference: str, words: str
) -> None:
    seen(visit("workflows", reference), words, "pages-dev")


def test_an_express_state_machine_is_said_to_keep_no_executions(
    visit: Visit, seen: Seen, local_cloud: Any
) -> None:
    arn = local_cloud.client("stepfunctions").create_state_machine(
        name=f"express-{uuid.uuid4().hex[:8]}",
        type="EXPRESS",
        definition=json.dumps(DEFINITION),
        roleArn="arn:aws:iam::123456789012:role/theirs",
    )["stateMachineArn"]
    seen(visit("executions", arn), "EXPRESS state machine keeps no executions")


def test_where_only_captures_are_watched_other_pages_say_so(visit: Visit, seen: Seen) -> None:
    seen(visit("executions", "s3://some-captures/prefix"), "Only captures are watched")


@pytest.mark.parametrize("page", ["batch", "rollout", "alerts"])
def test_pages_about_what_deploy_makes_show_nothing_of_it_beside_another_name(
    visit: Visit, seen: Seen, machine: str, page: str
) -> None:
    seen(visit(page, machine), "was made by somebody else")
