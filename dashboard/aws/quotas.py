"""Pace AWS calls at the rates AWS publishes, and back off when it throttles all the same."""

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from workflow.errors import WorkflowError
from workflow.known_errors import is_throttling, passes_at_once, read_error
from workflow.quotas import Quota, bucket_of

T = TypeVar("T")

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 20.0
MOST_FAULTS = 4
"""How often a 500 or a broken connection is asked again: within two seconds or so."""

FIRST_PAUSE_S = 0.05


_PACED = ("stepfunctions", "logs")
"""The services whose operations are paced; no operation has a bucket in both."""


def find_quota(operation: str, region: str) -> Quota:
    """Return AWS's default quota of one API operation in one region.

    Raises:
        KeyError: For an operation without a published bucket, which is a mistake in the caller.
    """
    for service in _PACED:
        if bucket := bucket_of(service, operation, region):
            return bucket.quota
    raise KeyError(operation)


class OperationBucket:
    """One operation's bucket; safe to share between threads.

    Args:
        limit: How many tokens it holds and how fast it refills.
        clock: Seconds that never go backwards.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self,
        limit: Quota,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._sleep = sleep
        self._tokens = float(limit.capacity)
        self._at = clock()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take one token, sleeping until it is there.

        The token is booked before sleeping, so waiting threads queue instead of racing.

        Returns:
            The seconds slept.
        """
        with self._lock:
            self._refill()
            self._tokens -= 1
            wait = max(0.0, -self._tokens / self._limit.refill)
        if wait:
            self._sleep(wait)
        return wait

    def seconds_to_wait(self) -> float:
        """Return the seconds until ``take`` would return at once."""
        with self._lock:
            self._refill()
            return max(0.0, (1 - self._tokens) / self._limit.refill)

    def count_ready(self) -> int:
        """Return how many tokens could be taken without waiting."""
        with self._lock:
            self._refill()
            return max(0, int(self._tokens))

    def drain(self) -> None:
        """Believe AWS that nothing is left, whoever in the account has used it up."""
        with self._lock:
            self._refill()
            self._tokens = min(self._tokens, 0.0)

    def _refill(self) -> None:
        now = self._clock()
        grown = self._tokens + (now - self._at) * self._limit.refill
        self._tokens = min(float(self._limit.capacity), grown)
        self._at = now


class Pacer:
    """Every paced call of one account and region goes through one of these.

    Args:
        region: Chooses the quotas.
        patience_s: How long one call may be throttled before it is given up.
        clock: Seconds that never go backwards.
        sleep: Waits for a number of seconds.
        jitter: A number in 0 to 1, drawn for each backoff.
    """

    def __init__(
        self,
        region: str,
        *,
        patience_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._region = region
        self._patience_s = patience_s
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._buckets: dict[str, OperationBucket] = {}
        self._lock = threading.Lock()
        self.calls: dict[str, int] = {}
        self.throttled = 0

    def get_bucket(self, operation: str) -> OperationBucket:
        """Return the bucket of an operation, made on first use."""
        with self._lock:
            if operation not in self._buckets:
                limit = find_quota(operation, self._region)
                self._buckets[operation] = OperationBucket(
                    limit, clock=self._clock, sleep=self._sleep
                )
            return self._buckets[operation]

    def call(self, operation: str, request: Callable[[], T]) -> T:
        """Make one paced call; what is throttled or passes at once is repeated with full jitter.

        Args:
            operation: The API operation, such as ``GetExecutionHistory``.
            request: Makes the call; every paced operation may be sent twice.

        Raises:
            WorkflowError: ``Throttled`` when AWS refuses for longer than the patience.
            ClientError, BotoCoreError: Any other refusal, or one that has not passed, unchanged.
        """
        started, throttled, faults = self._clock(), 0, 0
        while True:
            # For each try: a repeated call is a call like any other to AWS.
            self._take_token(operation)
            try:
                return request()
            except (BotoCoreError, ClientError) as error:
                said = read_error(error)
                if is_throttling(said):
                    throttled += 1
                elif passes_at_once(said) and faults < MOST_FAULTS:
                    faults += 1
                    self._sleep(self._jitter() * FIRST_PAUSE_S * 2.0**faults)
                    continue
                else:
                    raise
            # AWS knows better what is left: others in the account take from the same bucket.
            self._note_throttling(operation, started)
            self._sleep(self._draw_backoff(throttled - 1))

    def _take_token(self, operation: str) -> None:
        self.get_bucket(operation).take()
        with self._lock:
            self.calls[operation] = self.calls.get(operation, 0) + 1

    def _note_throttling(self, operation: str, started: float) -> None:
        with self._lock:
            self.throttled += 1
        self.get_bucket(operation).drain()
        if self._clock() - started > self._patience_s:
            raise _throttled_error(operation, self._region, self._patience_s)

    def _draw_backoff(self, attempt: int) -> float:
        # Full jitter: AWS Architecture Blog, "Exponential Backoff And Jitter".
        return self._jitter() * min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0**attempt)


def _throttled_error(operation: str, region: str, patience_s: float) -> WorkflowError:
    return WorkflowError(
        "Throttled",
        f"AWS has throttled {operation} in {region} for more than {patience_s:.0f} s.",
        "Something else in the account uses the quota; what is missing is fetched on the next "
        "pass, or ask AWS for a higher quota.",
    )
