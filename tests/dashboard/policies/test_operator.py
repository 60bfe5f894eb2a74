"""Actions are done under the operator's policy, and each names what it lacks."""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection, connect
from deploy import deployment
from deploy.apply import Failed
from deploy.user_policies import User
from tests.builders import png
from tests.dashboard.conftest import deploy
from tests.dashboard.workflows.conftest import SECONDS, look

pytestmark = [pytest.mark.cloud, pytest.mark.nightly, pytest.mark.filterwarnings("ignore")]
Open = Callable[..., AppTest]


@dataclass(frozen=True)
class Case:
    """Buttons of a page, of which the last one changes something.

    Attributes:
        page: Where they are.
        buttons: What their labels begin with, in order.
        needs: The actions that are named where they are missing.
        done: What is said where none is missing.
        choose: An option that is chosen before the last button.
        query: The address; what a name of ``Places`` stands for is put in.
        variables: Of the environment.
    """

    page: str
    buttons: tuple[str, ...]
    needs: tuple[str, ...]
    done: str
    choose: str = ""
    query: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


FAILED = {"execution": "{failed}"}
WAITING = {"workflow": "{machine}", "execution": "{running}"}
REDRIVE, NOTE = ("states:RedriveExecution",), ("s3:PutObject",)
CASES = (
    Case("executions", ("Redrive now",), REDRIVE, "Redrives: **", query=FAILED),
    Case("executions", ("Stop now",), ("states:StopExecution",), "ABORTED", query=WAITING),
    Case("failures", ("ImageNotFound", "Acknowledge"), NOTE, "acknowledge"),
    Case("failures", ("ImageNotFound", "Redrive 1"), REDRIVE, "Repair of 1", "Redrive all"),
    Case("review", ("Draw photos",), NOTE, "Photo 1 of 1"),
    Case(
        "batch",
        ("Classify these",),
        ("states:StartExecution",),
        "Unreadable",
        query={"source": "s3://{bucket}/images/"},
    ),
    *(
        Case(
            "deployment",
            ("Apply these changes",),
            (action,),
            "nothing to do",
            variables={"SCONES_THRESHOLD": threshold},
        )
        for threshold, action in (
            ("0.61", "lambda:UpdateFunctionConfiguration"),
            ("0.62", "lambda:PublishVersion"),
            ("0.63", "states:UpdateStateMachine"),
            ("0.64", "states:UpdateStateMachineAlias"),
        )
    ),
)


@pytest.fixture(scope="module")
def operators(environ: dict[str, str]) -> Connection:
    """A deployment of these tests alone, twice deployed, with batches."""
    project = {**environ, "SCONES_PROJECT": "operators"}
    deploy(connect({**project, "SCONES_THRESHOLD": "0.6"}))
    cloud = connect(project)
    deploy(cloud)
    settings, session = cloud.settings, cloud.session
    for event in deployment.apply(deployment.plan_batch(settings, session), settings, session):
        assert not isinstance(event, Failed), event
    return cloud


@pytest.fixture
def owner(operators: Connection) -> Connection:
    return operators


@pytest.fixture(scope="module")
def places(operators: Connection) -> dict[str, str]:
    """ARNs of a failed execution and of one that waits, by what the cases call them."""
    cloud, settings = operators, operators.settings
    states, s3 = cloud.client("stepfunctions"), cloud.client("s3")
    s3.put_object(Bucket=settings.bucket, Key="images/a.png", Body=png())
    ended = []
    for key in ("images/a.png", "images/is-missing.png"):
        place = {"s3_bucket": settings.bucket, "s3_key": key}
        given = {**place, "image_data": "", "inferences": list[float]()}
        started = states.start_execution(
            stateMachineArn=settings.alias_arn, input=json.dumps(given)
        )
        ended.append(started["executionArn"])
    wait = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
    machine = states.create_state_machine(
        name=f"{settings.prefix}-waits",
        definition=json.dumps(wait),
        roleArn="arn:aws:iam::123456789012:role/theirs",
    )["stateMachineArn"]
    deadline = time.monotonic() + SECONDS
    for arn in ended:
        while states.describe_execution(executionArn=arn)["status"] == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    return {"failed": ended[1], "machine": machine, "bucket": settings.bucket}


def press(test: AppTest, label: str) -> None:
    """Press a button once it is there."""
    deadline = time.monotonic() + SECONDS
    while not (found := [one for one in test.button if one.label.strip("*").startswith(label)]):
        assert not test.exception
        assert time.monotonic() < deadline, [one.label for one in test.button]
        time.sleep(0.2)
        test.run()
    found[0].click().run()


def choose(test: AppTest, option: str) -> None:
    for control in test.segmented_control:
        if option in control.options:
            control.set_value(option).run()


PROOFS = [(case, without) for case in CASES for without in (*case.needs, "")]


@pytest.mark.parametrize(
    ("case", "without"),
    PROOFS,
    ids=[f"{case.buttons[-1]}-{without or 'allowed'}" for case, without in PROOFS],
)
def test_an_operator_does_it_with_the_operators_policy_and_not_without_its_actions(
    visit: Open, operators: Connection, places: dict[str, str], case: Case, without: str
) -> None:
    waiting = operators.client("stepfunctions").start_execution(
        stateMachineArn=places["machine"], input="{}", name=uuid.uuid4().hex
    )
    known = {**places, "running": waiting["executionArn"]}
    query = {name: text.format(**known) for name, text in case.query.items()}

    test = visit(
        case.page,
        User.OPERATOR,
        without,
        query=query,
        SCONES_PROJECT="operators",
        **case.variables,
    )
    for button in case.buttons[:-1]:
        press(test, button)
    choose(test, case.choose)
    press(test, case.buttons[-1])

    look(test, without or case.done)
    assert not test.exception


@pytest.mark.parametrize("without", ["states:UpdateStateMachineAlias", ""])
def test_an_operator_rolls_back_with_the_operators_policy_and_not_without_the_alias(
    visit: Open, operators: Connection, without: str
) -> None:
    def live() -> list[dict[str, object]]:
        alias = operators.client("stepfunctions").describe_state_machine_alias(
            stateMachineAliasArn=operators.settings.alias_arn
        )
        return list(alias["routingConfiguration"])

    before = live()
    test = visit("deployment", User.OPERATOR, without, SCONES_PROJECT="operators")
    press(test, "Roll back to version")

    if without:
        look(test, without)
    deadline = time.monotonic() + SECONDS
    while not without and live() == before:
        assert time.monotonic() < deadline
        time.sleep(0.2)
        test.run()
    assert (live() == before) == bool(without)
    assert not test.exception
