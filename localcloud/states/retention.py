"""Retention: forgets executions some time after their end, as AWS does, or for want of room."""

import threading
from typing import Final

from localcloud.aws_like.account import HistoryLimits
from localcloud.service import now
from localcloud.states.executions import Executions

_EVERY_SECONDS: Final = 60.0
_BATCH: Final = 50
"""Executions of one transaction: others wait for its end."""
_DAY: Final = 86_400.0


class Retention:
    """Looks once a minute for executions to forget, in a thread of its own.

    Args:
        executions: The executions.
        limits: How long they are kept.
    """

    def __init__(self, executions: Executions, limits: HistoryLimits) -> None:
        self._executions = executions
        self._limits = limits
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch_limits, daemon=True, name="retention")

    def start(self) -> None:
        """Start looking; return at once."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way, then stop."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def forget_old(self, moment: float) -> int:
        """Forget what is older or larger than the limits allow at a moment; return how many."""
        oldest = moment - self._limits.days * _DAY
        most = self._limits.megabytes * 1e6
        forgotten = 0
        while not self._stopped.is_set():
            # Asked again for each batch: once there is room, only what is too old goes.
            crowded = self._executions.history_bytes() > most
            gone = self._executions.forget_ended(moment if crowded else oldest, _BATCH)
            if not gone:
                break
            forgotten += gone
        return forgotten

    def _watch_limits(self) -> None:
        self.forget_old(now())
        while not self._stopped.wait(_EVERY_SECONDS):
            self.forget_old(now())
