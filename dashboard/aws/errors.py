"""Botocore's errors taken apart, for ``workflow.aws_errors`` to say in words."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from workflow.aws_errors import translate
from workflow.errors import WorkflowError
from workflow.known_errors import read_error


def explain(error: BotoCoreError | ClientError, operation: str, subject: str = "") -> WorkflowError:
    """Say what an AWS call ran into and what to do about it.

    Args:
        error: What boto3 raised.
        operation: ``service:Operation`` that was called, such as ``s3:GetObject``.
        subject: Name or ARN of what was asked for.
    """
    said = read_error(error)
    return translate(
        operation=operation,
        code=said.code,
        message=said.message,
        status=said.status,
        subject=subject,
    )


@contextmanager
def explained(operation: str, subject: str = "") -> Iterator[None]:
    """Raise what boto3 raises in this block as a ``WorkflowError``.

    Raises:
        WorkflowError: In place of any ``ClientError`` or ``BotoCoreError``, under AWS's own code.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise explain(error, operation, subject) from error
