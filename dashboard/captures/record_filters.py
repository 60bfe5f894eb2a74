"""Filters of captured records, and the records and counts that they let through."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from dashboard.captures import aggregates as tables
from dashboard.captures.aggregates import BINS
from dashboard.captures.periods import Period
from dashboard.captures.selection import Selection

COUNTED = ("inference_time", "endpoint", "variant", "label", "confidence")
"""The columns of the captures table that are counted; all others are read for single records."""


@dataclass(frozen=True, slots=True)
class InferenceFilters:
    """Which records.

    Attributes:
        endpoint: Only this endpoint; empty for all.
        variant: Only this production variant; empty for all.
        label: Only this class, by its index in an answer; None for all.
        since: From this moment (inclusive), aware; None for any.
        until: To this moment (exclusive), aware; None for any.
    """

    endpoint: str = ""
    variant: str = ""
    label: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def window(self) -> tuple[datetime | None, datetime | None]:
        """Return from when (inclusive) to when (exclusive); None where open."""
        return self.since, self.until


def begin_of(span: timedelta, end: datetime) -> datetime:
    """Return when a time range of a length begins: with a whole period.

    A page that is drawn again a moment later so asks the same, which is remembered.
    """
    return Period.of(span).floor(end - span)


def period_of(captures: pl.DataFrame, filters: InferenceFilters, now: datetime) -> Period:
    """Return by which period to count: minutes for hours, hours for weeks, else days."""
    start, end = filters.window()
    times = captures.lazy().select("inference_time").filter(_in_usable_time(start, end, now))
    first, last = (
        times.select(low=pl.col("inference_time").min(), high=pl.col("inference_time").max())
        .collect()
        .row(0)
    )
    return Period.HOUR if first is None else Period.of(last - first)


def _in_usable_time(start: datetime | None, end: datetime | None, now: datetime) -> pl.Expr:
    low = max(start or tables.EARLIEST, tables.EARLIEST)
    high = min(end or now + tables.AHEAD, now + tables.AHEAD)
    return pl.col("inference_time").is_between(low, high)


def select_counts(counts: pl.DataFrame, filters: InferenceFilters) -> pl.DataFrame:
    """Select filtered counts; a time filter leaves out records without a time.

    Args:
        counts: A frame of ``COUNTS``, in one of whose periods the filters' time begins.
        filters: What to keep.
    """
    start, end = filters.window()
    conditions = [
        pl.col(column) == value
        for column, value in (("endpoint", filters.endpoint), ("variant", filters.variant))
        if value
    ]
    if filters.label is not None:
        conditions.append(pl.col("label") == filters.label)
    return counts.filter(*conditions, *_time_between(start, end))


def _time_between(start: datetime | None, end: datetime | None) -> list[pl.Expr]:
    conditions = []
    if start is not None:
        conditions.append(pl.col("time") >= start)
    if end is not None:
        conditions.append(pl.col("time") < end)
    return conditions


def filter_between(
    counts: pl.DataFrame, start: datetime | None = None, end: datetime | None = None
) -> pl.DataFrame:
    """Return the counts from one time (inclusive) to another (exclusive)."""
    return counts.filter(*_time_between(start, end))


def match_records(
    captures: pl.LazyFrame,
    filters: InferenceFilters,
    selection: Selection | None = None,
    *,
    now: datetime,
) -> pl.LazyFrame:
    """Return the records behind a bar, newest first; those without a usable time last.

    A time filter leaves those out, as in ``select_counts``.
    """
    start, end = filters.window()
    conditions = [
        pl.col(column) == value
        for column, value in (
            ("endpoint", filters.endpoint or None),
            ("variant", filters.variant or None),
            ("label", filters.label),
        )
        if value is not None
    ]
    usable = _in_usable_time(None, None, now)
    if (start, end) != (None, None):
        conditions += [is_between(start, end), usable]
    if selection is not None:
        conditions.append(selection.of_class())
        conditions.append(pl.col("confidence") >= selection.low - tables.ROUNDING / BINS)
        if selection.high < 1:
            conditions.append(pl.col("confidence") < selection.high - tables.ROUNDING / BINS)
    # A broken clock in the future must not come first for ever.
    newest = pl.when(usable).then("inference_time")
    return captures.filter(*conditions).sort(newest, descending=True, nulls_last=True)


def has_usable_time(moment: datetime | None, now: datetime) -> bool:
    """Return whether a record's time is there, not before SageMaker was, and not in the future."""
    return moment is not None and tables.EARLIEST <= moment <= now + tables.AHEAD


def is_between(start: datetime | None, end: datetime | None) -> pl.Expr:
    """Return whether a record's time lies from one moment (inclusive) to another (exclusive)."""
    conditions = [pl.lit(value=True)]
    if start is not None:
        conditions.append(pl.col("inference_time") >= start)
    if end is not None:
        conditions.append(pl.col("inference_time") < end)
    return pl.all_horizontal(conditions)
