"""Permissions: the IAM actions that ``apply`` needs, each with a resource it needs it on. Pure."""

from collections.abc import Mapping

from workflow.settings import Settings

_ACTIONS: Mapping[str, str] = {
    "cloudwatch": "DeleteAlarms ListTagsForResource PutMetricAlarm TagResource",
    "events": (
        "DeleteRule DescribeRule ListTagsForResource ListTargetsByRule PutRule PutTargets"
        " RemoveTargets TagResource"
    ),
    "iam": (
        "CreateRole DeleteRole DeleteRolePolicy GetRole GetRolePolicy PassRole PutRolePolicy"
        " TagRole UpdateAssumeRolePolicy"
    ),
    "lambda": (
        "CreateFunction DeleteFunction GetFunction GetFunctionConfiguration ListTags"
        " ListVersionsByFunction PublishVersion TagResource UpdateFunctionCode"
        " UpdateFunctionConfiguration"
    ),
    "logs": "CreateLogGroup DeleteLogGroup ListTagsForResource PutRetentionPolicy TagResource",
    "s3": (
        "CreateBucket DeleteBucket GetBucketOwnershipControls GetBucketPolicy"
        " GetBucketPublicAccessBlock GetBucketTagging GetEncryptionConfiguration"
        " GetLifecycleConfiguration ListBucket PutBucketOwnershipControls PutBucketPolicy"
        " PutBucketPublicAccessBlock PutBucketTagging PutEncryptionConfiguration"
        " PutLifecycleConfiguration TagResource"
    ),
    "sagemaker": (
        "AddTags CreateEndpoint CreateEndpointConfig CreateModel DeleteEndpoint"
        " DeleteEndpointConfig DeleteModel DescribeEndpoint DescribeEndpointConfig DescribeModel"
        " ListTags UpdateEndpoint"
    ),
    "sns": (
        "CreateTopic DeleteTopic GetTopicAttributes ListSubscriptionsByTopic ListTagsForResource"
        " SetTopicAttributes Subscribe TagResource"
    ),
    "sqs": (
        "CreateQueue DeleteQueue GetQueueAttributes GetQueueUrl ListQueueTags SetQueueAttributes"
        " TagQueue"
    ),
    "states": (
        "CreateStateMachine CreateStateMachineAlias DeleteStateMachine DeleteStateMachineAlias"
        " DescribeStateMachine DescribeStateMachineAlias ListStateMachineVersions"
        " ListTagsForResource PublishStateMachineVersion TagResource UpdateStateMachine"
        " UpdateStateMachineAlias"
    ),
}


def needed_actions(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return the ARN of one resource of each service, and the actions that it is needed for."""
    prefix = settings.prefix
    resources = {
        "cloudwatch": settings.arn("cloudwatch", f"alarm:{prefix}-faults"),
        "events": settings.arn("events", f"rule/{settings.executions_rule}"),
        "iam": f"arn:{settings.partition}:iam::{settings.account}:role/{prefix}-states",
        "lambda": settings.arn("lambda", f"function:{settings.serialize_function}"),
        "logs": settings.arn("logs", f"log-group:/aws/lambda/{settings.serialize_function}"),
        "s3": settings.bucket_arn,
        "sagemaker": settings.arn("sagemaker", f"endpoint/{settings.endpoint.lower()}"),
        "sns": settings.topic_arn,
        "sqs": settings.arn("sqs", settings.executions_queue),
        "states": settings.state_machine_arn,
    }
    return {
        resources[service]: tuple(f"{service}:{name}" for name in names.split())
        for service, names in _ACTIONS.items()
    }
