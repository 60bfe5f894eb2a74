"""Roles allow what their code calls and nothing beyond, and trust nobody's resources but ours."""

import fnmatch
import json
from collections.abc import Iterator
from typing import Any

import pytest

from deploy import policies
from deploy.resources import Document, IamRole, Queue, Topic
from tests.deploy.cases import ACCOUNT, IMAGE, desired, settings

BUCKET = f"arn:aws:s3:::{settings().bucket}"
ENDPOINT = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/scones-unlimited-dev"
LOGS = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/scones-unlimited-dev"
FUNCTIONS = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:scones-unlimited-dev"
DELIVERY = {
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}


def role(part: str, **changes: Any) -> IamRole:
    name = f"scones-unlimited-dev-{part}-us-east-1"
    return next(one for one in desired(**changes) if isinstance(one, IamRole) and one.name == name)


def grants(policy: Document) -> Iterator[tuple[str, str]]:
    """Every action and resource that a policy of Allows grants."""
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                yield action, resource


def may(policy: Document, action: str, resource: str) -> bool:
    """IAM's rule for a policy of Allows without conditions: one grant that matches."""
    return any(
        granted == action and fnmatch.fnmatchcase(resource, pattern)
        for granted, pattern in grants(policy)
    )


@pytest.mark.parametrize(
    ("part", "action", "resource"),
    [
        ("serialize", "s3:GetObject", f"{BUCKET}/images/a b.png"),
        ("serialize", "s3:ListBucket", BUCKET),
        ("serialize", "logs:CreateLogStream", f"{LOGS}-serialize-image:log-stream:x"),
        ("serialize", "logs:PutLogEvents", f"{LOGS}-serialize-image:log-stream:x"),
        ("classify", "s3:GetObject", f"{BUCKET}/images/2026/a.jpg"),
        ("classify", "sagemaker:InvokeEndpoint", ENDPOINT),
        ("classify", "logs:PutLogEvents", f"{LOGS}-classify-image:log-stream:x"),
        ("filter", "logs:PutLogEvents", f"{LOGS}-filter-inferences:log-stream:x"),
        ("states", "lambda:InvokeFunction", f"{FUNCTIONS}-classify-image:7"),
        ("states", "logs:CreateLogDelivery", "*"),
        ("sagemaker", "s3:GetObject", f"{BUCKET}/models/abc/model.tar.gz"),
        ("sagemaker", "s3:PutObject", f"{BUCKET}/data_capture/e/AllTraffic/2026/11/23/12/x.jsonl"),
        ("sagemaker", "ecr:GetAuthorizationToken", "*"),
        (
            "sagemaker",
            "ecr:BatchGetImage",
            "arn:aws:ecr:us-east-1:763104351884:repository/pytorch-inference",
        ),
    ],
)
def test_every_call_is_allowed(part: str, action: str, resource: str) -> None:
    assert may(role(part).policy, action, resource)


@pytest.mark.parametrize(
    ("part", "action", "resource"),
    [
        ("serialize", "s3:GetObject", f"{BUCKET}/data_capture/x.jsonl"),
        ("serialize", "s3:GetObject", "arn:aws:s3:::another/images/a.png"),
        ("serialize", "s3:PutObject", f"{BUCKET}/images/a.png"),
        ("serialize", "sagemaker:InvokeEndpoint", ENDPOINT),
        ("serialize", "logs:PutLogEvents", f"{LOGS}-classify-image:log-stream:x"),
        ("classify", "sagemaker:InvokeEndpoint", f"{ENDPOINT}-2"),
        ("classify", "s3:ListBucket", BUCKET),
        ("filter", "s3:GetObject", f"{BUCKET}/images/a.png"),
        ("states", "lambda:InvokeFunction", f"{FUNCTIONS}-classify-image"),
        ("states", "lambda:InvokeFunction", f"{FUNCTIONS}-other:1"),
        ("sagemaker", "s3:PutObject", f"{BUCKET}/models/abc/model.tar.gz"),
        ("sagemaker", "s3:GetObject", f"{BUCKET}/images/a.png"),
    ],
)
def test_nothing_beyond_is_allowed(part: str, action: str, resource: str) -> None:
    assert not may(role(part).policy, action, resource)


@pytest.mark.parametrize(
    ("part", "actions"),
    [
        (
            "serialize",
            {"s3:GetObject", "s3:ListBucket", "logs:CreateLogStream", "logs:PutLogEvents"},
        ),
        (
            "classify",
            {
                "s3:GetObject",
                "sagemaker:InvokeEndpoint",
                "logs:CreateLogStream",
                "logs:PutLogEvents",
            },
        ),
        ("filter", {"logs:CreateLogStream", "logs:PutLogEvents"}),
        ("states", {"lambda:InvokeFunction"} | DELIVERY),
    ],
)
def test_no_action_is_granted_that_nobody_needs(part: str, actions: set[str]) -> None:
    """s3:ListBucket is the one that is no call: docs/aws.md says why it is there."""
    assert {action for action, _ in grants(role(part).policy)} == actions


@pytest.mark.parametrize("part", ["serialize", "classify", "filter", "states", "sagemaker"])
def test_no_grant_has_a_wildcard_for_an_action_and_few_for_a_resource(part: str) -> None:
    unscoped = {action for action, resource in grants(role(part).policy) if resource == "*"}

    assert not [action for action, _ in grants(role(part).policy) if "*" in action]
    # These have no resource-level permissions (AWS Service Authorization Reference).
    assert unscoped <= DELIVERY | {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"}


@pytest.mark.parametrize(
    ("part", "service", "source"),
    [
        ("serialize", "lambda", f"{FUNCTIONS}-serialize-image"),
        ("classify", "lambda", f"{FUNCTIONS}-classify-image"),
        ("filter", "lambda", f"{FUNCTIONS}-filter-inferences"),
        (
            "states",
            "states",
            f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:scones-unlimited-dev",
        ),
    ],
)
def test_a_role_is_assumed_only_for_our_own_resource_and_its_versions(
    part: str, service: str, source: str
) -> None:
    (statement,) = role(part).trust["Statement"]

    assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": [source, f"{source}:*"]},
    }


def test_one_role_serves_whatever_sagemaker_makes_in_this_account() -> None:
    (statement,) = role("sagemaker").trust["Statement"]

    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": [f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:*"]},
    }


def test_an_existing_endpoint_is_the_only_one_that_may_be_invoked() -> None:
    policy = role("classify", existing_endpoint="TheirEndpoint").policy

    # SageMaker writes endpoint names in lower case in ARNs, whatever their case.
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/theirendpoint"
    assert may(policy, "sagemaker:InvokeEndpoint", arn)
    assert not may(policy, "sagemaker:InvokeEndpoint", ENDPOINT)


def test_training_may_read_its_data_and_write_its_model() -> None:
    policy = role("sagemaker", training_data="s3://data/images").policy

    assert may(policy, "s3:GetObject", "arn:aws:s3:::data/images/train/a.png")
    assert may(policy, "s3:ListBucket", "arn:aws:s3:::data")
    assert may(policy, "s3:PutObject", f"{BUCKET}/models/job/output/model.tar.gz")
    assert not may(policy, "s3:GetObject", "arn:aws:s3:::data/other/a.png")


def test_the_bucket_refuses_what_is_not_encrypted_on_the_way() -> None:
    (statement,) = policies.bucket_policy(settings())["Statement"]

    assert statement["Effect"] == "Deny"
    assert statement["Action"] == ["s3:*"]
    assert statement["Resource"] == [BUCKET, f"{BUCKET}/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("kind", [Topic, Queue])
def test_services_write_only_for_our_own_resources_and_only_by_tls(
    kind: type[Topic | Queue],
) -> None:
    policy = next(one for one in desired() if isinstance(one, kind)).policy
    allow, deny = policy["Statement"]

    assert allow["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    sources = [
        arn
        for one in ("ArnLike", "ArnEquals")
        for given in allow["Condition"].get(one, {}).values()
        for arn in ([given] if isinstance(given, str) else given)
    ]
    assert sources
    assert all(
        ":scones-unlimited-dev-" in arn or "/scones-unlimited-dev-" in arn for arn in sources
    )
    assert sources
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(
    ("image", "arn"),
    [
        (IMAGE, "arn:aws:ecr:us-east-1:763104351884:repository/pytorch-inference"),
        (
            "811284229777.dkr.ecr.eu-west-1.amazonaws.com/image-classification",
            "arn:aws:ecr:eu-west-1:811284229777:repository/image-classification",
        ),
        (
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/own@sha256:00ff",
            "arn:aws:ecr:us-east-1:123456789012:repository/team/own",
        ),
    ],
)
def test_an_image_is_pulled_from_its_own_repository(image: str, arn: str) -> None:
    assert policies.repository_arn(image) == arn


def test_what_aws_reorders_or_unwraps_is_still_the_same_document() -> None:
    ours = policies.classify_policy(settings(), "/aws/lambda/x")
    theirs = json.loads(json.dumps(ours))
    for statement in theirs["Statement"]:
        statement["Action"] = list(reversed(statement["Action"]))
        if len(statement["Resource"]) == 1:
            statement["Resource"] = statement["Resource"][0]

    assert policies.canonical(theirs) == ours


def test_a_document_of_one_statement_may_come_unwrapped() -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}

    assert policies.canonical({"Statement": statement}) == policies.canonical(
        {"Statement": [statement]}
    )
