"""The writer of captures: make batches of what was read, and store them."""

import time
from collections.abc import Collection, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import polars as pl

from dashboard.aws.capture_errors import not_asked_for, not_read
from dashboard.aws.error_tables import error_rows
from dashboard.captures.fetcher import FetchedObject
from dashboard.captures.lister import UnreadObject
from dashboard.captures.tables import OBJECTS, capture_rows
from dashboard.shared.store import SegmentStore
from workflow.captures import (
    DUPLICATE,
    CaptureError,
    CaptureReader,
    CaptureSource,
)
from workflow.errors import WorkflowError

COMMIT_CAPTURES: Final = 50_000
COMMIT_SECONDS: Final = 3.0
"""What was read is stored after so many captures or seconds."""


class Writer:
    """Stores what was read, batch by batch, in a thread of its own; one for each pass.

    Args:
        store: Where captures go.
        threads: Runs a commit while the next batch is filled.
        classes: Names of the classes by their index, for answers by name.
        shadows: Names of the shadow variants.

    Attributes:
        read: Objects taken.
        stored: What the batches stored so far held.
    """

    def __init__(
        self,
        store: SegmentStore,
        threads: Executor,
        *,
        classes: Sequence[str],
        shadows: Collection[str],
    ) -> None:
        self._batch_of = partial(_Batch, classes, shadows)
        self._store = store
        self._threads = threads
        self.read = 0
        self.stored = StoredCounts()
        self._batch = self._batch_of()
        self._committing: Future[None] | None = None

    def take(self, fetched: FetchedObject) -> None:
        """Put an object into the batch, and store the batch where it is due."""
        if fetched.error:
            self._batch.refuse(fetched.unread, fetched.error)
        elif fetched.passed_over:
            self._batch.pass_over()
        else:
            self._batch.add(fetched)
        self.read += 1
        if self._batch.is_due():
            batch, self._batch = self._batch, self._batch_of()
            self._wait_for_commit()
            # One at a time, in the order in which batches were filled; the next one is filled
            # meanwhile.
            self._committing = self._threads.submit(batch.store_in, self._store, self.stored)

    def finish(self, complete: pl.DataFrame | None) -> None:
        """Store the rest, and with it the row of a complete pass."""
        self._wait_for_commit()
        self._batch.store_in(self._store, self.stored, complete)

    def _wait_for_commit(self) -> None:
        """Wait for what is being stored."""
        if self._committing:
            self._committing.result()


@dataclass(slots=True)
class StoredCounts:
    """Counts of what was stored so far."""

    bytes_read: int = 0
    captures: int = 0
    errors: int = 0


class _Batch:
    """Objects that are stored together."""

    def __init__(self, classes: Sequence[str], shadows: Collection[str]) -> None:
        self._shadow_names = shadows
        self._reader, self._shadows = CaptureReader(classes), CaptureReader(classes)
        self._rows: list[tuple[str, str, int, datetime, datetime]] = []
        self._changed: list[str] = []
        self._errors: list[CaptureError] = []
        self._refused_again = 0
        self._bytes = 0
        self._began = time.monotonic()

    def is_due(self) -> bool:
        """Tell whether it is time to store it."""
        return bool(self._rows) and (
            len(self._reader) > COMMIT_CAPTURES or time.monotonic() - self._began > COMMIT_SECONDS
        )

    def add(self, fetched: FetchedObject) -> None:
        """Read the captures of an object, or name it where it was not asked for.

        One that is shorter than listed is being changed, perhaps back to what was listed: without
        an ETag it stays unread.
        """
        meta = fetched.unread.meta
        if fetched.data is None:
            self._errors.append(not_asked_for(meta))
            self._add_object_row(fetched.unread, meta.etag)
            return
        shadow = CaptureSource.of(meta.key).variant in self._shadow_names
        (self._shadows if shadow else self._reader).add(meta.key, fetched.data)
        self._bytes += len(fetched.data)
        self._add_object_row(fetched.unread, meta.etag if len(fetched.data) == meta.size else "")

    def refuse(self, unread: UnreadObject, error: WorkflowError) -> None:
        """Name an object that could not be read this time; without an ETag it stays unread.

        Where the store has it so already, nothing in it changes.
        """
        if unread.refused == (error.code, error.message):
            self._refused_again += 1
            return
        self._errors.append(not_read(unread.meta, error))
        self._add_object_row(unread, "")

    def pass_over(self) -> None:
        """Count an object that is taken to be refused as before."""
        self._refused_again += 1

    def _add_object_row(self, unread: UnreadObject, etag: str) -> None:
        meta = unread.meta
        self._rows.append((meta.key, etag, meta.size, meta.last_modified, datetime.now(UTC)))
        if unread.changed:
            self._changed.append(meta.key)

    def store_in(
        self, store: SegmentStore, results: StoredCounts, complete: pl.DataFrame | None = None
    ) -> None:
        """Store captures, errors and objects, all or none, and with them the row of a pass."""
        results.errors += self._refused_again
        frames = {} if complete is None else {"passes": complete}
        if self._rows:
            frames |= self._build_frames(store, results)
        tables = ("captures", "shadows", "errors", "objects")
        replaced = dict.fromkeys(tables, ("key", self._changed))
        store.commit(frames, replacing=replaced if self._changed else None)

    def _build_frames(self, store: SegmentStore, results: StoredCounts) -> dict[str, pl.DataFrame]:
        batch, shadows = self._reader.batch(), self._shadows.batch()
        found, repeated = _new_events(store, "captures", capture_rows(batch), self._changed)
        copied, again = _new_events(store, "shadows", capture_rows(shadows), self._changed)
        errors = [*self._errors, *batch.errors, *shadows.errors, *repeated, *again]
        results.bytes_read += self._bytes
        results.captures += found.height
        results.errors += len(errors)
        return {
            "captures": found,
            "shadows": copied,
            "errors": error_rows(errors, datetime.now(UTC)),
            "objects": pl.DataFrame(self._rows, schema=pl.Schema(OBJECTS), orient="row"),
        }


def _new_events(
    store: SegmentStore, table: str, rows: pl.DataFrame, changed: Sequence[str]
) -> tuple[pl.DataFrame, list[CaptureError]]:
    """Leave out events that a table has already, from another object.

    An event keeps its time wherever it is delivered: so only that stretch of time is searched.
    """
    times = rows["inference_time"]
    at_that_time = pl.col("inference_time").is_between(times.min(), times.max())
    if times.null_count():
        at_that_time |= pl.col("inference_time").is_null()
    stored = store.scan(table).filter(at_that_time)
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
