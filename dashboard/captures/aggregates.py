"""Tables of captured inferences: records -> counts by period, class and confidence -> aggregates.

Every chart of the *Inferences* page is drawn from one small table, ``count_captures``, so that a
filter or a threshold moves without touching the records again, and so that one SQL query
(``dashboard.captures.athena_queries``) can stand in for it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from dashboard.captures.periods import (
    MAX_STEPS,
    Period,
    regroup_rows,
    step_of,
)
from workflow.thresholds import LOWEST

BINS: Final = 200
"""Bins of width 0.005 from 0 to 1; one more, the last, holds a confidence of exactly 1.

Bin i holds ``i / 200 <= confidence < (i + 1) / 200``, so every threshold that is a multiple of
0.005 parts the counts exactly as ``confidence >= threshold`` parts the records.
"""

EDGES: Final = tuple(i / BINS for i in range(BINS + 1))
"""The edges of the bins."""

EARLIEST: Final = datetime(2017, 11, 29, tzinfo=UTC)
"""When SageMaker was announced: an inference before it has a broken clock."""

AHEAD: Final = timedelta(days=1)
"""So far ahead of now a clock may be; an inference later than that has a broken one."""

_COLUMNS: Mapping[str, Any] = {
    "time": pl.Datetime("us", "UTC"),
    "endpoint": pl.String,
    "variant": pl.String,
    "label": pl.Int32,
    "bin": pl.Int16,
    "count": pl.Int64,
}
COUNTS: Final = pl.Schema(_COLUMNS)
"""What ``count_captures`` gives: start of the period (null where a record has no usable time),
endpoint, variant, class, bin, and how many records."""

ROUNDING: Final = 1e-9
"""Added before rounding down: 0.145 * 200 is 28.999999999999996 in floating point."""

QUANTILES: Final = (0.05, 0.25, 0.5)
"""Which quantiles of confidence are followed over time: the low end is where trouble shows."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

MAX_POINTS: Final = 5_000
"""A chart with more points is slow to send and cannot be read."""

OTHERS: Final = -1
"""The label of all classes together that ``find_largest`` leaves out; no record has it."""


def find_largest(rows: pl.DataFrame, most: int) -> list[int]:
    """Return the classes with the most records, the largest first, ties by number.

    Args:
        rows: ``label`` and ``count``.
        most: Where there are more classes, the last of so many is ``OTHERS``.
    """
    totals = rows.group_by("label").agg(pl.col("count").sum())
    labels = totals.sort("count", "label", descending=[True, False])["label"].to_list()
    return labels if len(labels) <= most else [*labels[: most - 1], OTHERS]


def fold_others(rows: pl.DataFrame, labels: Sequence[int]) -> pl.DataFrame:
    """Add up the rows of all classes but those given as ``OTHERS``."""
    named = pl.col("label").is_in(labels)
    return regroup_rows(rows, pl.when(named).then("label").otherwise(OTHERS).cast(COUNTS["label"]))


def count_captures(captures: pl.DataFrame, period: Period, *, now: datetime) -> pl.DataFrame:
    """Count records by period, endpoint, variant, class and bin of confidence.

    Args:
        captures: Columns ``inference_time``, ``endpoint``, ``variant``, ``label``, ``confidence``.
            Categorical names are counted faster than strings.
        period: By what length of time, in UTC.
        now: A time later than ``AHEAD`` of it is no usable time, nor is one before ``EARLIEST``.

    Returns:
        A frame of ``COUNTS``, sorted by its columns.
    """
    # Categories are small numbers, of which one code is made for each cell.
    named = captures.with_columns(pl.col("endpoint", "variant").cast(pl.Categorical))
    first, last, variants, labels = (
        named.lazy()
        .select(
            pl.col("inference_time").filter(_is_usable(now)).min().alias("first"),
            pl.col("inference_time").filter(_is_usable(now)).max().alias("last"),
            pl.col("variant").to_physical().max().alias("variants"),
            pl.col("label").max().alias("labels"),
        )
        .collect()
        .row(0)
    )
    if labels is None:
        return pl.DataFrame(schema=COUNTS)
    start = period.floor(first or _EPOCH)
    steps = (last - start) // period.length + 2 if last else 1
    sizes = (variants + 1, steps, labels + 1, BINS + 1)
    code = _encode_cell(sizes, start, period.length, _is_usable(now)).alias("code")
    counted = named.lazy().select(code).group_by("code").len("count").collect()
    return _decode_cells(counted, sizes, start, period.length).sort(COUNTS.names()[:-1])


def _is_usable(now: datetime) -> pl.Expr:
    return pl.col("inference_time").is_between(EARLIEST, now + AHEAD)


def _encode_cell(
    sizes: Sequence[int], start: datetime, length: timedelta, usable: pl.Expr
) -> pl.Expr:
    """Encode a cell as one number: grouping by it takes a third of the time of five columns.

    Step 0 holds the records without a usable time.
    """
    variants, steps, labels, bins = sizes
    since = pl.col("inference_time").to_physical() - (start - _EPOCH) // _MICROSECOND
    step = since // (length // _MICROSECOND) + 1
    parts = (
        (pl.col("variant").to_physical(), variants),
        (pl.when(usable).then(step).otherwise(0), steps),
        (pl.col("label"), labels),
        ((pl.col("confidence") * BINS + ROUNDING).floor(), bins),
    )
    code = pl.col("endpoint").to_physical().cast(pl.Int64)
    for part, size in parts:
        code = code * size + part.cast(pl.Int64)
    return code


def _decode_cells(
    counted: pl.DataFrame, sizes: Sequence[int], start: datetime, length: timedelta
) -> pl.DataFrame:
    variants, steps, labels, bins = sizes
    code = pl.col("code")
    step = code // (bins * labels) % steps
    name = (pl.col("endpoint", "variant")).cast(pl.UInt32).cat.to(pl.Categorical).cast(pl.String)
    return counted.select(
        time=pl.when(step > 0).then(pl.lit(start) + (step - 1) * length).cast(COUNTS["time"]),
        endpoint=code // (bins * labels * steps * variants),
        variant=code // (bins * labels * steps) % variants,
        label=(code // bins % labels).cast(pl.Int32),
        bin=(code % bins).cast(pl.Int16),
        count=pl.col("count").cast(pl.Int64),
    ).with_columns(name)


def bin_of(threshold: float) -> int:
    """Return the first bin that a threshold accepts; a threshold within a bin accepts all of it."""
    return int(threshold * BINS + ROUNDING)


def count_accepted(threshold: float) -> pl.Expr:
    """Return how many records of the counts meet a threshold."""
    return pl.col("count").filter(pl.col("bin") >= bin_of(threshold)).sum()


def build_histogram(counts: pl.DataFrame, bars: int) -> pl.DataFrame:
    """Count records by class and bar of confidence, zeros included.

    Args:
        counts: A frame of ``COUNTS``.
        bars: At most so many bars, from the lowest confidence seen (rounded down) to 1.

    Returns:
        ``label``, ``low``, ``high`` (of the bar), ``count``; sorted.
    """
    if counts.is_empty():
        return pl.DataFrame(schema={"label": pl.Int32, "low": float, "high": float, "count": int})
    first, width = _choose_bars(counts, bars)
    starts = pl.DataFrame({"start": range(first, BINS, width)}, schema={"start": pl.Int64})
    counted = counts.group_by("label", _bar_start(first, width)).agg(pl.col("count").sum())
    return (
        counts.select(pl.col("label").unique())
        .join(starts, how="cross")
        .join(counted, on=["label", "start"], how="left")
        .select(
            "label",
            low=pl.col("start") / BINS,
            high=(pl.col("start") + width) / BINS,
            count=pl.col("count").fill_null(0),
        )
        .sort("label", "low")
    )


_WIDTHS: Final = (1, 2, 4, 5, 10, 20, 40, 50, 100, 200)


def _choose_bars(counts: pl.DataFrame, bars: int) -> tuple[int, int]:
    """Return the first bin, and the width in bins, of at most so many bars over what was seen."""
    lowest = min(int(counts["bin"].min()), BINS - 1)  # type: ignore[arg-type]
    width = next(w for w in _WIDTHS if BINS - lowest // w * w <= bars * w)
    return lowest // width * width, width


def _bar_start(first: int, width: int) -> pl.Expr:
    """Return the first bin of a bin's bar; a confidence of exactly 1 is in the last."""
    place = (pl.col("bin").cast(pl.Int64) - first).clip(0, BINS - 1 - first)
    return (place // width * width + first).alias("start")


def count_volume(counts: pl.DataFrame, period: Period, threshold: float) -> pl.DataFrame:
    """Count records by time and class; those without a usable time are left out.

    Returns:
        ``time`` (start of the period), ``label``, ``count``, ``rejected``; sorted.
    """
    return (
        counts.drop_nulls("time")
        .group_by(pl.col("time").dt.truncate(period.every), "label")
        .agg(pl.col("count").sum(), rejected=pl.col("count").sum() - count_accepted(threshold))
        .sort("time", "label")
    )


def compute_quantiles(counts: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return quantiles of confidence by time, each known to its bin: right to 0.0025.

    Returns:
        ``time``, ``end`` (later than the period's where there are too many to draw), ``count`` and
        one column for each of ``QUANTILES``, such as ``q05``; sorted.
    """
    timed = counts.drop_nulls("time")
    step = step_of(timed["time"], period, MAX_STEPS)
    bins = (
        timed.group_by(pl.col("time").dt.truncate(step.every), "bin")
        .agg(pl.col("count").sum())
        .sort("time", "bin")
        .with_columns(below=pl.col("count").cum_sum().over("time"))
    )
    middle = ((pl.col("bin") + 0.5) / BINS).clip(0, 1)
    reached = [
        middle.filter(pl.col("below") >= q * pl.col("count").sum())
        .first()
        .alias(f"q{q * 100:02.0f}")
        for q in QUANTILES
    ]
    return bins.group_by(
        "time", (pl.col("time") + step.length).alias("end"), maintain_order=True
    ).agg(pl.col("count").sum(), *reached)


def sweep_thresholds(counts: pl.DataFrame, lowest: float = LOWEST) -> pl.DataFrame:
    """Return what every threshold would do, from the lowest to 1.

    Returns:
        ``threshold``, ``accepted``, ``coverage`` (share accepted), ``expected`` (mean confidence
        of the accepted: their accuracy, were confidence calibrated; null where none is).
    """
    bins = counts.group_by("bin").agg(pl.col("count").sum())
    every = pl.DataFrame({"bin": range(BINS + 1)}, schema={"bin": pl.Int16})
    middle = ((pl.col("bin") + 0.5) / BINS).clip(0, 1)
    total = pl.col("count").sum()
    return (
        every.join(bins, on="bin", how="left", maintain_order="left")
        .with_columns(pl.col("count").fill_null(0))
        .with_columns(mass=pl.col("count") * middle)
        .with_columns(accepted=pl.col("count").cum_sum(reverse=True))
        .with_columns(
            coverage=pl.when(total > 0).then(pl.col("accepted") / total),
            expected=pl.when(pl.col("accepted") > 0).then(
                pl.col("mass").cum_sum(reverse=True) / pl.col("accepted")
            ),
        )
        .filter(pl.col("bin") >= bin_of(lowest))
        .select(pl.col("bin") / BINS, "accepted", "coverage", "expected")
        .rename({"bin": "threshold"})
    )


def compute_heat(counts: pl.DataFrame, period: Period, bars: int) -> pl.DataFrame:
    """Return the share of each bar of confidence in its period, over all classes, with zeros.

    Returns:
        ``time``, ``end`` (later than the period's where there are too many to draw), ``low``,
        ``high`` (of the bar), ``share``; sorted.
    """
    timed = counts.drop_nulls("time")
    if timed.is_empty():
        columns = {"time": COUNTS["time"], "end": COUNTS["time"]}
        return pl.DataFrame(schema={**columns, "low": float, "high": float, "share": float})
    first, width = _choose_bars(timed, bars)
    starts = pl.DataFrame({"start": range(first, BINS, width)}, schema={"start": pl.Int64})
    step = step_of(timed["time"], period, MAX_POINTS // starts.height)
    counted = timed.group_by(pl.col("time").dt.truncate(step.every), _bar_start(first, width)).agg(
        pl.col("count").sum()
    )
    return (
        counted.select(pl.col("time").unique())
        .join(starts, how="cross")
        .join(counted, on=["time", "start"], how="left")
        .with_columns(pl.col("count").fill_null(0))
        .select(
            "time",
            end=pl.col("time") + step.length,
            low=pl.col("start") / BINS,
            high=(pl.col("start") + width) / BINS,
            share=pl.col("count") / pl.col("count").sum().over("time"),
        )
        .sort("time", "low")
    )
