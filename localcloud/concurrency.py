"""Concurrency: how many invocations of functions may run at once, as Lambda counts them.

Source: Lambda developer guide, "Understanding Lambda function scaling". An account runs 1,000 at a
time (a new one often 10); what is reserved for a function is its limit and nobody else's.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from localcloud.errors import AwsError

_UNRESERVED_AT_LEAST = 100


class Throttled(AwsError):  # noqa: N818 - AWS's word
    """``TooManyRequestsException``, for the reason that is given in AWS's word."""

    def __init__(self, reason: str) -> None:
        members = {"Reason": reason, "Type": "User"}
        super().__init__("TooManyRequestsException", "Rate Exceeded.", 429, members)


class Concurrency:
    """Counts the invocations that run and throttles those above a limit.

    Args:
        limit: How many invocations the account may run at once.

    Attributes:
        limit: The same.
        reserved: How many of them are reserved for a function, by its name.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.reserved: dict[str, int] = {}
        self._running: Counter[str] = Counter()
        self._changed = threading.Condition()

    @property
    def unreserved(self) -> int:
        """How many invocations the functions without a reservation may run at once."""
        return self.limit - sum(self.reserved.values())

    def reserve(self, name: str, count: int) -> None:
        """Reserve concurrency for a function.

        Raises:
            AwsError: ``InvalidParameterValueException`` where too little would be left to others.
        """
        least = min(_UNRESERVED_AT_LEAST, self.limit)
        if self.unreserved + self.reserved.get(name, 0) - count < least:
            raise AwsError(
                "InvalidParameterValueException",
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{least}].",
            )
        self.release(name)
        self.reserved[name] = count

    def release(self, name: str) -> None:
        """Give up what is reserved for a function, if anything is."""
        with self._changed:
            self.reserved.pop(name, None)
            self._changed.notify_all()

    @contextmanager
    def hold_slot(self, name: str, *, patient: bool = False) -> Iterator[None]:
        """Count one invocation while it runs.

        Args:
            name: The function.
            patient: Wait for a free slot, as invocations from a queue of Lambda do.

        Raises:
            Throttled: None is free, or none ever will be.
        """
        with self._changed:
            while reason := self._throttle_reason(name):
                # With 0 reserved no slot would ever be free.
                if not patient or self.reserved.get(name) == 0:
                    raise Throttled(reason)
                self._changed.wait()
            self._running[name] += 1
        try:
            yield
        finally:
            with self._changed:
                self._running[name] -= 1
                self._changed.notify_all()

    def _throttle_reason(self, name: str) -> str | None:
        """Return why an invocation is throttled now, in AWS's word; None where it may run."""
        if name in self.reserved:
            full = self._running[name] >= self.reserved[name]
            return "ReservedFunctionConcurrentInvocationLimitExceeded" if full else None
        others = sum(count for other, count in self._running.items() if other not in self.reserved)
        return "ConcurrentInvocationLimitExceeded" if others >= self.unreserved else None
