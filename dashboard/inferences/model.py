"""What the *Inferences* page shows of captured inferences: filters, summary, what-if, images."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from heapq import nlargest

import polars as pl

from dashboard.inferences import aggregates as tables
from dashboard.inferences.aggregates import BINS, EDGES, Period
from dashboard.inferences.selection import Selection
from workflow.baselines import Histogram, NumericalStatistics, Statistics, StringStatistics
from workflow.contract import LABELS
from workflow.intervals import Share

CONFIDENCE = "confidence"
"""Name of the numerical feature that baselines hold: the largest probability."""

LABEL = "label"
"""Name of the categorical feature that baselines hold: the class of that probability."""

COUNTED = ("inference_time", "endpoint", "variant", "label", "confidence")
"""The columns of the captures table that are counted; all others are read for single records."""

JUDGED = pl.Schema({"bin": pl.Int16(), "correct": pl.Boolean(), "count": pl.Int64()})
"""What ``count_judged`` gives: bin of confidence, whether the model was right, how many records."""

LIKELIEST = 5
"""So many probabilities of a record are shown; its files hold all."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class InferenceFilters:
    """Which records; every field is a query parameter of the page.

    Attributes:
        endpoint: Only this endpoint; empty for all.
        variant: Only this production variant; empty for all.
        label: Only this class, by name; empty for all.
        since: From the start of this day (UTC).
        until: To the end of this day (UTC).
    """

    endpoint: str = ""
    variant: str = ""
    label: str = ""
    since: date | None = None
    until: date | None = None

    def window(self) -> tuple[datetime | None, datetime | None]:
        """From when (inclusive) to when (exclusive), in UTC; None where open."""
        start = None if self.since is None else datetime.combine(self.since, time(), UTC)
        end = None if self.until is None else datetime.combine(self.until, time(), UTC) + _DAY
        return start, end


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


def label_name(label: int) -> str:
    """The name of a class of this workflow; its number where the endpoint has others."""
    return LABELS[label] if 0 <= label < len(LABELS) else f"class {label}"


def label_index(name: str) -> int:
    """The number of a class by its name; -1, which no record has, where no class has it."""
    if name in LABELS:
        return LABELS.index(name)
    number = name.removeprefix("class ")
    return int(number) if number.isdecimal() else -1


def period_of(captures: pl.DataFrame, filters: InferenceFilters, now: datetime) -> Period:
    """By what length of time to count: minutes for hours, hours for weeks, else days."""
    start, end = filters.window()
    times = captures.lazy().select("inference_time").filter(_usable(start, end, now))
    first, last = (
        times.select(low=pl.col("inference_time").min(), high=pl.col("inference_time").max())
        .collect()
        .row(0)
    )
    return Period.HOUR if first is None else Period.of(last - first)


def _usable(start: datetime | None, end: datetime | None, now: datetime) -> pl.Expr:
    low = max(start or tables.EARLIEST, tables.EARLIEST)
    high = min(end or now + tables.AHEAD, now + tables.AHEAD)
    return pl.col("inference_time").is_between(low, high)


def select(counts: pl.DataFrame, filters: InferenceFilters) -> pl.DataFrame:
    """The counts that the filters let through; a time filter leaves out records without a time.

    Args:
        counts: A frame of ``COUNTS`` whose periods do not cross midnight (UTC).
        filters: What to keep.
    """
    start, end = filters.window()
    conditions = [
        pl.col(column) == value
        for column, value in (("endpoint", filters.endpoint), ("variant", filters.variant))
        if value
    ]
    if filters.label:
        conditions.append(pl.col("label") == label_index(filters.label))
    return counts.filter(*conditions, *_between(start, end))


def _between(start: datetime | None, end: datetime | None) -> list[pl.Expr]:
    conditions = []
    if start is not None:
        conditions.append(pl.col("time") >= start)
    if end is not None:
        conditions.append(pl.col("time") < end)
    return conditions


def between(
    counts: pl.DataFrame, start: datetime | None = None, end: datetime | None = None
) -> pl.DataFrame:
    """The counts from one time (inclusive) to another (exclusive)."""
    return counts.filter(*_between(start, end))


def summarise(counts: pl.DataFrame, threshold: float) -> Summary:
    """The selection in a few numbers."""
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


def _mean_confidence(counts: pl.DataFrame) -> float:
    if counts.is_empty():
        return math.nan
    middle = ((pl.col("bin") + 0.5) / BINS).clip(0, 1)
    return float(counts.select((middle * pl.col("count")).sum() / pl.col("count").sum()).item())


def what_if(counts: pl.DataFrame, judged: pl.DataFrame, threshold: float, period: Period) -> WhatIf:
    """What a threshold would do.

    Args:
        counts: The selection.
        judged: Those of its records that have a ground truth: ``bin``, ``correct``, ``count``.
        threshold: Confidence at or above which an inference is accepted.
        period: By which ``counts`` was counted; the last one is taken to be a whole one.
    """
    summary = summarise(counts, threshold)
    timed = counts.drop_nulls("time")
    span = None
    if summary.first is not None and summary.last is not None:
        span = summary.last + period.length - summary.first
    return WhatIf(
        threshold=threshold,
        coverage=Share(summary.total - summary.rejected.hits, summary.total),
        rejected=summarise(timed, threshold).rejected.hits,
        span=span,
        expected_accuracy=summary.expected_accuracy,
        measured=measured(judged, threshold),
    )


def judge(captures: pl.DataFrame, truths: pl.DataFrame) -> pl.DataFrame:
    """The records that have a ground truth, and whether the model was right.

    A truth belongs to the record of its inference id, else to that of its event id, as in Model
    Monitor's merge.

    Args:
        captures: ``event_id``, ``inference_id``, ``label``, and what else is to be kept.
        truths: ``event_id`` (the id the truth was given under) and ``truth`` (class).

    Returns:
        The columns of ``captures``, and ``correct``.
    """
    known = truths.unique("event_id", keep="last").rename({"event_id": "id"})
    return (
        captures.lazy()
        .join(known.lazy(), left_on="inference_id", right_on="id", how="left")
        .join(known.lazy(), left_on="event_id", right_on="id", how="left", suffix="_by_event")
        .with_columns(truth=pl.coalesce("truth", "truth_by_event"))
        .drop_nulls("truth")
        .with_columns(correct=pl.col("label") == pl.col("truth"))
        .drop("truth", "truth_by_event")
        .collect()
    )


def truth_of(truths: pl.DataFrame, ids: Iterable[str]) -> str | None:
    """The class that is right for a record, by name; None where it has no ground truth.

    Args:
        truths: As for ``judge``.
        ids: Of the record; its inference id comes first.
    """
    known = dict(truths.select("event_id", "truth").iter_rows())
    found = next((known[one] for one in ids if one in known), None)
    return None if found is None else label_name(found)


def count_judged(judged: pl.DataFrame, filters: InferenceFilters, now: datetime) -> pl.DataFrame:
    """Judged records by bin of confidence, as the filters let through.

    Args:
        judged: Of ``judge``, with the columns of ``COUNTED``.
        filters: What to keep.
        now: Decides which times are usable.

    Returns:
        A frame of ``JUDGED``.
    """
    bin_ = (pl.col("confidence") * BINS + tables.ROUNDING).floor().cast(pl.Int16)
    return (
        matching(judged.lazy(), filters, now=now)
        .group_by(bin_.alias("bin"), "correct")
        .agg(pl.len().cast(pl.Int64).alias("count"))
        .sort("bin", "correct")
        .collect()
    )


def measured(judged: pl.DataFrame, threshold: float) -> Share:
    """Share of the accepted and labelled records that are right."""
    taken = judged.filter(pl.col("bin") >= tables.bin_of(threshold))
    return Share(int(taken.filter("correct")["count"].sum()), int(taken["count"].sum()))


def measured_sweep(judged: pl.DataFrame) -> pl.DataFrame:
    """Measured accuracy at every threshold that accepts a labelled record.

    Returns:
        ``threshold``, ``value``, ``low``, ``high`` (95 % interval).
    """
    rows = []
    for bin_ in tables.THRESHOLDS:
        share = measured(judged, bin_ / BINS)
        if share.count:
            low, high = share.interval
            rows.append((bin_ / BINS, share.value, low, high))
    columns = dict.fromkeys(("threshold", "value", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, schema=columns, orient="row")


def statistics_of(counts: pl.DataFrame) -> Statistics:
    """The two features that are watched for drift: confidence and class."""
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
                counts={label_name(label): count for label, count in by_label.iter_rows()},
            ),
        ),
    )


def matching(
    captures: pl.LazyFrame,
    filters: InferenceFilters,
    selection: Selection | None = None,
    *,
    now: datetime,
) -> pl.LazyFrame:
    """The records behind a bar, newest first; those without a usable time last.

    A time filter leaves those out, as in ``select``.
    """
    start, end = filters.window()
    wanted = label_index(filters.label) if filters.label else None
    conditions = [
        pl.col(column) == value
        for column, value in (
            ("endpoint", filters.endpoint or None),
            ("variant", filters.variant or None),
            ("label", wanted),
        )
        if value is not None
    ]
    usable = _usable(None, None, now)
    if (start, end) != (None, None):
        conditions += [timed(start, end), usable]
    if selection is not None:
        conditions.append(selection.of_class())
        conditions.append(pl.col("confidence") >= selection.low - tables.ROUNDING / BINS)
        if selection.high < 1:
            conditions.append(pl.col("confidence") < selection.high - tables.ROUNDING / BINS)
    newest = pl.when(usable).then("inference_time")
    return captures.filter(*conditions).sort(newest, descending=True, nulls_last=True)


def count_behind(counts: pl.DataFrame, selection: Selection) -> int:
    """How many records are behind a bar, which begins and ends where a bin does."""
    inside = counts.filter(selection.of_class(), pl.col("bin") >= tables.bin_of(selection.low))
    if selection.high < 1:
        inside = inside.filter(pl.col("bin") < tables.bin_of(selection.high))
    return int(inside["count"].sum())


def has_usable_time(moment: datetime | None, now: datetime) -> bool:
    """Whether a record's time is there, not before SageMaker was, and not in the future."""
    return moment is not None and tables.EARLIEST <= moment <= now + tables.AHEAD


def listed(rows: pl.DataFrame) -> pl.DataFrame:
    """Return records as the table of the page shows them: classes and probabilities in words.

    Args:
        rows: Columns of ``capture_tables.CAPTURES``.
    """
    # In Python, not as a function inside of an expression: tests/test_architecture.py says why.
    labels, probabilities = rows["label"].to_list(), rows["probabilities"].to_list()
    return rows.select(
        pl.col("inference_time").dt.replace_time_zone(None).alias("time (UTC)"),
        pl.Series("class", [label_name(label) for label in labels], pl.String),
        "confidence",
        pl.Series("probabilities", [likeliest(each) for each in probabilities], pl.String),
        "endpoint",
        "variant",
        "key",
        "line",
        "event_id",
        "inference_id",
    )


def likeliest(probabilities: Iterable[float]) -> str:
    """The largest probabilities of a record: ``motorcycle 0.9300, bicycle 0.0700``."""
    every = list(enumerate(probabilities))
    shown = nlargest(LIKELIEST, every, key=lambda one: one[1])
    said = [f"{label_name(label)} {share:.4f}" for label, share in shown]
    left = len(every) - len(shown)
    return ", ".join([*said, f"{left:,} more"] if left else said)


def duration(span: timedelta) -> str:
    """A length of time below some days in whole units: ``110 s``, ``12 min``, ``7 h``."""
    seconds = span / timedelta(seconds=1)
    for unit, length, enough in (("h", 3600, 2 * 3600), ("min", 60, 180)):
        if seconds >= enough:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def records(count: int) -> str:
    """``1 record``, ``1,500 records``."""
    return f"{count:,} record{'' if count == 1 else 's'}"


def timed(start: datetime | None, end: datetime | None) -> pl.Expr:
    """Whether a record's time lies from one moment (inclusive) to another (exclusive)."""
    conditions = [pl.lit(value=True)]
    if start is not None:
        conditions.append(pl.col("inference_time") >= start)
    if end is not None:
        conditions.append(pl.col("inference_time") < end)
    return pl.all_horizontal(conditions)
