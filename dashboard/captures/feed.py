"""The capture feed: one thread of this process that brings captures into the store, and the counts.

Of all processes that share a store, one syncs at a time; the others read what it writes. Pages ask
for counts and single records here and never wait for a sync.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import polars as pl

from dashboard.aws.cloud import Connection
from dashboard.aws.error_tables import ERRORS
from dashboard.aws.ground_truth import TRUTHS, GroundTruthLog
from dashboard.aws.objects import Bucket
from dashboard.captures import labelled_captures, record_filters
from dashboard.captures.aggregates import count_captures
from dashboard.captures.periods import Period
from dashboard.captures.places import read_setup
from dashboard.captures.record_filters import COUNTED, InferenceFilters
from dashboard.captures.selection import Selection
from dashboard.captures.sync import last_pass, sync_captures
from dashboard.captures.sync_progress import CaptureProgress
from dashboard.captures.tables import TABLES
from dashboard.shared.feed_thread import FeedThread
from dashboard.shared.store import SegmentStore
from dashboard.shared.version_cache import VersionCache
from workflow.errors import WorkflowError
from workflow.monitoring import CapturePlace
from workflow.spans import Span

T = TypeVar("T")

WATCHED_PAUSE_S: Final = 4.0
"""Between passes while a page is looking: a pass that finds nothing costs a few listings."""

IDLE_AFTER_S: Final = 60.0
"""Without a page looking for so long, the thread rests."""

_KEPT: Final = 32
"""Answers about the store: more than all views ask for with a few filters."""

_PAGE_ROWS: Final = 1_000
"""So many single records are kept; an export of more is read each time."""

PLACE_SECONDS: Final = 300.0
"""The endpoint is asked again after so long where it captures."""


class CaptureFeed:
    """What pages read captures from.

    Args:
        connection: The cloud.
        root: Directory of the store.

    Attributes:
        store: Keeps ``capture_tables.TABLES``.
        place: Where the captures are; None until the endpoint was asked where it captures.
        progress: Of the pass under way, or of the last one; None before the first.
        problem: What ended the last pass early, or None.
        reads_objects: Whether it knows of each object when it came and what could not be read.
    """

    reads_objects: Final = True

    def __init__(self, connection: Connection, root: Path) -> None:
        self.store = SegmentStore(root, TABLES)
        self._connection = connection
        watched = connection.watched
        captured = watched.captures.bucket if watched.captures else watched.bucket
        self._bucket = Bucket.of(connection.session, captured) if captured else None
        self.place: CapturePlace | None = None
        self._shadows: frozenset[str] = frozenset()
        self._asked_at = 0.0
        elsewhere = watched.bucket not in ("", captured)
        labelled = Bucket.of(connection.session, watched.bucket) if elsewhere else self._bucket
        self._truths = None if labelled is None else self._open_labels(labelled)
        self.progress: CaptureProgress | None = None
        self.problem: WorkflowError | None = None
        self._reread = threading.Event()
        self._stop = threading.Event()
        self._paused = False
        self._full = False
        self._syncing = False
        self._cache = VersionCache(kept=_KEPT)
        self._passes = VersionCache(kept=1)
        self._thread = FeedThread("Sync of captures", self._run, connection.alive)

    @property
    def bucket(self) -> Bucket:
        """Where the captures are, for the images behind them.

        Raises:
            WorkflowError: ``CapturesNotFound`` until the endpoint was asked.
        """
        if self._bucket is None:
            raise WorkflowError(
                "CapturesNotFound",
                "Where the captures of this workflow lie is not known yet.",
                "Name the endpoint, or where its captures lie, on the Workflows page.",
            )
        return self._bucket

    @property
    def version(self) -> tuple[object, ...]:
        """Changes whenever what was read has: the key of what is computed from it."""
        return (
            self.store.table_version("captures"),
            self.store.table_version("errors"),
            self._truths.version if self._truths else (),
        )

    @property
    def as_of(self) -> datetime | None:
        """When the last complete pass ended; None before the first."""
        ended = self.store.table_version("passes")
        return self._passes.get("last", ended, lambda: last_pass(self.store))

    @property
    def syncing(self) -> bool:
        """Whether a pass of this process is under way."""
        return self._syncing

    @property
    def paused(self) -> bool:
        """Whether somebody stopped the sync."""
        return self._paused

    def period(self, filters: InferenceFilters, now: datetime) -> Period:
        """Return by which period the records of a filter are best counted."""
        key = ("period", filters.window())
        return self._cache_answer(
            key, lambda: record_filters.period_of(self._read_counted(), filters, now)
        )

    def counts(self, filters: InferenceFilters, period: Period, now: datetime) -> pl.DataFrame:
        """Count filtered records by period, endpoint, variant, class and bin.

        Returns:
            A frame of ``tables.COUNTS``.
        """
        window = filters.window()

        def count() -> pl.DataFrame:
            captured = self._read_counted()
            if window != (None, None):
                captured = captured.filter(record_filters.is_between(*window))
            return count_captures(captured, period, now=now)

        # Counted once for all filters of a window: endpoint, variant and class are its columns.
        counts = self._cache_answer(("counts", window, period), count)
        return record_filters.select_counts(counts, filters)

    def counted(self, filters: InferenceFilters, span: Span, now: datetime) -> pl.DataFrame:
        """Count records of another span, to the moment, by day; the filters' days do not matter."""

        def count() -> pl.DataFrame:
            captured = self._read_counted().filter(record_filters.is_between(span.start, span.end))
            return count_captures(captured, Period.DAY, now=now)

        within = replace(filters, since=None, until=None)
        return record_filters.select_counts(self._cache_answer(("counted", span), count), within)

    def names(self) -> pl.DataFrame:
        """Return every ``endpoint``, ``variant`` and ``label`` there is, for the filters."""
        columns = ("endpoint", "variant", "label")
        found = self._cache_answer(
            ("names",), lambda: self._read_counted().select(columns).unique(maintain_order=False)
        )
        return found.cast({"endpoint": pl.String, "variant": pl.String}).sort(columns)

    def records(
        self, filters: InferenceFilters, selection: Selection | None, *, limit: int, offset: int = 0
    ) -> pl.DataFrame:
        """Return single records with all their columns, newest first."""

        def read() -> pl.DataFrame:
            found = record_filters.match_records(
                self.store.scan("captures"), filters, selection, now=datetime.now(UTC)
            )
            return found.slice(offset, limit).collect()

        if limit > _PAGE_ROWS:
            return read()
        return self._cache_answer(("records", filters, selection, limit, offset), read)

    def confidences(self, filters: InferenceFilters) -> pl.Series:
        """Return the confidence of every record that the filters let through."""
        found = record_filters.match_records(
            self._read_counted().lazy(), filters, now=datetime.now(UTC)
        )
        return found.select("confidence").collect()["confidence"]

    def sample(self, filters: InferenceFilters, spans: Sequence[Span], size: int) -> pl.DataFrame:
        """Draw records of some spans of time at random, the same for the same records.

        The filters' days do not matter.
        """
        within = replace(filters, since=None, until=None)
        found = record_filters.match_records(
            self.store.scan("captures"), within, now=datetime.now(UTC)
        )
        places = found.select("inference_time", "event_id", "key", "offset", "length", "gzipped")
        inside = [record_filters.is_between(span.start, span.end) for span in spans]
        drawn = places.filter(pl.any_horizontal(pl.lit(value=False), *inside))
        return drawn.sort(pl.col("event_id").hash(seed=0)).head(size).collect()

    def judged(self, filters: InferenceFilters) -> pl.DataFrame:
        """Return the records that have a ground truth, counted, as the filters let through.

        Returns:
            A frame of ``labelled_captures.JUDGED``.
        """

        def judge() -> pl.DataFrame:
            columns = ("event_id", "inference_id", *COUNTED)
            captures = self.store.scan("captures").select(columns).collect()
            return labelled_captures.judge_records(captures, self._current_labels())

        judged = self._cache_answer(("judged",), judge)
        return labelled_captures.count_judged(judged, filters, datetime.now(UTC))

    def truth_of(self, ids: Iterable[str]) -> int | None:
        """Return the right class of a record, by its inference id, else its event id, if known."""
        return labelled_captures.truth_of(self._current_labels(), ids)

    def truth_errors(self) -> pl.DataFrame:
        """Return lines and objects that gave no ground truth, newest first."""
        return self._truths.errors() if self._truths else pl.DataFrame(schema=pl.Schema(ERRORS))

    def errors(self) -> pl.DataFrame:
        """Return lines and objects that gave no capture, newest first."""
        return self._cache_answer(
            ("errors",),
            lambda: self.store.scan("errors").sort("found_at", descending=True).collect(),
        )

    def deliveries(self, filters: InferenceFilters, limit: int) -> pl.DataFrame:
        """Return when the newest objects of an endpoint, variant and time came; of all classes.

        Returns:
            ``key``, ``last_modified`` and ``last``, the time of its last record; newest first.
        """
        asked = replace(filters, label=None)
        named = {"endpoint": asked.endpoint, "variant": asked.variant}
        chosen = {column: name for column, name in named.items() if name}

        def read() -> pl.DataFrame:
            objects = self.store.scan("objects").select("key", "last_modified")
            last = (
                self.store.scan("captures")
                .filter(**chosen)
                .group_by("key")
                .agg(pl.col("inference_time").max())
                .filter(record_filters.is_between(*asked.window()))
                .rename({"inference_time": "last"})
            )
            found = objects.join(last, on="key", how="inner")
            return found.sort("last_modified", descending=True).head(limit).collect()

        return self._cache_answer(("deliveries", asked, limit), read)

    def watch(self) -> None:
        """Note that a page is looking, which keeps the thread running.

        Raises:
            WorkflowError: What ended the thread; it is started again by the next call.
        """
        self._thread.watch()

    def pause(self) -> None:
        """End the pass under way; what was read is kept."""
        # Before the pass is told to end: the thread must not begin another one.
        self._paused = True
        self._stop.set()

    def resume(self, *, full: bool = False) -> None:
        """Go on, now.

        Args:
            full: Whether the next pass looks at every object again.
        """
        self._full = self._full or full
        self._paused = False
        # Before the thread is woken: else its pass would end at once.
        self._stop.clear()
        self._thread.wake()
        self.watch()

    def close(self) -> None:
        """End the thread; another feed takes over its store."""
        self._stop.set()
        self._thread.close()

    def reread(self) -> None:
        """Forget what was read and read it again: the past itself has changed."""
        # The thread clears the store itself, between two passes.
        self._reread.set()
        self.resume()

    def _run(self) -> None:
        while self._thread.goes_on():
            # Without a reader nothing is listed: every request to S3 costs.
            if not self._paused and self._thread.unwatched_s < IDLE_AFTER_S:
                self._sync_once()
            self._thread.rest(WATCHED_PAUSE_S)

    def _sync_once(self) -> None:
        # Taken at the beginning: what is asked for during the pass is for the next one.
        full, self._full = self._full, False
        self.problem = self.store.problem or self.problem
        self._syncing = True
        captures = partial(self._sync_captures, full=full)
        try:
            problems = [_run_and_catch(captures), _run_and_catch(self._read_labels)]
            self.problem = next(filter(None, problems), None)
        finally:
            self._syncing = False

    def _sync_captures(self, *, full: bool) -> None:
        place = self._find_place()
        if self._reread.is_set():
            self._reread.clear()
            self.store.clear()
        sync_captures(
            self.bucket,
            place.folder,
            self.store,
            report=self._note_progress,
            stop=self._stop,
            full=full,
            classes=self._connection.watched.classes,
            shadows=self._shadows,
        )

    def _open_labels(self, bucket: Bucket) -> GroundTruthLog:
        return GroundTruthLog(bucket, classes=self._connection.watched.classes)

    def _current_labels(self) -> pl.DataFrame:
        return self._truths.truths() if self._truths else pl.DataFrame(schema=TRUTHS)

    def _read_labels(self) -> None:
        if self._truths is None and self._bucket is not None:
            self._truths = self._open_labels(self._bucket)
        if self._truths is not None:
            self._truths.refresh()

    def _find_place(self) -> CapturePlace:
        """Return where captures lie; ask the endpoint again now and then, for it may be updated."""
        if self.place is None or time.monotonic() - self._asked_at > PLACE_SECONDS:
            found = read_setup(self._connection)
            place, self._shadows = found.place, found.shadows
            if self._bucket is None or place.bucket != self._bucket.name:
                self._bucket = Bucket.of(self._connection.session, place.bucket)
            self.place, self._asked_at = place, time.monotonic()
        return self.place

    def _note_progress(self, progress: CaptureProgress) -> None:
        self.progress = progress

    def _read_counted(self) -> pl.DataFrame:
        """Return the counted columns of every capture, in memory: 28 bytes a record."""

        def read() -> pl.DataFrame:
            names = pl.col("endpoint", "variant").cast(pl.Categorical)
            return self.store.scan("captures").select(COUNTED).with_columns(names).collect()

        return self._cache_answer(("captured",), read)

    def _cache_answer(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """Return what was made for the present version of the store; made again for a later one."""
        return self._cache.get(key, self.version, make)


def _run_and_catch(work: Callable[[], object]) -> WorkflowError | None:
    """Do some work; what ended it early, but for another session that does it already."""
    try:
        work()
    except WorkflowError as error:
        return None if error.code == "AlreadyRunning" else error
    return None
