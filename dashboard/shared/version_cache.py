"""What was computed from one version of the records, kept until there is a later one."""

import threading
from collections.abc import Callable, Hashable
from typing import Final, TypeVar, cast

T = TypeVar("T")

_KEPT: Final = 8


class VersionCache:
    """Answers about the latest version that was asked about; those of others are forgotten.

    Sessions share it: of those that ask for the same at once, one computes it.

    Args:
        kept: How many answers are kept.
    """

    def __init__(self, *, kept: int = _KEPT) -> None:
        self._kept = kept
        self._known: dict[Hashable, tuple[object, object]] = {}
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, version: object, make: Callable[[], T]) -> T:
        """Return what ``make`` gives for this version, or gave before.

        Args:
            key: Everything that the answer depends on beside the version.
            version: Changes whenever the records do.
            make: Computes it; what it raises is raised, and nothing is kept.
        """
        known = self._known.get(key)
        if known is None or known[0] != version:
            with self._lock:
                making = self._making.setdefault(key, threading.Lock())
            # Another lock than that of the cache: it may take seconds, and other answers are
            # asked for meanwhile.
            with making:
                known = self._known.get(key)
                if known is None or known[0] != version:
                    known = (version, make())
                    self._keep(key, known)
        return cast("T", known[1])

    def _keep(self, key: Hashable, known: tuple[object, object]) -> None:
        with self._lock:
            # Answers about other versions go here: nobody asks about the past of a store again.
            current = {k: v for k, v in self._known.items() if v[0] == known[0] and k != key}
            # Dicts keep the order of insertion, so the first key is the oldest answer.
            while len(current) >= self._kept:
                del current[next(iter(current))]
            self._known = {**current, key: known}
            # Whoever waits for the lock has it; whoever comes later finds the answer.
            self._making.pop(key, None)
