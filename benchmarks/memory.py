"""Peak memory of this process from a moment on, as Linux accounts it."""

import resource
from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class PeakMemory:
    """Megabytes above what the process held when this was made.

    Where there is no ``/proc``, an earlier peak hides a later and lower one.
    """

    def __init__(self) -> None:
        if _CLEAR.exists():
            _CLEAR.write_text("5")  # forget the peak so far
        self._idle = _peak_kb()

    def megabytes(self) -> float:
        """Return the highest since then."""
        return (_peak_kb() - self._idle) / 1024


def _peak_kb() -> int:
    if _STATUS.exists():
        lines = _STATUS.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
