"""Quotas: AWS's request rates, kept by token buckets when switched on."""

import threading
import time
from collections.abc import Callable

from localcloud.errors import AwsError
from workflow.quotas import TokenBucket, bucket_of

_RATE_EXCEEDED = "Rate exceeded"
# How each service says it; the others say ThrottlingException.
_REFUSALS = {
    "lambda": ("TooManyRequestsException", _RATE_EXCEEDED, 429),
    "service-quotas": ("TooManyRequestsException", _RATE_EXCEEDED, 429),
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "sns": ("Throttled", _RATE_EXCEEDED, 429),
    "iam": ("Throttling", _RATE_EXCEEDED, 400),
    "sts": ("Throttling", _RATE_EXCEEDED, 400),
    "cloudwatch": ("Throttling", _RATE_EXCEEDED, 400),
}


class Quotas:
    """Token buckets, one for each operation, or for all that AWS counts together.

    Args:
        enabled: Whether calls are throttled at all.
        region: The region whose rates hold.
        clock: Seconds that never go back.
    """

    def __init__(
        self, *, enabled: bool, region: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._enabled = enabled
        self._region = region
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take_token(self, service: str, operation: str) -> None:
        """Take a token for a call.

        Raises:
            AwsError: Where none is left, as the service says it.
        """
        bucket = bucket_of(service, operation, self._region) if self._enabled else None
        if bucket is None or self._take_from(bucket):
            return
        raise AwsError(*_REFUSALS.get(service, ("ThrottlingException", _RATE_EXCEEDED, 400)))

    def _take_from(self, bucket: TokenBucket) -> bool:
        quota = bucket.quota
        with self._lock:
            moment = self._clock()
            left, seen = self._buckets.get(bucket.name, (float(quota.capacity), moment))
            # Refilled when it is asked, so that no thread has to.
            left = min(quota.capacity, left + (moment - seen) * quota.refill)
            self._buckets[bucket.name] = (left - 1 if left >= 1 else left, moment)
        return left >= 1
