"""Pages work under the viewer's policy, and name each action that is taken out of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection
from deploy.user_policies import User
from tests.dashboard.policies.conftest import Answers, allowed
from tests.dashboard.workflows.conftest import look
from tests.nightly import NIGHTLY

pytestmark = [
    pytest.mark.cloud,
    # SageMaker's package, which knows its own images, is older than the pydantic it imports.
    pytest.mark.filterwarnings("ignore"),
]
Open = Callable[..., AppTest]

PAGES = (
    *("alerts", "audit", "classify", "deployment", "executions", "failures", "inferences"),
    *("overview", "quality", "review", "rollout", "workflows"),
)
LATEST = 1_790_000_000.0


@dataclass(frozen=True)
class Case:
    """What is opened as somebody who lacks an action.

    Attributes:
        page: Which page.
        action: What is taken out.
        still: What is shown all the same.
        tab: Which view of the page, or way to find a workflow.
        execution: Which execution is opened: ``failed`` or ``well``.
        answers: What AWS says and the local cloud does not.
        variables: Of the environment.
    """

    page: str
    action: str
    still: str = ""
    tab: str = ""
    execution: str = ""
    answers: Answers = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


def always(**answer: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda _: answer


ARN = "arn:aws:sagemaker:us-east-1:123456789012"
SCHEDULE = {
    "MonitoringScheduleArn": f"{ARN}:monitoring-schedule/hourly",
    "MonitoringScheduleName": "hourly",
    "CreationTime": LATEST,
    "LastModifiedTime": LATEST,
    "MonitoringScheduleStatus": "Failed",
}
RUN = {
    "MonitoringScheduleName": "hourly",
    "ScheduledTime": datetime.fromtimestamp(LATEST, UTC),
    "MonitoringExecutionStatus": "CompletedWithViolations",
    "ProcessingJobArn": f"{ARN}:processing-job/hourly-1",
}
MONITORED: Answers = {
    "ListMonitoringSchedules": always(MonitoringScheduleSummaries=[SCHEDULE]),
    "ListMonitoringExecutions": always(MonitoringExecutionSummaries=[RUN]),
    "DescribeMonitoringSchedule": always(**SCHEDULE, FailureReason="no baseline"),
    "DescribeProcessingJob": always(ProcessingOutputConfig={"Outputs": []}),
}
TRAINED: Answers = {
    "ListTrainingJobs": lambda asked: {
        "TrainingJobSummaries": [
            {"TrainingJobName": asked["NameContains"], "TrainingJobStatus": "Completed"}
        ]
    },
}
TRAINING = {"SCONES_TRAINING_DATA": "s3://{bucket}/training"}
AWS = {"SCONES_CLOUD": "aws", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "{endpoint}"}


CASES = (
    Case("overview", "cloudwatch:DescribeAlarms", "What needs attention"),
    Case("overview", "states:ListExecutions"),
    Case("overview", "sts:GetCallerIdentity", variables=AWS),
    Case("rollout", "sagemaker:DescribeEndpoint"),
    Case("rollout", "sagemaker:DescribeEndpointConfig"),
    Case("rollout", "sagemaker:ListModels"),
    Case("executions", "states:DescribeStateMachineAlias"),
    Case("executions", "states:DescribeExecution", execution="failed"),
    Case("executions", "states:GetExecutionHistory", "Started", execution="failed"),
    Case(
        "executions",
        "states:DescribeStateMachineForExecution",
        "Started",
        "State machine",
        "failed",
    ),
    Case("executions", "logs:FilterLogEvents", "Started", "Logs", "failed"),
    Case("executions", "s3:GetObject", "Started", "Image", "well"),
    Case("failures", "s3:ListBucket", "bad input"),
    Case("alerts", "sns:ListSubscriptionsByTopic", "alarms"),
    Case("alerts", "cloudwatch:DescribeAlarms", "Every alert was delivered"),
    Case("alerts", "s3:ListBucket", "alarms"),
    Case("audit", "s3:ListBucket"),
    Case("workflows", "states:ListStateMachines", "Choose a row"),
    Case("workflows", "sagemaker:ListEndpoints", "Choose a row", "Endpoints"),
    Case("inferences", "s3:ListBucket"),
    Case("inferences", "s3:GetObject"),
    Case("inferences", "cloudwatch:GetMetricData", "Records", "Data health"),
    Case("inferences", "sagemaker:ListEndpointConfigs", "Records", "Data health"),
    Case("inferences", "sagemaker:ListMonitoringSchedules", "Records", "Drift"),
    *(
        Case("inferences", f"sagemaker:{name}", "Records", "Drift", answers=MONITORED)
        for name in (
            "DescribeMonitoringSchedule",
            "DescribeProcessingJob",
            "ListMonitoringExecutions",
        )
    ),
    Case("batch", "states:ListMapRuns", "Many photos at once"),
    Case("batch", "states:DescribeMapRun", "Many photos at once"),
    Case("deployment", "iam:GetRole"),
    Case("deployment", "lambda:GetFunction"),
    Case("deployment", "lambda:ListTags"),
    Case("deployment", "lambda:GetAccountSettings", "nothing to do"),
    Case("deployment", "servicequotas:ListServiceQuotas", "nothing to do"),
    Case("deployment", "states:ListStateMachineVersions"),
    Case("deployment", "sagemaker:ListTrainingJobs", variables=TRAINING),
    Case("deployment", "sagemaker:DescribeTrainingJob", answers=TRAINED, variables=TRAINING),
)
"""Each with what the page shows all the same."""

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
"""Those that the plan of the Deployment page needs beside: it shows no plan without them."""

ALL = (*CASES, *(Case("deployment", action) for action in MORE_OF_DEPLOYMENT))
QUICK = {"alerts", "overview"}
"""Pages whose cases every run tries; ``make nightly`` tries all."""


@pytest.mark.parametrize("page", PAGES)
def test_every_page_works_for_a_viewer_with_the_viewers_policy(visit: Open, page: str) -> None:
    test = visit(page, User.VIEWER, SCONES_ACCESS="read-only")

    assert not test.exception
    shown = [one.value for one in (*test.error, *test.warning)]
    assert [error for error in shown if "permission" in error] == []


@pytest.mark.usefixtures("captures", "batch")
@pytest.mark.parametrize(
    "case",
    [one for one in ALL if NIGHTLY or one.page in QUICK],
    ids=lambda one: f"{one.page}-{one.action}",
)
def test_an_action_that_is_taken_out_is_named_on_the_page_and_the_rest_is_there(
    visit: Open,
    deployed: Connection,
    executions: dict[str, str],
    case: Case,
) -> None:
    query = {"execution": executions[case.execution]} if case.execution else {}
    known = {"bucket": deployed.settings.bucket, "endpoint": deployed.cloud.endpoint_url}
    variables = {name: text.format(**known) for name, text in case.variables.items()}

    test = visit(
        case.page,
        User.VIEWER,
        case.action,
        query=query,
        tab=case.tab,
        answers=case.answers,
        SCONES_ACCESS="read-only",
        **variables,
    )

    for control in test.segmented_control:
        if case.tab in control.options:
            control.set_value(case.tab).run()

    look(test, case.action, case.still)
    assert not test.exception


def test_every_action_of_the_viewers_policy_is_taken_out_somewhere(deployed: Connection) -> None:
    assert allowed(User.VIEWER, deployed) == {case.action for case in ALL}
