"""The table of known errors: a row each, with whom to blame, what repairs it, and words.

More than 400 lines because it is one table; ``workflow.known_errors`` says how a row is found.
Words hold ``{place}`` (a state, or the AWS operation), ``{message}``, ``{subject}`` (what was asked
for, in parentheses, or nothing), ``{image}``, ``{error}`` and the groups of the row's pattern. The
last step, to redrive, to restart or to repeat, is the reader's: it is not said here.
Names are matched without ``Exception`` or ``Error`` at their end, and without the service before.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Blame(StrEnum):
    """Who has to act, or where the reason lies."""

    INPUT = "input"
    CODE = "code"
    PERMISSION = "permission"
    CONFIGURATION = "configuration"
    AWS = "AWS"
    CAPACITY = "capacity"


class Repair(StrEnum):
    """What has to change before the same work can succeed."""

    NOTHING = "nothing is broken"
    WAIT = "time"
    SURROUNDINGS = "permission, object or endpoint"
    CODE = "code or definition"
    INPUT = "input"
    LOOK = "unknown"


_REPAIRS: Final = {
    Blame.INPUT: Repair.INPUT,
    Blame.CODE: Repair.CODE,
    Blame.PERMISSION: Repair.SURROUNDINGS,
    Blame.CONFIGURATION: Repair.SURROUNDINGS,
    Blame.AWS: Repair.WAIT,
    Blame.CAPACITY: Repair.WAIT,
}


@dataclass(frozen=True, slots=True)
class KnownError:
    """A row.

    Attributes:
        blame: Who has to act.
        names: Error names; none where the message alone decides.
        message: Pattern that the message must hold, case ignored; empty where the name decides.
        repair: What has to change; WAIT means that the error passes by itself.
        cause: What happened, a sentence.
        remedy: What to do about it, without the last step.
        slow: Whether something took longer than it may.
    """

    blame: Blame
    names: tuple[str, ...]
    message: str
    repair: Repair
    cause: str
    remedy: str
    slow: bool = False

    @property
    def passes(self) -> bool:
        """Whether it passes by itself."""
        return self.repair is Repair.WAIT

    @property
    def at_once(self) -> bool:
        """Whether it was said at once and passes by itself, so that asking again costs little."""
        return self.passes and not self.slow

    def search(self, message: str) -> re.Match[str] | None:
        """Return what the pattern finds; compiled on first use, for functions start cold."""
        return re.search(self.message, message, re.IGNORECASE | re.DOTALL)


def _row(
    blame: Blame,
    names: str,
    cause: str,
    remedy: str,
    *,
    message: str = "",
    repair: Repair | None = None,
    slow: bool = False,
) -> KnownError:
    needed = repair or _REPAIRS[blame]
    return KnownError(blame, tuple(names.split()), message, needed, cause, remedy, slow)


_INPUT, _CODE, _PERMISSION = Blame.INPUT, Blame.CODE, Blame.PERMISSION
_CONFIGURATION, _AWS, _CAPACITY = Blame.CONFIGURATION, Blame.AWS, Blame.CAPACITY

_RAISED: Final = "Runtime.ExitError Runtime.Unknown Lambda.Unknown States.TaskFailed"

OUR_OWN: Final = (
    _row(
        _PERMISSION,
        "EndpointAccessDenied",
        "The role of the function behind {place} may not invoke the endpoint.",
        "Allow sagemaker:InvokeEndpoint on the endpoint's ARN, or deploy again.",
    ),
    _row(
        _PERMISSION,
        "ImageAccessDenied",
        "S3 refuses the image to the role of the function behind {place}, or the key does not"
        " exist (S3 tells only roles with s3:ListBucket).",
        "See that the key exists; allow s3:GetObject on its prefix.",
    ),
    _row(
        _INPUT,
        "ImageNotFound",
        "The image is not in S3: {message}",
        "Upload the image; or correct bucket and key and restart, for a redrive keeps the input.",
        repair=Repair.SURROUNDINGS,
    ),
    _row(
        _INPUT,
        "NotAnImage UnidentifiedImageError DecompressionBombError ImageTooLarge ImageChanged"
        " InvalidInput",
        "The input cannot be processed: {message}",
        "Correct what the message names.",
    ),
    _row(
        _INPUT,
        "ModelRejected",
        "The model refuses this image: {message}",
        "Open the image; submit a PNG or JPEG that the model was trained for.",
    ),
    _row(
        _CONFIGURATION,
        "BadInference",
        "The endpoint's answer is no inference: {message}",
        "Look at the endpoint's answer in its data capture and at the model's last layer.",
    ),
    _row(
        _CONFIGURATION,
        "EndpointNotFound",
        "The endpoint does not exist: {message}",
        "Deploy the endpoint, or correct its name in the function's environment.",
    ),
    _row(
        _CONFIGURATION,
        "ServiceRefused",
        "AWS answers {place} with an error that is not known here: {message}",
        "Look the error up, and open an example execution and the log of its function.",
        message=r"not known here",
        repair=Repair.LOOK,
    ),
    _row(
        _CONFIGURATION,
        "ServiceRefused",
        "AWS refuses a call that {place} makes: {message}",
        "Correct what the message names.",
    ),
    _row(
        _CAPACITY,
        "Throttled",
        "AWS has throttled {place} for minutes: {message}",
        "Find out what else uses the quota, or ask AWS for a higher one.",
        repair=Repair.SURROUNDINGS,
    ),
    _row(
        _AWS,
        "StorageUnavailable",
        "S3 did not answer: {message}",
        "AWS's health page (https://health.aws.amazon.com/) says whether it is over.",
    ),
    _row(
        _AWS,
        "EndpointUnavailable",
        "The endpoint does not answer now: {message}",
        "See that the endpoint is InService and its instances are not overloaded.",
    ),
)

CREDENTIALS: Final = (
    _row(
        _CONFIGURATION,
        "NoCredentialsError PartialCredentialsError CredentialRetrievalError"
        " UnknownCredentialError NoAuthTokenError",
        "No AWS credentials were found for {place}.",
        "Run `aws configure` or `aws sso login`, or set AWS_ACCESS_KEY_ID and"
        ' AWS_SECRET_ACCESS_KEY; those of the local cloud: eval "$(python -m localcloud env)".',
    ),
    _row(
        _CONFIGURATION,
        "ExpiredToken TokenRefreshRequired RequestExpired SSOTokenLoadError SSOError"
        " UnauthorizedSSOTokenError TokenRetrievalError UnknownTokenProviderError LoginError"
        " LoginRefreshRequired LoginTokenLoadError LoginAuthorizationCodeError"
        " LoginInsufficientPermissions RefreshWithMFAUnsupportedError",
        "The AWS session has expired, so {place} was refused.",
        "Sign in again (`aws sso login`, or fetch new temporary credentials).",
    ),
    _row(
        _CONFIGURATION,
        "s3:HeadBucket/BadRequest s3:HeadBucket/400 s3:HeadObject/BadRequest s3:HeadObject/400",
        "S3 refused {place}{subject} without a reason; most often the credentials have expired, or"
        " the region or the clock of this machine is wrong.",
        "Sign in again (`aws sso login`, or fetch new temporary credentials); check AWS_REGION and"
        " the clock.",
    ),
    _row(
        _CONFIGURATION,
        "",
        "The clock of this machine differs too much from AWS's for {place}.",
        "Set the clock (for example `timedatectl set-ntp true`).",
        message=r"Signature (expired|not yet current)",
    ),
    _row(
        _CONFIGURATION,
        "InvalidClientTokenId UnrecognizedClientException InvalidAccessKeyId SignatureDoesNotMatch"
        " InvalidSignature IncompleteSignature AuthFailure MissingAuthenticationToken"
        " MissingSecurityHeader MissingSecurityElement InvalidSecurity InvalidPayer"
        " CredentialsNotSupported",
        "AWS does not accept the credentials used for {place}: {message}",
        "Check the access key, the profile (AWS_PROFILE) and that the clock of this machine is"
        " right; then sign in again.",
    ),
    _row(
        _CONFIGURATION,
        "RequestTimeTooSkewed",
        "The clock of this machine differs too much from AWS's for {place}.",
        "Set the clock (for example `timedatectl set-ntp true`).",
    ),
    _row(
        _CONFIGURATION,
        "ProfileNotFound ConfigNotFound ConfigParseError InfiniteLoopConfigError",
        "The AWS profile does not exist or cannot be read: {message}",
        "Choose one that `aws configure list-profiles` shows, or unset AWS_PROFILE.",
    ),
    _row(
        _CONFIGURATION,
        "NoRegionError InvalidRegionError UnknownRegionError UnknownEndpointError"
        " ServiceNotInRegionError AuthorizationHeaderMalformed",
        "No usable AWS region is set for {place}: {message}",
        "Set AWS_REGION to the region of the deployment, for example us-east-1.",
    ),
    _row(
        _CONFIGURATION,
        "OptInRequired SubscriptionRequired NotSignedUp AccountProblem InvalidObjectOwner",
        "This account is not signed up for the service or region of {place}: {message}",
        "Enable the region under Account in the AWS console, or set AWS_REGION to another.",
    ),
)

_CAPACITIES: Final = (
    _row(
        _CAPACITY,
        "Throttling ThrottlingException ThrottledException TooManyRequestsException"
        " RequestLimitExceeded RequestThrottled RequestThrottledException SlowDown"
        " PriorRequestNotComplete BandwidthLimitExceeded TransactionInProgress EC2Throttled"
        " KmsThrottling ProvisionedThroughputExceeded ConcurrentInvocationLimitExceeded"
        " ReservedFunctionConcurrentInvocationLimitExceeded CallerRateLimitExceeded"
        " FunctionInvocationRateLimitExceeded ReservedFunctionInvocationRateLimitExceeded"
        " ConcurrentSnapshotCreateLimitExceeded RetryableConflict 429 HTTP429",
        "AWS is throttling {place} even after retries: too many calls were made at once.",
        "Wait a minute until the burst is over. If it recurs, raise the quota or the function's"
        " concurrency, and keep the retry with jitter.",
    ),
    _row(
        _CAPACITY,
        "",
        "AWS is throttling {place} even after retries: too many calls were made at once"
        " ({message}).",
        "Wait a minute until the burst is over. If it recurs, raise the quota, and keep the retry"
        " with jitter.",
        message=r"\bThrottling|TooManyRequests|SlowDown|RequestLimitExceeded|rate exceeded"
        r"|reduce your request rate",
    ),
    _row(
        _CAPACITY,
        "ActivityLimitExceeded ActivityWorkerLimitExceeded ExecutionLimitExceeded",
        "As many executions or workers run as the account may have: {message}",
        "Wait until some have ended, or ask for more under Service Quotas.",
    ),
    _row(
        _CAPACITY,
        "CapacityNotAvailableError InsufficientCapacity InsufficientInstanceCapacity",
        "AWS has no free capacity for {place} now: {message}",
        "Wait, or choose another instance type or region.",
    ),
    _row(
        _CAPACITY,
        "ResourceLimitExceeded LimitExceeded CodeStorageExceeded TooManyBuckets"
        " ServiceQuotaExceeded StateMachineLimitExceeded SubscriptionLimitExceeded"
        " TopicLimitExceeded ENILimitReached SubnetIPAddressLimitReached TooManyTags"
        " TooManyAccessPoints TooManyConfigurations TooManyMultiRegionAccessPoints",
        "A quota of this account is used up, so {place} was refused: {message}",
        "Free what is no longer used, or ask for more under Service Quotas in the AWS console.",
        repair=Repair.SURROUNDINGS,
    ),
)

_SLOW: Final = (
    _row(
        _CAPACITY,
        "",
        "The Lambda function of {place} ran into its own timeout of {seconds} s.",
        "Look in its log for what it waited for (a starting endpoint, S3 through a VPC without a"
        " gateway); raise the function's timeout if that is normal.",
        message=r"task timed out after (?P<seconds>[\d.]+) seconds",
        slow=True,
    ),
    _row(
        _CAPACITY,
        "Sandbox.Timedout Sandbox.Timeout Function.Timeout Runtime.Timeout",
        "The Lambda function of {place} ran into its own timeout.",
        "Look in its log for what it waited for; raise the function's timeout if that is normal.",
        slow=True,
    ),
    _row(
        _CAPACITY,
        "States.Timeout TaskTimedOut",
        "{place} did not answer within the state machine's TimeoutSeconds.",
        "Look at the function's duration and at the endpoint's latency: a cold start is over the"
        " next time, else raise TimeoutSeconds.",
        slow=True,
    ),
    _row(
        _CODE,
        "States.HeartbeatTimeout",
        "{place} sent no heartbeat within HeartbeatSeconds: its worker died, or forgot to.",
        "See that the worker runs and calls SendTaskHeartbeat, or raise HeartbeatSeconds.",
        repair=Repair.SURROUNDINGS,
        slow=True,
    ),
    _row(
        _CAPACITY,
        "States.Http.Socket",
        "The HTTP API that {place} calls did not answer within 60 s, or closed the connection.",
        "See that the API works and how long it takes.",
        slow=True,
    ),
    _row(
        _CAPACITY,
        "ReadTimeout ReadTimeoutError ConnectTimeout ConnectTimeoutError TimeoutError"
        " TimeoutException socket.timeout Lambda.ClientExecutionTimeout RequestTimeout"
        " RequestTimeoutException ETIMEDOUT ESOCKETTIMEDOUT EFSMountTimeout S3FilesMountTimeout"
        " SnapStartTimeout",
        "AWS could not be reached for {place}: it did not answer in time. {message}",
        "Check the network, the proxy and the VPC (it needs a NAT or a VPC endpoint); see that the"
        " endpoint is InService and not overloaded.",
        slow=True,
    ),
)

_PERMISSIONS: Final = (
    _row(
        _PERMISSION,
        "",
        "The role {role} may not do {action} on {resource}.",
        "Allow {action} on it in the role's policy (`python -m deploy plan` shows what is"
        " missing).",
        message=r"(?P<role>\S+) is not authorized to perform:? (?P<action>[\w-]+:\w+)"
        r"(?: on resource:? (?P<resource>\S*[^\s.,)]))?",
    ),
    _row(
        _PERMISSION,
        "",
        "The role of the function behind {place} cannot be assumed by Lambda: it is gone, or does"
        " not trust Lambda.",
        "Let the trust policy of the function's role allow lambda.amazonaws.com to do"
        " sts:AssumeRole, or deploy the role again.",
        message=r"role.{0,80} cannot be assumed by Lambda|execution role.{0,80}not authorized",
    ),
    _row(
        _PERMISSION,
        "",
        "Step Functions cannot assume the role of the state machine.",
        "Let the trust policy of the state machine's role allow states.amazonaws.com to do"
        " sts:AssumeRole, or deploy the role again.",
        message=r"(unable to|cannot|could not|not authorized to|failed to) assume "
        r"(the )?(provided |iam |execution )?role|role.{0,200} is not authorized to assume"
        r"|neither the global service principal states\.amazonaws\.com",
    ),
    _row(
        _PERMISSION,
        "",
        "AWS refuses {operation} to the role of the function behind {place} ({code}).",
        "Allow the action of {operation} in the role's policy. For S3, a key that does not exist"
        " is refused likewise where s3:ListBucket is missing.",
        message=r"\((?P<code>403|\w*AccessDenied\w*|Unauthorized\w*|Forbidden)\) when calling the "
        r"(?P<operation>\w+) operation",
    ),
    _row(
        _PERMISSION,
        "States.ItemReaderFailed States.ResultWriterFailed",
        "The state machine's role may not read or write the S3 object of {place}: {message}",
        "Allow s3:GetObject, s3:ListBucket and s3:PutObject on it to the role.",
        message=r"access ?denied|forbidden|not authorized|\b403\b",
    ),
    _row(
        _PERMISSION,
        "AccessDenied AccessDeniedException AuthorizationError AuthorizationErrorException"
        " UnauthorizedOperation UnauthorizedAccess UnauthorizedAccessError Forbidden 403"
        " AllAccessDisabled KMSAccessDenied EC2AccessDenied States.Permissions"
        " KMS.AccessDenied NotAuthorized NotPrincipal",
        "A role lacks a permission that {place} needs: {message}",
        "Add the permission to the role that the message names.",
    ),
    _row(
        _CONFIGURATION,
        "KMSDisabled KMSInvalidState KMSNotFound KMS.Disabled KMS.DisabledException"
        " KMS.InvalidState KMS.KMSInvalidState KMS.NotFound KMS.InvalidKeyUsage",
        "The KMS key that {place} needs cannot be used: {message}",
        "Enable the key, or encrypt with another one.",
    ),
)

_PACKAGES: Final = (
    _row(
        _CODE,
        "Runtime.ImportModuleError ImportError ModuleNotFoundError",
        "The handler's own module {handler} is not in the function's zip.",
        "Compare the function's handler setting with the file name in the zip: no package is"
        " missing.",
        message=r"Unable to import module '(?P<handler>(?P<top>[\w-]+)[\w./-]*)': "
        r"No module named '(?P=top)(?:[./][\w./-]*)?'",
    ),
    _row(
        _CODE,
        "Runtime.ImportModuleError ImportError ModuleNotFoundError OSError",
        "A package was built for another processor architecture or Python version: {message}",
        "Install the packages for the function's architecture and runtime (pip --platform"
        " manylinux2014_x86_64 or manylinux2014_aarch64, --only-binary=:all:), or change the"
        " function's architecture.",
        message=r"invalid ELF|wrong ELF class|ELFCLASS|GLIBC|cannot open shared object"
        r"|exec format error|C-extensions failed|Unable to import required dependencies"
        r"|cannot import name '_\w+'|No module named '(?:[\w.]*\.)?_\w+'",
    ),
    _row(
        _CODE,
        "Runtime.ImportModuleError ImportError ModuleNotFoundError",
        "The package {module} is not in the function's zip.",
        "Add {module} to the package, or the layer that holds it, for the right Python version and"
        " architecture.",
        message=r"(?:no module named|cannot find (?:module|package)) '?(?P<module>[\w.@/-]*[\w])",
    ),
    _row(
        _CODE,
        "PermissionError Runtime.ImportModuleError Runtime.ExitError Runtime.InvalidEntrypoint",
        "The function of {place} may not read a file of its own: {message}",
        "Give the files in the zip or layer the modes 644 (755 for folders and programs).",
        message=r"\[Errno 13\]|EACCES|permission denied",
    ),
    _row(
        _CODE,
        "Runtime.ExitError Runtime.InvalidEntrypoint Lambda.Unknown Runtime.Unknown",
        "The function or its layers were built for another processor architecture: {message}",
        "Build for the function's architecture, or change the function's architecture.",
        message=r"exec format error|invalid ELF|ELF class",
    ),
    _row(
        _CODE,
        "Runtime.HandlerNotFound Runtime.ImportModuleError Runtime.UserCodeSyntaxError"
        " Runtime.MalformedHandlerName Runtime.InvalidEntrypoint Runtime.InvalidWorkingDir"
        " Runtime.CallbackHandlerDeprecated ImportError ModuleNotFoundError InvalidZipFile"
        " Runtime.BadFunctionCode",
        "Lambda cannot load the handler: {message}",
        "Compare the function's handler setting with the file and function in the zip.",
    ),
    _row(
        _CODE,
        "Runtime.MarshalError",
        "The function returned something that is not JSON: {message}",
        "Return plain numbers, text, lists and dicts: float() for a float32, .tolist() for an"
        " ndarray, .decode() for bytes, .isoformat() for a datetime.",
    ),
    _row(
        _CODE,
        "Function.ResponseSizeTooLarge Lambda.ResponseSizeTooLarge Runtime.TruncatedResponse"
        " RequestTooLarge SerializedRequestEntityTooLarge RequestEntityTooLarge",
        "The function's input or answer is over Lambda's 6 MB: {message}",
        "Put the data into S3 and pass its key instead of the bytes.",
    ),
    _row(
        _CODE,
        "MissingEnvironmentVariable",
        "The function of {place} has no environment variable {message}.",
        "Set the variable in the function's configuration, or deploy again.",
        repair=Repair.SURROUNDINGS,
    ),
    _row(
        _CODE,
        "Runtime.UnmarshalError Runtime.LambdaContextUnmarshalError InvalidRequestContent"
        " UnsupportedMediaType",
        "Lambda cannot read what {place} sends to the function: {message}",
        "Send a JSON object as Payload.",
    ),
)

_MACHINES: Final = (
    _row(
        _CODE,
        "States.Runtime States.TaskFailed",
        "The execution has reached the 25,000 events that a history can hold.",
        "Split the work: a distributed Map, or nested executions, have histories of their own.",
        message=r"maximum number of (?:history )?events|history events? \(?25,?000|25,?000 events",
    ),
    _row(
        _INPUT,
        "States.DataLimitExceeded States.Runtime States.TaskFailed",
        "A state's input or output is over 256 KiB, often an image as base64.",
        "Pass the S3 key instead of the bytes (image_ref).",
        message=r"(?:exceed|larger|over).{0,60}(?:maximum number of bytes|payload|262,?144|256)",
    ),
    _row(
        _INPUT,
        "States.DataLimitExceeded InvalidOutput",
        "A state's input or output is over 256 KiB, often an image as base64.",
        "Pass the S3 key instead of the bytes (image_ref).",
    ),
    _row(
        _CODE,
        "States.Runtime States.ItemReaderFailed States.ResultWriterFailed",
        "The S3 object that {place} reads or writes is not there: {message}",
        "Correct bucket and key of ItemReader or ResultWriter in the definition, or upload the"
        " object.",
        message=r"NoSuchKey|NoSuchBucket|does not exist|not found in s3",
    ),
    _row(
        _CODE,
        "States.ItemReaderFailed",
        "{place} cannot read its items from the S3 object: {message}",
        "Correct the ItemReader in the definition: bucket, key, format and size of the object.",
    ),
    _row(
        _CONFIGURATION,
        "States.ResultWriterFailed",
        "{place} cannot write its results to S3: {message}",
        "Correct bucket and prefix of the ResultWriter, and what the role may do there.",
    ),
    _row(
        _CONFIGURATION,
        "States.ExceedToleratedFailureThreshold",
        "More items of {place} failed than the Map tolerates.",
        "Open the Map Run of the execution: the causes are those of its children. Repair these.",
    ),
    _row(
        _CODE,
        "States.Runtime States.NoChoiceMatched States.ParameterPathFailure"
        " States.ResultPathMatchFailure States.QueryEvaluationError States.IntrinsicFailure",
        "The definition does not fit the data in {place}: {message}",
        "Correct the path or expression in the definition (test it with TestState).",
        message=r"JSONPath|JSONata|reference path|intrinsic|\bpath\b|expression|could not be found"
        r"|Invalid (?:arguments|parameter)|Choice|is not (?:an? )?(?:array|list|object|string)",
    ),
    _row(
        _CONFIGURATION,
        "StateMachineTypeNotSupported",
        "{place} is for Standard state machines, and this one is EXPRESS: Step Functions keeps no"
        " list of its executions and no history.",
        "Turn on its logging at level ALL and read its log group, which the Deployment page names.",
    ),
    _row(
        _CODE,
        "InvalidArn InvalidName",
        "{place} was given a name or an ARN of a form that AWS does not know: {message}",
        "Correct the name or the ARN.",
    ),
    _row(
        _CODE,
        "States.NoChoiceMatched States.ParameterPathFailure States.ResultPathMatchFailure"
        " States.QueryEvaluationError States.IntrinsicFailure InvalidDefinition"
        " InvalidExecutionInput InvalidToken InvalidEncryptionConfiguration"
        " InvalidLoggingConfiguration InvalidTracingConfiguration MissingRequiredParameter",
        "The definition does not fit the data in {place}: {message}",
        "Correct the path or expression in the definition (test it with TestState).",
    ),
    _row(
        _INPUT,
        "ExecutionNotRedrivable",
        "This execution cannot be redriven: {message}",
        "Start a new one with the same input; Step Functions redrives what failed, was stopped or"
        " timed out, within 14 days.",
    ),
    _row(
        _CODE,
        "States.Runtime",
        "Step Functions could not go on in {place}: {message}",
        "Correct what the message names in the definition; such an error is never retried.",
    ),
    _row(
        _CONFIGURATION,
        "States.Http.StatusCode InvalidConnection",
        "The HTTP API that {place} calls refuses the request: {message}",
        "Compare the request and the connection with what the API wants.",
    ),
    _row(
        _CODE,
        "States.BranchFailed States.TaskFailed States.ALL",
        "{place} failed, and the error does not say why: {message}",
        "Open the execution: the cause may be that of a state inside, or in the function's log.",
        repair=Repair.LOOK,
    ),
    _row(
        _CODE,
        "Lambda.Unknown Function.Unknown Runtime.Unknown Extension.Unknown",
        "The function of {place} ended without saying why: {message}",
        "Read the function's log around that time: memory, timeout or a crash of the process.",
        repair=Repair.LOOK,
    ),
    _row(
        _CODE,
        "Lambda.ResourceNotFound",
        "The function that {place} calls does not exist: {message}",
        "Correct the function's name, version or alias in the definition, or deploy the function.",
    ),
    _row(
        _CONFIGURATION,
        "StateMachineDoesNotExist StateMachineDeleting ActivityDoesNotExist TaskDoesNotExist"
        " ExecutionDoesNotExist",
        "{place} found nothing there{subject}: {message}",
        "It was deleted or never made: deploy again, or correct the name.",
    ),
    _row(
        _CONFIGURATION,
        "ExecutionAlreadyExists StateMachineAlreadyExists ActivityAlreadyExists"
        " DurableExecutionAlreadyStarted",
        "The name that {place} uses is taken: {message}",
        "Choose a name that was not used in the last 90 days.",
    ),
)

_FUNCTIONS: Final = (
    _row(
        _CONFIGURATION,
        f"{_RAISED} Runtime.OutOfMemory Sandbox.Failure",
        "The Lambda function of {place} ran out of memory.",
        "Raise the function's memory; look at the size of the image it held.",
        message=r"signal: killed|out of memory|exit status 137|\bmemory\b",
    ),
    _row(
        _CONFIGURATION,
        "Runtime.OutOfMemory MemoryError",
        "The Lambda function of {place} ran out of memory.",
        "Raise the function's memory; look at the size of the image it held.",
    ),
    _row(
        _CONFIGURATION,
        "",
        "The function of {place} has filled its /tmp: {message}",
        "Raise the function's ephemeral storage, and delete from /tmp what an invocation leaves.",
        message=r"no space left on device|\[Errno 28\]|ENOSPC",
    ),
    _row(
        _CODE,
        "",
        "The function of {place} writes where it may not: {message}",
        "Write under /tmp only: the rest of a function's file system is read-only.",
        message=r"read-only file system|\[Errno 30\]|EROFS",
    ),
    _row(
        _CODE,
        "Runtime.ExitError Runtime.NodejsExit Runtime.UnhandledPromiseRejection"
        " Extension.Crash Extension.InitError Extension.ExitError Extension.LaunchError"
        " Sandbox.Failure Runtime.StreamError",
        "The process of the function behind {place} ended before it answered: {message}",
        "Read the function's log: look for sys.exit, a crash in a native library, or a layer or"
        " extension that does not fit.",
    ),
    _row(
        _CONFIGURATION,
        "Lambda.AWSLambdaException",
        "Lambda refuses the call of {place}: {message}",
        "Correct what the message names.",
        message=r"^(?!.*(?:cannot be assumed|not authorized)).*Status Code: 4(?!08|29)\d\d",
    ),
    _row(
        _CODE,
        "InvalidParameterValue InvalidRuntime ModeNotSupported NoPublishedVersion"
        " RuntimeAliasDeleted RuntimeVersionDeleted CodeArtifactUserDeleted CodeArtifactUserFailed"
        " RecursiveInvocation",
        "Lambda refuses the call of {place}: {message}",
        "Correct what the message names in the function or the definition.",
        repair=Repair.SURROUNDINGS,
    ),
    _row(
        _CONFIGURATION,
        "InvalidSecurityGroupID InvalidSubnetID EFSMountFailure EFSMountConnectivity EFSIO"
        " S3FilesMountFailure S3FilesMountConnectivity SnapStart SnapStartException"
        " SnapStartRegenerationFailure EC2Unexpected",
        "Lambda cannot start the function of {place} as it is configured: {message}",
        "Correct the function's VPC, file system or SnapStart configuration.",
    ),
    _row(
        _AWS,
        "ResourceNotReady ENINotReady SnapStartNotReady CodeArtifactUserPending ModelNotReady",
        "What {place} calls is still starting: {message}",
        "Wait a minute; see that the function is Active and the endpoint is InService.",
    ),
)

_MODELS: Final = (
    _row(
        _CONFIGURATION,
        "",
        "The endpoint {endpoint} does not exist.",
        "Deploy the endpoint, or correct its name where it is set, such as in the function's"
        " environment.",
        message=r"(?:could not find (?:endpoint|variant)"
        r"|(?:endpoint|variant)(?= \S+ (?:of account \S+ )?not found))"
        r" \"?(?:arn:\S+?:endpoint/)?(?P<endpoint>[\w-]+)",
    ),
    _row(
        _CONFIGURATION,
        "ValidationError",
        "The endpoint cannot be called in this way: {message}",
        "Call it as it is made: a model of a multi-model endpoint, an inference component or a"
        " variant must be named; an asynchronous endpoint takes InvokeEndpointAsync.",
        message=r"TargetModel|TargetVariant|inference ?component|\basync|multi-?model|InService",
    ),
    _row(
        _AWS,
        "ModelError ModelStreamError",
        "The model's container did not answer in time: {message}",
        "Read the container's log in CloudWatch, group /aws/sagemaker/Endpoints/<endpoint>:"
        " SageMaker allows 60 s.",
        message=r"invocation timed out|server error \(0\)|timed out while waiting",
        slow=True,
    ),
    _row(
        _CAPACITY,
        "ModelError ModelStreamError",
        "The model's container is overloaded or starting: {message}",
        "See that the endpoint is InService; give it more or larger instances if it recurs.",
        message=r"(?:server|client) error \((?:408|429|502|503|504)\)",
    ),
    _row(
        _INPUT,
        "ModelError ModelStreamError",
        "The model refuses this image: {message}",
        "Open the image; submit a PNG or JPEG that the model was trained for.",
        message=r"client error \((?:400|406|413|415|422)\)",
    ),
    _row(
        _CONFIGURATION,
        "ModelError ModelStreamError",
        "The model's container failed on the image: {message}",
        "Read the container's log in CloudWatch, group /aws/sagemaker/Endpoints/<endpoint>; correct"
        " the model or the image.",
    ),
    _row(
        _CONFIGURATION,
        "",
        "The model's container failed on the image: {message}",
        "Read the container's log in CloudWatch, group /aws/sagemaker/Endpoints/<endpoint>; correct"
        " the model or the image.",
        message=r"received (?:server|client) error \(\d+\) from",
    ),
    _row(
        _INPUT,
        "Validation ValidationError ValidationException",
        "AWS refuses the request of {place}: {message}",
        "Correct what the message names.",
    ),
)

_STORAGE: Final = (
    _row(
        _INPUT,
        "",
        "The image {image} is not in S3.",
        "Upload the image under this key, or correct the key and restart.",
        message=r"\((404|NoSuchKey|NoSuchBucket)\) when calling the (Head|Get)Object",
        repair=Repair.SURROUNDINGS,
    ),
    _row(
        _INPUT,
        "NoSuchBucket",
        "The bucket of {place} does not exist{subject}.",
        "Deploy first (`python -m deploy apply`), or correct the name of the bucket.",
        repair=Repair.SURROUNDINGS,
    ),
    _row(
        _INPUT,
        "NoSuchKey NoSuchVersion",
        "There is no object under that key{subject}.",
        "Check the spelling of the key: capitals, spaces and the folder are part of it.",
        repair=Repair.SURROUNDINGS,
    ),
    _row(
        _INPUT,
        "",
        "The bucket name or key is not one that S3 takes, so nothing was sent: {message}",
        "Correct it: a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens,"
        " without s3:// or a slash; a key is not empty and has 1,024 bytes at most.",
        message=r"Invalid bucket name|bucket name must match|invalid length for parameter"
        r" (?:Key|Bucket)\b",
    ),
    _row(
        _INPUT,
        "InvalidBucketName KeyTooLong KeyTooLongError InvalidURI InvalidDNSNameError"
        " InvalidHostLabelError UnsupportedS3ArnError UnsupportedS3ConfigurationError"
        " UnsupportedS3AccesspointConfigurationError UnsupportedOutpostResourceError"
        " UnsupportedS3ControlArnError UnsupportedS3ControlConfigurationError"
        " EndpointProviderError EndpointResolutionError",
        "The bucket name or key is not one that S3 takes: {message}",
        "Correct it: a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens,"
        " without s3:// or a slash; a key is not empty and has 1,024 bytes at most.",
    ),
    _row(
        _CONFIGURATION,
        "InvalidObjectState ObjectNotInActiveTier",
        "The object is archived (Glacier) and cannot be read{subject}: {message}",
        "Restore the object, or submit a copy of it.",
    ),
    _row(
        _CONFIGURATION,
        "BucketAlreadyExists",
        "The bucket name{subject} is taken by another AWS account.",
        "Choose another project or stage name (SCONES_PROJECT, SCONES_STAGE).",
    ),
    _row(
        _INPUT,
        "PermanentRedirect Redirect TemporaryRedirect 301 307 IllegalLocationConstraint",
        "The bucket{subject} is in another region than the one in use.",
        "Set AWS_REGION to the region of the bucket, or use a bucket of this region.",
        repair=Repair.SURROUNDINGS,
    ),
    _row(
        _AWS,
        "IncompleteBody BadDigest ClientTokenConflict XAmzContentSHA256Mismatch ChecksumError"
        " FlexibleChecksumError AwsChunkedWrapperError UnseekableStreamError",
        "The data were damaged on the way in {place}: {message}",
        "The network damaged or cut a transfer.",
    ),
    _row(
        _CONFIGURATION,
        "AccessControlListNotSupported AccessPointAlreadyOwnedByYou"
        " AmbiguousGrantByEmailAddress BucketAlreadyOwnedByYou BucketNotEmpty"
        " CrossLocationLoggingProhibited DeviceNotActiveError"
        " EncryptionTypeMismatch EntityTooLarge EntityTooSmall"
        " IllegalVersioningConfiguration IncorrectEndpoint IncorrectNumberOfFilesInPostRequest"
        " InlineDataTooLarge InvalidAccessPoint InvalidAccessPointAliasError"
        " InvalidAddressingHeader InvalidArgument InvalidBucketAclWithObjectOwnership"
        " InvalidBucketOwnerAWSAccountID InvalidBucketState InvalidDigest"
        " InvalidEncryptionAlgorithmError InvalidHostHeader InvalidHttpMethod"
        " InvalidLocationConstraint InvalidPart InvalidPartOrder InvalidPolicyDocument"
        " InvalidRange InvalidRegion InvalidRequest InvalidSessionException"
        " InvalidSOAPRequest InvalidStorageClass InvalidTag"
        " InvalidTargetBucketForLogging InvalidWriteOffset MalformedACLError MalformedPolicy"
        " MalformedPOSTRequest MalformedXML MaxMessageLengthExceeded"
        " MaxPostPreDataLengthExceeded MetadataTooLarge MethodNotAllowed MissingAttachment"
        " MissingAuthenticationToken MissingContentLength MissingRequestBodyError"
        " NoLoggingStatusForKey NotDeviceOwnerError NotImplemented NotModified NotSupported"
        " ObjectLockConfigurationNotFound OwnershipControlsNotFound"
        " NoSuchAccessPoint NoSuchBucketPolicy NoSuchCORSConfiguration"
        " NoSuchLifecycleConfiguration NoSuchMultiRegionAccessPoint"
        " NoSuchObjectLockConfiguration NoSuchTagSet NoSuchUpload NoSuchWebsiteConfiguration"
        " NoSuchAsyncRequest ReplicationConfigurationNotFound"
        " ServerSideEncryptionConfigurationNotFound RequestHeaderSectionTooLarge"
        " RequestIsNotMultiPartContent RequestTorrentOfBucketError"
        " ResponseInterrupted RestoreAlreadyInProgress"
        " TokenCodeInvalidError TooManyParts UnexpectedContent UnexpectedIPError"
        " UnsupportedArgument UnsupportedSignature UnresolvableGrantByEmailAddress"
        " UserKeyMustBeSpecified InvalidTokenId NoSuchConfiguration",
        "{place} failed with {error}{subject}: {message}",
        "Correct what the message names; nothing before it is lost.",
    ),
)

_UNSENT: Final = (
    _row(
        _CODE,
        "ParamValidationError",
        "The request of {place} was malformed and was not sent: {message}",
        "Correct the call: what the message names has the wrong type or is missing.",
        message=r"Invalid type for parameter|Missing required parameter|Unknown parameter",
    ),
    _row(
        _INPUT,
        "ParamValidationError RangeError UnknownParameterError AliasConflictParameterError"
        " MissingParametersError UnknownKeyError",
        "The request for {place} was malformed and was not sent: {message}",
        "Correct what was typed or given: the message names the field and what it takes.",
    ),
    _row(
        _CONFIGURATION,
        "ApiVersionNotFoundError BaseEndpointResolverError DataNotFoundError"
        " EndpointDiscoveryException EndpointDiscoveryRefreshFailed EndpointDiscoveryRequired"
        " EndpointVariantError InvalidChecksumConfigError InvalidConfigError InvalidDefaultsMode"
        " InvalidEndpointConfigurationError InvalidEndpointDiscoveryConfigurationError"
        " InvalidExpressionError InvalidIMDSEndpointError InvalidIMDSEndpointModeError"
        " InvalidMaxRetryAttemptsError InvalidProxiesConfigError InvalidRetryConfigurationError"
        " InvalidRetryModeError InvalidS3AddressingStyleError"
        " InvalidS3UsEast1RegionalEndpointConfigError InvalidSTSRegionalEndpointsConfigError"
        " MD5UnavailableError MissingDependencyException OperationNotPageableError PaginationError"
        " UnknownClientMethodError UnknownEndpointResolutionBuiltInName UnknownFIPSEndpointError"
        " UnknownServiceError UnknownServiceStyle UnknownSignatureVersionError"
        " UnsupportedServiceProtocolsError UnsupportedSignatureVersionError WaiterConfigError",
        "botocore refused {place} before anything was sent: {message}",
        "Correct the AWS configuration (region, profile, endpoint) that the message names.",
    ),
    _row(
        _CONFIGURATION,
        "SSLError",
        "AWS could not be reached for {place}: its certificate is not trusted. {message}",
        "Check the proxy and AWS_CA_BUNDLE.",
        message=r"certificate verify failed|self.signed",
    ),
    _row(
        _AWS,
        "EndpointConnectionError ConnectionClosedError ConnectionError ConnectionResetError"
        " ConnectionRefusedError ConnectionAbortedError BrokenPipeError ProxyConnectionError"
        " SSLError HTTPClientError ResponseStreamingError IncompleteReadError"
        " MetadataRetrievalError RemoteDisconnected ProtocolError ECONNRESET ECONNREFUSED",
        "AWS could not be reached for {place}: {message}",
        "Check the network, the proxy and AWS_ENDPOINT_URL (is the local cloud running?); a"
        " function in a VPC needs a NAT or a VPC endpoint.",
    ),
    _row(
        _AWS,
        "",
        "AWS could not be reached for {place}: {message}",
        "See the region and the function's VPC (it needs a NAT or a VPC endpoint).",
        message=r"could not connect to the endpoint url|connection (was closed|reset|refused)",
    ),
    _row(
        _AWS,
        "ResponseParserError AnswerMalformed",
        "The answer to {place} is not one of AWS: {message}",
        "See what answers in AWS's place (a proxy, a sign-in page, AWS_ENDPOINT_URL).",
    ),
    _row(
        _CONFIGURATION,
        "WaiterError",
        "{place} did not reach the state that was waited for: {message}",
        "See in the AWS console where it stands.",
    ),
)

_SERVICES: Final = (
    _row(
        _AWS,
        "InternalError InternalFailure InternalServerError InternalServiceError ServiceException"
        " ServiceFailure ServiceUnavailable InternalDependency InternalStreamFailure"
        " Lambda.ServiceException Lambda.AWSLambdaException Lambda.SdkClientException"
        " SdkClient AmazonServiceException BusyError 500 502 503 504 HTTP500 HTTP502 HTTP503"
        " HTTP504",
        "AWS had a fault of its own in {place}: {message}",
        "Wait a minute; if it lasts, see https://health.aws.amazon.com/.",
    ),
    _row(
        _AWS,
        "ResourceConflict ConcurrentModification Conflict ConditionalRequestConflict"
        " PreconditionFailed OperationAborted ResourceInUse InvalidUpdate",
        "Somebody else is changing the same resource, so {place} was refused: {message}",
        "Is another deploy running? Wait for it to end.",
    ),
    _row(
        _CONFIGURATION,
        "404 NotFound ResourceNotFound",
        "{place} found nothing there{subject}: {message}",
        "It was deleted or never made: deploy again, or correct the name.",
    ),
    _row(
        _INPUT,
        "s3:HeadObject/404",
        "There is no such object, or no such bucket{subject}.",
        "Check the spelling of bucket and key: capitals, spaces and the folder are part of it.",
        repair=Repair.SURROUNDINGS,
    ),
)

_PYTHON: Final = (
    _row(
        _CODE,
        "KeyError",
        "The input of {place} has no key {key!r}: the state before gives another shape.",
        "Compare the output of the state before with what {place} reads; correct the code or its"
        " input and output paths.",
        message=r"'?(?P<key>[^']*)'?",
    ),
    _row(
        _CODE,
        "AttributeError TypeError NameError IndexError ValueError ZeroDivisionError"
        " UnboundLocalError AssertionError SyntaxError NotImplementedError RecursionError"
        " JSONDecodeError UnicodeDecodeError UnicodeEncodeError LookupError IndentationError"
        " OverflowError ArithmeticError binascii.Error StopIteration FileNotFoundError"
        " NotADirectoryError IsADirectoryError ReferenceError Runtime.SyntaxError",
        "The function of {place} has a bug: {error}, {message}",
        "Export a test from this failure and correct the code.",
    ),
)

ROWS: Final = (
    *OUR_OWN,
    *CREDENTIALS,
    *_SLOW,
    *_CAPACITIES,
    *_PERMISSIONS,
    *_STORAGE,
    *_PACKAGES,
    *_MACHINES,
    *_FUNCTIONS,
    *_MODELS,
    *_UNSENT,
    *_SERVICES,
    *_PYTHON,
)
