"""Botocore's errors, as sentences a person can act on."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from workflow.errors import WorkflowError

_SIGN_IN = "Sign in (`aws sso login` or `aws configure`), then reload this page."
_PERMISSION = "Ask for the permission named above; docs/aws.md lists what is needed."
_DEPLOY = "Deploy the workflow on the Deployment page, then try again."

REMEDIES = {
    "AccessDenied": _PERMISSION,
    "AccessDeniedException": _PERMISSION,
    "ExpiredToken": _SIGN_IN,
    "ExpiredTokenException": _SIGN_IN,
    "InvalidClientTokenId": _SIGN_IN,
    "UnrecognizedClientException": _SIGN_IN,
    "RequestTimeTooSkewed": "Set this machine's clock (it differs from AWS's), then try again.",
    "SignatureDoesNotMatch": "Check the secret key and this machine's clock, then try again.",
    "InvalidSignatureException": "Check the secret key and this machine's clock, then try again.",
    "NoSuchBucket": _DEPLOY,
    "NoSuchKey": "Check the key: S3 keys are case-sensitive and have no leading slash.",
    "404": "Check the bucket and the key: keys are case-sensitive and have no leading slash.",
    "403": "Check that the object exists and that you may read it (s3:GetObject, s3:ListBucket).",
    "StateMachineDoesNotExist": _DEPLOY,
    "ResourceNotFound": _DEPLOY,
    "ResourceNotFoundException": _DEPLOY,
    "ExecutionDoesNotExist": "Check the ARN; AWS keeps executions for 90 days.",
    "ThrottlingException": "AWS asks to slow down: wait a minute, then try again.",
    "Throttling": "AWS asks to slow down: wait a minute, then try again.",
    "SlowDown": "S3 asks to slow down: wait a minute, then try again.",
}
"""What to do about an AWS error code; the codes are AWS's own."""

_OTHER = "Try again; if it lasts, look the code up in the service's API reference."


def explain(error: BotoCoreError | ClientError, doing: str) -> WorkflowError:
    """Turn an error of botocore into a sentence with a remedy.

    Args:
        error: What boto3 raised.
        doing: What was being done, as in "reading s3://bucket/key".

    Returns:
        The same problem under AWS's own code, where AWS gave one.
    """
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "Unknown")
        said = error.response["Error"].get("Message") or code
        return WorkflowError(
            code, f"{code} while {doing}: {said.rstrip('.')}.", REMEDIES.get(code, _OTHER)
        )
    if isinstance(
        error,
        NoCredentialsError
        | PartialCredentialsError
        | ProfileNotFound
        | TokenRetrievalError
        | UnauthorizedSSOTokenError,
    ):
        return WorkflowError("NoCredentials", f"No credentials while {doing}: {error}.", _SIGN_IN)
    if isinstance(error, BotoConnectionError | HTTPClientError):
        return WorkflowError(
            "Unreachable",
            f"The cloud could not be reached while {doing}: {error}.",
            "Check the network, and that the local cloud still runs; then reload this page.",
        )
    return WorkflowError(type(error).__name__, f"{error} (while {doing}).", _OTHER)


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Raise what boto3 raises in this block as a ``WorkflowError`` that says what was being done.

    Raises:
        WorkflowError: in place of any ``ClientError`` or ``BotoCoreError``.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise explain(error, doing) from error
