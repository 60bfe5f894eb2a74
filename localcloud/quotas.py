"""Quotas: AWS's request rates of Step Functions, kept by token buckets when switched on.

Source: Step Functions developer guide, "Service quotas", API action throttling, for the large
regions (us-east-1, us-west-2, eu-west-1) and the others.
"""

import threading
import time
from collections.abc import Callable

from localcloud.errors import AwsError

_LARGE_REGIONS = ("us-east-1", "us-west-2", "eu-west-1")

# Operation -> (bucket size, refill a second) in large regions and in others.
_BUCKETS: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "ListExecutions": ((200, 5), (100, 2)),
    "DescribeExecution": ((300, 15), (250, 10)),
    "GetExecutionHistory": ((400, 20), (400, 20)),
    "StartExecution": ((1300, 300), (800, 150)),
    "RedriveExecution": ((1300, 300), (800, 150)),
    "TestState": ((50, 10), (50, 10)),
    "UpdateStateMachine": ((100, 1), (100, 1)),
    "ValidateStateMachineDefinition": ((100, 1), (100, 1)),
}


class Quotas:
    """Token buckets, one an operation.

    Args:
        enabled: Whether calls are throttled at all.
        region: The region whose rates hold.
        clock: Seconds that never go back.
    """

    def __init__(
        self, *, enabled: bool, region: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        column = 0 if region in _LARGE_REGIONS else 1
        self._rates = {name: rates[column] for name, rates in _BUCKETS.items()} if enabled else {}
        self._left = {name: float(size) for name, (size, _) in self._rates.items()}
        self._seen = dict.fromkeys(self._rates, clock())

    def check(self, service: str, operation: str) -> None:
        """Take a token for a call.

        Raises:
            AwsError: ``ThrottlingException`` where none is left.
        """
        if service != "stepfunctions" or operation not in self._rates:
            return
        size, refill = self._rates[operation]
        with self._lock:
            moment = self._clock()
            grown = (moment - self._seen[operation]) * refill
            left = min(size, self._left[operation] + grown)
            self._seen[operation] = moment
            self._left[operation] = left - 1 if left >= 1 else left
        if left < 1:
            raise AwsError("ThrottlingException", "Rate exceeded")
