"""Transient errors: what AWS refuses only because its parts do not know of each other yet. Pure.

AWS is eventually consistent: for seconds after a create, another call may not find what was made,
may find it invalid, or may find it busy. And a create whose answer was lost is sent again, and is
told that the thing exists already. Terraform's AWS provider waits for the same answers.
"""

import re
from collections.abc import Sequence

from deploy.resources import CloudResource, IamRole

PATIENCE = (1, 2, 3, 5, 8, 13, 20, 30, 30)
"""Seconds between the tries of one write that transient errors hold up: two minutes in all."""

_SERVICES = {
    "cloudwatch": "CloudWatch",
    "events": "EventBridge",
    "iam": "IAM",
    "lambda": "Lambda",
    "logs": "CloudWatch Logs",
    "s3": "S3",
    "sagemaker": "SageMaker",
    "sns": "SNS",
    "sqs": "SQS",
    "states": "Step Functions",
}

# What never passes by itself, whatever its words: the caller lacks a permission, a quota is used
# up, somebody else holds the name, or a change by somebody else was noticed.
# A fault of AWS itself may pass, but not by its parts getting to know of each other.
_LASTING = re.compile(
    r".*(Limit|Quota|Precondition).*|TooManyBuckets|BucketAlreadyExists|Internal(Fail|Err|Serv)\w*"
)
_CALLER_DENIED = re.compile(r"not authorized to perform:? *(?!sts:)[\w-]+:\w+", re.IGNORECASE)

_EXISTS = (
    re.compile(r".*Already(Exists?|OwnedByYou)\w*|.*NameExists"),
    re.compile(r"already exist|already owned|must be unique", re.IGNORECASE),
)
_BUSY = (
    re.compile(
        r"409|OperationAborted\w*|Concurrent\w+|ConflictException|ResourceConflict\w*"
        r"|ConditionalRequestConflict|ResourceInUse\w*|ResourceNotReady\w*|.*QueueDeletedRecently"
        r"|StateMachineDeleting|TooManyUpdates"
    ),
    re.compile(
        r"in progress|try again|must wait|conflicting|being (created|changed|deleted|modified"
        r"|updated)|in the following state|\bpending\b|not (yet )?(active|ready|stabilized)",
        re.IGNORECASE,
    ),
)
_MISSING = (
    re.compile(r"404|NotFound|.*(NotFound|NotExist|NonExistent|NoSuch).*"),
    re.compile(
        r"could ?n[o']t (be )?f(ind|ound)|can ?not (be )?f(ind|ound)|unable to find|not found"
        r"|do(es)? ?n[o']t exist|no such",
        re.IGNORECASE,
    ),
)
_INVALID = (
    re.compile(r"InvalidLoggingConfiguration|.*PrincipalNotFound|.*InvalidPrincipal\w*"),
    re.compile(
        r"assume|principal|CreateGrant|permissions? to|not authorized to|access has been denied"
        r"|could not access|no access to|trust|is (invalid|not valid)|invalid arn"
        r"|invalid value for the parameter policy|policy has invalid resource",
        re.IGNORECASE,
    ),
)
_Kind = tuple[re.Pattern[str], re.Pattern[str]]


def waiting_message(
    code: str, message: str, *, writing: CloudResource, made: bool, needs: Sequence[CloudResource]
) -> str:
    """Return what to tell people while an error passes by itself; empty where it does not pass.

    Args:
        code: AWS's code.
        message: AWS's own message.
        writing: The resource that is being written.
        made: Whether this run is creating it.
        needs: What it refers to and this run has created, or, if a role, might have seen first.
    """
    if _LASTING.fullmatch(code) or _CALLER_DENIED.search(message):
        return ""
    new = (*needs, writing) if made else needs
    # botocore repeats a create whose answer was lost: then the thing is our own.
    if made and _matches_kind(_EXISTS, code, message):
        return f"The {writing.TITLE} {writing.name} exists already: looking at it"
    if _matches_kind(_BUSY, code, message):
        service = _service_name(writing)
        return f"Waiting until {service} is done with an earlier change of {writing.name}"
    # Only where something is new: else "not found" is what it says, and waiting hides it.
    if new and _matches_kind(_MISSING, code, message):
        meant = _find_meant(message, new)
        return f"Waiting until {_service_name(meant)} has made the {meant.TITLE} {meant.name} known"
    if new and _matches_kind(_INVALID, code, message):
        role = next(
            (one for one in reversed(new) if isinstance(one, IamRole)), _find_meant(message, new)
        )
        return f"Waiting until {_service_name(writing)} accepts the new {role.TITLE} {role.name}"
    return ""


def _matches_kind(kind: _Kind, code: str, message: str) -> bool:
    codes, words = kind
    return codes.fullmatch(code) is not None or words.search(message) is not None


def _find_meant(message: str, new: Sequence[CloudResource]) -> CloudResource:
    """Return the new resource that a message is about, by its name, else by its kind."""
    said = message.lower()
    by_name = (one for one in new if one.name.lower() in said)
    # Messages often name a kind only, such as "the provided role".
    by_kind = (one for one in new if one.TITLE.rpartition(" ")[2].lower() in said)
    return next(by_name, None) or next(by_kind, new[-1])


def _service_name(resource: CloudResource) -> str:
    return _SERVICES[resource.KIND.partition(".")[0]]
