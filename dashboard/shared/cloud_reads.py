"""Reads of the cloud in background threads: what is known, as of when, and what is awaited.

A page asks here instead of AWS. It waits as long as a person would. A read that takes longer goes
on in its thread, and the page shows what was known before or says what is awaited. Sessions that
ask the same share one read.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar, cast

from workflow.errors import WorkflowError
from workflow.known_errors import is_unanswered

T = TypeVar("T")

STILL_WAITING: Final = "StillWaiting"
"""Code of the error that says that nothing is known yet; the read goes on."""

PATIENCE_S: Final = 1.5
"""How long a page waits for one read."""

_HURRY_S: Final = 0.1
"""How long it waits while another read of the same service is late: most likely that hangs too."""

_SLOW_SERVICES: Final = 2
"""A page waits for so many reads that are late, and hurries with all others."""

_FAILED_S: Final = 3.0
"""A failed read is not repeated before that."""

_AT_ONCE: Final = 8
"""Threads of one service, so that one that hangs does not hold up the others."""


class CloudRead:
    """A read under way, or ended.

    Attributes:
        title: What is read, for people: "the notes of the team".
        since: When it was asked for; aware, UTC.
        as_of: When what is known meanwhile was read; None where nothing is.
        problem: Why it failed; None while it runs and where it did not.
    """

    def __init__(self, title: str, as_of: datetime | None) -> None:
        self.title = title
        self.since = datetime.now(UTC)
        self.as_of = as_of
        self.problem: Exception | None = None
        # Waiting is measured by a clock that nobody sets; ``since`` is for people only.
        self._began = time.monotonic()
        self._ended = threading.Event()

    @property
    def running(self) -> bool:
        """Whether it is still under way."""
        return not self._ended.is_set()

    @property
    def late(self) -> bool:
        """Whether it has taken longer than a page waits."""
        return self.running and time.monotonic() - self._began > PATIENCE_S

    def wait(self, patience_s: float | None) -> bool:
        """Wait for the end, at most so long after the read was asked for; whether it has come."""
        if patience_s is None:
            return self._ended.wait()
        return self._ended.wait(max(0.0, self._began + patience_s - time.monotonic()))

    def mark_ended(self, problem: Exception | None) -> None:
        """Let everybody who waits go on."""
        self.problem = problem
        self._ended.set()


_page: ContextVar[tuple[float, list[CloudRead]] | None] = ContextVar("page", default=None)


@contextmanager
def limit_waits(patience_s: float | None = None) -> Iterator[list[CloudRead]]:
    """Wait for each read of this block no longer than ``patience_s``, else ``PATIENCE_S``.

    Outside of such a block, as in a thread that no reader waits for, reads are waited for to their
    end.

    Yields:
        The reads that were late, or failed where something older is known; filled as the block
        goes on, shared with the block around it.
    """
    # Blocks within blocks share one list: what a panel waits for is told at the top of the page.
    around = _page.get()
    late = [] if around is None else around[1]
    token = _page.set((PATIENCE_S if patience_s is None else patience_s, late))
    try:
        yield late
    finally:
        _page.reset(token)


def is_awaited() -> bool:
    """Return whether this is inside of a block of ``limit_waits``."""
    return _page.get() is not None


@dataclass(slots=True)
class _Known(Generic[T]):
    """What is known under one key; times are monotonic seconds."""

    value: T | None = None
    as_of: datetime | None = None
    read_at: float = float("-inf")
    failed_at: float = float("-inf")
    failure: Exception | None = None
    last: CloudRead | None = None

    @property
    def pending(self) -> CloudRead | None:
        return self.last if self.last is not None and self.last.running else None

    @property
    def problem(self) -> Exception | None:
        """What the last read that ended failed with; None where it did not."""
        return self.failure if self.failed_at > self.read_at else None

    @property
    def outdated(self) -> bool:
        """Whether what is known is shown although the last read failed."""
        return self.as_of is not None and self.problem is not None and _leaves_known(self.problem)

    def is_fresh(self, fresh_s: float) -> bool:
        now = time.monotonic()
        # A failure counts as an answer for a while: a page that is redrawn every second must not
        # ask a broken service every time.
        return now - self.read_at < fresh_s or now - self.failed_at < _FAILED_S

    def result(self) -> T:
        """Return what is known; raise why nothing is, or what AWS has said of it since.

        Raises:
            WorkflowError: ``StillWaiting`` where no read has ended yet, else what the last raised.
        """
        problem = self.problem
        if problem is not None and not self.outdated:
            raise problem
        if self.as_of is None:
            raise _still_waiting(self.last.title if self.last else "")
        return cast("T", self.value)


@dataclass(slots=True)
class _Threads:
    """Daemon threads of one service: a read that hangs must not keep the process from ending."""

    waiting: deque[Callable[[], None]] = field(default_factory=deque)
    running: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, work: Callable[[], None]) -> None:
        with self.lock:
            # Queued also where a thread is started below: whichever thread is free first takes it.
            self.waiting.append(work)
            if self.running == _AT_ONCE:
                return
            self.running += 1
        # Not a ThreadPoolExecutor: that joins its threads when the process ends, also those that
        # hang.
        threading.Thread(target=self._run, name="cloud-read", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self.lock:
                if not self.waiting:
                    self.running -= 1
                    return
                work = self.waiting.popleft()
            work()


class CloudReads:
    """What was read of the cloud, by service and key; the least recently used is forgotten.

    Args:
        kept: How many answers are kept.
    """

    def __init__(self, *, kept: int = 300) -> None:
        self._kept = kept
        self._known: OrderedDict[tuple[str, Hashable], _Known[Any]] = OrderedDict()
        self._threads: dict[str, _Threads] = {}
        self._lock = threading.Lock()

    def get(
        self,
        service: str,
        key: Hashable,
        title: str,
        read: Callable[[], T],
        *,
        fresh_s: float = 30.0,
    ) -> T:
        """Return what a read gives, or gave before where the service does not answer in time.

        Args:
            service: Whom it asks, such as ``s3``: what hangs together.
            key: Everything that the answer depends on.
            title: What is read, for people: "the notes of the team".
            read: Asks AWS; called in another thread.
            fresh_s: For how long an answer is not asked for again.

        Raises:
            WorkflowError: What the read raised; ``StillWaiting`` where nothing is known yet.
        """
        known = self.start(service, key, title, read, fresh_s=fresh_s)
        # Outside of a page, as in a job, there is nobody who could be told to wait.
        patience_s, late = _page.get() or (None, [])
        last = cast("CloudRead", known.last)
        # A service that keeps one read waiting keeps this one waiting too, and two that do so are
        # enough for one page: the waits of a page's reads must not add up.
        hangs = self._is_late(service, last) or sum(one.late for one in late) >= _SLOW_SERVICES
        if patience_s is not None and hangs:
            patience_s = _HURRY_S
        if not last.wait(patience_s) or known.outdated:
            late.append(last)
        return known.result()

    def start(
        self,
        service: str,
        key: Hashable,
        title: str,
        read: Callable[[], T],
        *,
        fresh_s: float = 30.0,
    ) -> _Known[T]:
        """Begin a read, as ``get`` does, without waiting; several then run at once."""
        with self._lock:
            # Under the lock, so that sessions that ask at once find one read under way and share
            # it.
            known: _Known[T] = self._known.setdefault((service, key), _Known())
            self._known.move_to_end((service, key))
            if known.pending is not None or known.is_fresh(fresh_s):
                return known
            known.last = last = CloudRead(title, known.as_of)
            # A read under way may be dropped here too: who waits for it holds the entry itself.
            while len(self._known) > self._kept:
                self._known.popitem(last=False)
            threads = self._threads.setdefault(service, _Threads())
        # After the lock is released: ``start`` takes the lock of the service, and no lock is taken
        # inside of another.
        threads.start(lambda: self._run_read(known, last, read))
        return known

    def expire(self, service: str) -> None:
        """Have everything of a service read again when it is asked for next."""
        with self._lock:
            for (asked, _), known in self._known.items():
                if asked == service:
                    known.read_at = float("-inf")

    def forget(self, service: str, key: Hashable) -> None:
        """Drop what is known under one key."""
        with self._lock:
            self._known.pop((service, key), None)

    def _run_read(self, known: _Known[T], last: CloudRead, read: Callable[[], T]) -> None:
        # As of the beginning: what changes while AWS answers need not be in the answer.
        began, problem = datetime.now(UTC), None
        try:
            value = read()
        except Exception as error:  # noqa: BLE001 - a thread has no caller: who asked, gets it
            problem = known.failure = error
            known.failed_at = time.monotonic()
        else:
            known.value, known.as_of, known.read_at = value, began, time.monotonic()
        # Last of all, so that whoever it wakes finds what was read.
        last.mark_ended(problem)

    def _is_late(self, service: str, mine: CloudRead) -> bool:
        """Return whether another read of the service is late."""
        with self._lock:
            # A copy under the lock; whether one is late is asked without it.
            others = [known.last for (asked, _), known in self._known.items() if asked == service]
        return any(one is not None and one is not mine and one.late for one in others)


def _leaves_known(problem: Exception) -> bool:
    """Return whether what was known before is still worth showing."""
    return isinstance(problem, WorkflowError) and is_unanswered(problem.code)


def _still_waiting(title: str) -> WorkflowError:
    return WorkflowError(
        STILL_WAITING,
        f"AWS has not answered yet: {title}.",
        "It appears here as soon as AWS answers; the rest of the page can be used meanwhile.",
    )
