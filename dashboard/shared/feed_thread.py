"""The thread of a feed: started by the first page that looks, woken and ended from outside."""

import threading
import time
from collections.abc import Callable

from dashboard.shared.jobs import Job


class FeedThread:
    """One daemon thread that works for a feed until the feed is closed or its cloud is gone.

    Args:
        title: What it does, for people: "Sync of captures".
        work: Runs in the thread; returns once ``goes_on`` says no.
        alive: Whether the cloud is still the one that the feed reads.
    """

    def __init__(self, title: str, work: Callable[[], None], alive: Callable[[], bool]) -> None:
        self._title = title
        self._work = work
        self._alive = alive
        self._closed = False
        self._watched_at = time.monotonic()
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._job: Job | None = None

    @property
    def unwatched_s(self) -> float:
        """Seconds since a page looked."""
        return time.monotonic() - self._watched_at

    def watch(self) -> None:
        """Note that a page is looking, and keep the thread running.

        Raises:
            WorkflowError: What ended the thread; it is started again by this call.
        """
        self._watched_at = time.monotonic()
        with self._lock:
            # Under the lock: two pages that look at once must not start two threads.
            ended = self._job if self._job is not None and not self._job.running else None
            if self._job is None or ended is not None:
                self._job = self._start_thread()
        # Raised after another thread was started: the page shows the error once and goes on.
        if ended is not None:
            ended.raise_failure()

    def goes_on(self) -> bool:
        """Return whether the work is still wanted."""
        return not self._closed and self._alive()

    def rest(self, seconds: float) -> None:
        """Wait, in the thread, until the time is over or somebody wakes it."""
        self._woken.wait(seconds)
        # Cleared after the wait, not before: a wake-up during the work then ends the next rest.
        self._woken.clear()

    def wake(self) -> None:
        """End the rest under way, or the next one."""
        self._woken.set()

    def close(self) -> None:
        """End the thread after what it is doing."""
        self._closed = True
        self.wake()

    def _start_thread(self) -> Job:
        job = Job(self._title)
        name = self._title.lower().replace(" ", "-")
        # A daemon: the process must end though a feed waits for AWS.
        threading.Thread(
            target=job.run, args=(lambda _: self._work(),), name=name, daemon=True
        ).start()
        return job
