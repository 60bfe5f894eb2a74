"""Quotas: the request rates at which AWS throttles an account, as token buckets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Quota", "TokenBucket", "bucket_of"]


@dataclass(frozen=True, slots=True)
class Quota:
    """A token bucket as AWS documents it.

    Attributes:
        capacity: Calls that a rested account may make at once.
        refill: Calls a second that it may go on making.
    """

    capacity: int
    refill: float


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """The bucket that a call takes a token from.

    Attributes:
        name: ``service:Operation``, or ``service:*`` where operations share one.
        quota: Its size and refill.
    """

    name: str
    quota: Quota


_LARGE_REGIONS: Final = frozenset({"us-east-1", "us-west-2", "eu-west-1"})

_Rates = Mapping[str, tuple[Quota, Quota]]


def _rate(capacity: int, refill: float | None = None) -> tuple[Quota, Quota]:
    """Return one quota for all regions; a rate alone is capacity and refill alike."""
    quota = Quota(capacity, capacity if refill is None else refill)
    return quota, quota


def _rates(names: str, capacity: int, refill: float | None = None) -> _Rates:
    return {name: _rate(capacity, refill) for name in names.split()}


_LISTS: Final = (Quota(200, 5), Quota(100, 2))
_STARTS: Final = (Quota(1300, 300), Quota(800, 150))
_CALLBACKS: Final = (Quota(3000, 500), Quota(1500, 300))

_SERVICES: Final[Mapping[str, _Rates]] = {
    # Step Functions developer guide, "Quotas related to API action throttling", Standard.
    "stepfunctions": {
        **_rates(
            "CreateStateMachine CreateStateMachineAlias DeleteStateMachine DeleteStateMachineAlias"
            " DeleteStateMachineVersion ListMapRuns ListStateMachineAliases"
            " ListStateMachineVersions ListTagsForResource PublishStateMachineVersion"
            " UpdateStateMachine UpdateStateMachineAlias ValidateStateMachineDefinition",
            100,
            1,
        ),
        **_rates(
            "DescribeMapRun DescribeStateMachineAlias DescribeStateMachineForExecution"
            " TagResource UntagResource",
            200,
            1,
        ),
        "DescribeStateMachine": _rate(200, 20),
        "DescribeExecution": (Quota(300, 15), Quota(250, 10)),
        "GetExecutionHistory": _rate(400, 20),
        "ListExecutions": _LISTS,
        "ListStateMachines": _rate(100, 5),
        "StartExecution": _STARTS,
        "RedriveExecution": _STARTS,
        "StopExecution": (Quota(1000, 200), Quota(500, 25)),
        "SendTaskFailure": _CALLBACKS,
        "SendTaskHeartbeat": _CALLBACKS,
        "SendTaskSuccess": _CALLBACKS,
        "TestState": _rate(50, 10),
    },
    # Lambda developer guide, "Lambda quotas", API requests: all others share one bucket. What
    # limits invocations is the concurrency; their rate is ten times that, here of an old account.
    "lambda": {
        "Invoke": _rate(10_000),
        "GetFunction": _rate(100),
        "GetPolicy": _rate(15),
        "*": _rate(15),
    },
    # S3 user guide, "Optimizing performance": per prefix there, for all together here.
    "s3": {
        **_rates("PutObject CopyObject DeleteObject CompleteMultipartUpload UploadPart", 3500),
        **_rates("GetObject HeadObject ListObjects ListObjectsV2", 5500),
    },
    # CloudWatch user guide, "CloudWatch service quotas".
    "cloudwatch": {
        **_rates("PutMetricAlarm DeleteAlarms DescribeAlarmHistory SetAlarmState", 3),
        "DescribeAlarms": _rate(9),
        "GetMetricData": _rate(50),
        "GetMetricStatistics": _rate(400),
        "ListMetrics": _rate(25),
        "PutMetricData": _rate(500),
    },
    # CloudWatch Logs user guide, "CloudWatch Logs quotas".
    "logs": {
        "FilterLogEvents": (Quota(10, 10), Quota(5, 5)),
        "GetLogEvents": (Quota(25, 25), Quota(10, 10)),
        "DescribeLogStreams": _rate(25),
        **_rates("CreateLogGroup DeleteLogGroup DescribeLogGroups PutRetentionPolicy", 10),
    },
    # EventBridge user guide, "EventBridge quotas".
    "events": {
        **_rates("PutRule DeleteRule DescribeRule PutTargets RemoveTargets ListRules", 50),
        **_rates("ListTargetsByRule TagResource ListTagsForResource", 50),
    },
    # AWS General Reference, "Amazon SNS endpoints and quotas".
    "sns": {
        **_rates("ListSubscriptions ListSubscriptionsByTopic ListTopics", 30),
        **_rates("Subscribe Unsubscribe", 100),
        **_rates("ListTagsForResource TagResource", 10),
    },
    "sts": {"*": _rate(600)},
    "service-quotas": {"ListServiceQuotas": _rate(10)},
    # AWS publishes no rate of these two; so few were seen to be throttled.
    "iam": {"*": _rate(20, 10)},
    "sagemaker": {"*": _rate(20, 10)},
}
"""Operation -> quota in large regions and in the others; services by botocore's names."""


def bucket_of(service: str, operation: str, region: str) -> TokenBucket | None:
    """Return the bucket of an operation in a region; None where AWS publishes no rate.

    Args:
        service: botocore's name of the service.
        operation: Such as ``GetExecutionHistory``.
        region: Such as ``eu-central-1``.
    """
    rates = _SERVICES.get(service, {})
    name = operation if operation in rates else "*"
    if name not in rates:
        return None
    large, elsewhere = rates[name]
    return TokenBucket(f"{service}:{name}", large if region in _LARGE_REGIONS else elsewhere)
