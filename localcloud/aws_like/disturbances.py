"""Disturbances: now and then AWS fails itself, a connection breaks, an answer comes late.

Between two of them are 40 to 120 undisturbed calls, so that a client that tries again succeeds.
"""

import threading
from dataclasses import dataclass
from enum import Enum
from typing import Final

from localcloud.aws_like.account import AwsLike
from localcloud.errors import AwsError

_GAP: Final = (40, 120)
_LATE_SECONDS: Final = (1.0, 6.0)
_FAULTS: Final = {
    "s3": ("InternalError", "We encountered an internal error. Please try again.", 500),
    "lambda": (
        "ServiceException",
        "An error occurred and the request cannot be processed.",
        500,
    ),
    "sagemaker-runtime": ("InternalFailure", "Internal failure", 500),
    "stepfunctions": (
        "InternalFailure",
        "The request processing has failed because of an unknown error, exception or failure.",
        500,
    ),
}
_ANY_FAULT: Final = (
    "ServiceUnavailable",
    "The request has failed due to a temporary failure of the server.",
    503,
)


class DisturbanceKind(Enum):
    """What happens to a call.

    ``LOST`` breaks the connection before the call is made, ``UNANSWERED`` after.
    """

    FAULT = "fault"
    LOST = "lost"
    UNANSWERED = "unanswered"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What happens to one call.

    Attributes:
        kind: What it is.
        seconds: How late the answer is.
    """

    kind: DisturbanceKind
    seconds: float = 0.0


class Disturbances:
    """Draws what happens to one call after the other.

    Args:
        aws_like: Seed and speed.
    """

    def __init__(self, aws_like: AwsLike) -> None:
        self._speed = aws_like.speed
        self._random = aws_like.random_for("disturbances")
        self._lock = threading.Lock()
        self._left = self._random.randint(*_GAP)

    def draw_next(self) -> Disturbance | None:
        """Return what happens to the next call; mostly nothing."""
        with self._lock:
            self._left -= 1
            if self._left:
                return None
            self._left = self._random.randint(*_GAP)
            kind = self._random.choice(list(DisturbanceKind))
            late = self._random.uniform(*_LATE_SECONDS) / self._speed
        return Disturbance(kind, late if kind is DisturbanceKind.LATE else 0.0)


def fault_error(service: str) -> AwsError:
    """Return the error that a service answers where it fails itself."""
    return AwsError(*_FAULTS.get(service, _ANY_FAULT))
