"""Every way an AWS call fails is a sentence and a remedy, under AWS's own code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.aws_errors import permission, translate


@pytest.mark.parametrize(
    ("code", "says", "remedy"),
    [
        ("NoCredentialsError", "No AWS credentials", "aws configure"),
        ("ExpiredTokenException", "session has expired", "Sign in again"),
        ("TokenRetrievalError", "session has expired", "aws sso login"),
        ("InvalidClientTokenId", "does not accept the credentials", "AWS_PROFILE"),
        ("SignatureDoesNotMatch", "does not accept the credentials", "clock"),
        ("RequestTimeTooSkewed", "clock of this machine", "Set the clock"),
        ("ProfileNotFound", "profile does not exist", "list-profiles"),
        ("NoRegionError", "No usable AWS region", "AWS_REGION"),
        ("OptInRequired", "not signed up", "Enable the region"),
        ("ThrottlingException", "throttling", "Wait a minute"),
        ("ResourceLimitExceeded", "quota", "Service Quotas"),
        ("EndpointConnectionError", "could not be reached", "network"),
        ("ReadTimeoutError", "could not be reached", "proxy"),
        ("NoSuchBucket", "does not exist", "Deploy first"),
        ("NoSuchKey", "no object", "spelling"),
        ("BucketAlreadyExists", "taken by another AWS account", "SCONES_PROJECT"),
        ("PermanentRedirect", "another region", "AWS_REGION"),
        ("ResourceConflictException", "Somebody else", "another deploy"),
        ("ConcurrentModification", "Somebody else", "another deploy"),
        ("InternalFailure", "fault of its own", "health.aws"),
        ("ParamValidationError", "malformed", "Correct what was typed"),
        ("ResourceNotFoundException", "found nothing", "deploy again"),
        ("AWS.SimpleQueueService.NonExistentQueue", "found nothing", "correct the name"),
        ("404", "found nothing", "correct the name"),
        ("SomethingNew", "failed with SomethingNew", "Correct what the message names"),
    ],
)
def test_each_kind_has_its_sentence_and_its_remedy(code: str, says: str, remedy: str) -> None:
    error = translate(operation="lambda:CreateFunction", code=code, message="the details")

    assert error.code == code
    assert says in error.message
    assert remedy in error.remedy


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "AuthorizationError"])
def test_a_missing_permission_is_named_as_aws_names_it(code: str) -> None:
    message = (
        "User: arn:aws:iam::123456789012:user/ana is not authorized to perform:"
        " lambda:CreateFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:f"
        " because no identity-based policy allows the lambda:CreateFunction action"
    )

    error = translate(operation="lambda:CreateFunction", code=code, message=message)

    assert "permission lambda:CreateFunction on arn:aws:lambda:us-east-1" in error.message
    assert "allow lambda:CreateFunction" in error.remedy


def test_the_permission_may_be_another_than_the_call() -> None:
    """Creating a function needs PassRole: the message says so, and so must we."""
    message = (
        "User: u is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r."
    )

    error = translate(operation="lambda:CreateFunction", code="AccessDenied", message=message)

    assert "permission iam:PassRole on arn:aws:iam::1:role/r is missing" in error.message


def test_a_bare_403_names_the_permission_of_the_call() -> None:
    error = translate(
        operation="s3:HeadBucket", code="403", message="Forbidden", status=403, subject="my-bucket"
    )

    assert "permission s3:ListBucket on my-bucket is missing" in error.message


def test_an_explicit_deny_is_told_from_a_missing_permission() -> None:
    message = "u is not authorized to perform: s3:PutObject with an explicit deny in a policy"

    error = translate(operation="s3:PutObject", code="AccessDenied", message=message)

    assert "explicitly denies s3:PutObject" in error.message


def test_an_unknown_code_with_a_server_status_is_awss_own_fault() -> None:
    error = translate(operation="s3:PutObject", code="Odd", message="", status=503)

    assert "fault of its own" in error.message
    assert "HTTP status 503" in error.message


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "SignatureDoesNotMatch",
            "Signature expired: 20261123T090000Z is now earlier than 20261123T095500Z",
        ),
        (
            "InvalidSignatureException",
            "Signature not yet current: 20261123T110000Z is still later than 20261123T100500Z",
        ),
    ],
)
def test_a_wrong_clock_is_told_from_wrong_credentials(code: str, message: str) -> None:
    error = translate(operation="sts:GetCallerIdentity", code=code, message=message, status=403)

    assert error.code == code
    assert "clock of this machine" in error.message
    assert "Set the clock" in error.remedy


def test_a_head_that_finds_nothing_names_bucket_and_key() -> None:
    error = translate(
        operation="s3:HeadObject", code="404", message="Not Found", status=404, subject="s3://b/k"
    )

    assert error.message == "There is no such object, or no such bucket (s3://b/k)."
    assert "spelling of bucket and key" in error.remedy


def test_what_was_asked_for_is_named() -> None:
    error = translate(
        operation="s3:GetObject", code="NoSuchKey", message="m", subject="s3://b/images/a b.png"
    )

    assert "s3://b/images/a b.png" in error.message


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("s3:HeadObject", "s3:GetObject"),
        ("s3:ListObjectsV2", "s3:ListBucket"),
        ("s3:PutBucketEncryption", "s3:PutEncryptionConfiguration"),
        ("stepfunctions:RedriveExecution", "states:RedriveExecution"),
        ("sagemaker-runtime:InvokeEndpoint", "sagemaker:InvokeEndpoint"),
        ("lambda:Invoke", "lambda:InvokeFunction"),
        ("iam:CreateRole", "iam:CreateRole"),
    ],
)
def test_each_operation_has_its_iam_action(operation: str, action: str) -> None:
    assert permission(operation) == action


@given(
    st.sampled_from(["s3:GetObject", "lambda:Invoke"]),
    st.text(min_size=1),
    st.text(),
    st.integers(0, 599),
    st.text(),
)
def test_any_answer_at_all_becomes_a_sentence_with_a_remedy(
    operation: str, code: str, message: str, status: int, subject: str
) -> None:
    error = translate(
        operation=operation, code=code, message=message, status=status, subject=subject
    )

    assert error.code == code
    assert error.message
    assert error.remedy
