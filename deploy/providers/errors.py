"""What botocore raises, taken apart for ``workflow.aws_errors``."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from workflow import aws_errors
from workflow.errors import WorkflowError


def code_of(error: ClientError) -> str:
    """AWS's error code, such as ``NoSuchEntity``."""
    return error.response.get("Error", {}).get("Code", "Unknown")


def message_of(error: ClientError) -> str:
    """AWS's own message."""
    return error.response.get("Error", {}).get("Message", "")


@contextmanager
def explained(service: str, subject: str) -> Iterator[None]:
    """Turn whatever botocore raises inside into a ``WorkflowError``.

    Args:
        service: botocore's name of the service, such as ``lambda``.
        subject: What the calls are about, for the sentence.
    """
    try:
        yield
    except ClientError as error:
        raise explain(error, service, subject) from error
    except BotoCoreError as error:
        raise aws_errors.translate(
            operation=service, code=type(error).__name__, message=str(error), subject=subject
        ) from error


def explain(error: ClientError, service: str, subject: str) -> WorkflowError:
    """The ``WorkflowError`` for an answer of AWS."""
    return aws_errors.translate(
        operation=f"{service}:{error.operation_name}",
        code=code_of(error),
        message=message_of(error),
        status=error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0),
        subject=subject,
    )
