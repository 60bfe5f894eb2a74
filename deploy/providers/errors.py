"""What botocore raises, taken apart for ``workflow.aws_errors``."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from deploy.cloud import RefusedError
from workflow import aws_errors
from workflow.known_errors import read_error

_NAMES_OF_STATUS: Final = {
    "400": "BadRequest",
    "403": "AccessDenied",
    "500": "InternalError",
    "503": "SlowDown",
}
"""S3's error codes for the statuses that botocore reports: an answer to HEAD has no body.

Source: Amazon S3 API Reference, HeadBucket and Error responses.
"""


def code_of(error: ClientError) -> str:
    """Return AWS's error code, such as ``NoSuchEntity``."""
    return read_error(error).code


def message_of(error: ClientError) -> str:
    """Return AWS's own message; may be empty."""
    return read_error(error).message


@contextmanager
def explained(service: str, subject: str) -> Iterator[None]:
    """Turn whatever botocore raises inside into a ``WorkflowError``.

    Args:
        service: botocore's name of the service, such as ``lambda``.
        subject: What the calls are about, for the sentence.
    """
    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise explain_error(error, service, subject) from error


def explain_error(error: Exception, service: str, subject: str) -> RefusedError:
    """Say what an AWS call ran into and what to do about it; ``error`` is botocore's."""
    said = read_error(error)
    name = getattr(error, "operation_name", "")
    operation = f"{service}:{name}" if name else service
    translated = aws_errors.translate(
        operation=operation,
        code=_NAMES_OF_STATUS.get(said.code, said.code),
        message=said.message,
        status=said.status,
        subject=subject,
    )
    return RefusedError(
        translated.code,
        translated.message,
        translated.remedy,
        operation=operation,
        said=said.message,
    )
