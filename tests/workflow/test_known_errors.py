"""Every documented error has its row; an unknown one has none, and never passes by itself."""

import json
import subprocess
import sys
from collections.abc import Iterator

import botocore.exceptions
import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import given
from hypothesis import strategies as st

from workflow.error_rows import ROWS
from workflow.known_errors import (
    AwsAnswer,
    Blame,
    Repair,
    find,
    is_throttling,
    passes_at_once,
    passes_by_itself,
    read_error,
)

STATES = (
    "ALL",
    "BranchFailed",
    "DataLimitExceeded",
    "ExceedToleratedFailureThreshold",
    "HeartbeatTimeout",
    "Http.Socket",
    "IntrinsicFailure",
    "ItemReaderFailed",
    "NoChoiceMatched",
    "ParameterPathFailure",
    "Permissions",
    "QueryEvaluationError",
    "ResultPathMatchFailure",
    "ResultWriterFailed",
    "Runtime",
    "TaskFailed",
    "Timeout",
)
RUNTIME = (
    "Lambda.Unknown",
    "Runtime.Unknown",
    "Function.Unknown",
    "Extension.Unknown",
    "Runtime.ExitError",
    "Runtime.HandlerNotFound",
    "Runtime.ImportModuleError",
    "Runtime.InvalidEntrypoint",
    "Runtime.InvalidWorkingDir",
    "Runtime.MalformedHandlerName",
    "Runtime.MarshalError",
    "Runtime.NodejsExit",
    "Runtime.OutOfMemory",
    "Runtime.TruncatedResponse",
    "Runtime.UnmarshalError",
    "Runtime.UserCodeSyntaxError",
    "Sandbox.Failure",
    "Sandbox.Timedout",
    "Function.ResponseSizeTooLarge",
    "Extension.Crash",
)
S3 = (
    "AccessDenied",
    "AccountProblem",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "BadDigest",
    "BucketAlreadyExists",
    "EntityTooLarge",
    "ExpiredToken",
    "IncompleteBody",
    "InternalError",
    "InvalidAccessKeyId",
    "InvalidArgument",
    "InvalidBucketName",
    "InvalidObjectState",
    "InvalidRange",
    "InvalidRequest",
    "InvalidURI",
    "KeyTooLongError",
    "MalformedXML",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
    "NotImplemented",
    "NotSignedUp",
    "OperationAborted",
    "PermanentRedirect",
    "PreconditionFailed",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "ServiceUnavailable",
    "SignatureDoesNotMatch",
    "SlowDown",
    "TemporaryRedirect",
    "UnsupportedArgument",
)
NOT_ERRORS_OF_A_CALL = {
    "StubAssertionError",
    "StubResponseError",
    "UnStubbedResponseError",
    "SDKTestError",
}


def documented(service: str, operation: str | None = None) -> Iterator[str]:
    model = botocore.session.get_session().get_service_model(service)
    for name in [operation] if operation else model.operation_names:
        for shape in model.operation_model(name).error_shapes:
            yield shape.name


def raised(kind: type[BotoCoreError] = BotoCoreError) -> Iterator[str]:
    for below in kind.__subclasses__():
        if below.__module__ == "botocore.exceptions":
            yield below.__name__
            yield from raised(below)


NAMES = sorted(
    {
        *documented("lambda", "Invoke"),
        *documented("sagemaker-runtime"),
        *documented("stepfunctions"),
        *(f"Lambda.{name}" for name in documented("lambda", "Invoke")),
        *(f"States.{name}" for name in STATES),
        *RUNTIME,
        *S3,
        *raised(),
    }
    - NOT_ERRORS_OF_A_CALL
)


@pytest.mark.parametrize("name", NAMES)
def test_every_documented_error_has_a_row(name: str) -> None:
    assert find((name,)) is not None


@given(st.text(), st.text())
def test_words_are_whole_for_any_error(name: str, message: str) -> None:
    found = find((name,), message)

    if found is not None:
        said = found.words(place="p", message="m", subject="", image="i", error="e")
        assert said.cause
        assert said.remedy


def test_every_row_can_be_filled_and_says_what_to_do() -> None:
    known = dict.fromkeys(("place", "message", "subject", "image", "error"), "?")
    for row in ROWS:
        match = row.search("") if row.message else None
        groups = dict.fromkeys(() if match is None else match.groupdict(), "?")
        named = {"role": "?", "action": "?", "resource": "?", "seconds": "?", "handler": "?"}
        more = {"module": "?", "operation": "?", "code": "?", "endpoint": "?", "key": "?"}
        assert row.cause.format_map(known | groups | named | more)
        assert row.remedy
        assert row.names or row.message


@pytest.mark.parametrize(
    "name",
    ["Weird", "", "Exception", "Error", "RuntimeError", "ClientError", "OSError", "None"],
)
@pytest.mark.parametrize("message", ["", "something odd"])
def test_an_unknown_error_has_no_row_and_does_not_pass(name: str, message: str) -> None:
    assert find((name,), message) is None
    assert not passes_by_itself(name, message)


@pytest.mark.parametrize(
    ("name", "message", "blame", "passes"),
    [
        ("States.Runtime", "the maximum number of history events (25000).", Blame.CODE, False),
        ("States.Runtime", "The JSONPath '$.a' could not be found", Blame.CODE, False),
        ("Lambda.AWSLambdaException", "", Blame.AWS, True),
        ("Lambda.AWSLambdaException", "odd (Status Code: 400)", Blame.CONFIGURATION, False),
        ("Lambda.AWSLambdaException", "odd (Status Code: 429)", Blame.CAPACITY, True),
        ("Lambda.AWSLambdaException", "role cannot be assumed by Lambda", Blame.PERMISSION, False),
        (
            "Lambda.AWSLambdaException",
            "The execution role is not authorized",
            Blame.PERMISSION,
            False,
        ),
        ("PermissionError", "[Errno 13] Permission denied: '/var/task/x'", Blame.CODE, False),
        ("Lambda.Unknown", "Task timed out after 3.00 seconds", Blame.CAPACITY, True),
        ("OSError", "[Errno 28] No space left on device", Blame.CONFIGURATION, False),
        ("SSLError", "certificate verify failed", Blame.CONFIGURATION, False),
        ("SSLError", "EOF occurred", Blame.AWS, True),
        ("ParamValidationError", "Invalid bucket name", Blame.INPUT, False),
        ("ParamValidationError", "Invalid type for parameter Key", Blame.CODE, False),
        ("S3.NoSuchKeyException", "", Blame.INPUT, False),
        ("SageMakerRuntime.ModelErrorException", "server error (0)", Blame.AWS, True),
        ("ModelError", "Received client error (415) from primary", Blame.INPUT, False),
        ("ModelError", "Received server error (503) from primary", Blame.CAPACITY, True),
        ("NewlyThrottledException", "", Blame.CAPACITY, True),
        ("SomethingNotFoundException", "", Blame.CONFIGURATION, False),
        ("States.Http.StatusCode.503", "", Blame.AWS, True),
        ("States.Http.StatusCode.404", "", Blame.CONFIGURATION, False),
        ("Odd", "(Service: X; Status Code: 503; Request ID: 1)", Blame.AWS, True),
        ("Odd", "(Service: X; Status Code: 400; Error Code: Throttling)", Blame.CAPACITY, True),
        ("InvalidInput", "Task timed out after 3.00 seconds", Blame.INPUT, False),
    ],
)
def test_message_and_name_decide_together(
    name: str,
    message: str,
    blame: Blame,
    passes: bool,  # noqa: FBT001 - a parameter of the cases
) -> None:
    found = find((name,), message)

    assert found is not None
    assert (found.row.blame, found.row.passes) == (blame, passes)


def test_an_arn_that_is_none_says_nothing_of_the_definition() -> None:
    found = find(("InvalidArn",), "Invalid Arn: 'nope'")

    assert found is not None
    assert "definition" not in found.row.cause + found.row.remedy


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_a_status_that_passes_does_so_under_any_name(status: int) -> None:
    assert passes_by_itself("Odd", status=status)


@pytest.mark.parametrize("status", [0, 200, 400, 403, 404, 409, 418])
def test_other_statuses_do_not_make_an_unknown_error_pass(status: int) -> None:
    assert not passes_by_itself("Odd", status=status)


def test_only_too_many_calls_are_throttling() -> None:
    def said(code: str, status: int = 0) -> AwsAnswer:
        return AwsAnswer(code, "", status)

    assert is_throttling(said("SlowDown"))
    assert is_throttling(said("Odd", 429))
    others = ("ReadTimeoutError", "LimitExceededException", "InternalFailure", "Weird", "")
    assert not any(is_throttling(said(code)) for code in others)


def test_what_was_waited_for_in_vain_is_not_asked_again_at_once() -> None:
    def said(code: str, status: int = 0) -> AwsAnswer:
        return AwsAnswer(code, "", status)

    assert all(map(passes_at_once, (said("ConnectionClosedError"), said("Odd", 500), said("503"))))
    assert not any(map(passes_at_once, (said("ReadTimeoutError"), said("AccessDenied"), said(""))))


@pytest.mark.parametrize(
    "said",
    [
        {"Code": None, "Message": None},
        {"Code": "", "Message": ""},
        {},
        None,
        {"Code": 503, "Message": None},
    ],
)
def test_what_aws_leaves_out_breaks_nothing(said: object) -> None:
    for response in (
        {"Error": said, "ResponseMetadata": {"HTTPStatusCode": 503}},
        {"Error": said, "ResponseMetadata": None},
        {"Error": said},
    ):
        error = ClientError({"Error": {}}, "GetObject")
        error.response = response  # type: ignore[assignment]

        found = read_error(error)

        assert "None" not in f"{found.code} {found.message} {found.status}"
        assert found.code


def test_an_exception_without_an_answer_is_called_by_its_class() -> None:
    found = read_error(botocore.exceptions.NoCredentialsError())

    assert (found.code, found.status) == ("NoCredentialsError", 0)
    assert found.message


@pytest.mark.process
def test_a_function_can_import_the_table_with_the_standard_library_alone() -> None:
    program = (
        "import json, sys; import workflow.contract; "
        "print(json.dumps([m for m in sys.modules if '.' not in m]))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, check=True, text=True
    )

    loaded = set(json.loads(done.stdout)) - {"workflow"}
    assert loaded <= {*sys.stdlib_module_names, "__main__"}


def test_what_passes_is_to_be_waited_for_and_nothing_else() -> None:
    assert all(row.passes == (row.repair is Repair.WAIT) for row in ROWS)
    assert all(row.blame in (Blame.AWS, Blame.CAPACITY) for row in ROWS if row.passes)


@pytest.mark.parametrize("name", ["States.TaskFailed", "Lambda.Unknown", "Runtime.Unknown"])
def test_a_name_that_says_nothing_is_to_be_looked_at(name: str) -> None:
    found = find((name,), "odd")

    assert found is not None
    assert found.row.repair is Repair.LOOK
