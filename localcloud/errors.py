"""AwsError: an answer that AWS would give with a 4xx or 5xx status."""

from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """An error as an AWS service answers it; every protocol serialises it in its own way.

    Attributes:
        code: The error code a client sees, such as ``ResourceNotFoundException``.
        message: The sentence a client sees.
        status: The HTTP status.
        members: Further members of the error's shape, such as ``OriginalStatusCode``.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})
