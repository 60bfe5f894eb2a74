"""Failure: the error and cause that a state ends with, and which Retry or Catch takes it."""

from collections.abc import Mapping, Sequence
from typing import Any

RUNTIME = "States.Runtime"
TIMEOUT = "States.Timeout"
# Errors that neither States.ALL nor States.TaskFailed takes.
_NOT_ALL = (RUNTIME, "States.DataLimitExceeded")
_TIMEOUTS = (TIMEOUT, "States.HeartbeatTimeout")


class StateFailure(Exception):  # noqa: N818 - an outcome of the language
    """A state that failed.

    Args:
        error: Its name; None for a Fail state that has none.
        cause: Why, if it is known.
        own: Whether evaluating a field of the state itself raised it.
    """

    def __init__(self, error: str | None, cause: str | None = None, *, own: bool = False) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause
        self.own = own

    @property
    def output(self) -> dict[str, str]:
        """What a Catch passes on."""
        return {"Error": self.error or "", "Cause": self.cause or ""}


def find_handler(rules: Sequence[Mapping[str, Any]], error: str | None) -> int | None:
    """Return the index of the first Retry or Catch rule that takes an error; None for no rule.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """
    for index, rule in enumerate(rules):
        names = rule["ErrorEquals"]
        every = "States.ALL" in names and error not in _NOT_ALL
        task = "States.TaskFailed" in names and error not in (*_NOT_ALL, *_TIMEOUTS)
        late = TIMEOUT in names and error in _TIMEOUTS
        if error in names or every or task or late:
            return index
    return None
