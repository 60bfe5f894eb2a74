"""A semaphore that counts bytes: a limit on how much there may be at a time, shared by threads."""

import threading


class ByteSemaphore:
    """Lets threads take of a size, and wait while too little is left; what is larger goes in alone.

    Args:
        size: How much there may be at a time, in any unit.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._open = False
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        """Wait until there is room for so much, and take it."""
        with self._changed:
            # ``threading.Semaphore`` counts ones only; a condition waits for any size.
            self._changed.wait_for(lambda: self._holds(size))
            self._taken += size

    def free(self, size: int) -> None:
        """Give back what was taken."""
        with self._changed:
            self._taken -= size
            # All, not one: the thread that is woken may need more than there is, and another less.
            self._changed.notify_all()

    def open(self) -> None:
        """Let everybody in from now on: nobody is left who would give back."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def _holds(self, size: int) -> bool:
        return self._open or not self._taken or self._taken + size <= self._size
