"""What the *Inferences* page shows of captured inferences: filters, summary, what-if, images."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nlargest

import polars as pl

from dashboard.captures import aggregates as tables
from dashboard.captures.aggregates import BINS, EDGES
from dashboard.captures.periods import Period
from dashboard.captures.selection import Selection
from workflow.class_names import ClassNames
from workflow.feature_statistics import Histogram, NumericalStatistics, Statistics, StringStatistics
from workflow.intervals import Share
from workflow.thresholds import LOWEST

CONFIDENCE = "confidence"
"""Name of the numerical feature that baselines hold: the largest probability."""

LABEL = "label"
"""Name of the categorical feature that baselines hold: the class of that probability."""

_DAY = timedelta(days=1)

LIKELIEST = 5
"""So many probabilities of a record are shown; its files hold all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The selection in a few numbers.

    Attributes:
        total: Records.
        rejected: Those below the threshold.
        expected_accuracy: Mean confidence of the accepted: their accuracy, were confidence
            calibrated; NaN where none is accepted.
        by_label: Records by class, the largest first, ties by number.
        first: Start of the first period with a record; None where no record has a usable time.
        last: Start of the last such period.
        untimed: Records whose time is absent, before 2017 or in the future.
    """

    total: int
    rejected: Share
    expected_accuracy: float
    by_label: dict[int, int]
    first: datetime | None
    last: datetime | None
    untimed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What a threshold would do to the records selected.

    Attributes:
        threshold: The threshold tried.
        coverage: Share of the records that it accepts.
        rejected: Records with a usable time that it rejects.
        span: From the first to the last of those times, to whole periods; None where there is none.
        expected_accuracy: As in ``Summary``.
        measured: Share of the accepted and labelled records that are right.
    """

    threshold: float
    coverage: Share
    rejected: int
    span: timedelta | None
    expected_accuracy: float
    measured: Share

    @property
    def rejected_per_day(self) -> float:
        """Records it rejects a day, at the pace of the span; NaN where there is none."""
        return math.nan if self.span is None else self.rejected / (self.span / _DAY)

    @property
    def spans_days(self) -> bool:
        """Whether there is a day of records or more, so that a number a day is not made up."""
        return self.span is not None and self.span >= _DAY


def summarise_counts(counts: pl.DataFrame, threshold: float) -> Summary:
    """Return the selection in a few numbers."""
    total = int(counts["count"].sum())
    taken = counts.filter(pl.col("bin") >= tables.bin_of(threshold))
    by_label = counts.group_by("label").agg(pl.col("count").sum())
    return Summary(
        total=total,
        rejected=Share(total - int(taken["count"].sum()), total),
        expected_accuracy=_mean_confidence(taken),
        by_label=dict(by_label.sort("count", "label", descending=[True, False]).iter_rows()),
        first=counts["time"].min(),  # type: ignore[arg-type]
        last=counts["time"].max(),  # type: ignore[arg-type]
        untimed=int(counts.filter(pl.col("time").is_null())["count"].sum()),
    )


def time_spanned(counts: pl.DataFrame) -> timedelta:
    """Return the time from the first period with a record to the last; none without a time."""
    first, last = counts["time"].min(), counts["time"].max()
    if isinstance(first, datetime) and isinstance(last, datetime):
        return last - first
    return timedelta()


def _mean_confidence(counts: pl.DataFrame) -> float:
    if counts.is_empty():
        return math.nan
    middle = ((pl.col("bin") + 0.5) / BINS).clip(0, 1)
    return float(counts.select((middle * pl.col("count")).sum() / pl.col("count").sum()).item())


def what_if(counts: pl.DataFrame, judged: pl.DataFrame, threshold: float, period: Period) -> WhatIf:
    """Return what a threshold would do.

    Args:
        counts: The selection.
        judged: Those of its records that have a ground truth: ``bin``, ``correct``, ``count``.
        threshold: Confidence at or above which an inference is accepted.
        period: By which ``counts`` was counted; the last one is taken to be a whole one.
    """
    summary = summarise_counts(counts, threshold)
    timed = counts.drop_nulls("time")
    span = None
    if summary.first is not None and summary.last is not None:
        span = summary.last + period.length - summary.first
    return WhatIf(
        threshold=threshold,
        coverage=Share(summary.total - summary.rejected.hits, summary.total),
        rejected=summarise_counts(timed, threshold).rejected.hits,
        span=span,
        expected_accuracy=summary.expected_accuracy,
        measured=measure_accuracy(judged, threshold),
    )


def measure_accuracy(judged: pl.DataFrame, threshold: float) -> Share:
    """Return the share of the accepted and labelled records that are right."""
    taken = judged.filter(pl.col("bin") >= tables.bin_of(threshold))
    return Share(int(taken.filter("correct")["count"].sum()), int(taken["count"].sum()))


def measured_sweep(judged: pl.DataFrame, lowest: float = LOWEST) -> pl.DataFrame:
    """Return measured accuracy at each threshold that accepts a labelled record.

    Returns:
        ``threshold``, ``value``, ``low``, ``high`` (95 % interval).
    """
    rows = []
    for bin_ in range(tables.bin_of(lowest), BINS + 1):
        share = measure_accuracy(judged, bin_ / BINS)
        if share.count:
            low, high = share.interval
            rows.append((bin_ / BINS, share.value, low, high))
    columns = dict.fromkeys(("threshold", "value", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, schema=columns, orient="row")


def statistics_of(counts: pl.DataFrame, names: ClassNames) -> Statistics:
    """Return the two features that are watched for drift: confidence and class."""
    bins = [0] * BINS
    for bin_, count in counts.group_by("bin").agg(pl.col("count").sum()).iter_rows():
        bins[min(bin_, BINS - 1)] += count  # a confidence of exactly 1 closes the last bin
    by_label = counts.group_by("label").agg(pl.col("count").sum()).sort("label")
    return Statistics(
        sum(bins),
        (
            NumericalStatistics.of_histogram(CONFIDENCE, Histogram(EDGES, tuple(bins))),
            StringStatistics(
                name=LABEL,
                missing=0,
                counts={names.name(label): count for label, count in by_label.iter_rows()},
            ),
        ),
    )


def count_behind(counts: pl.DataFrame, selection: Selection) -> int:
    """Return how many records are behind a bar, which begins and ends where a bin does."""
    inside = counts.filter(selection.of_class(), pl.col("bin") >= tables.bin_of(selection.low))
    if selection.high < 1:
        inside = inside.filter(pl.col("bin") < tables.bin_of(selection.high))
    return int(inside["count"].sum())


def records_table(rows: pl.DataFrame, names: ClassNames) -> pl.DataFrame:
    """Return records as the table of the page shows them: confidence in percent, classes in words.

    Args:
        rows: Columns of ``capture_tables.CAPTURES``.
        names: Of the classes.
    """
    # In Python, not as a function inside of an expression: tests/test_architecture.py says why.
    labels, probabilities = rows["label"].to_list(), rows["probabilities"].to_list()
    return rows.select(
        pl.col("inference_time").alias("Time"),
        pl.Series("Class", [names.name(label) for label in labels], pl.String),
        (100 * pl.col("confidence")).alias("Confidence"),
        pl.Series(
            "Probabilities", [format_likeliest(each, names) for each in probabilities], pl.String
        ),
        pl.col("endpoint").alias("Endpoint"),
        pl.col("variant").alias("Variant"),
        pl.col("key").alias("Object"),
        pl.col("line").alias("Line"),
        pl.col("event_id").alias("Event"),
        pl.col("inference_id").alias("Inference"),
    )


def format_likeliest(probabilities: Iterable[float], names: ClassNames) -> str:
    """Return the largest probabilities of a record: ``motorcycle 0.9300, bicycle 0.0700``."""
    every = list(enumerate(probabilities))
    shown = nlargest(LIKELIEST, every, key=lambda one: one[1])
    said = [f"{names.name(label)} {share:.4f}" for label, share in shown]
    left = len(every) - len(shown)
    return ", ".join([*said, f"{left:,} more"] if left else said)


def format_span(span: timedelta) -> str:
    """Return a length of time below some days in whole units: ``110 s``, ``12 min``, ``7 h``."""
    seconds = span / timedelta(seconds=1)
    for unit, length, enough in (("h", 3600, 2 * 3600), ("min", 60, 180)):
        if seconds >= enough:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def count_records(count: int) -> str:
    """Write a number of records: ``1 record``, ``1,500 records``."""
    return f"{count:,} record{'' if count == 1 else 's'}"
