"""Sync of captures: bring data capture objects from S3 into the store, each of them once.

A pass lists what may be new, reads 64 objects at a time and stores what it has read every few
seconds, together with the names of the objects: whatever ends a pass, the next one goes on from
there. Only one pass of a store runs at a time, among all sessions and processes.
"""

import math
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from queue import Queue, SimpleQueue
from typing import Final

import polars as pl

from dashboard.aws.objects import Bucket
from dashboard.captures.fetcher import IN_FLIGHT, FetchedObject, Fetcher
from dashboard.captures.lister import Lister, UnreadObject
from dashboard.captures.sync_progress import CaptureProgress
from dashboard.captures.tables import PASSES
from dashboard.captures.writer import Writer
from dashboard.shared.store import SegmentStore
from workflow.captures import SHADOW_VARIANT
from workflow.contract import LABELS
from workflow.errors import WorkflowError

_REPORT_SECONDS: Final = 0.5


def last_pass(store: SegmentStore) -> datetime | None:
    """Return when the last complete pass ended: what the store shows is as of then."""
    finished = store.scan("passes").select(pl.col("finished_at").max()).collect().item()
    return finished if isinstance(finished, datetime) else None


def sync_captures(
    bucket: Bucket,
    prefix: str,
    store: SegmentStore,
    *,
    report: Callable[[CaptureProgress], None],
    stop: threading.Event,
    full: bool = False,
    classes: Sequence[str] = LABELS,
    shadows: Collection[str] = (SHADOW_VARIANT,),
) -> CaptureProgress:
    """Read what is new below a prefix into a store of ``capture_tables.TABLES``.

    Args:
        bucket: Where captures are.
        prefix: Their prefix, without its final slash.
        store: Where they go.
        report: Told of progress twice a second, and at the end.
        stop: Set it to end the pass early; what was read is stored.
        full: Whether to list everything, and not only what is likely to be new. Always so until a
            pass has come to its end, and after damage to the store.
        classes: Names of the model's classes by their index, for answers by name.
        shadows: Names of the shadow variants, whose captures have a table of their own.

    Returns:
        The last progress.

    Raises:
        WorkflowError: ``AlreadyRunning`` while another pass of the store is under way anywhere;
            ``StoreDamaged`` where damage to the store was found, once: the next pass reads again
            what was lost; AWS's own code where the bucket cannot be listed or objects are refused.
            Whatever was read before is stored.
    """
    # Among all processes, and let go by the system where one is killed.
    with store.claim_purpose("sync") as free:
        if not free:
            raise WorkflowError(
                "AlreadyRunning",
                "Captures are being read by another session.",
                "Wait until it has ended; what it reads appears here too.",
            )
        known = store.damaged
        try:
            everything = full or bool(known)
            writer = partial(Writer, classes=classes, shadows=shadows)
            one = _Pass(bucket, prefix, store, report, stop, full=everything, writer=writer)
            progress = one.run()
        except pl.exceptions.PolarsError:
            # A file may have been damaged since it was verified: that is named, all else is a
            # defect.
            if store.check() == known:
                raise
        found = store.problem
        if found and set(store.damaged) - set(known):
            raise found
        return progress


class _Pass:
    """One pass under way.

    Objects go one way, from thread to thread: one lists what is unread, ``IN_FLIGHT`` fetch it, the
    one that runs the pass hands it to the writer.
    """

    def __init__(
        self,
        bucket: Bucket,
        prefix: str,
        store: SegmentStore,
        report: Callable[[CaptureProgress], None],
        stop: threading.Event,
        *,
        full: bool,
        writer: Callable[[SegmentStore, Executor], Writer],
    ) -> None:
        self._store = store
        self._made = writer
        self._report = report
        self._stop = stop
        self._damaged = store.damaged
        self._lister = Lister(bucket, prefix, store, full=full)
        self._fetcher = Fetcher(bucket)
        self._began = self._reported = time.monotonic()
        # Two blocks at most: the lister waits for the readers instead of filling the memory.
        self._blocks: Queue[list[UnreadObject] | None] = Queue(2)
        # Shared by all readers; an iterator is not thread-safe, hence the lock ``_taking``.
        self._unread = chain.from_iterable(iter(self._blocks.get, None))
        self._taking = threading.Lock()
        # Without a limit of its own: the fetcher's semaphore bounds the bytes in it.
        self._came: SimpleQueue[FetchedObject | Future[None] | None] = SimpleQueue()
        self._jobs: set[Future[None]] = set()
        self._listing_failure: WorkflowError | None = None
        self._over = False

    def run(self) -> CaptureProgress:
        with ThreadPoolExecutor(IN_FLIGHT + 2, "captures") as self._threads:
            self._writer = self._made(self._store, self._threads)
            self._start_thread(self._queue_unread)
            try:
                for fetched in self._receive_fetched():
                    self._writer.take(fetched)
                    self._fetcher.semaphore.free(fetched.taken)
                self._store_rest()
            finally:
                self._release_threads()
        failure = self._failure
        if failure:
            raise failure
        progress = self._build_progress()
        self._report(progress)
        return progress

    @property
    def _failure(self) -> WorkflowError | None:
        return self._listing_failure or self._fetcher.failure

    @property
    def _ended(self) -> bool:
        return self._over or self._failure is not None or self._stop.is_set()

    def _start_thread(self, work: Callable[[], None]) -> None:
        """Run something in a thread, and hear of its end."""
        job = self._threads.submit(work)
        self._jobs.add(job)
        # Its end comes by the same queue as its objects, and so after them.
        job.add_done_callback(self._came.put)

    def _receive_fetched(self) -> Iterator[FetchedObject]:
        """Yield what the readers bring, until all threads have come to their end."""
        while self._jobs:
            came = self._came.get()
            if isinstance(came, Future):
                self._jobs.discard(came)
                # Raises what the thread did not expect: a defect ends the pass.
                came.result()
            elif came:
                yield came
            self._report_if_due()

    def _release_threads(self) -> None:
        """Let no thread wait for another, whatever ended the pass."""
        self._over = True
        # Readers that wait for room would wait for ever: nobody gives any back now.
        self._fetcher.semaphore.open()
        # The lister may wait for room in the queue: empty it, up to the mark of its end.
        while self._next_unread():
            pass

    def _report_if_due(self) -> None:
        if time.monotonic() - self._reported > _REPORT_SECONDS:
            self._reported = time.monotonic()
            self._report(self._build_progress())

    def _build_progress(self) -> CaptureProgress:
        return CaptureProgress(
            listed=self._lister.listed,
            found=self._lister.found,
            read=self._writer.read,
            bytes_read=self._writer.stored.bytes_read,
            captures=self._writer.stored.captures,
            errors=self._writer.stored.errors,
            seconds=time.monotonic() - self._began,
            all_listed=self._lister.done,
        )

    def _queue_unread(self) -> None:
        """Queue what is to be read, and start as many readers as it needs."""
        readers = 0
        try:
            for block in self._lister.list_blocks(self._threads):
                if self._ended:
                    return
                self._came.put(None)  # time passes while there is nothing to read, too
                if block:  # without readers, nobody would take empty ones
                    self._blocks.put(block)
                for _ in range(_count_readers(len(block)) - readers):
                    self._start_thread(self._read_on)
                    readers += 1
        except WorkflowError as error:
            self._listing_failure = error
        finally:
            self._blocks.put(None)

    def _next_unread(self) -> UnreadObject | None:
        with self._taking:
            return next(self._unread, None)

    def _read_on(self) -> None:
        """Read one object after the other, until there is none left."""
        while unread := self._next_unread():
            if not self._ended:
                self._came.put(self._fetcher.fetch(unread))

    def _store_rest(self) -> None:
        """Store the rest; where nothing ended the pass early, also that everything was read."""
        complete = None if self._ended else self._build_row()
        self._writer.finish(complete)
        known = self._damaged and self._damaged == self._store.damaged
        if complete is not None and self._lister.full and known:
            self._store.forget_damage()

    def _build_row(self) -> pl.DataFrame:
        row = {
            "finished_at": datetime.now(UTC),
            "full": self._lister.full,
            "listed": self._lister.listed,
            "read": self._writer.read,
            "directories": list(self._lister.settled),
            "settled": list(self._lister.settled.values()),
        }
        return pl.DataFrame([row], schema=pl.Schema(PASSES))


def _count_readers(objects: int) -> int:
    """Return the fewest threads that read so many objects as soon as ``IN_FLIGHT`` would."""
    rounds = math.ceil(objects / IN_FLIGHT)
    return math.ceil(objects / rounds) if objects else 0
