"""Every way an AWS call fails, as a WorkflowError: what happened, to which call, what to do.

Pure: the edges that hold boto3 (``deploy.providers.errors``, ``dashboard.aws.errors``) take a
botocore exception apart and hand its parts to :func:`translate`.
"""

import re
from dataclasses import dataclass

from workflow.errors import WorkflowError

# botocore's client names that differ from the IAM service prefix.
_SERVICE_PREFIXES = {"stepfunctions": "states", "sagemaker-runtime": "sagemaker"}

# Operations whose IAM action has another name (AWS Service Authorization Reference, S3 and Lambda).
_ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "lambda:Invoke": "lambda:InvokeFunction",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
}

_DENIED = re.compile(
    r"not authorized to perform:?\s+(?P<action>[\w-]+:\w+)"
    r"(?:.*? on resource:?\s+(?P<resource>\S+))?",
    re.DOTALL,
)


# The answer to HEAD has no body, so S3 cannot say which of bucket and key is missing.
_HEAD_MISSING = "s3:HeadObject 404"


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of failure: the codes that mean it, what to say of it and what to do about it."""

    codes: frozenset[str]
    says: str
    remedy: str


_KINDS = (
    _Kind(
        frozenset({"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}),
        "No AWS credentials were found for {operation}.",
        "Run `aws configure` or `aws sso login`, or set AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY; with AWS_ENDPOINT_URL set to the local cloud any value will do.",
    ),
    _Kind(
        frozenset(
            {
                "ExpiredToken",
                "ExpiredTokenException",
                "TokenRefreshRequired",
                "RequestExpired",
                "SSOTokenLoadError",
                "UnauthorizedSSOTokenError",
                "TokenRetrievalError",
            }
        ),
        "The AWS session has expired, so {operation} was refused.",
        "Sign in again (`aws sso login`, or fetch new temporary credentials) and repeat the step.",
    ),
    _Kind(
        frozenset(
            {
                "InvalidClientTokenId",
                "UnrecognizedClientException",
                "InvalidAccessKeyId",
                "SignatureDoesNotMatch",
                "InvalidSignatureException",
                "IncompleteSignature",
                "AuthFailure",
            }
        ),
        "AWS does not accept the credentials used for {operation}: {message}",
        "Check the access key, the profile (AWS_PROFILE) and that the clock of this machine is"
        " right; then sign in again.",
    ),
    _Kind(
        frozenset({"RequestTimeTooSkewed"}),
        "The clock of this machine differs too much from AWS's for {operation}.",
        "Set the clock (for example `timedatectl set-ntp true`) and repeat the step.",
    ),
    _Kind(
        frozenset({"ProfileNotFound"}),
        "The AWS profile does not exist: {message}",
        "Choose one that `aws configure list-profiles` shows, or unset AWS_PROFILE.",
    ),
    _Kind(
        frozenset({"NoRegionError", "InvalidRegionError", "AuthorizationHeaderMalformed"}),
        "No usable AWS region is set for {operation}: {message}",
        "Set AWS_REGION to the region of the deployment, for example us-east-1.",
    ),
    _Kind(
        frozenset({"OptInRequired", "SubscriptionRequiredException"}),
        "This account is not signed up for the service or region of {operation}: {message}",
        "Enable the region under Account in the AWS console, or set AWS_REGION to another.",
    ),
    _Kind(
        frozenset(
            {
                "Throttling",
                "ThrottlingException",
                "ThrottledException",
                "TooManyRequestsException",
                "RequestLimitExceeded",
                "RequestThrottled",
                "SlowDown",
                "PriorRequestNotComplete",
            }
        ),
        "AWS is throttling {operation} even after retries.",
        "Wait a minute and repeat the step; it goes on from where it stopped.",
    ),
    _Kind(
        frozenset(
            {
                "ResourceLimitExceeded",
                "LimitExceededException",
                "LimitExceeded",
                "CodeStorageExceededException",
                "TooManyBuckets",
                "ServiceQuotaExceededException",
                "StateMachineLimitExceeded",
                "SubscriptionLimitExceeded",
                "TopicLimitExceeded",
            }
        ),
        "A quota of this account is used up, so {operation} was refused: {message}",
        "Free what is no longer used, or ask for more under Service Quotas in the AWS console,"
        " then repeat the step.",
    ),
    _Kind(
        frozenset(
            {
                "EndpointConnectionError",
                "ConnectTimeoutError",
                "ReadTimeoutError",
                "ConnectionClosedError",
                "ConnectionError",
                "ProxyConnectionError",
                "SSLError",
                "HTTPClientError",
                "ResponseStreamingError",
            }
        ),
        "AWS could not be reached for {operation}: {message}",
        "Check the network, the proxy and AWS_ENDPOINT_URL (is the local cloud running?), then"
        " repeat the step.",
    ),
    _Kind(
        frozenset({"NoSuchBucket"}),
        "The bucket of {operation} does not exist{subject}.",
        "Deploy first (`python -m deploy apply`), or correct the name of the bucket.",
    ),
    _Kind(
        frozenset({"NoSuchKey"}),
        "There is no object under that key{subject}.",
        "Check the spelling of the key: capitals, spaces and the folder are part of it.",
    ),
    _Kind(
        frozenset({_HEAD_MISSING}),
        "There is no such object, or no such bucket{subject}.",
        "Check the spelling of bucket and key: capitals, spaces and the folder are part of it.",
    ),
    _Kind(
        frozenset({"BucketAlreadyExists"}),
        "The bucket name{subject} is taken by another AWS account.",
        "Choose another project or stage name (SCONES_PROJECT, SCONES_STAGE).",
    ),
    _Kind(
        frozenset({"PermanentRedirect", "301", "IllegalLocationConstraintException"}),
        "The bucket{subject} is in another region than the one in use.",
        "Set AWS_REGION to the region of the bucket.",
    ),
    _Kind(
        frozenset(
            {
                "ResourceConflictException",
                "ConcurrentModificationException",
                "ConcurrentModification",
                "ConflictException",
                "ConditionalRequestConflict",
                "PreconditionFailed",
                "PreconditionFailedException",
                "OperationAborted",
                "OperationAbortedException",
                "ResourceInUse",
                "ResourceInUseException",
            }
        ),
        "Somebody else is changing the same resource, so {operation} was refused: {message}",
        "Is another deploy running? Wait for it to end, then repeat the step.",
    ),
    _Kind(
        frozenset(
            {
                "InternalError",
                "InternalFailure",
                "InternalServerError",
                "InternalServiceError",
                "ServiceException",
                "ServiceFailure",
                "ServiceUnavailable",
                "ServiceUnavailableException",
                "503",
                "500",
            }
        ),
        "AWS had a fault of its own in {operation}: {message}",
        "Repeat the step in a minute; if it lasts, see https://health.aws.amazon.com/.",
    ),
    _Kind(
        frozenset({"ParamValidationError"}),
        "The request for {operation} was malformed and was not sent: {message}",
        "This is a defect of this project: report it with this sentence.",
    ),
)
_BY_CODE = {code: kind for kind in _KINDS for code in kind.codes}

_DENIALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "UnauthorizedOperation",
        "Forbidden",
        "403",
        "KMSAccessDeniedException",
    }
)
# How every service but S3 refuses a request that was signed by a clock that is wrong.
_CLOCK = re.compile(r"Signature (expired|not yet current)", re.IGNORECASE)
_MISSING = re.compile(r"404|.*(NotFound|DoesNotExist|NotExist|NonExistentQueue|NoSuch).*")


def translate(
    *, operation: str, code: str, message: str, status: int = 0, subject: str = ""
) -> WorkflowError:
    """Say in words why an AWS call failed and what a person can do about it.

    Args:
        operation: ``service:Operation`` as botocore names them, such as ``lambda:CreateFunction``.
        code: AWS's error code, or the class name of a botocore exception that never reached AWS.
        message: AWS's own message.
        status: HTTP status of the answer, 0 where there was none.
        subject: Name or ARN of what was asked for, where known.

    Returns:
        An error whose ``code`` is AWS's own.
    """
    text = message.strip() or f"HTTP status {status}" if status else message.strip() or code
    if code in _DENIALS:
        return _denied(operation, code, text, subject)
    kind = _kind(operation, code, text, status)
    about = f" ({subject})" if subject else ""
    if kind is not None:
        said = kind.says.format(operation=operation, message=text, subject=about)
        return WorkflowError(code, said, kind.remedy)
    if _MISSING.fullmatch(code):
        return WorkflowError(
            code,
            f"{operation} found nothing there{about}: {text}",
            "It was deleted or never made: deploy again, or correct the name.",
        )
    return WorkflowError(
        code,
        f"{operation} failed with {code}{about}: {text}",
        "Correct what the message names and repeat the step; nothing before it is lost.",
    )


def permission(operation: str) -> str:
    """The IAM action that allows an operation: ``s3:HeadObject`` needs ``s3:GetObject``."""
    service, _, name = operation.partition(":")
    action = f"{_SERVICE_PREFIXES.get(service, service)}:{name}"
    return _ACTIONS.get(action, action)


def _kind(operation: str, code: str, message: str, status: int) -> _Kind | None:
    if _CLOCK.search(message):
        return _BY_CODE["RequestTimeTooSkewed"]
    if f"{operation} {code}" == _HEAD_MISSING:
        return _BY_CODE[_HEAD_MISSING]
    return _BY_CODE.get(code) or (_BY_CODE["InternalError"] if status >= 500 else None)  # noqa: PLR2004 - HTTP


def _denied(operation: str, code: str, message: str, subject: str) -> WorkflowError:
    found = _DENIED.search(message)
    action = found["action"] if found else permission(operation)
    resource = (found["resource"] if found else None) or subject
    target = f" on {resource.rstrip('.')}" if resource else ""
    said = f"You may not call {operation}: permission {action}{target} is missing."
    if "explicit deny" in message:
        said = f"You may not call {operation}: a policy explicitly denies {action}{target}."
    return WorkflowError(
        code,
        said,
        f"Ask an administrator of the account to allow {action}; docs/aws.md has the whole"
        " operator policy. Then repeat the step.",
    )
