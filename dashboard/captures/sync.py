"""Captures sync: bring data capture objects from S3 into the store, each of them once.

A pass lists what may be new, reads 64 objects at a time and stores what it has read every few
seconds, together with the names of the objects: whatever ends a pass, the next one goes on from
there. Only one pass of a store runs at a time, among all sessions and processes.
"""

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from queue import Queue, SimpleQueue
from typing import Final

import polars as pl

from dashboard.aws.capture_errors import MAX_OBJECT_BYTES, not_asked_for, not_read
from dashboard.aws.error_tables import error_rows
from dashboard.aws.objects import ABOUT_ONE_OBJECT, PAGE, Bucket, ObjectMeta
from dashboard.captures.byte_semaphore import Room
from dashboard.captures.tables import OBJECTS, PASSES, capture_rows
from dashboard.shared.store import SegmentStore
from workflow.captures import DUPLICATE, CaptureError, CaptureReader, CaptureSource
from workflow.errors import WorkflowError

LATE: Final = timedelta(hours=2)
"""Files of an hour are delivered until so long after it, as far as was seen."""

IN_FLIGHT: Final = 64
"""GET requests at a time."""

IN_FLIGHT_BYTES: Final = 64 << 20
"""Bytes asked for and not yet in a batch; one larger object is asked for alone."""


COMMIT_CAPTURES: Final = 50_000
COMMIT_SECONDS: Final = 3.0
"""What was read is stored after so many captures or seconds."""

_BLOCK: Final = 10_000
_REFUSED_IN_A_ROW: Final = 20
_REPORT_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureProgress:
    """How far a pass has come.

    Attributes:
        listed: Keys looked at.
        found: Of these, new or changed.
        read: Of these, read and stored or about to be.
        bytes_read: Bytes of these.
        captures: Captures read.
        errors: Lines and objects that gave none.
        seconds: Time since the pass began.
        all_listed: Whether ``found`` is final.
    """

    listed: int = 0
    found: int = 0
    read: int = 0
    bytes_read: int = 0
    captures: int = 0
    errors: int = 0
    seconds: float = 0.0
    all_listed: bool = False

    @property
    def rate(self) -> float:
        """Objects read a second."""
        return self.read / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time the rest will take at this rate; None while it is not known."""
        return (self.found - self.read) / self.rate if self.all_listed and self.read else None


@dataclass(frozen=True, slots=True)
class Listing:
    """One listing to make: all keys below ``prefix`` that come after ``after``."""

    prefix: str
    after: str | None


def plan_listings(
    branches: Iterable[str], settled: Mapping[str, datetime], now: datetime
) -> list[Listing]:
    """Decide what has to be listed to find everything that may be new.

    Args:
        branches: Folders that hold captures, such as ``data_capture/endpoint/variant``.
        settled: For each directory above the years, the hour up to which everything was read.
        now: Aware. An hour in the future (a wrong clock) counts as now.
    """
    listings = []
    for branch in branches:
        after = None
        for directory, hour in settled.items():
            if f"{branch}/".startswith(f"{directory}/"):
                after = f"{directory}/{min(hour, now) - LATE:%Y/%m/%d/%H}"
        listings.append(Listing(branch, after))
    return listings


def settled_hours(keys: Iterable[str]) -> dict[str, datetime]:
    """The newest hour of each directory above the years, for keys in SageMaker's layout."""
    newest: dict[str, datetime] = {}
    for folder in {key.rpartition("/")[0] for key in keys}:
        hour = CaptureSource.of(f"{folder}/").hour
        if hour:
            directory = folder.rsplit("/", 4)[0]
            newest[directory] = max(hour, newest.get(directory, hour))
    return newest


def last_pass(store: SegmentStore) -> datetime | None:
    """When the last complete pass ended: what the store shows is as of then."""
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

    Returns:
        The last progress.

    Raises:
        WorkflowError: ``AlreadyRunning`` while another pass of the store is under way anywhere;
            ``StoreDamaged`` where damage to the store was found, once: the next pass reads again
            what was lost; AWS's own code where the bucket cannot be listed or objects are refused.
            Whatever was read before is stored.
    """
    with store.claimed("sync") as free:
        if not free:
            raise WorkflowError(
                "AlreadyRunning",
                "Captures are being read by another session.",
                "Wait until it has ended; what it reads appears here too.",
            )
        known = store.damaged
        try:
            progress = _Pass(bucket, prefix, store, report, stop, full=full or bool(known)).run()
        except pl.exceptions.PolarsError:
            if store.check() == known:
                raise
        found = store.problem
        if found and set(store.damaged) - set(known):
            raise found
        return progress


class _Pass:
    """One pass under way.

    Objects go one way, from thread to thread: one lists what is unread, ``IN_FLIGHT`` read it, the
    one that runs the pass makes batches of it, and one stores them.
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
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._store = store
        self._report = report
        self._stop = stop
        self._damaged = store.damaged
        self._settled = _settled(store)
        self._full = full or not self._settled
        self._began = self._reported = time.monotonic()
        self._listed = self._found = self._read = 0
        self._all_listed = False
        self._blocks: Queue[list[_Unread] | None] = Queue(2)
        self._unread = chain.from_iterable(iter(self._blocks.get, None))
        self._taking = threading.Lock()
        self._room = Room(IN_FLIGHT_BYTES)
        self._came: SimpleQueue[_Answer | Future[None] | None] = SimpleQueue()
        self._jobs: set[Future[None]] = set()
        self._batch = _Batch()
        self._results = _Results()
        self._refusals: dict[tuple[str, datetime], tuple[str, str]] | None = None
        self._refused_before: list[_Unread] = []
        self._counting = threading.Lock()
        self._in_a_row: Counter[bool] = Counter()
        self._committing: Future[None] | None = None
        self._still_refused = False
        self._failure: WorkflowError | None = None
        self._over = False

    def run(self) -> CaptureProgress:
        with ThreadPoolExecutor(IN_FLIGHT + 2, "captures") as self._threads:
            self._start(self._list)
            try:
                for answer in self._answers():
                    self._take(answer)
                self._finish()
            finally:
                self._end()
        if self._failure:
            raise self._failure
        progress = self._progress()
        self._report(progress)
        return progress

    @property
    def _ended(self) -> bool:
        return self._over or self._failure is not None or self._stop.is_set()

    def _start(self, work: Callable[[], None]) -> None:
        """Run something in a thread, and hear of its end."""
        job = self._threads.submit(work)
        self._jobs.add(job)
        job.add_done_callback(self._came.put)

    def _answers(self) -> Iterator["_Answer"]:
        """What the readers bring, until all threads have come to their end."""
        while self._jobs:
            came = self._came.get()
            if isinstance(came, Future):
                self._jobs.discard(came)
                came.result()
            elif came:
                yield came
            self._tell()

    def _end(self) -> None:
        """Let no thread wait for another, whatever ended the pass."""
        self._over = True
        self._room.open()
        while self._next_unread():
            pass

    def _tell(self) -> None:
        if time.monotonic() - self._reported > _REPORT_SECONDS:
            self._reported = time.monotonic()
            self._report(self._progress())

    def _progress(self) -> CaptureProgress:
        return CaptureProgress(
            listed=self._listed,
            found=self._found,
            read=self._read,
            bytes_read=self._results.bytes_read,
            captures=self._results.captures,
            errors=self._results.errors,
            seconds=time.monotonic() - self._began,
            all_listed=self._all_listed,
        )

    # --- listing

    def _list(self) -> None:
        """Queue what is to be read, and start as many readers as it needs."""
        readers = 0
        try:
            for block in self._new_blocks():
                if self._ended:
                    return
                self._came.put(None)  # time passes while there is nothing to read, too
                if block:  # without readers, nobody would take empty ones
                    self._blocks.put(block)
                for _ in range(_readers(len(block)) - readers):
                    self._start(self._read_on)
                    readers += 1
            self._all_listed = True
        except WorkflowError as error:
            self._failure = error
        finally:
            self._blocks.put(None)

    def _new_blocks(self) -> Iterator[list["_Unread"]]:
        """What is new or changed, in blocks that grow, so that reading begins soon.

        What was refused before comes last, in no order: so that nothing waits behind it, and that
        in time each is asked for again, though a pass asks for few where all stay refused.
        """
        block: list[ObjectMeta] = []
        limit = 1
        for page in self._pages():
            block += page
            if len(block) >= limit:
                yield self._new_of(block)
                block, limit = [], min(max(2 * limit, PAGE), _BLOCK)
        yield self._new_of(block)
        random.shuffle(self._refused_before)
        yield self._refused_before

    def _pages(self) -> Iterator[list[ObjectMeta]]:
        """Everything that may be new, also in branches that were not there before."""
        if self._full:
            yield from self._bucket.objects(self._prefix)
            return
        likely = [directory for directory in self._settled if self._is_branch(directory)]
        looking = self._threads.submit(self._branches)
        yield from self._recent(likely)
        branches, strays = looking.result()
        yield strays
        yield from self._recent([branch for branch in branches if branch not in likely])

    def _is_branch(self, directory: str) -> bool:
        """Whether it lies where ``_branches`` would find it: two levels below the prefix."""
        return directory.rsplit("/", 2)[0] == self._prefix

    def _branches(self) -> tuple[list[str], list[ObjectMeta]]:
        """The folders of all variants, and stray objects above them."""
        branches: list[str] = []
        endpoints, strays = self._bucket.children(self._prefix)
        for endpoint in endpoints:
            variants, objects = self._bucket.children(endpoint)
            branches += variants
            strays += objects
        return branches, strays

    def _recent(self, branches: Iterable[str]) -> Iterator[list[ObjectMeta]]:
        for listing in plan_listings(branches, dict(self._settled), datetime.now(UTC)):
            yield from self._bucket.objects(listing.prefix, listing.after)

    def _new_of(self, block: list[ObjectMeta]) -> list["_Unread"]:
        """What is new or changed in a block; what was refused before is put aside."""
        if not block:
            return []
        keys = [meta.key for meta in block]
        hours = settled_hours(meta.key for meta in block if meta.readable)
        for directory, hour in hours.items():
            self._settled[directory] = max(hour, self._settled.get(directory, hour))
        in_range = pl.col("key").is_between(pl.lit(min(keys)), pl.lit(max(keys)))
        seen = self._store.scan("objects").filter(in_range)
        known = dict(seen.select("key", "etag").collect().iter_rows())
        unread = [
            _Unread(meta, meta.key in known, self._refusal(meta, known.get(meta.key)))
            for meta in block
            if known.get(meta.key) != meta.etag
        ]
        self._refused_before += [one for one in unread if one.refused]
        self._listed += len(block)
        self._found += len(unread)
        return [one for one in unread if not one.refused]

    def _refusal(self, meta: ObjectMeta, known: str | None) -> tuple[str, str] | None:
        """What an object that has not changed since was refused with; ``known`` is its ETag."""
        if known != "":
            return None
        if self._refusals is None:
            self._refusals = _refusals(self._store)
        return self._refusals.get((meta.key, meta.last_modified))

    # --- reading

    def _next_unread(self) -> "_Unread | None":
        with self._taking:
            return next(self._unread, None)

    def _read_on(self) -> None:
        """Read one object after the other, until there is none left."""
        while unread := self._next_unread():
            if not self._ended:
                self._came.put(self._answer(unread))

    def _answer(self, unread: "_Unread") -> "_Answer | None":
        """What becomes of an object; None where not it but S3 itself fails, which ends the pass."""
        meta = unread.meta
        if meta.size > MAX_OBJECT_BYTES or not meta.readable:
            return _Answer(unread)
        if unread.refused and self._still_refused:
            return _Answer(unread, passed_over=True)
        # A small object counts for more than it has: not too many should wait for their batch.
        room = max(meta.size, IN_FLIGHT_BYTES // (4 * IN_FLIGHT))
        self._room.take(room)
        try:
            data = self._bytes_of(meta)
        except WorkflowError as error:
            if error.code not in ABOUT_ONE_OBJECT:
                self._failure = self._failure or error
                self._room.free(room)
                return None
            self._count(unread, error)
            return _Answer(unread, room, error=error)
        self._in_a_row[unread.refused is not None] = 0
        return _Answer(unread, room, data)

    def _count(self, unread: "_Unread", error: WorkflowError) -> None:
        """Give up where many objects in a row are refused.

        Those that were refused before do not end the pass: so each pass names others, until one
        comes to its end. The readers count, since who makes the batches may be far behind them.
        """
        before = unread.refused is not None
        with self._counting:
            self._in_a_row[before] += 1
            if self._in_a_row[before] < _REFUSED_IN_A_ROW:
                return
            if before:
                self._still_refused = True
            else:
                self._failure = self._failure or error

    def _bytes_of(self, meta: ObjectMeta) -> bytes:
        """The bytes as listed: where they have changed since, the next listing says so.

        To ask for them by their number spares a second wait for the interpreter, between the head
        of an answer and its body.
        """
        if not meta.size:
            return b""
        try:
            return self._bucket.read_range(meta.key, 0, meta.size)
        except WorkflowError as error:
            if error.code != "InvalidRange":
                raise
            return b""  # it has become empty: S3 refuses any range of it

    # --- storing

    def _take(self, answer: "_Answer") -> None:
        """Put what a reader brings into the batch."""
        if answer.error:
            self._batch.refuse(answer.unread, answer.error)
        elif answer.passed_over:
            self._batch.pass_over()
        else:
            self._batch.add(answer)
        self._read += 1
        self._room.free(answer.room)
        if self._batch.due():
            self._commit()

    def _commit(self) -> None:
        """Store what has been read so far, while reading goes on."""
        batch, self._batch = self._batch, _Batch()
        self._committed()
        self._committing = self._threads.submit(batch.store_in, self._store, self._results)

    def _committed(self) -> None:
        """Wait for what is being stored."""
        if self._committing:
            self._committing.result()

    def _finish(self) -> None:
        """Store the rest; where nothing ended the pass early, also that everything was read."""
        self._committed()
        complete = None if self._ended else self._row()
        self._batch.store_in(self._store, self._results, complete)
        known = self._damaged and self._damaged == self._store.damaged
        if complete is not None and self._full and known:
            self._store.mended()

    def _row(self) -> pl.DataFrame:
        row = {
            "finished_at": datetime.now(UTC),
            "full": self._full,
            "listed": self._listed,
            "read": self._read,
            "directories": list(self._settled),
            "settled": list(self._settled.values()),
        }
        return pl.DataFrame([row], schema=pl.Schema(PASSES))


@dataclass(frozen=True, slots=True)
class _Unread:
    """An object to read.

    Attributes:
        meta: What the listing says of it.
        changed: Whether another version of it was read before, or it was refused.
        refused: Code and message of what it was refused with; None where it was not, or has
            changed since.
    """

    meta: ObjectMeta
    changed: bool
    refused: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What became of an object.

    Attributes:
        unread: The object.
        room: What was taken of the room for it.
        data: Its bytes; None where it was not asked for, or could not be read.
        error: Why it could not be read.
        passed_over: Whether it was not asked for because others like it stay refused.
    """

    unread: _Unread
    room: int = 0
    data: bytes | None = None
    error: WorkflowError | None = None
    passed_over: bool = False


@dataclass(slots=True)
class _Results:
    """What the batches stored so far held."""

    bytes_read: int = 0
    captures: int = 0
    errors: int = 0


class _Batch:
    """Objects that are stored together."""

    def __init__(self) -> None:
        self._reader = CaptureReader()
        self._rows: list[tuple[str, str, int, datetime, datetime]] = []
        self._changed: list[str] = []
        self._errors: list[CaptureError] = []
        self._refused_again = 0
        self._bytes = 0
        self._began = time.monotonic()

    def due(self) -> bool:
        """Whether it is time to store it."""
        return bool(self._rows) and (
            len(self._reader) > COMMIT_CAPTURES or time.monotonic() - self._began > COMMIT_SECONDS
        )

    def add(self, answer: _Answer) -> None:
        """Read the captures of an object, or name it where it was not asked for.

        One that is shorter than listed is being changed, perhaps back to what was listed: without
        an ETag it stays unread.
        """
        meta = answer.unread.meta
        if answer.data is None:
            self._errors.append(not_asked_for(meta))
            self._mark(answer.unread, meta.etag)
            return
        self._reader.add(meta.key, answer.data)
        self._bytes += len(answer.data)
        self._mark(answer.unread, meta.etag if len(answer.data) == meta.size else "")

    def refuse(self, unread: _Unread, error: WorkflowError) -> None:
        """Name an object that could not be read this time; without an ETag it stays unread.

        Where the store has it so already, nothing in it changes.
        """
        if unread.refused == (error.code, error.message):
            self._refused_again += 1
            return
        self._errors.append(not_read(unread.meta, error))
        self._mark(unread, "")

    def pass_over(self) -> None:
        """Count an object that is taken to be refused as before."""
        self._refused_again += 1

    def _mark(self, unread: _Unread, etag: str) -> None:
        meta = unread.meta
        self._rows.append((meta.key, etag, meta.size, meta.last_modified, datetime.now(UTC)))
        if unread.changed:
            self._changed.append(meta.key)

    def store_in(
        self, store: SegmentStore, results: _Results, complete: pl.DataFrame | None = None
    ) -> None:
        """Store captures, errors and objects, all or none, and with them the row of a pass."""
        results.errors += self._refused_again
        frames = {} if complete is None else {"passes": complete}
        if self._rows:
            frames |= self._frames(store, results)
        replaced = dict.fromkeys(("captures", "errors", "objects"), ("key", self._changed))
        store.commit(frames, replacing=replaced if self._changed else None)

    def _frames(self, store: SegmentStore, results: _Results) -> dict[str, pl.DataFrame]:
        batch = self._reader.batch()
        found, repeated = _new_events(store, capture_rows(batch), self._changed)
        errors = [*self._errors, *batch.errors, *repeated]
        results.bytes_read += self._bytes
        results.captures += found.height
        results.errors += len(errors)
        return {
            "captures": found,
            "errors": error_rows(errors, datetime.now(UTC)),
            "objects": pl.DataFrame(self._rows, schema=pl.Schema(OBJECTS), orient="row"),
        }


def _readers(objects: int) -> int:
    """The fewest threads that read so many objects as soon as ``IN_FLIGHT`` would."""
    rounds = math.ceil(objects / IN_FLIGHT)
    return math.ceil(objects / rounds) if objects else 0


def _new_events(
    store: SegmentStore, rows: pl.DataFrame, changed: Sequence[str]
) -> tuple[pl.DataFrame, list[CaptureError]]:
    """Leave out events that are stored already, from another object.

    An event keeps its time wherever it is delivered: so only that stretch of time is searched.
    """
    times = rows["inference_time"]
    at_that_time = pl.col("inference_time").is_between(times.min(), times.max())
    if times.null_count():
        at_that_time |= pl.col("inference_time").is_null()
    stored = store.scan("captures").filter(at_that_time)
    if changed:
        stored = stored.filter(~pl.col("key").is_in(list(changed)))
    known = stored.select("event_id", "row").collect()
    repeated = rows.join(known, on=["event_id", "row"], how="semi")
    if repeated.is_empty():
        return rows, []
    lines = repeated.select("key", "line", "offset", "length", "event_id").unique(
        maintain_order=True
    )
    errors = [
        CaptureError(
            reason=DUPLICATE, detail="this event was captured before in another object", **line
        )
        for line in lines.iter_rows(named=True)
    ]
    return rows.join(known, on=["event_id", "row"], how="anti", maintain_order="left"), errors


def _refusals(store: SegmentStore) -> dict[tuple[str, datetime], tuple[str, str]]:
    """Code and message of what objects were refused with, by key and time of last change."""
    refused = store.scan("objects").filter(etag="").select("key", "last_modified")
    errors = store.scan("errors").filter(line=0).join(refused, on="key", how="inner")
    found = errors.select("key", "last_modified", "reason", "detail").collect()
    return {(key, changed): (code, said) for key, changed, code, said in found.iter_rows()}


def _settled(store: SegmentStore) -> dict[str, datetime]:
    """The hour up to which everything was read, by directory, as the last pass found."""
    last = store.scan("passes").select("directories", "settled").last().collect()
    return {
        directory: hour
        for directories, hours in last.iter_rows()
        for directory, hour in zip(directories, hours, strict=True)
    }
