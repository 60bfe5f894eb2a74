"""Pages of a workflow that somebody else made, for readers with and without permissions."""

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
import streamlit as st
from botocore.exceptions import ClientError
from streamlit.testing.v1 import AppTest

from dashboard.aws import cloud as aws_cloud

pytestmark = [
    pytest.mark.cloud,
    # pyarrow asks pandas for values with a time zone; Streamlit hands it every table.
    pytest.mark.filterwarnings("ignore:Series.values"),
]
APP = Path(__file__).parents[3] / "dashboard" / "app.py"
SECONDS = 60
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


@pytest.fixture
def visit(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page of a workflow, as somebody who may not make some calls."""

    def run(page: str, reference: str, *denied: str, **variables: str) -> AppTest:
        for name, value in {**environ, **variables}.items():
            monkeypatch.setenv(name, value)
        make = aws_cloud._session

        def session(*given: Any) -> boto3.Session:
            made = make(*given)
            for operation in denied:
                made.events.register(f"before-call.*.{operation}", refused(operation))
            return made

        monkeypatch.setattr(aws_cloud, "_session", session)
        st.cache_resource.clear()
        st.cache_data.clear()
        test = AppTest.from_file(str(APP), default_timeout=SECONDS).run()
        test.switch_page(f"app_pages/{page}.py")
        if reference:
            test.query_params["workflow"] = reference
        return test.run()

    return run


def refused(operation: str) -> Callable[..., None]:
    def refuse(**_: Any) -> None:
        message = "User: arn:aws:iam::123456789012:user/reader is not authorized"
        error: Any = {"Error": {"Code": "AccessDeniedException", "Message": message}}
        raise ClientError(error, operation)

    return refuse


def said(test: AppTest) -> str:
    told = [*test.markdown, *test.caption, *test.error, *test.warning, *test.info, *test.title]
    tables = [str(one.value.to_string()) for one in test.dataframe]
    return "\n".join([*(str(one.value) for one in told), *tables]).replace("\\", "")


def seen(test: AppTest, *texts: str) -> str:
    """Run again until a page says all of some texts; what it says."""
    deadline = time.monotonic() + SECONDS / 2
    while not all(text in said(test) for text in texts):
        assert not test.exception
        assert time.monotonic() < deadline, said(test)
        time.sleep(0.2)
        test.run()
    return said(test)


def test_executions_of_any_state_machine_show_image_label_and_confidence(
    visit: Callable[..., AppTest], machine: str
) -> None:
    shown = seen(visit("executions", machine), "2 executions", "cat")
    assert "a.png" in shown
    assert "ModelBroken" in shown


def test_the_workflow_of_the_environment_is_watched_by_its_name(
    visit: Callable[..., AppTest], machine: str
) -> None:
    name = machine.rpartition(":")[2]
    shown = seen(visit("workflows", "", SCONES_STATE_MACHINE=name), machine)
    assert "on this machine only" in shown


@pytest.mark.parametrize(
    ("page", "action", "still"),
    [
        ("executions", "states:GetExecutionHistory", "2 executions"),
        ("executions", "states:ListExecutions", "Executions"),
        ("workflows", "states:ListStateMachines", "on this machine only"),
        ("workflows", "states:ListExecutions", "on this machine only"),
        ("deployment", "sagemaker:ListEndpoints", "Last changed"),
    ],
)
def test_what_a_reader_may_not_do_is_named_and_the_rest_is_shown(
    visit: Callable[..., AppTest], machine: str, page: str, action: str, still: str
) -> None:
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
    visit: Callable[..., AppTest], reference: str, words: str
) -> None:
    seen(visit("workflows", reference), words, "pages-dev")


def test_an_express_state_machine_is_said_to_keep_no_executions(
    visit: Callable[..., AppTest], local_cloud: Any
) -> None:
    arn = local_cloud.client("stepfunctions").create_state_machine(
        name=f"express-{uuid.uuid4().hex[:8]}",
        type="EXPRESS",
        definition=json.dumps(DEFINITION),
        roleArn="arn:aws:iam::123456789012:role/theirs",
    )["stateMachineArn"]
    seen(visit("executions", arn), "EXPRESS state machine keeps no executions")


def test_where_only_captures_are_watched_other_pages_say_so(visit: Callable[..., AppTest]) -> None:
    seen(visit("executions", "s3://some-captures/prefix"), "Only captures are watched")


@pytest.mark.parametrize("page", ["batch", "rollout", "alerts"])
def test_pages_about_what_deploy_makes_show_nothing_of_it_beside_another_name(
    visit: Callable[..., AppTest], machine: str, page: str
) -> None:
    seen(visit(page, machine), "was made by somebody else")
