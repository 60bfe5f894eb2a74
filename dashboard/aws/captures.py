"""Captures sync: bring data capture objects from S3 into the store, each of them once.

A pass lists what may be new, reads 64 objects at a time and stores what it has read every few
seconds, together with the names of the objects: whatever ends a pass, the next one goes on from
there. Only one pass of a store runs at a time, among all sessions and processes.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from dashboard.aws.objects import PAGE, Bucket, ObjectMeta
from dashboard.capture_tables import OBJECTS, PASSES, capture_rows, error_rows
from dashboard.store import SegmentStore
from workflow.captures import DUPLICATE, CaptureError, CaptureReader, CaptureSource
from workflow.errors import WorkflowError

LATE: Final = timedelta(hours=2)
"""Files of an hour are delivered until so long after it, as far as was seen."""

IN_FLIGHT: Final = 64
"""GET requests at a time."""

IN_FLIGHT_BYTES: Final = 64 << 20
"""Bytes asked for at a time; one larger object is asked for alone."""

MAX_OBJECT_BYTES: Final = 256 << 20
"""Larger objects are named as errors and not read; SageMaker's are below 100 MB."""

COMMIT_CAPTURES: Final = 50_000
COMMIT_SECONDS: Final = 3.0
"""What was read is stored after so many captures or seconds."""

_BLOCK: Final = 10_000
_REFUSED_IN_A_ROW: Final = 20
_REPORT_SECONDS: Final = 0.5
_ABOUT_ONE_OBJECT: Final = frozenset(
    {"AccessDenied", "InvalidObjectState", "KMS.DisabledException", "NoSuchKey"}
)


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
            AWS's own code where the bucket cannot be listed or objects are refused. Whatever was
            read before is stored.
    """
    with store.claimed("sync") as free:
        if not free:
            raise WorkflowError(
                "AlreadyRunning",
                "Captures are being read by another session.",
                "Wait until it has ended; what it reads appears here too.",
            )
        full = full or bool(store.damaged)

        async def run() -> CaptureProgress:
            return await _Pass(bucket, prefix, store, report, stop, full=full).run()

        try:
            return asyncio.run(run())
        except* pl.exceptions.PolarsError as errors:
            lost = store.check()
            if not lost:
                raise
            raise WorkflowError(
                "StoreDamaged",
                f"{len(lost)} segments of the store in {store.root} could not be read.",
                "Sync again: they were set aside, and what they held is read anew.",
            ) from errors


class _Pass:
    """One pass under way."""

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
        self._full = full
        self._settled = _settled(store)
        self._began = self._reported = time.monotonic()
        self._listed = self._found = self._read = 0
        self._all_listed = False
        self._results = _Results()
        self._batch = _Batch()
        self._committing: asyncio.Task[None] | None = None
        self._unread: asyncio.Queue[_Unread | None] = asyncio.Queue(2 * _BLOCK)
        self._asked = 0
        self._room = asyncio.Event()
        self._refused = 0
        self._failure: WorkflowError | None = None

    async def run(self) -> CaptureProgress:
        async with asyncio.TaskGroup() as readers:
            for _ in range(IN_FLIGHT):
                readers.create_task(self._read_on())
            try:
                await self._list()
            except WorkflowError as error:
                self._failure = error
            for _ in range(IN_FLIGHT):
                await self._unread.put(None)
        await self._commit()
        await self._committed()
        if self._failure:
            raise self._failure
        if not self._stop.is_set():
            await asyncio.to_thread(self._finish)
        progress = self._progress()
        self._report(progress)
        return progress

    @property
    def _ended(self) -> bool:
        return self._failure is not None or self._stop.is_set()

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

    def _finish(self) -> None:
        """Record that everything listed was read."""
        row = {
            "finished_at": datetime.now(UTC),
            "full": self._full,
            "listed": self._listed,
            "read": self._read,
            "directories": list(self._settled),
            "settled": list(self._settled.values()),
        }
        self._store.append("passes", pl.DataFrame([row], schema=pl.Schema(PASSES)))
        if self._full and self._store.damaged:
            self._store.mended()

    # --- listing

    async def _list(self) -> None:
        """List in a thread, and queue what is to be read."""
        loop = asyncio.get_running_loop()
        blocks = self._blocks()
        with ThreadPoolExecutor(1, "capture-listing") as lister:
            while not self._ended:
                block = await loop.run_in_executor(lister, next, blocks, None)
                if block is None:
                    self._all_listed = True
                    return
                for unread in block:
                    await self._unread.put(unread)

    def _blocks(self) -> Iterator[list["_Unread"]]:
        """What is new or changed, in blocks that grow, so that reading begins soon."""
        block: list[ObjectMeta] = []
        limit = PAGE
        for page in self._pages():
            block += page
            if len(block) >= limit:
                yield self._new_of(block)
                block, limit = [], min(2 * limit, _BLOCK)
        yield self._new_of(block)

    def _pages(self) -> Iterator[list[ObjectMeta]]:
        """Everything that may be new, and stray objects above the variants."""
        branches: list[str] = []
        endpoints, strays = self._bucket.children(self._prefix)
        yield strays
        for endpoint in endpoints:
            variants, strays = self._bucket.children(endpoint)
            yield strays
            branches += variants
        settled = {} if self._full else dict(self._settled)
        for listing in plan_listings(branches, settled, datetime.now(UTC)):
            yield from self._bucket.objects(listing.prefix, listing.after)

    def _new_of(self, block: list[ObjectMeta]) -> list["_Unread"]:
        if not block:
            return []
        keys = [meta.key for meta in block]
        for directory, hour in settled_hours(keys).items():
            self._settled[directory] = max(hour, self._settled.get(directory, hour))
        in_range = pl.col("key").is_between(pl.lit(min(keys)), pl.lit(max(keys)))
        seen = self._store.scan("objects").filter(in_range)
        known = dict(seen.select("key", "etag").collect().iter_rows())
        unread = [
            _Unread(meta, changed=meta.key in known)
            for meta in block
            if known.get(meta.key) != meta.etag
        ]
        self._listed += len(block)
        self._found += len(unread)
        return unread

    # --- reading

    async def _read_on(self) -> None:
        """Read one object after the other, until there is none left."""
        while (unread := await self._unread.get()) is not None:
            if self._ended:
                continue
            try:
                await self._read_one(unread)
            except WorkflowError as error:
                self._refuse(unread, error)
            if time.monotonic() - self._reported > _REPORT_SECONDS:
                self._reported = time.monotonic()
                self._report(self._progress())

    @asynccontextmanager
    async def _reserved(self, size: int) -> AsyncIterator[None]:
        """Wait until so many bytes may be asked for."""
        while self._asked and self._asked + size > IN_FLIGHT_BYTES:
            self._room.clear()
            await self._room.wait()
        self._asked += size
        try:
            yield
        finally:
            self._asked -= size
            self._room.set()

    async def _read_one(self, unread: "_Unread") -> None:
        meta = unread.meta
        if meta.size > MAX_OBJECT_BYTES:
            said = f"{meta.size:,} bytes; captures are at most a few MB"
            self._batch.skip(unread, "object too large", said)
        else:
            async with self._reserved(meta.size):
                data, etag = await self._bucket.read(meta.key)
                self._batch.add(unread, data, etag)
        self._refused = 0
        self._read += 1
        if self._batch.due():
            await self._commit()

    def _refuse(self, unread: "_Unread", error: WorkflowError) -> None:
        """Name an object that cannot be read; give up where it is all of them, or S3 itself."""
        self._refused += 1
        alone = error.code in _ABOUT_ONE_OBJECT and self._refused < _REFUSED_IN_A_ROW
        if alone:
            self._batch.refuse(unread, error)
            self._read += 1
        else:
            self._failure = self._failure or error

    # --- storing

    async def _commit(self) -> None:
        """Store what has been read so far, while reading goes on."""
        batch, self._batch = self._batch, _Batch()
        await self._committed()
        self._committing = asyncio.create_task(
            asyncio.to_thread(batch.store_in, self._store, self._results)
        )

    async def _committed(self) -> None:
        if self._committing:
            await self._committing


@dataclass(frozen=True, slots=True)
class _Unread:
    """An object to read; ``changed`` where another version of it was read before."""

    meta: ObjectMeta
    changed: bool


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
        self._bytes = 0
        self._began = time.monotonic()

    def due(self) -> bool:
        """Whether it is time to store it."""
        return bool(self._rows) and (
            len(self._reader) > COMMIT_CAPTURES or time.monotonic() - self._began > COMMIT_SECONDS
        )

    def add(self, unread: _Unread, data: bytes, etag: str) -> None:
        self._reader.add(unread.meta.key, data)
        self._bytes += len(data)
        self._mark(unread, etag)

    def skip(self, unread: _Unread, reason: str, detail: str) -> None:
        """Name an object instead of reading it."""
        self._errors.append(CaptureError(unread.meta.key, 0, reason, detail, lines=0))
        self._mark(unread, unread.meta.etag)

    def refuse(self, unread: _Unread, error: WorkflowError) -> None:
        """Name an object that could not be read this time; without an ETag it stays unread."""
        self._errors.append(CaptureError(unread.meta.key, 0, error.code, error.message, lines=0))
        self._mark(unread, "")

    def _mark(self, unread: _Unread, etag: str) -> None:
        meta = unread.meta
        self._rows.append((meta.key, etag, meta.size, meta.last_modified, datetime.now(UTC)))
        if unread.changed:
            self._changed.append(meta.key)

    def store_in(self, store: SegmentStore, results: _Results) -> None:
        """Store captures, errors and objects, all or none."""
        batch = self._reader.batch()
        found, repeated = _new_events(store, capture_rows(batch), self._changed)
        errors = [*self._errors, *batch.errors, *repeated]
        store.commit(
            {
                "captures": found,
                "errors": error_rows(errors, datetime.now(UTC)),
                "objects": pl.DataFrame(self._rows, schema=pl.Schema(OBJECTS), orient="row"),
            },
            replacing=dict.fromkeys(("captures", "errors", "objects"), ("key", self._changed)),
        )
        results.bytes_read += self._bytes
        results.captures += found.height
        results.errors += len(errors)


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
    stored = (
        store.scan("captures")
        .filter(at_that_time, ~pl.col("key").is_in(list(changed)))
        .select("event_id", "row")
        .collect()
    )
    repeated = rows.join(stored, on=["event_id", "row"], how="semi")
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
    return rows.join(stored, on=["event_id", "row"], how="anti", maintain_order="left"), errors


def _settled(store: SegmentStore) -> dict[str, datetime]:
    """The hour up to which everything was read, by directory, as the last pass found."""
    last = store.scan("passes").select("directories", "settled").last().collect()
    return {
        directory: hour
        for directories, hours in last.iter_rows()
        for directory, hour in zip(directories, hours, strict=True)
    }
