"""Pages work under the generated policies, and name each action that is taken out of them."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import streamlit as st
from botocore.exceptions import ClientError
from botocore.model import OperationModel
from streamlit.testing.v1 import AppTest

from dashboard.aws import cloud as aws_cloud
from dashboard.aws.cloud import Connection
from deploy.user_policies import User, user_policy
from tests.builders import png
from tests.dashboard.workflows.conftest import APP, SECONDS, look
from tests.nightly import NIGHTLY
from workflow.aws_errors import permission

pytestmark = pytest.mark.cloud
Open = Callable[..., AppTest]

PAGES = ("overview", "classify", "inferences", "review", "quality")
ACTIONS = {
    "rollout": (
        *("sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:ListModels"),
    ),
    "executions": ("states:DescribeStateMachineAlias",),
    "failures": ("s3:ListBucket",),
    "alerts": ("sns:ListSubscriptionsByTopic", "cloudwatch:DescribeAlarms"),
    "audit": ("s3:ListBucket",),
    "workflows": ("states:ListStateMachines",),
    "deployment": ("iam:GetRole", "lambda:GetFunction", "states:ListStateMachineVersions"),
}
"""Actions of the viewer's policy by a page that makes their calls as it is opened."""

MORE_OF_DEPLOYMENT = (
    *("cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource", "events:DescribeRule"),
    *("events:ListTagsForResource", "events:ListTargetsByRule", "iam:GetRolePolicy"),
    *("lambda:GetFunctionConfiguration", "lambda:ListVersionsByFunction"),
    *("logs:DescribeLogGroups", "logs:ListTagsForResource"),
    *("s3:GetBucketOwnershipControls", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock"),
    *("s3:GetBucketTagging", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration"),
    *("s3:GetObject", "s3:ListBucket", "sagemaker:DescribeModel", "sagemaker:ListTags"),
    *("sns:GetTopicAttributes", "sns:ListTagsForResource"),
    *("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"),
    *("states:DescribeStateMachine", "states:ListTagsForResource"),
)
"""Those that the plan of the Deployment page needs beside: in the nightly run."""

LATER = {
    *(
        "cloudwatch:GetMetricData",
        "iam:ListRolePolicies",
        "lambda:ListTags",
        "logs:FilterLogEvents",
    ),
    *("lambda:GetAccountSettings", "servicequotas:ListServiceQuotas", "sts:GetCallerIdentity"),
    *("s3:GetBucketLocation", "sagemaker:DescribeMonitoringSchedule", "sagemaker:ListEndpoints"),
    *("sagemaker:DescribeProcessingJob", "sagemaker:DescribeTrainingJob"),
    *("sagemaker:ListEndpointConfigs", "sagemaker:ListTrainingJobs"),
    *("sagemaker:ListMonitoringExecutions", "sagemaker:ListMonitoringSchedules"),
    *("states:DescribeExecution", "states:DescribeMapRun", "states:ListMapRuns"),
    *("states:DescribeStateMachineForExecution", "states:GetExecutionHistory"),
    "states:ListExecutions",
}
"""Those of calls that are made after a click, or whose refusal a page is built to do without;
``tests/dashboard/workflows/test_pages.py`` takes out some, the listing of executions among them."""


def allowed(user: User, connection: Connection) -> set[str]:
    statements = user_policy(user, connection.settings)["Statement"]
    listed = [one["Action"] for one in statements]
    return {action for one in listed for action in ([one] if isinstance(one, str) else one)}


@pytest.fixture
def visit(
    environ: dict[str, str], deployed: Connection, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Open]:
    """Open a page as somebody with a policy, of which some actions are taken out."""

    def run(page: str, user: User, *without: str, **variables: str) -> AppTest:
        for name, value in {**environ, **variables}.items():
            monkeypatch.setenv(name, value)
        granted = allowed(user, deployed) - set(without)
        make = aws_cloud._session

        def check(model: OperationModel, **_: object) -> None:
            action = permission(f"{model.service_model.service_name}:{model.name}")
            if action not in granted:
                raise refusal(action, model.name)

        def session(*given: Any) -> boto3.Session:
            made = make(*given)
            made.events.register("before-call", check)
            return made

        monkeypatch.setattr(aws_cloud, "_session", session)
        st.cache_resource.clear()
        test = AppTest.from_file(str(APP), default_timeout=SECONDS)
        return test.switch_page(f"app_pages/{page}.py").run()

    yield run
    st.cache_resource.clear()


def refusal(action: str, operation: str) -> ClientError:
    message = f"User: arn:aws:iam::123456789012:user/ana is not authorized to perform: {action}"
    answer: Any = {"Error": {"Code": "AccessDeniedException", "Message": message}}
    return ClientError(answer, operation)


def errors(test: AppTest) -> list[str]:
    assert not test.exception
    return [one.value for one in (*test.error, *test.warning)]


@pytest.mark.parametrize("page", sorted({*PAGES, *ACTIONS}))
def test_every_page_works_for_a_viewer_with_the_viewers_policy(visit: Open, page: str) -> None:
    test = visit(page, User.VIEWER, SCONES_ACCESS="read-only")

    assert [error for error in errors(test) if "permission" in error] == []


NAMED = [(page, action) for page, actions in ACTIONS.items() for action in actions]
NIGHTLY_ONLY = [("deployment", action) for action in MORE_OF_DEPLOYMENT]


@pytest.mark.parametrize(("page", "action"), NAMED + (NIGHTLY_ONLY if NIGHTLY else []))
def test_an_action_that_is_taken_out_is_named_on_the_page_and_the_rest_is_there(
    visit: Open, page: str, action: str
) -> None:
    test = visit(page, User.VIEWER, action, SCONES_ACCESS="read-only")

    look(test, action)
    assert test.title[0].value == page.capitalize()
    assert not test.exception


def test_every_action_of_the_viewers_policy_is_taken_out_somewhere(deployed: Connection) -> None:
    taken = {action for _, action in NAMED + NIGHTLY_ONLY}

    assert allowed(User.VIEWER, deployed) == taken | LATER
    assert not taken & LATER


@pytest.mark.parametrize("without", ["", "s3:PutObject", "states:StartExecution"])
def test_an_operator_classifies_with_the_operators_policy_and_not_without_its_actions(
    visit: Open, without: str
) -> None:
    test = visit("classify", User.OPERATOR, without)
    test.file_uploader[0].set_value([("a.png", png(), "image/png")]).run()
    (button,) = [one for one in test.button if one.label == "Classify (1)"]

    button.click().run()

    look(test, without or "Accepted")
