"""Jobs: work in a background thread that a page can start, leave and find again."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Generic, TypeVar, cast

from workflow.errors import WorkflowError

E = TypeVar("E")


class Job(Generic[E]):
    """Work under way or done, and everything it has reported so far.

    Attributes:
        title: What it does, for people: "Deploy".
        started_at: Aware, UTC.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.started_at = datetime.now(UTC)
        self._events: list[E] = []
        self._error: BaseException | None = None
        self._done = threading.Event()

    @property
    def events(self) -> tuple[E, ...]:
        """What was reported, oldest first."""
        return tuple(self._events)

    @property
    def running(self) -> bool:
        """Whether it is still under way."""
        return not self._done.is_set()

    @property
    def error(self) -> WorkflowError | None:
        """What ended it early, or None.

        Raises:
            BaseException: What ended it, where that was a defect rather than a ``WorkflowError``.
        """
        if self._error is None or isinstance(self._error, WorkflowError):
            return self._error
        raise self._error

    def wait(self, seconds: float) -> bool:
        """Wait for the end; whether it has come."""
        return self._done.wait(seconds)

    def run(self, work: Callable[[Callable[[E], None]], None]) -> None:
        """Do the work in this thread; ``work`` is given the function it reports with."""
        try:
            work(self._events.append)
        except BaseException as error:  # noqa: BLE001 - a thread has no caller: who looks, gets it
            self._error = error
        finally:
            self._done.set()


class Jobs:
    """The jobs of this process by key; one at a time under each."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job[object]] = {}
        self._lock = threading.Lock()

    def start(self, key: str, title: str, work: Callable[[Callable[[E], None]], None]) -> Job[E]:
        """Start work in the background.

        Raises:
            WorkflowError: ``AlreadyRunning`` while another job of that key is under way.
        """
        with self._lock:
            before = self._jobs.get(key)
            if before is not None and before.running:
                raise WorkflowError(
                    "AlreadyRunning",
                    f"{before.title} is under way since {before.started_at:%H:%M:%S} UTC.",
                    "Wait until it has ended; its progress is shown on this page.",
                )
            job: Job[E] = Job(title)
            self._jobs[key] = cast("Job[object]", job)
        threading.Thread(target=job.run, args=(work,), name=f"job-{key}", daemon=True).start()
        return job

    def get(self, key: str) -> Job[object] | None:
        """The latest job of a key, running or ended."""
        return self._jobs.get(key)
