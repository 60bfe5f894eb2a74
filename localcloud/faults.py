"""Faults: errors and delays that someone asked for, to see how things behave when AWS does not.

``POST /_localcloud/faults`` adds one, ``GET`` lists them, ``DELETE`` clears them.
"""

import random
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from localcloud.errors import AwsError


@dataclass(slots=True, kw_only=True)
class PlannedFault:
    """One fault.

    Attributes:
        service: botocore's name of the service, such as ``sagemaker-runtime``.
        operation: The operation, or ``*`` for all of the service.
        error: The error code to answer with; None for a delay only.
        message: The error's message.
        status: The error's HTTP status.
        probability: Share of the calls that it hits, 0 to 1.
        count: How many calls it still hits; None for all.
        delay_seconds: How long a hit call waits first.
    """

    service: str
    operation: str = "*"
    error: str | None = None
    message: str = "Injected by /_localcloud/faults."
    status: int = 400
    probability: float = 1.0
    count: int | None = None
    delay_seconds: float = 0.0


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[PlannedFault] = []

    def add_fault(self, given: dict[str, Any]) -> dict[str, Any]:
        """Switch a fault on; return it with its defaults.

        Raises:
            AwsError: ``ValidationException`` for a fault that has no service or unknown fields.
        """
        try:
            fault = PlannedFault(**given)
        except TypeError as error:
            raise AwsError("ValidationException", str(error).partition(" ")[2]) from error
        if fault.error is None and not fault.delay_seconds:
            raise AwsError("ValidationException", "A fault has an error or delay_seconds.")
        with self._lock:
            self._faults.append(fault)
        return asdict(fault)

    def remove_fault(self, given: dict[str, Any]) -> None:
        """Switch the faults off that were added with these fields."""
        gone = PlannedFault(**given)
        with self._lock:
            self._faults = [fault for fault in self._faults if fault != gone]

    def list_faults(self) -> list[dict[str, Any]]:
        """Return the faults, with what is left of their counts."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def clear_faults(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._faults.clear()

    def apply_to(self, service: str, operation: str) -> None:
        """Delay or refuse a call, where a fault says so.

        Raises:
            AwsError: The first fault's that hits.
        """
        fault = self._take_hit(service, operation)
        if fault is None:
            return
        time.sleep(fault.delay_seconds)
        if fault.error is not None:
            raise AwsError(fault.error, fault.message, fault.status)

    def _take_hit(self, service: str, operation: str) -> PlannedFault | None:
        # Without the lock: nearly every call finds an empty list.
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if (
                    fault.service == service
                    and fault.operation in ("*", operation)
                    and fault.count != 0
                    and random.random() < fault.probability  # noqa: S311 - chance, not secrets
                ):
                    if fault.count is not None:
                        fault.count -= 1
                    return fault
        return None
