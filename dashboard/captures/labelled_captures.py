"""Captured records beside their ground truth."""

from collections.abc import Iterable
from datetime import datetime

import polars as pl

from dashboard.captures import aggregates as tables
from dashboard.captures.aggregates import BINS
from dashboard.captures.record_filters import InferenceFilters, match_records

JUDGED = pl.Schema({"bin": pl.Int16(), "correct": pl.Boolean(), "count": pl.Int64()})
"""What ``count_judged`` gives: bin of confidence, whether the model was right, how many records."""


def judge_records(captures: pl.DataFrame, truths: pl.DataFrame) -> pl.DataFrame:
    """Return the records that have a ground truth, and whether the model was right.

    A truth belongs to the record of its inference id, else to that of its event id, as in Model
    Monitor's merge.

    Args:
        captures: ``event_id``, ``inference_id``, ``label``, and what else is to be kept.
        truths: ``event_id`` (the id the truth was given under) and ``truth`` (class).

    Returns:
        The columns of ``captures``, and ``correct``.
    """
    # A corrected label has a later key: the last one counts.
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


def truth_of(truths: pl.DataFrame, ids: Iterable[str]) -> int | None:
    """Return the class that is right for a record; None where it has no ground truth.

    Args:
        truths: As for ``judge_records``.
        ids: Of the record; its inference id comes first.
    """
    known = dict(truths.select("event_id", "truth").iter_rows())
    return next((known[one] for one in ids if one in known), None)


def count_judged(judged: pl.DataFrame, filters: InferenceFilters, now: datetime) -> pl.DataFrame:
    """Count filtered judged records by bin of confidence.

    Args:
        judged: Of ``judge_records``, with the columns of ``COUNTED``.
        filters: What to keep.
        now: Decides which times are usable.

    Returns:
        A frame of ``JUDGED``.
    """
    bin_ = (pl.col("confidence") * BINS + tables.ROUNDING).floor().cast(pl.Int16)
    return (
        match_records(judged.lazy(), filters, now=now)
        .group_by(bin_.alias("bin"), "correct")
        .agg(pl.len().cast(pl.Int64).alias("count"))
        .sort("bin", "correct")
        .collect()
    )
