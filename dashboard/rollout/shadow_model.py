"""What the *Rollout* page shows of a shadow: two models on the very same requests."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from dashboard.rollout.model import Compared, build_comparison
from workflow.intervals import Share
from workflow.sequential import PairedComparison, confidence_sequence

PAIRS: Final = pl.Schema(
    {
        "id": pl.String(),
        "old_label": pl.Int32(),
        "old_confidence": pl.Float64(),
        "new_label": pl.Int32(),
        "new_confidence": pl.Float64(),
    }
)
"""One row a request that both answered: its inference id or else event id, classes, confidences."""


@dataclass(frozen=True, slots=True)
class ComparedShadow:
    """A shadow beside the model in use.

    Attributes:
        agreement: Share of pairs with the same class.
        interval: Of that share; it holds at every look.
        only_old: Pairs that only the model in use rejects.
        only_new: Pairs that only the shadow rejects.
        rejected: How often each rejects, of the same photos.
    """

    agreement: Share
    interval: tuple[float, float]
    only_old: int
    only_new: int
    rejected: Compared


def pair_answers(captures: pl.LazyFrame, shadows: pl.LazyFrame) -> pl.DataFrame:
    """Return the requests that two variants both answered; of a repeated one, the last answers.

    Args:
        captures: Of the variant in use, by ``dashboard.captures.tables.CAPTURES``.
        shadows: Of its shadow, likewise.

    Returns:
        A frame of ``PAIRS``.
    """
    old, new = _select_answers(captures, "old"), _select_answers(shadows, "new")
    return old.join(new, on=["id", "row"]).select(PAIRS.names()).collect()


def _select_answers(captures: pl.LazyFrame, whose: str) -> pl.LazyFrame:
    return (
        captures.sort("inference_time")
        .select(
            "row",
            pl.coalesce("inference_id", "event_id").alias("id"),
            pl.col("label").alias(f"{whose}_label"),
            pl.col("confidence").alias(f"{whose}_confidence"),
        )
        .unique(["id", "row"], keep="last", maintain_order=True)
    )


def compare_shadow(pairs: pl.DataFrame, old: str, new: str, threshold: float) -> ComparedShadow:
    """Compare a shadow with the model in use.

    Args:
        pairs: A frame of ``PAIRS``.
        old: Name of the variant in use.
        new: Name of the shadow variant.
        threshold: Confidence at or above which a photo is accepted.
    """
    count = len(pairs)
    before, after = (pairs[f"{whose}_confidence"] < threshold for whose in ("old", "new"))
    only_old, only_new = int((before & ~after).sum()), int((after & ~before).sum())
    says = PairedComparison(count, only_old, only_new).says
    agreement = Share(int((pairs["old_label"] == pairs["new_label"]).sum()), count)
    shares = (Share(int(before.sum()), count), Share(int(after.sum()), count))
    return ComparedShadow(
        agreement=agreement,
        interval=confidence_sequence(agreement),
        only_old=only_old,
        only_new=only_new,
        rejected=build_comparison((old, new), shares, says),
    )
