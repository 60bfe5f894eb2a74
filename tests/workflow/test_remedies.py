"""Known failures are named with their cause and remedy; unknown ones say that they are unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflow.histories import failure, lambda_cause
from workflow import contract
from workflow.executions import Kind
from workflow.known_errors import Repair
from workflow.remedies import diagnose

DENIED = (
    "An error occurred (AccessDeniedException) when calling the InvokeEndpoint operation: User: "
    "arn:aws:sts::123456789012:assumed-role/classify/fn is not authorized to perform: "
    "sagemaker:InvokeEndpoint on resource: arn:aws:sagemaker:eu-west-1:123456789012:endpoint/x, "
    "because no policy allows it"
)


@pytest.mark.parametrize(
    ("error", "message", "kind", "words"),
    [
        ("ClientError", DENIED, Kind.PERMISSION, "The role classify may not do sagemaker:InvokeE"),
        ("ClientError", DENIED, Kind.PERMISSION, "endpoint/x."),
        ("Runtime.ImportModuleError", "No module named 'PIL'", Kind.CODE, "The package PIL is not"),
        ("Runtime.ImportModuleError", "cannot import name", Kind.CODE, "cannot load the handler"),
        ("KeyError", "'inferences'", Kind.CODE, "no key 'inferences'"),
        ("KeyError", "", Kind.CODE, "(not named)"),
        (
            "ClientError",
            "An error occurred (404) when calling the HeadObject operation: Not Found",
            Kind.BAD_INPUT,
            "The image s3://b/k is not in S3",
        ),
        (
            "ClientError",
            "An error occurred (403) when calling the HeadObject operation: Forbidden",
            Kind.PERMISSION,
            "AWS refuses HeadObject",
        ),
        (
            "ModelError",
            "Received server error (500) from primary with message no",
            Kind.FAULT,
            "container failed",
        ),
        ("Sandbox.Timedout", "Task timed out after 3.00 seconds", Kind.TIMEOUT, "3.00 s"),
        ("States.Timeout", "", Kind.TIMEOUT, "ClassifyImage did not answer"),
        ("ReadTimeoutError", "Read timeout", Kind.TIMEOUT, "did not answer in time"),
        ("Lambda.TooManyRequestsException", "Rate Exceeded", Kind.THROTTLING, "too many"),
        ("ClientError", "An error occurred (ThrottlingException)", Kind.THROTTLING, "too many"),
        ("States.NoChoiceMatched", "", Kind.CODE, "definition does not fit"),
        ("States.DataLimitExceeded", "", Kind.BAD_INPUT, "256 KiB"),
        ("Runtime.ExitError", "signal: killed", Kind.FAULT, "ran out of memory"),
        (
            "ValidationError",
            "Endpoint scones of account 123456789012 not found.",
            Kind.FAULT,
            "scon",
        ),
        ("EndpointConnectionError", "Could not connect to the endpoint URL", Kind.FAULT, "reach"),
        ("Weird", "odd", Kind.FAULT, "No known signature: Weird, odd"),
        (
            "Runtime.ImportModuleError",
            "Unable to import module 'app.main': No module named 'app'",
            Kind.CODE,
            "handler's own module app.main",
        ),
        (
            "Runtime.ImportModuleError",
            "Unable to import module 'f': No module named 'numpy.core._multiarray_umath'",
            Kind.CODE,
            "another processor architecture",
        ),
        (
            "Runtime.ImportModuleError",
            "Unable to import module 'f': No module named 'application'",
            Kind.CODE,
            "The package application is not",
        ),
        ("Runtime.MarshalError", "Object of type bytes is not", Kind.CODE, "not JSON"),
        ("Lambda.ResourceNotFoundException", "Function not found", Kind.CODE, "does not exist"),
        (
            "Lambda.AWSLambdaException",
            "role x cannot be assumed by Lambda",
            Kind.PERMISSION,
            "trust",
        ),
        ("States.Runtime", "maximum number of history events (25000)", Kind.CODE, "25,000 events"),
        (
            "States.Runtime",
            "The JSONPath '$.a' could not be found in the input '{\"a\": \"Rate exceeded\"}'",
            Kind.CODE,
            "definition does not fit",
        ),
        ("OSError", "[Errno 28] No space left on device", Kind.FAULT, "has filled its"),
        ("Lambda.Unknown", "odd", Kind.CODE, "without saying why"),
        ("", "", Kind.FAULT, "an error without name, no cause is recorded"),
        ("Silent.ErrorInOutput", "no image", Kind.SILENT, '"no image"'),
    ],
)
def test_a_known_failure_is_named(error: str, message: str, kind: Kind, words: str) -> None:
    cause = lambda_cause(message, error) if message else ""

    found = diagnose(failure(error=error, cause=cause, image="s3://b/k"))

    assert (found.kind, words in found.cause) == (kind, True), found.cause
    assert found.remedy


@pytest.mark.parametrize(
    ("error", "kind", "repair"),
    [
        ("InvalidInput", Kind.BAD_INPUT, Repair.INPUT),
        ("ImageNotFound", Kind.BAD_INPUT, Repair.SURROUNDINGS),
        ("ImageAccessDenied", Kind.PERMISSION, Repair.SURROUNDINGS),
        ("ImageTooLarge", Kind.BAD_INPUT, Repair.INPUT),
        ("NotAnImage", Kind.BAD_INPUT, Repair.INPUT),
        ("ImageChanged", Kind.BAD_INPUT, Repair.INPUT),
        ("StorageUnavailable", Kind.FAULT, Repair.WAIT),
        ("EndpointNotFound", Kind.FAULT, Repair.SURROUNDINGS),
        ("EndpointAccessDenied", Kind.PERMISSION, Repair.SURROUNDINGS),
        ("EndpointUnavailable", Kind.FAULT, Repair.WAIT),
        ("ModelRejected", Kind.BAD_INPUT, Repair.INPUT),
        ("ServiceRefused", Kind.FAULT, Repair.SURROUNDINGS),
        ("BadInference", Kind.FAULT, Repair.SURROUNDINGS),
        (contract.REJECTED, Kind.REJECTION, Repair.NOTHING),
    ],
)
def test_every_error_of_the_contract_is_known(error: str, kind: Kind, repair: Repair) -> None:
    found = diagnose(failure(error=error, cause=lambda_cause("told", error)))

    assert (found.kind, found.repair) == (kind, repair)
    assert "No known signature" not in found.cause


def test_no_error_of_the_contract_is_missing_above() -> None:
    errors = contract.ContractError.__subclasses__()

    assert all(
        "No known signature" not in diagnose(failure(error=error.__name__, cause="told")).cause
        for error in errors
    )


def test_an_error_that_a_message_only_quotes_is_not_taken_for_silent() -> None:
    found = diagnose(failure(error="Exception", cause=lambda_cause("Silent.NoInference", "E")))

    assert found.kind is Kind.FAULT


def test_a_role_is_named_by_its_last_part() -> None:
    told = (
        "arn:aws:iam::123456789012:role/path/to/deployer is not authorized to perform: s3:PutObject"
    )
    user = "someone is not authorized to perform: s3:PutObject on resource: r"

    assert "The role deployer may" in diagnose(failure(error="E", cause=told)).cause
    assert "The role someone may not do s3:PutObject on r." in (
        diagnose(failure(error="E", cause=user)).cause
    )


@given(
    error=st.sampled_from(["", "KeyError", "ClientError", "States.Timeout", "Silent.X"])
    | st.text(),
    cause=st.text() | st.text().map(lambda_cause),
    state=st.text(),
)
def test_no_failure_is_left_without_words(error: str, cause: str, state: str) -> None:
    found = diagnose(failure(error=error, cause=cause, state=state))

    assert found.cause
    assert found.remedy
