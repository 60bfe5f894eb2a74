"""What the *Quality* page shows: shares of all traffic, estimated from labels of drawn photos."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from workflow.draws import Draw, Stratum
from workflow.estimates import Estimate, StratumCount, estimate
from workflow.thresholds import LOWEST, STEPS
from workflow.verdicts import Verdict

LABELS_SCHEMA: Final = pl.Schema(
    {
        "id": pl.String(),
        "stratum": pl.Int32(),
        "said": pl.Int32(),
        "truth": pl.Int32(),
        "confidence": pl.Float64(),
        "time": pl.Datetime("us", "UTC"),
        "endpoint": pl.String(),
        "variant": pl.String(),
        "brightness": pl.Float64(),
        "sharpness": pl.Float64(),
        "pixels": pl.Float64(),
    }
)
"""One row a photo that was drawn and decided; ``stratum`` is an index into the populations."""

PROPERTIES: Final = ("brightness", "sharpness", "pixels")
"""Properties of a photo, measured when it was labelled."""

EVERYTHING: Final = pl.lit(value=True)
RIGHT: Final = pl.col("said") == pl.col("truth")

BINS: Final = 10
RESAMPLES: Final = 400
THIRDS: Final = ("lowest third", "middle third", "highest third")
_WIDE: Final = 20  # classes of a confusion matrix that can still be read


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that count, and what each stands for.

    Attributes:
        rows: A frame of ``LABELS_SCHEMA``; those of a time range where one was asked for.
        populations: Photos that each stratum stands for.
        labelled: Labels of each stratum, of any time.
        undrawn: Photos with a label that no draw chose: they stand for nothing but themselves.
    """

    rows: pl.DataFrame
    populations: tuple[float, ...]
    labelled: tuple[int, ...]
    undrawn: int

    def filter_since(self, moment: datetime | None) -> "Labels":
        """Return the labels of photos classified since a moment; of all for None.

        They are a part of all photos: each stands for as many as before.
        """
        if moment is None:
            return self
        return replace(self, rows=self.rows.filter(pl.col("time") >= moment))

    def count_strata(
        self, inside: pl.Expr = EVERYTHING, hit: pl.Expr = RIGHT
    ) -> list[StratumCount]:
        """Count the labels of each stratum, those inside a part, and the hits among those."""
        told = self.rows.select("stratum", inside=inside, hits=inside & hit)
        counted = told.group_by("stratum").agg(pl.col("inside", "hits").sum())
        counts = {stratum: (within, hits) for stratum, within, hits in counted.iter_rows()}
        sizes = zip(self.populations, self.labelled, strict=True)
        return [
            StratumCount(population, labelled, *counts.get(stratum, (0, 0)))
            for stratum, (population, labelled) in enumerate(sizes)
            if labelled
        ]

    def estimate_share(self, inside: pl.Expr = EVERYTHING, hit: pl.Expr = RIGHT) -> Estimate:
        """Estimate the share of hits in a part of all photos."""
        return estimate(self.count_strata(inside, hit))

    def photo_weights(self) -> NDArray[np.float64]:
        """Return how many photos each label stands for, in the order of the rows."""
        each = np.array(self.populations, dtype=np.float64) / np.maximum(self.labelled, 1)
        weights: NDArray[np.float64] = each[self.rows["stratum"].to_numpy()]
        return weights


def labels_of(draws: Sequence[Draw], verdicts: Mapping[str, Verdict]) -> Labels:
    """Return the decided labels of drawn photos.

    Draws with one threshold and one beginning are one sample: what is drawn later was not drawn
    before. Their populations are those of the newest. Where there are several such samples, each
    counts by its number of labels.

    Args:
        draws: Every draw, the newest first.
        verdicts: On photos, by id.
    """
    samples: dict[tuple[object, ...], list[Draw]] = defaultdict(list)
    for draw in draws:
        samples[draw.threshold, draw.since].append(draw)
    decided = {key: one for key, one in verdicts.items() if one.label is not None}
    rows: list[tuple[object, ...]] = []
    counted: list[tuple[int, list[int]]] = []
    for sample in samples.values():
        before = len(rows)
        for place, stratum in enumerate(Stratum, len(Stratum) * len(counted)):
            rows += _build_rows(sample, stratum, place, decided)
        sizes = [sample[0].strata[stratum].population for stratum in Stratum]
        counted.append((len(rows) - before, sizes))
    everything = max((sum(sizes) for _, sizes in counted), default=0)
    populations = [
        everything * count / max(1, len(rows)) * size / max(1, sum(sizes))
        for count, sizes in counted
        for size in sizes
    ]
    drawn = {photo.id for draw in draws for photo in draw.photos}
    frame = pl.DataFrame(rows, schema=LABELS_SCHEMA, orient="row")
    labelled = np.bincount(frame["stratum"].to_numpy(), minlength=len(populations)).tolist()
    return Labels(frame, tuple(populations), tuple(labelled), len(decided.keys() - drawn))


def _build_rows(
    sample: Iterable[Draw], stratum: Stratum, index: int, decided: Mapping[str, Verdict]
) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for draw in sample:
        for photo in draw.photos:
            verdict = decided.get(photo.id)
            if verdict is None or photo.stratum is not stratum:
                continue
            seen = [answer.review for answer in verdict.answers if answer.review]
            measured = next((one for one in seen if one.pixels is not None), None)
            rows.append(
                (
                    *(photo.id, index, photo.label, verdict.label, photo.confidence, photo.at),
                    *(photo.endpoint, photo.variant),
                    *(getattr(measured, name, None) for name in PROPERTIES),
                )
            )
    return rows


def list_classes(labels: Labels) -> list[int]:
    """Return the classes that occur, the most frequent first."""
    both = pl.concat([labels.rows["said"], labels.rows["truth"]])
    return both.value_counts(sort=True)[both.name].to_list()


def by_class(labels: Labels) -> pl.DataFrame:
    """Return precision and recall of every class that occurs.

    Returns:
        ``class``, ``measure``, and the columns of ``estimates_table``.
    """
    found = []
    for label in sorted(list_classes(labels)):
        said, true = pl.col("said") == label, pl.col("truth") == label
        for measure, inside in (("precision", said), ("recall", true)):
            one = labels.estimate_share(inside)
            if one.labels:
                found.append(({"class": label, "measure": measure}, one))
    return estimates_table(found)


def estimates_table(found: Iterable[tuple[Mapping[str, object], Estimate]]) -> pl.DataFrame:
    """Return estimates as a table: what names them, ``value``, ``low``, ``high``, ``labels``."""
    return pl.DataFrame(
        [
            {**named, "value": one.value, "low": one.low, "high": one.high, "labels": one.labels}
            for named, one in found
        ]
    )


def count_confusion(labels: Labels) -> pl.DataFrame:
    """Return how many photos of all traffic the model took for what, the most frequent first.

    Returns:
        ``said``, ``truth``, ``photos`` (estimated), ``share`` of all, ``labels`` (counted).
    """
    weighed = labels.rows.with_columns(weight=pl.Series(labels.photo_weights()))
    cells = weighed.group_by("said", "truth").agg(photos=pl.col("weight").sum(), labels=pl.len())
    share = pl.col("photos") / pl.col("photos").sum()
    order = ["photos", "said", "truth"]
    return cells.with_columns(share=share).sort(order, descending=[True, False, False])


def readable_classes(cells: pl.DataFrame, labels: Labels) -> list[int]:
    """Return the classes that a confusion matrix shows: as many as can be read, in order."""
    return sorted(list_classes(labels)[:_WIDE]) if not cells.is_empty() else []


def photos_behind(labels: Labels, said: int, truth: int) -> list[str]:
    """Return the ids of the photos behind a cell, those the model was surest of first."""
    cell = labels.rows.filter(said=said, truth=truth).sort("confidence", descending=True)
    return cell["id"].to_list()


def compute_reliability(labels: Labels) -> pl.DataFrame:
    """Return accuracy by confidence, in bins of equal width.

    Returns:
        ``low``, ``confidence`` (mean of the labels, weighted), ``value``, ``from``, ``to`` and
        ``labels`` of each bin that has a label.
    """
    weights, rows = labels.photo_weights(), []
    confidence = labels.rows["confidence"].to_numpy()
    for bin_ in range(BINS):
        inside = _bin_of(confidence) == bin_
        if inside.any():
            low, high = bin_ / BINS, (bin_ + 1) / BINS if bin_ < BINS - 1 else math.inf
            one = labels.estimate_share(
                (pl.col("confidence") >= low) & (pl.col("confidence") < high)
            )
            mean = float(np.average(confidence[inside], weights=weights[inside]))
            rows.append((low, mean, one.value, one.low, one.high, one.labels))
    columns = ["low", "confidence", "value", "from", "to", "labels"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def _bin_of(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    # Compared like the expressions of ``reliability``: 0.7 * 10 is less than 7 in floating point.
    return np.minimum(np.searchsorted(np.arange(1, BINS) / BINS, confidence, "right"), BINS - 1)


def calibration_error(labels: Labels, seed: int = 0) -> Estimate:
    """Return the expected calibration error: mean distance of confidence and accuracy over bins.

    Its interval is that of a bootstrap within the strata. The error of few labels is too large on
    average, since chance alone keeps accuracy and confidence apart.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning" (2015).
    """
    if labels.rows.is_empty():
        return Estimate(math.nan, 0.0, 1.0, 0)
    confidence = labels.rows["confidence"].to_numpy()
    gap = labels.rows.select(RIGHT.cast(pl.Float64)).to_series().to_numpy() - confidence
    bins, weights, strata = (
        _bin_of(confidence),
        labels.photo_weights(),
        labels.rows["stratum"].to_numpy(),
    )

    def error(chosen: NDArray[np.int64]) -> float:
        weight = weights[chosen]
        sums = np.bincount(bins[chosen], weights=weight * gap[chosen], minlength=BINS)
        return float(np.abs(sums).sum() / weight.sum())

    rng = np.random.default_rng(seed)
    places = [np.flatnonzero(strata == one) for one in np.unique(strata)]
    drawn = [
        error(np.concatenate([rng.choice(place, len(place)) for place in places]))
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(error(np.arange(len(gap))), float(low), float(high), len(gap))


def by_threshold(labels: Labels, lowest: float = LOWEST) -> pl.DataFrame:
    """Return coverage and accuracy of what each threshold accepts, from the lowest to below 1.

    Returns:
        ``threshold``, ``coverage`` (estimated), ``value``, ``low``, ``high``, ``labels``.
    """
    found = []
    for threshold in np.round(np.arange(lowest, 1.0, 1 / STEPS), 3).tolist():
        accepted = pl.col("confidence") >= threshold
        one = labels.estimate_share(accepted)
        if one.labels:
            coverage = labels.estimate_share(hit=accepted).value
            found.append(({"threshold": threshold, "coverage": coverage}, one))
    return estimates_table(found)


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold for a wanted accuracy.

    Attributes:
        threshold: The threshold; None where no threshold reaches the accuracy.
        sure: Whether it holds at 97.5 %; else by the estimate alone.
        coverage: Share of all photos that it accepts: the others are to be reviewed.
        accuracy: Of what it accepts.
    """

    threshold: float | None
    sure: bool
    coverage: float
    accuracy: Estimate | None


def choose_threshold(rows: pl.DataFrame, wanted: float) -> Choice:
    """Return the threshold that reaches an accuracy and leaves the least to review.

    Thresholds are tested from the highest downwards until one fails, so that not one among a
    hundred is chosen for its luck. The walk begins where all labels being right would be enough.

    Source: Angelopoulos, Bates, Candes, Jordan and Lei, "Learn then Test" (2021), fixed sequence
    testing.

    Args:
        rows: Of ``by_threshold``.
        wanted: Accuracy of what is accepted, 0 to 1.
    """
    downwards = rows.sort("threshold", descending=True).rows(named=True)
    best = None
    for row in downwards:
        enough = row["labels"] / (row["labels"] + 3.841) >= wanted  # Wilson's low end, all right
        if row["low"] >= wanted:
            best = row
        elif enough or best:
            break
    sure = best is not None
    if best is None:
        reached = [row for row in downwards if row["value"] >= wanted]
        best = min(reached, key=lambda row: row["threshold"], default=None)
    if best is None:
        return Choice(None, sure=False, coverage=0.0, accuracy=None)
    accuracy = Estimate(best["value"], best["low"], best["high"], best["labels"])
    return Choice(best["threshold"], sure, best["coverage"], accuracy)


def by_variant(labels: Labels) -> pl.DataFrame:
    """Return accuracy by endpoint and variant."""
    names = labels.rows.select("endpoint", "variant").unique().sort("endpoint", "variant").rows()
    return estimates_table(
        (
            {"part": f"{endpoint} / {variant}"},
            labels.estimate_share(
                (pl.col("endpoint") == endpoint) & (pl.col("variant") == variant)
            ),
        )
        for endpoint, variant in names
    )


def by_day(labels: Labels, zone: ZoneInfo) -> pl.DataFrame:
    """Return accuracy by day of classification, in a zone."""
    date = pl.col("time").dt.convert_time_zone(zone.key).dt.date()
    days = labels.rows.select(date).to_series().drop_nulls().unique().sort().to_list()
    return estimates_table(
        ({"part": f"{day:%d %b %Y}"}, labels.estimate_share(date == day)) for day in days
    )


def by_property(labels: Labels, name: str) -> pl.DataFrame:
    """Return accuracy by thirds of one of ``PROPERTIES``."""
    values = labels.rows[name].drop_nulls()
    if values.is_empty():
        return estimates_table([])
    cuts = [-math.inf, *np.quantile(values.to_numpy(), [1 / 3, 2 / 3]).tolist(), math.inf]
    found = []
    for third, low, high in zip(THIRDS, cuts[:-1], cuts[1:], strict=True):
        one = labels.estimate_share((pl.col(name) > low) & (pl.col(name) <= high))
        if one.labels:
            found.append(({"part": third}, one))
    return estimates_table(found)
