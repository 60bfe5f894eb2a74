"""What pages ask of captures, whoever answers: a store on this machine, or Athena."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

import polars as pl

from dashboard.aws.objects import Bucket
from dashboard.captures.periods import Period
from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.selection import Selection
from dashboard.captures.sync_progress import CaptureProgress
from workflow.errors import WorkflowError
from workflow.monitoring import CapturePlace
from workflow.spans import Span


class InferenceFeed(Protocol):
    """Answers of ``CaptureFeed`` and ``AthenaFeed``; each says where it knows less.

    Every question may raise ``WorkflowError``: AWS's own code, or ``StillWaiting``.
    """

    @property
    def bucket(self) -> Bucket:
        """Where the captures are, for the images behind them."""

    @property
    def place(self) -> CapturePlace | None:
        """The same with the prefix; None until the endpoint was asked where it captures."""

    @property
    def version(self) -> tuple[object, ...]:
        """Changes whenever answers may have: the key of what is computed from them."""

    @property
    def as_of(self) -> datetime | None:
        """When the captures were last read; None before the first time."""

    @property
    def problem(self) -> WorkflowError | None:
        """What was not read the last time, and why; None where all was."""

    @property
    def reads_objects(self) -> bool:
        """Whether it knows of each object when it came and what could not be read."""

    @property
    def progress(self) -> CaptureProgress | None:
        """Of the pass under way or of the last one; None where there was none."""

    @property
    def syncing(self) -> bool:
        """Whether a pass of this process is under way."""

    @property
    def paused(self) -> bool:
        """Whether somebody stopped the sync."""

    def watch(self) -> None:
        """Go on: a page is looking."""

    def pause(self) -> None:
        """End the pass under way; what was read is kept."""

    def resume(self, *, full: bool = False) -> None:
        """Go on now; ``full`` looks at every object again."""

    def close(self) -> None:
        """End for good: another source takes its place."""

    def period(self, filters: InferenceFilters, now: datetime) -> Period:
        """Return by which period the records of a filter are best counted."""

    def counts(self, filters: InferenceFilters, period: Period, now: datetime) -> pl.DataFrame:
        """Count records by period, endpoint, variant, class and bin: ``aggregates.COUNTS``."""

    def counted(self, filters: InferenceFilters, span: Span, now: datetime) -> pl.DataFrame:
        """Count records of another span, to the moment, by day; the filters' days do not matter."""

    def names(self) -> pl.DataFrame:
        """Return every ``endpoint``, ``variant`` and ``label`` there is, for the filters."""

    def records(
        self, filters: InferenceFilters, selection: Selection | None, *, limit: int, offset: int = 0
    ) -> pl.DataFrame:
        """Return single records with all their columns, newest first."""

    def confidences(self, filters: InferenceFilters) -> pl.Series:
        """Return the confidence of every record that the filters let through."""

    def sample(self, filters: InferenceFilters, spans: Sequence[Span], size: int) -> pl.DataFrame:
        """Return records of some spans of time; the filters' days do not matter."""

    def judged(self, filters: InferenceFilters) -> pl.DataFrame:
        """Return the records that have a ground truth: a frame of ``labelled_captures.JUDGED``."""

    def truth_of(self, ids: Iterable[str]) -> int | None:
        """Return the right class of a record, by its inference id, else its event id, if known."""

    def truth_errors(self) -> pl.DataFrame:
        """Return lines and objects that gave no ground truth, newest first."""

    def errors(self) -> pl.DataFrame:
        """Return lines and objects that gave no capture, newest first."""

    def deliveries(self, filters: InferenceFilters, limit: int) -> pl.DataFrame:
        """Return ``key``, ``last_modified`` and ``last`` (its last record's time) of objects."""
