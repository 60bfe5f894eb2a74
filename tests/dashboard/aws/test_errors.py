"""Botocore's errors in words."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from dashboard.aws.errors import explained
from workflow.errors import WorkflowError


def caught(error: Exception) -> WorkflowError:
    with pytest.raises(WorkflowError) as found, explained("s3:GetObject", "s3://b/k"):
        raise error
    return found.value


def test_an_answer_keeps_awss_own_code_and_names_what_was_asked_for() -> None:
    answer: Any = {
        "Error": {"Code": "NoSuchKey", "Message": "The specified key does not exist."},
        "ResponseMetadata": {"HTTPStatusCode": 404},
    }

    error = caught(ClientError(answer, "GetObject"))

    assert error.code == "NoSuchKey"
    assert "s3://b/k" in error.message
    assert error.remedy


def test_an_answer_without_code_or_message_is_still_a_sentence() -> None:
    error = caught(ClientError({"Error": {}}, "GetObject"))

    assert error.code == "Unknown"
    assert error.message
    assert error.remedy


@pytest.mark.parametrize(
    "error", [NoCredentialsError(), EndpointConnectionError(endpoint_url="http://127.0.0.1:9")]
)
def test_what_never_reached_aws_has_a_remedy(error: Exception) -> None:
    found = caught(error)

    assert found.code == type(error).__name__
    assert found.remedy


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(ZeroDivisionError), explained("s3:GetObject"):
        raise ZeroDivisionError
