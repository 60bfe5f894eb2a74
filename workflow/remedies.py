"""Remedies: the table of known signatures, each with the failure's kind, cause and remedy in words.

The first signature that fits names the problem. Error names are those of ``workflow.contract``, of
the Amazon States Language (States.*), of the Lambda runtime (Runtime.*, Sandbox.*) and of the AWS
services' API references. Named groups of a pattern fill the sentences.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from workflow.causes import is_rejection, read_cause
from workflow.executions import Failure, Kind


class Repair(StrEnum):
    """What has to change before the same work can succeed."""

    NOTHING = "nothing is broken"
    WAIT = "time"
    SURROUNDINGS = "permission, object or endpoint"
    CODE = "code or definition"
    INPUT = "input"


_REPAIRS: Final = {
    Kind.REJECTION: Repair.NOTHING,
    Kind.THROTTLING: Repair.WAIT,
    Kind.TIMEOUT: Repair.WAIT,
    Kind.PERMISSION: Repair.SURROUNDINGS,
    Kind.FAULT: Repair.SURROUNDINGS,
    Kind.CODE: Repair.CODE,
    Kind.SILENT: Repair.CODE,
    Kind.BAD_INPUT: Repair.INPUT,
}
"""What usually repairs a kind of failure; a signature may know better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What a failure probably is and what to do about it.

    Attributes:
        kind: What sort of failure it is.
        cause: Probable cause, a sentence.
        remedy: What to do, a sentence or two.
        repair: What has to change before a redrive or restart can help.
    """

    kind: Kind
    cause: str
    remedy: str
    repair: Repair


@dataclass(frozen=True, slots=True)
class _Signature:
    """Fits where ``error`` matches an error name from its start and ``message`` is found."""

    kind: Kind
    error: re.Pattern[str]
    message: re.Pattern[str]
    cause: str
    remedy: str
    repair: Repair


def _signature(
    kind: Kind,
    *,
    error: str = "",
    message: str = "",
    cause: str,
    remedy: str,
    repair: Repair | None = None,
) -> _Signature:
    found_in = re.compile(message, re.IGNORECASE | re.DOTALL)
    return _Signature(kind, re.compile(error), found_in, cause, remedy, repair or _REPAIRS[kind])


_SILENT: Final = (
    _signature(
        Kind.SILENT,
        error=r"Silent\.Rejection|Silent\.BelowThreshold",
        cause="The confidence is below the threshold, but the execution SUCCEEDED.",
        remedy="Let a Choice state send low confidence to a Fail state, as step_function.json "
        "does; then review these images.",
    ),
    _signature(
        Kind.SILENT,
        error=r"Silent\.(ErrorInOutput|ServerError|ClientError)",
        cause='{state} answered with an error instead of raising it: "{message}".',
        remedy="Raise an exception in the function: Step Functions takes any answer for a success. "
        "Then restart these executions.",
    ),
    _signature(
        Kind.SILENT,
        error=r"Silent\.(EmptyInference|NoInference)",
        cause="The execution SUCCEEDED without an inference.",
        remedy="Look whether the classifying state ran and whether its output path drops "
        "`inferences`; then restart these executions.",
    ),
    _signature(
        Kind.SILENT,
        error=r"Silent\.MalformedInference",
        cause="The inferences are not one probability for each class.",
        remedy="Look at what the endpoint answers in its data capture; the last layer must be a "
        "softmax over the classes.",
    ),
)

_THROTTLING: Final = (
    _signature(
        Kind.THROTTLING,
        error=r"(Lambda\.)?TooManyRequests|.*Throttl|SlowDown|RequestLimitExceeded|.*Throughput"
        r"|.*ConcurrentInvocationLimit|ServiceQuotaExceeded",
        cause="AWS refused the call because too many were made at once.",
        remedy="Redrive when the burst is over. If it recurs, raise the quota or the function's "
        "concurrency, and keep the retry with jitter in the state machine.",
    ),
    _signature(
        Kind.THROTTLING,
        message=r"Throttling|TooManyRequests|SlowDown|RequestLimitExceeded|rate exceeded",
        cause="AWS refused the call because too many were made at once ({message}).",
        remedy="Redrive when the burst is over. If it recurs, raise the quota, and keep the retry "
        "with jitter in the state machine.",
    ),
)

_TIMEOUT: Final = (
    _signature(
        Kind.TIMEOUT,
        error=r"States\.(Timeout|HeartbeatTimeout)",
        cause="{state} did not answer within the state machine's TimeoutSeconds.",
        remedy="Look at the function's duration and at the endpoint's latency; redrive if it was a "
        "cold start, else raise TimeoutSeconds.",
    ),
    _signature(
        Kind.TIMEOUT,
        message=r"task timed out after (?P<seconds>[\d.]+) seconds",
        cause="The Lambda function of {state} ran into its own timeout of {seconds} s.",
        remedy="Look in its log for what it waited for (a starting endpoint, S3 through a VPC "
        "without a gateway); redrive, or raise the function's timeout.",
    ),
    _signature(
        Kind.TIMEOUT,
        error=r"(Read|Connect)Timeout|.*TimeoutException|Lambda\.ClientExecutionTimeout",
        cause="A call that {state} makes did not answer in time.",
        remedy="See whether the endpoint is InService and not overloaded, then redrive.",
    ),
)

_PERMISSION: Final = (
    _signature(
        Kind.PERMISSION,
        message=r"(?P<role>\S+) is not authorized to perform:? (?P<action>[\w-]+:\w+)"
        r"(?: on resource:? (?P<resource>\S*[^\s.,)]))?",
        cause="The role {role} may not do {action} on {resource}.",
        remedy="Allow {action} on it in the role's policy (`python -m deploy plan` shows what is "
        "missing), then redrive.",
    ),
    _signature(
        Kind.PERMISSION,
        error=r"EndpointAccessDenied",
        cause="The role of the function behind {state} may not invoke the endpoint.",
        remedy="Allow sagemaker:InvokeEndpoint on the endpoint's ARN, or deploy again; then "
        "redrive.",
    ),
    _signature(
        Kind.PERMISSION,
        error=r"ImageAccessDenied",
        cause="S3 refuses the image to the role of the function behind {state}, or the key does "
        "not exist (S3 tells only roles with s3:ListBucket).",
        remedy="See that the key exists; allow s3:GetObject on its prefix; then redrive.",
    ),
    _signature(
        Kind.PERMISSION,
        message=r"\((?P<code>403|\w*AccessDenied\w*|Unauthorized\w*|Forbidden)\) when calling the "
        r"(?P<operation>\w+) operation",
        cause="AWS refuses {operation} to the role of the function behind {state} ({code}).",
        remedy="Allow the action of {operation} in the role's policy, then redrive. For S3, a key "
        "that does not exist is refused likewise where s3:ListBucket is missing.",
    ),
    _signature(
        Kind.PERMISSION,
        error=r".*(AccessDenied|Unauthorized|NotAuthorized|Forbidden)|States\.Permissions",
        cause="A role lacks a permission that {state} needs: {message}",
        remedy="Add the permission to the role named in the message, then redrive.",
    ),
)

_BAD_INPUT: Final = (
    _signature(
        Kind.BAD_INPUT,
        error=r"ImageNotFound|NoSuchKey|NoSuchBucket",
        repair=Repair.SURROUNDINGS,
        cause="The image is not in S3: {message}",
        remedy="Upload the image and redrive, or correct bucket and key and restart: a redrive "
        "keeps the input.",
    ),
    _signature(
        Kind.BAD_INPUT,
        message=r"\((404|NoSuchKey|NoSuchBucket)\) when calling the (Head|Get)Object",
        repair=Repair.SURROUNDINGS,
        cause="The image {image} is not in S3.",
        remedy="Upload the image under this key and redrive, or correct the key and restart.",
    ),
    _signature(
        Kind.BAD_INPUT,
        error=r"NotAnImage|UnidentifiedImageError|ImageTooLarge|ImageChanged|InvalidInput",
        cause="The input cannot be processed: {message}",
        remedy="Correct the input and start again; a redrive would fail the same way.",
    ),
    _signature(
        Kind.BAD_INPUT,
        error=r"ModelRejected",
        cause="The model refuses this image: {message}",
        remedy="Open the image; submit a PNG or JPEG that the model was trained for.",
    ),
    _signature(
        Kind.BAD_INPUT,
        error=r"States\.DataLimitExceeded",
        cause="A state's input or output is over 256 KiB, often an image as base64.",
        remedy="Pass the S3 key instead of the bytes (image_ref), then restart.",
    ),
)

_CODE: Final = (
    _signature(
        Kind.CODE,
        error=r"Runtime\.ImportModuleError|ImportError|ModuleNotFoundError",
        message=r"no module named '?(?P<module>[\w.]+)",
        cause="The package {module} is not in the function's zip.",
        remedy="Add {module} to the package, or the layer that holds it, for the right Python "
        "version and architecture; deploy, then restart.",
    ),
    _signature(
        Kind.CODE,
        error=r"Runtime\.(HandlerNotFound|ImportModuleError|UserCodeSyntaxError|MalformedHandlerName)",
        cause="Lambda cannot load the handler: {message}",
        remedy="Compare the function's handler setting with the file and function in the zip; "
        "deploy, then restart.",
    ),
    _signature(
        Kind.CODE,
        error=r"KeyError",
        message=r"'?(?P<key>[^']*)'?",
        cause="The input of {state} has no key {key!r}: the state before gives another shape.",
        remedy="Compare the output of the state before with what {state} reads; correct the code "
        "or its input and output paths, deploy, then restart.",
    ),
    _signature(
        Kind.FAULT,
        error=r"BadInference",
        cause="The endpoint's answer is no inference: {message}",
        remedy="Look at the endpoint's answer in its data capture and at the model's last layer.",
    ),
    _signature(
        Kind.FAULT,
        error=r"EndpointNotFound",
        cause="The endpoint does not exist: {message}",
        remedy="Deploy the endpoint, or correct its name in the function's environment; then "
        "redrive.",
    ),
    _signature(
        Kind.FAULT,
        message=r"endpoint (?P<endpoint>\S+) (of account \S+ )?not found",
        cause="The endpoint {endpoint} does not exist.",
        remedy="Deploy the endpoint, or correct its name in the function's environment; then "
        "redrive.",
    ),
    _signature(
        Kind.CODE,
        error=r"States\.(Runtime|NoChoiceMatched|ParameterPathFailure|ResultPathMatchFailure"
        r"|QueryEvaluationError|IntrinsicFailure|ItemReaderFailed)",
        cause="The definition does not fit the data in {state}: {message}",
        remedy="Correct the path or expression in the definition (test it with TestState), deploy "
        "a new version, then restart.",
    ),
    _signature(
        Kind.CODE,
        error=r"(Attribute|Type|Name|Index|Value|ZeroDivision|UnboundLocal|Assertion|Syntax"
        r"|NotImplemented|Recursion|JSONDecode|UnicodeDecode|ParamValidation|Lookup)Error",
        cause="The function of {state} has a bug: {error}, {message}",
        remedy="Export a test from this failure, correct the code, deploy, then restart.",
    ),
)

_FAULT: Final = (
    _signature(
        Kind.FAULT,
        error=r"Runtime\.OutOfMemory|Runtime\.ExitError",
        message=r"signal: killed|out of memory|memory",
        cause="The Lambda function of {state} ran out of memory.",
        remedy="Raise the function's memory; look at the size of the image it held.",
    ),
    _signature(
        Kind.FAULT,
        error=r"(StorageUnavailable|Lambda\.(Service|AWSLambda|SdkClient)|.*ServiceUnavailable"
        r"|InternalServer|InternalFailure)",
        cause="A service of AWS did not answer: {message}",
        remedy="Redrive; AWS's health page says whether it is over.",
        repair=Repair.WAIT,
    ),
    _signature(
        Kind.FAULT,
        error=r"EndpointUnavailable|.*ModelNotReady",
        cause="The endpoint does not answer now: {message}",
        remedy="See that the endpoint is InService and its instances are not overloaded, then "
        "redrive.",
        repair=Repair.WAIT,
    ),
    _signature(
        Kind.FAULT,
        message=r"\(ModelError\)|received (?P<side>server|client) error \((?P<code>\d+)\) from",
        cause="The model's container failed on the image: {message}",
        remedy="Read the container's log in CloudWatch, group /aws/sagemaker/Endpoints/<endpoint>; "
        "correct the model or the image, then redrive.",
    ),
    _signature(
        Kind.FAULT,
        message=r"could not connect to the endpoint url|connection (was closed|reset|refused)",
        cause="{state} cannot reach a service of AWS: {message}",
        remedy="See the region and the function's VPC (it needs a NAT or a VPC endpoint), then "
        "redrive.",
        repair=Repair.WAIT,
    ),
)

SIGNATURES: Final = _SILENT + _THROTTLING + _TIMEOUT + _PERMISSION + _BAD_INPUT + _CODE + _FAULT

_MESSAGE_CHARACTERS: Final = 240


def diagnose(failure: Failure) -> Diagnosis:
    """The kind, probable cause and remedy of a failure; an unknown one says so."""
    if failure.kind is None and is_rejection(failure.error, failure.cause):
        return Diagnosis(
            kind=Kind.REJECTION,
            cause="The confidence is below the threshold: the image shows neither class clearly.",
            remedy="Nothing is broken. Review the image; if rejections grow, look at the drift of "
            "the inputs.",
            repair=Repair.NOTHING,
        )
    cause = read_cause(failure.error, failure.cause)
    for signature in SIGNATURES:
        match = _fits(signature, (cause.error, failure.error), cause.message)
        if match:
            return _filled(signature, failure, cause.message, match)
    text = cause.message[:_MESSAGE_CHARACTERS] or "no cause is recorded"
    return Diagnosis(
        kind=failure.kind or Kind.FAULT,
        cause=f"No known signature: {failure.error or 'an error without name'}, {text}.",
        remedy="Open an example execution and the log of its function.",
        repair=_REPAIRS[failure.kind or Kind.FAULT],
    )


def _fits(signature: _Signature, errors: tuple[str, ...], message: str) -> re.Match[str] | None:
    if (signature.kind is Kind.SILENT) != errors[-1].startswith("Silent."):
        return None
    if not any(signature.error.match(error) for error in errors):
        return None
    return signature.message.search(message)


def _filled(
    signature: _Signature, failure: Failure, message: str, match: re.Match[str]
) -> Diagnosis:
    named = {key: value or "(not named)" for key, value in match.groupdict().items()}
    words = {
        "state": failure.state or "a state",
        "error": failure.error,
        "image": failure.image or "of this execution",
        "message": message[:_MESSAGE_CHARACTERS],
        **named,
    }
    if "role" in named:
        words["role"] = _role_name(named["role"])
    return Diagnosis(
        kind=signature.kind,
        cause=signature.cause.format_map(words),
        remedy=signature.remedy.format_map(words),
        repair=signature.repair,
    )


def _role_name(identity: str) -> str:
    """``classify`` of ``arn:aws:sts::123456789012:assumed-role/classify/session``."""
    kind, *names = identity.rpartition(":")[2].split("/")
    if not names:
        return identity
    return names[0] if kind == "assumed-role" else names[-1]
