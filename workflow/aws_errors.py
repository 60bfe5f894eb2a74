"""Every way an AWS call fails, as a WorkflowError: what happened, to which call, what to do.

Pure: the edges that hold boto3 (``deploy.providers.errors``, ``dashboard.aws.errors``) take a
botocore exception apart and hand its parts to :func:`translate`.
"""

import re

from workflow.errors import WorkflowError
from workflow.known_errors import Blame, find

# botocore's client names that differ from the IAM service prefix.
_SERVICE_PREFIXES = {
    "stepfunctions": "states",
    "sagemaker-runtime": "sagemaker",
    "service-quotas": "servicequotas",
}

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


def translate(
    *, operation: str, code: str | None, message: str | None, status: int = 0, subject: str = ""
) -> WorkflowError:
    """Say in words why an AWS call failed and what a person can do about it.

    Args:
        operation: ``service:Operation`` as botocore names them, such as ``lambda:CreateFunction``.
        code: AWS's error code, or the class name of a botocore exception that never reached AWS;
            AWS leaves it out at times.
        message: AWS's own message; may be empty or null.
        status: HTTP status of the answer, 0 where there was none.
        subject: Name or ARN of what was asked for, where known.

    Returns:
        An error whose ``code`` is AWS's own.
    """
    code = code or "Unknown"
    text = (message or "").strip() or (f"HTTP status {status}" if status else code)
    known = find((code,), text, status=status, operation=operation)
    about = f" ({subject})" if subject else ""
    if known is None:
        return WorkflowError(
            code,
            f"{operation} failed with {code}{about}: {text}",
            "Correct what the message names and repeat the step; nothing before it is lost.",
        )
    if known.row.blame is Blame.PERMISSION and ("action" in known.found or not known.row.message):
        return _denied_error(operation, code, text, subject)
    said = known.words(place=operation, message=text, subject=about, image=subject, error=code)
    return WorkflowError(code, said.cause, f"{said.remedy} Then repeat the step.")


def permission(operation: str) -> str:
    """Return the IAM action that allows an operation: ``s3:HeadObject`` needs ``s3:GetObject``."""
    service, _, name = operation.partition(":")
    action = f"{_SERVICE_PREFIXES.get(service, service)}:{name}"
    return _ACTIONS.get(action, action)


def _denied_error(operation: str, code: str, message: str, subject: str) -> WorkflowError:
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
        f"Ask an administrator of the account to allow {action}; `python -m deploy policy"
        " operator` prints the whole policy. Then repeat the step.",
    )
