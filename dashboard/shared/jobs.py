"""Jobs: work in a background thread that a page can start, leave and find again."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from dashboard.shared.numbers import format_age
from workflow.errors import WorkflowError

DEPLOYMENT: Final = "deployment"
"""Key of the job that changes the deployment: there is one at a time, whatever it does."""

Work = Callable[[Callable[[Any], None]], None]
"""What a job does, given the function it reports its events with."""


class Job:
    """Work under way or done, and everything it has reported so far.

    Attributes:
        title: What it does, for people: "Deploy".
        started_at: Aware, UTC.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.started_at = datetime.now(UTC)
        self._events: list[Any] = []
        self._error: BaseException | None = None
        self._done = threading.Event()

    @property
    def events(self) -> tuple[Any, ...]:
        """What was reported, oldest first."""
        # A copy: the thread goes on appending while a page draws.
        return tuple(self._events)

    @property
    def running(self) -> bool:
        """Whether it is still under way."""
        return not self._done.is_set()

    def raise_failure(self) -> None:
        """Raise what ended it early, if anything did.

        Raises:
            WorkflowError: What a person can act on; any other exception is a defect.
        """
        if self._error is not None:
            raise self._error

    def wait(self, seconds: float) -> bool:
        """Wait for the end; whether it has come."""
        return self._done.wait(seconds)

    def run(self, work: Work) -> None:
        """Do the work in this thread; ``work`` is given the function it reports with."""
        try:
            work(self._events.append)
        except BaseException as error:  # noqa: BLE001 - a thread has no caller: who looks, gets it
            self._error = error
        finally:
            # After the error was kept: whoever sees that the job has ended can ask why.
            self._done.set()


class Jobs:
    """The jobs of this process by key; one at a time under each."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def start(self, key: str, title: str, work: Work) -> Job:
        """Start work in the background.

        Raises:
            WorkflowError: ``AlreadyRunning`` while another job of that key is under way.
        """
        with self._lock:
            # Looked up and replaced under one lock, so that a double click starts one job.
            before = self._jobs.get(key)
            if before is not None and before.running:
                now = datetime.now(UTC)
                raise WorkflowError(
                    "AlreadyRunning",
                    f"{before.title} has been under way for {format_age(before.started_at, now)}.",
                    "Wait until it has ended; its progress is shown on this page.",
                )
            job = Job(title)
            self._jobs[key] = job
        # Outside the lock: the job may end, and be looked at, at once.
        threading.Thread(target=job.run, args=(work,), name=f"job-{key}", daemon=True).start()
        return job

    def find_or_start(self, key: str, title: str, work: Work) -> Job:
        """Return the latest job of a key, running or ended; started where there is none."""
        with self._lock:
            found = self._jobs.get(key)
        # Not under the lock, which ``start`` takes itself.
        return found or self.start(key, title, work)

    def forget(self, key: str) -> None:
        """Drop a job that has ended, so that it can be found or started again."""
        with self._lock:
            found = self._jobs.get(key)
            if found is not None and not found.running:
                del self._jobs[key]

    def get(self, key: str) -> Job | None:
        """Return the latest job of a key, running or ended."""
        return self._jobs.get(key)
