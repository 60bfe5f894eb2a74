"""A workflow of somebody else under the watcher's policy, and for those who lack an action."""

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection
from deploy.user_policies import User
from tests.builders import png
from tests.dashboard.policies.conftest import Answers, allowed
from tests.dashboard.policies.test_viewer import MONITORED, always
from tests.dashboard.workflows.conftest import SECONDS, look
from tests.nightly import NIGHTLY

pytestmark = [pytest.mark.cloud, pytest.mark.filterwarnings("ignore:Series.values")]
Open = Callable[..., AppTest]
CODE = """
def handler(event, context):
    if "missing" in event["photo"]["file"]:
        raise FileNotFoundError(event["photo"]["file"])
    return {**event, "scores": {"cat": 0.9, "dog": 0.1}}
"""
BROAD = [{"PolicyName": "x", "PolicyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}]
ATTACHED: Answers = {"ListAttachedRolePolicies": always(AttachedPolicies=BROAD)}


@dataclass(frozen=True)
class Theirs:
    """A workflow that somebody made by plain boto3: ARNs of the machine and two executions."""

    machine: str
    well: str
    failed: str


@pytest.fixture(scope="module")
def theirs(deployed: Connection) -> Theirs:
    name = f"theirs-{uuid.uuid4().hex[:8]}"
    iam, functions = deployed.client("iam"), deployed.client("lambda")
    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="invoke", PolicyDocument=policy)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("app.py", CODE)
    functions.create_function(
        FunctionName=name,
        Role=role,
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": zipped.getvalue()},
    )
    while functions.get_function_configuration(FunctionName=name)["State"] != "Active":
        time.sleep(0.05)
    task = {"Type": "Task", "End": True, "Resource": functions_arn(deployed, name)}
    states = deployed.client("stepfunctions")
    machine = states.create_state_machine(
        name=name,
        roleArn=role,
        definition=json.dumps({"StartAt": "Predict", "States": {"Predict": task}}),
    )["stateMachineArn"]
    s3 = deployed.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="in/one.png", Body=png())
    started = []
    for file in ("in/one.png", "in/missing.png"):
        given = json.dumps({"photo": {"store_bucket": name, "file": file}})
        started.append(states.start_execution(stateMachineArn=machine, input=given)["executionArn"])
    deadline = time.monotonic() + SECONDS
    for arn in started:
        while states.describe_execution(executionArn=arn)["status"] == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    return Theirs(machine, *started)


def functions_arn(cloud: Connection, name: str) -> str:
    return f"arn:aws:lambda:{cloud.cloud.region}:{cloud.cloud.account}:function:{name}"


@dataclass(frozen=True)
class Case:
    """As that of ``test_viewer.py``; ``execution`` is ``well`` or ``failed``."""

    page: str
    action: str
    still: str = ""
    tab: str = ""
    execution: str = ""
    answers: Answers | None = None


CAPTURES = "inferences"
CASES = (
    Case("deployment", "iam:ListAttachedRolePolicies", "Last changed"),
    Case("deployment", "iam:ListRolePolicies", "Last changed"),
    Case("deployment", "iam:GetRolePolicy", "Last changed"),
    Case("deployment", "lambda:GetFunctionConfiguration", "Last changed"),
    Case("deployment", "lambda:GetFunction", "Last changed"),
    Case("deployment", "sagemaker:ListEndpoints", "Last changed"),
    Case("deployment", "sagemaker:DescribeEndpoint", "Last changed"),
    Case("deployment", "sagemaker:DescribeEndpointConfig", "Last changed"),
    Case("deployment", "states:DescribeStateMachine", "No function is known"),
    Case("failures", "states:GetExecutionHistory", "1 execution"),
    Case("failures", "states:ListExecutions"),
    Case("overview", "states:ListExecutions"),
    Case("overview", "states:GetExecutionHistory", "What needs attention"),
    Case("executions", "states:GetExecutionHistory", "2 executions"),
    Case("executions", "states:DescribeExecution", execution="failed"),
    Case("executions", "states:DescribeStateMachineForExecution", "Started", "", "failed"),
    Case("executions", "logs:FilterLogEvents", "Started", "Logs", "failed"),
    Case("executions", "s3:GetObject", "Started", "Image", "well"),
    Case("workflows", "states:ListStateMachines", "Choose a row"),
    Case("workflows", "states:ListExecutions", "Choose a row"),
    Case(CAPTURES, "s3:ListBucket"),
    Case(CAPTURES, "s3:GetObject"),
    Case(CAPTURES, "cloudwatch:GetMetricData", "Records", "Data health"),
    Case(CAPTURES, "sagemaker:ListMonitoringSchedules", "Records", "Drift"),
    *(
        Case(CAPTURES, f"sagemaker:{name}", "Records", "Drift", answers=MONITORED)
        for name in (
            "DescribeMonitoringSchedule",
            "DescribeProcessingJob",
            "ListMonitoringExecutions",
        )
    ),
)

DEPLOYED_ONLY = {
    *("cloudwatch:DescribeAlarms", "lambda:GetAccountSettings", "sagemaker:ListEndpointConfigs"),
    *("sagemaker:ListModels", "sns:ListSubscriptionsByTopic", "states:DescribeMapRun"),
    *("states:DescribeStateMachineAlias", "states:ListMapRuns"),
    *("states:ListStateMachineVersions", "sts:GetCallerIdentity"),
}
"""Those of pages about what ``deploy`` makes, which a watcher may open too: ``test_viewer.py``."""

QUICK = {"failures", "deployment"}


def query(case: Case, theirs: Theirs, cloud: Connection) -> dict[str, str]:
    place = cloud.settings
    captures = f"s3://{place.bucket}/{place.capture_prefix}/{place.endpoint}"
    asked = {"workflow": captures if case.page == CAPTURES else theirs.machine}
    return {**asked, **({"execution": getattr(theirs, case.execution)} if case.execution else {})}


@pytest.mark.usefixtures("captures")
@pytest.mark.parametrize("page", sorted({case.page for case in CASES}))
def test_every_page_of_a_watched_workflow_works_with_the_watchers_policy(
    visit: Open, deployed: Connection, theirs: Theirs, page: str
) -> None:
    test = visit(page, User.WATCHER, query=query(Case(page, ""), theirs, deployed))

    assert not test.exception
    shown = [one.value for one in (*test.error, *test.warning)]
    assert [error for error in shown if "permission" in error] == []


def test_a_managed_policy_that_allows_too_much_is_a_finding(visit: Open, theirs: Theirs) -> None:
    test = visit("deployment", User.WATCHER, query={"workflow": theirs.machine}, answers=ATTACHED)

    look(test, "It has AmazonS3FullAccess", "Grant s3:GetObject on the prefix")


@pytest.mark.usefixtures("captures")
@pytest.mark.parametrize(
    "case",
    [one for one in CASES if NIGHTLY or one.page in QUICK],
    ids=lambda one: f"{one.page}-{one.action}",
)
def test_an_action_that_a_watcher_lacks_is_named_on_the_page_and_the_rest_is_there(
    visit: Open, deployed: Connection, theirs: Theirs, case: Case
) -> None:
    test = visit(
        case.page,
        User.WATCHER,
        case.action,
        query=query(case, theirs, deployed),
        tab=case.tab,
        answers=case.answers,
    )

    look(test, case.action, case.still)
    assert not test.exception


def test_every_action_of_the_watchers_policy_is_taken_out_somewhere(deployed: Connection) -> None:
    taken = {case.action for case in CASES}

    assert allowed(User.WATCHER, deployed) == taken | DEPLOYED_ONLY
    assert not taken & DEPLOYED_ONLY
