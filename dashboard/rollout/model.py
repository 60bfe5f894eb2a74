"""What the *Rollout* page shows: two variants of an endpoint on the captures since it began."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from dashboard.captures import aggregates
from dashboard.captures.periods import Period
from workflow.intervals import Share
from workflow.sequential import Comparison, confidence_sequence

_WORDS: Final = {
    "higher": "rejects more photos than the one in use",
    "lower": "rejects fewer photos than the one in use",
}


@dataclass(frozen=True, slots=True)
class VariantRow:
    """One variant.

    Attributes:
        variant: Its name.
        records: Captures of it since the rollout began.
        rejected: Share below the threshold.
        low: Lower end of the interval that holds at every look.
        high: Upper end.
    """

    variant: str
    records: int
    rejected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Compared:
    """Both variants.

    Attributes:
        rows: The one in use, then the new one.
        says: The verdict in a sentence.
        decided: Whether there is a difference.
    """

    rows: tuple[VariantRow, VariantRow]
    says: str
    decided: bool


def compare_variants(
    captures: pl.DataFrame, old: str, new: str, *, since: datetime, threshold: float
) -> Compared:
    """Compare how often two variants reject, since a moment.

    Args:
        captures: ``inference_time``, ``variant``, ``confidence``.
        old: Name of the variant in use.
        new: Name of the new one.
        since: When the rollout began; aware.
        threshold: Confidence at or above which a photo is accepted.
    """
    found = compare_rejections(captures, old, new, since=since, threshold=threshold)
    return build_comparison((old, new), (found.old, found.new), found.says)


def build_comparison(names: tuple[str, str], shares: tuple[Share, Share], says: str) -> Compared:
    """Return a comparison of rejected shares with its verdict in words.

    Args:
        names: Of the variant in use and of the new one.
        shares: Rejected by each, in the same order.
        says: What the test of both ``says``.
    """
    sentence = (
        f"The new model {_WORDS[says]}."
        if says in _WORDS
        else "It is not clear yet whether the new model rejects more or fewer photos."
    )
    old, new = map(_build_row, names, shares)
    return Compared((old, new), sentence, says in _WORDS)


def compare_rejections(
    captures: pl.DataFrame, old: str, new: str, *, since: datetime, threshold: float
) -> Comparison:
    """Return how often two variants reject, since a moment; as ``compare_variants``."""
    recent = captures.filter(pl.col("inference_time") >= since)
    return Comparison(*(_rejected_share(recent, name, threshold) for name in (old, new)))


def rejected_by_time(
    counts: pl.DataFrame, variants: Sequence[str], period: Period, threshold: float
) -> pl.DataFrame:
    """Return how many photos variants are given and reject, by time.

    Args:
        counts: A frame of ``aggregates.COUNTS``; times without a zone, as a wall clock shows them.
        variants: Their names.
        period: By what length of time.
        threshold: Confidence at or above which a photo is accepted.

    Returns:
        ``time``, ``variant``, ``count``, ``rejected``; sorted.
    """
    count = pl.col("count").sum()
    return (
        counts.drop_nulls("time")
        .filter(pl.col("variant").is_in(variants))
        .group_by(pl.col("time").dt.truncate(period.every), "variant")
        .agg(count, rejected=count - aggregates.count_accepted(threshold))
        .sort("time", "variant")
    )


def reason_to_roll_back(rejected: Comparison, failed: Comparison) -> str:
    """Return why the new model is to be rolled back, in a sentence; empty where it is not.

    Each comparison holds at 95 % at every look, so a model that is as good is rolled back in at
    most 10 of 100 rollouts.

    Args:
        rejected: Shares of photos below the threshold.
        failed: Shares of invocations that failed.
    """
    for words, found in (("fails", failed), ("rejects", rejected)):
        if found.says == "higher":
            return (
                f"the new model {words} {found.new.value:.1%} of {found.new.count:,}, the one in"
                f" use {found.old.value:.1%} of {found.old.count:,}."
            )
    return ""


def _rejected_share(captures: pl.DataFrame, variant: str, threshold: float) -> Share:
    own = captures.filter(pl.col("variant") == variant)["confidence"]
    return Share(int((own < threshold).sum()), len(own))


def _build_row(name: str, share: Share) -> VariantRow:
    return VariantRow(name, share.count, share.value, *confidence_sequence(share))
