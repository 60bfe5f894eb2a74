"""The IAM policies of people: what viewers, operators and watchers may do. Pure.

Both are made of the calls that the code makes: ``tests/deploy/test_user_policies.py`` compares the
lists below with the calls in ``docs/aws.md``, which are compared with the code as it runs.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from deploy.policies import VERSION, canonical
from deploy.resources import Document
from workflow.settings import Settings


class User(StrEnum):
    """Who a policy is for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    WATCHER = "watcher"


READS: Final[Mapping[str, str]] = {
    "cloudwatch": "DescribeAlarms GetMetricData ListTagsForResource",
    "events": "DescribeRule ListTagsForResource ListTargetsByRule",
    "iam": "GetRole GetRolePolicy",
    "lambda": (
        "GetAccountSettings GetFunction GetFunctionConfiguration ListTags ListVersionsByFunction"
    ),
    "logs": "DescribeLogGroups FilterLogEvents ListTagsForResource",
    "s3": (
        "GetBucketOwnershipControls GetBucketPolicy GetBucketPublicAccessBlock GetBucketTagging"
        " GetEncryptionConfiguration GetLifecycleConfiguration GetObject ListBucket"
    ),
    "sagemaker": (
        "DescribeEndpoint DescribeEndpointConfig DescribeModel DescribeMonitoringSchedule"
        " DescribeProcessingJob DescribeTrainingJob ListEndpointConfigs ListEndpoints ListModels"
        " ListMonitoringExecutions ListMonitoringSchedules ListTags ListTrainingJobs"
    ),
    "servicequotas": "ListServiceQuotas",
    "sns": "GetTopicAttributes ListSubscriptionsByTopic ListTagsForResource",
    "sqs": "GetQueueAttributes GetQueueUrl ListQueueTags",
    "states": (
        "DescribeExecution DescribeMapRun DescribeStateMachine DescribeStateMachineAlias"
        " DescribeStateMachineForExecution GetExecutionHistory ListExecutions"
        " ListMapRuns ListStateMachineVersions ListStateMachines ListTagsForResource"
    ),
    "sts": "GetCallerIdentity",
}
"""IAM actions by service that change nothing."""

WATCHES: Final[Mapping[str, str]] = {
    "cloudwatch": "DescribeAlarms GetMetricData",
    "iam": "GetRolePolicy ListAttachedRolePolicies ListRolePolicies",
    "lambda": "GetAccountSettings GetFunction GetFunctionConfiguration",
    "logs": "FilterLogEvents",
    "s3": "GetObject ListBucket",
    "sagemaker": (
        "DescribeEndpoint DescribeEndpointConfig DescribeMonitoringSchedule DescribeProcessingJob"
        " ListEndpointConfigs ListEndpoints ListModels ListMonitoringExecutions"
        " ListMonitoringSchedules"
    ),
    "states": (
        "DescribeExecution DescribeMapRun DescribeStateMachine DescribeStateMachineAlias"
        " DescribeStateMachineForExecution GetExecutionHistory ListExecutions"
        " ListMapRuns ListStateMachineVersions ListStateMachines"
    ),
    "sns": "ListSubscriptionsByTopic",
    "sts": "GetCallerIdentity",
}
"""Those of them that the dashboard makes of a workflow that somebody else made."""

WRITES: Final[Mapping[str, str]] = {
    "athena": "GetQueryExecution StartQueryExecution",
    "cloudwatch": "DeleteAlarms PutMetricAlarm TagResource",
    "events": "DeleteRule PutRule PutTargets RemoveTargets TagResource",
    "glue": "CreateDatabase CreateTable GetDatabase GetPartitions GetTable",
    "iam": (
        "CreateRole DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy"
        " PutRolePermissionsBoundary PutRolePolicy TagRole UpdateAssumeRolePolicy"
    ),
    "lambda": (
        "CreateFunction DeleteFunction PublishVersion TagResource UpdateFunctionCode"
        " UpdateFunctionConfiguration"
    ),
    "logs": "CreateLogGroup DeleteLogGroup PutRetentionPolicy TagResource",
    "s3": (
        "CreateBucket DeleteBucket DeleteObject GetBucketLocation PutBucketOwnershipControls"
        " PutBucketPolicy PutBucketPublicAccessBlock PutBucketTagging PutEncryptionConfiguration"
        " PutLifecycleConfiguration PutObject TagResource"
    ),
    "sagemaker": (
        "AddTags CreateEndpoint CreateEndpointConfig CreateModel CreateTrainingJob DeleteEndpoint"
        " DeleteEndpointConfig DeleteModel UpdateEndpoint UpdateEndpointWeightsAndCapacities"
    ),
    "sns": "CreateTopic DeleteTopic Publish SetTopicAttributes Subscribe TagResource",
    "sqs": ("CreateQueue DeleteMessage DeleteQueue ReceiveMessage SetQueueAttributes TagQueue"),
    "states": (
        "CreateStateMachine CreateStateMachineAlias DeleteStateMachine DeleteStateMachineAlias"
        " PublishStateMachineVersion RedriveExecution StartExecution StopExecution TagResource"
        " UpdateMapRun UpdateStateMachine UpdateStateMachineAlias"
    ),
}
"""Those that change something, take messages from a queue, or cost money (Athena, with Glue)."""

_WITHOUT_RESOURCE: Final = frozenset(
    {
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "lambda:GetAccountSettings",
        "logs:DescribeLogGroups",
        "sagemaker:ListEndpointConfigs",
        "sagemaker:ListEndpoints",
        "sagemaker:ListModels",
        "sagemaker:ListMonitoringExecutions",
        "sagemaker:ListMonitoringSchedules",
        "sagemaker:ListTrainingJobs",
        "servicequotas:ListServiceQuotas",
        "states:ListStateMachines",
        "sts:GetCallerIdentity",
    }
)
"""Actions without resource-level permissions (AWS Service Authorization Reference)."""


PASSED_TO: Final = ("lambda.amazonaws.com", "states.amazonaws.com", "sagemaker.amazonaws.com")
"""Services that the deployment's roles are passed on to."""


_STATES: Final = ("stateMachine", "execution", "mapRun")


def user_policy(user: User, settings: Settings) -> dict[str, Any]:
    """Return the identity policy of a user of this deployment, within IAM's 6,144 characters.

    That of a watcher is about workflows of others, whose names nobody knows beforehand.
    """
    if user is User.WATCHER:
        statement = {"Sid": "Watch", "Effect": "Allow", "Action": _list_actions(WATCHES)}
        return canonical({"Version": VERSION, "Statement": [{**statement, "Resource": "*"}]})
    if user is User.VIEWER:
        return _make_policy(settings, _list_actions(READS))
    return _make_policy(
        settings, [*_list_actions(READS), *_list_actions(WRITES)], *_operator_statements(settings)
    )


def _list_actions(table: Mapping[str, str]) -> list[str]:
    return [f"{service}:{name}" for service, names in table.items() for name in names.split()]


def _make_policy(settings: Settings, actions: Iterable[str], *others: Document) -> dict[str, Any]:
    """Return one statement for what has no resource, one for each service, and the others."""
    resources = _resource_patterns(settings)
    grouped: dict[str, list[str]] = {}
    for action in actions:
        service = "" if action in _WITHOUT_RESOURCE else action.partition(":")[0]
        grouped.setdefault(service, []).append(action)
    # Without a Sid each: the policy of an operator is near IAM's limit of characters.
    statements = [
        {
            "Effect": "Allow",
            "Action": allowed,
            "Resource": resources[service] if service else "*",
        }
        for service, allowed in sorted(grouped.items())
    ]
    return canonical({"Version": VERSION, "Statement": [*statements, *others]})


def _operator_statements(settings: Settings) -> tuple[Document, ...]:
    """Return statements for passing the roles on and asking IAM what one may do oneself."""
    iam = f"arn:{settings.partition}:iam::{settings.account}"
    return (
        {
            "Sid": "AskForOneself",
            "Effect": "Allow",
            "Action": "iam:SimulatePrincipalPolicy",
            "Resource": [f"{iam}:role/*", f"{iam}:user/*"],
        },
        {
            "Sid": "PassRoles",
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": _resource_patterns(settings)["iam"],
            "Condition": {"StringEquals": {"iam:PassedToService": list(PASSED_TO)}},
        },
    )


def _resource_patterns(settings: Settings) -> dict[str, list[str]]:
    """Return patterns of the ARNs of the deployment's resources, by service."""
    arn, prefix = settings.arn, settings.prefix
    database = prefix.replace("-", "_")
    roles = f"arn:{settings.partition}:iam::{settings.account}:role"
    return {
        "athena": [arn("athena", "workgroup/primary")],
        "cloudwatch": [arn("cloudwatch", f"alarm:{prefix}-*")],
        "events": [arn("events", f"rule/{prefix}-*")],
        "glue": [
            arn("glue", "catalog"),
            arn("glue", f"database/{database}"),
            arn("glue", f"table/{database}/*"),
        ],
        "iam": [f"{roles}{settings.organisation.role_path}{prefix}-*"],
        "lambda": [arn("lambda", f"function:{prefix}-*")],
        "logs": [
            arn("logs", f"log-group:/aws/lambda/{prefix}-*"),
            arn("logs", f"log-group:/aws/sagemaker/Endpoints/{settings.endpoint}*"),
            # One group for the training jobs of all ("Log groups and streams that Amazon
            # SageMaker AI sends to Amazon CloudWatch Logs" in SageMaker's developer guide).
            arn("logs", "log-group:/aws/sagemaker/TrainingJobs*"),
            arn("logs", f"log-group:/aws/vendedlogs/states/{prefix}*"),
        ],
        # The bucket and what is in it: its name ends with the region, so no other begins so.
        "s3": [f"{settings.bucket_arn}*", *_training_data(settings)],
        # Training jobs, models and configurations have names of their own beside the endpoint's.
        "sagemaker": [arn("sagemaker", "*")],
        "sns": [settings.topic_arn],
        "sqs": [arn("sqs", settings.executions_queue)],
        # Those of batches too; one pattern for each state machine would not fit into the policy.
        "states": [arn("states", f"{kind}:{prefix}*") for kind in _STATES],
    }


def _training_data(settings: Settings) -> list[str]:
    if settings.training_data is None:
        return []
    bucket, _, prefix = settings.training_data.removeprefix("s3://").partition("/")
    source = f"arn:{settings.partition}:s3:::{bucket}"
    return [source, f"{source}/{prefix}*"]
