"""What the *Inferences* page shows of drift: a baseline, the verdicts against it, violations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from dashboard.captures.aggregates import BINS
from dashboard.inferences.model import CONFIDENCE, LABEL, summarise_counts
from workflow import drift
from workflow.class_names import ClassNames
from workflow.drift import MATTERS, Drift, DriftVerdict, Statistic, in_units
from workflow.feature_statistics import (
    Baseline,
    ConstraintViolation,
    Histogram,
    NumericalStatistics,
    Statistics,
    check,
)
from workflow.intervals import Share
from workflow.monitoring import DeployedVersion

LEADING: Mapping[Statistic, str] = {
    Statistic.KOLMOGOROV_SMIRNOV: "Kolmogorov-Smirnov {}",
    Statistic.SHARE_CHANGE: "{} of a class share",
}
"""The statistics in which the size of a drift is told, and how."""

SHOWN_CLASSES = 4
"""Of an endpoint with more classes, the most frequent are shown."""

FEATURE_WORDS: Mapping[str, str] = {
    CONFIDENCE: "Confidence",
    LABEL: "Class share",
    "brightness": "Image brightness",
    "contrast": "Image contrast",
    "sharpness": "Image sharpness",
    "colourfulness": "Image colourfulness",
    "warmth": "Image warmth",
    "pixels": "Image size",
}
"""Features as the page names them."""


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The current data compared with a baseline.

    Attributes:
        baseline: What it was compared with.
        current: What was compared with it.
        drifts: One entry a test; empty where the two have no feature in common.
        broken: Constraints of the baseline that the current data break.
    """

    baseline: Baseline
    current: Statistics
    drifts: tuple[Drift, ...]
    broken: tuple[ConstraintViolation, ...] = ()

    @property
    def verdict(self) -> DriftVerdict:
        """Over all tests."""
        return drift.overall(self.drifts)

    @property
    def comparable(self) -> bool:
        """Whether the two have a feature in common; without one, more records change nothing."""
        return bool(self.drifts)

    def describe_lacking(self) -> str:
        """Return what each side holds, where they have no common feature; else empty."""
        if self.comparable:
            return ""
        held, wanted = (
            ", ".join(feature.name for feature in side.features) or "no feature"
            for side in (self.baseline.statistics, self.current)
        )
        return (
            f"The baseline holds {held}; the captures hold {wanted}. More records would not help:"
            " choose another baseline."
        )

    @property
    def violations(self) -> tuple[ConstraintViolation, ...]:
        """What ``constraint_violations.json`` is to hold."""
        return (*self.broken, *drift.drift_violations(self.drifts))

    def format_sentence(self) -> str:
        """Return the verdict in words, with what it rests on."""
        sizes = f"{self.current.item_count:,} records against {self.baseline.name}"
        if not self.drifts:
            return f"No feature in common: {sizes}."
        if self.verdict in {DriftVerdict.DRIFT, DriftVerdict.SMALL}:
            small = self.verdict is DriftVerdict.SMALL
            said = " and ".join(self._list_detected(self.verdict))
            return f"{said} {'changed slightly' if small else 'drifted'}: {sizes}."
        if self.verdict is DriftVerdict.STABLE:
            return f"No drift larger than {self._describe_largest()}: {sizes}."
        current = max(item.current_needed for item in self.drifts)
        before = max(item.baseline_needed for item in self.drifts)
        needed = [
            text
            for count, text in (
                (current, f"{current:,} more current records"),
                (before, f"{before:,} more in the baseline"),
            )
            if count
        ]
        return f"Not enough data to tell: {' and '.join(needed)} needed ({sizes})."

    def _list_detected(self, verdict: DriftVerdict) -> list[str]:
        """Return the features of a verdict, each once, with the category that changed most."""
        found = [item for item in self.drifts if item.verdict is verdict]
        changes = {item.feature: item.change for item in self.drifts if item.change is not None}
        return [
            FEATURE_WORDS.get(name, name)
            + (f" ({changes[name].sentence()})" if name in changes else "")
            for name in dict.fromkeys(item.feature for item in found)
        ]

    def _describe_largest(self) -> str:
        """Return the largest drift that the data leave possible, of each kind of feature."""
        largest = {
            statistic: max(
                (item.largest for item in self.drifts if item.statistic is statistic), default=None
            )
            for statistic in LEADING
        }
        return " and ".join(
            LEADING[statistic].format(in_units(statistic, value))
            for statistic, value in largest.items()
            if value is not None
        )

    def describe_reach(self) -> str:
        """Return what this baseline cannot tell, however many records are compared with it.

        Empty where it can tell every drift that matters.
        """
        least = [
            LEADING[item.statistic].format(in_units(item.statistic, item.least_detectable))
            for item in self.drifts
            if item.statistic in LEADING and item.least_detectable > MATTERS[item.statistic]
        ]
        if not least:
            return ""
        size = max(item.baseline_size for item in self.drifts)
        return (
            f"With {size:,} records this baseline can detect a drift of {' and '.join(least)} or"
            " more. A smaller one goes undetected, however many records are compared with it."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison in a few numbers.

    Attributes:
        total: Records.
        rejected: Those below the threshold.
        median: Median confidence, known to its bin: right to 0.0025; NaN without a record.
        shares: The classes shown, by name, each with its share; the same of both sides.
    """

    total: int
    rejected: Share
    median: float
    shares: Mapping[str, Share]


def side_by_side(
    before: pl.DataFrame, after: pl.DataFrame, threshold: float, names: ClassNames
) -> tuple[Side, Side]:
    """Return two sides, with the shares of the classes that are most frequent over both.

    Args:
        before: A frame of ``tables.COUNTS``.
        after: Another.
        threshold: Where records part into accepted and rejected.
        names: Of the classes.
    """
    both = pl.concat([before, after]).group_by("label").agg(pl.col("count").sum())
    labels = both.sort("count", "label", descending=[True, False])["label"].head(SHOWN_CLASSES)
    shown = {label: names.name(label) for label in labels.sort()}
    first, second = (_build_side(counts, threshold, shown) for counts in (before, after))
    return first, second


def _build_side(counts: pl.DataFrame, threshold: float, shown: Mapping[int, str]) -> Side:
    said = summarise_counts(counts, threshold)
    return Side(
        total=said.total,
        rejected=said.rejected,
        median=median_confidence(counts),
        shares={
            name: Share(said.by_label.get(label, 0), said.total) for label, name in shown.items()
        },
    )


def median_confidence(counts: pl.DataFrame) -> float:
    """Return the median confidence of ``aggregates.COUNTS``: the middle of its bin, else NaN."""
    bins = counts.group_by("bin").agg(pl.col("count").sum()).sort("bin")
    total = int(bins["count"].sum())
    if not total:
        return math.nan
    reached = bins.filter(pl.col("count").cum_sum() * 2 >= total)
    return min((int(reached["bin"][0]) + 0.5) / BINS, 1.0)


def build_report(
    baseline: Baseline, current: Statistics, *, numerical: Sequence[Statistic] = drift.NUMERICAL
) -> DriftReport:
    """Hold current data against a baseline.

    Args:
        baseline: With or without constraints.
        current: A numerical feature's bins must contain the edges of the baseline's.
        numerical: Which statistics compare numerical features.

    Raises:
        WorkflowError: ``BinsDoNotAlign``.
    """
    return DriftReport(
        baseline,
        current,
        drift.compare(baseline.statistics, current, numerical=numerical),
        check(baseline.constraints, current) if baseline.constraints else (),
    )


def version_before(versions: Sequence[DeployedVersion]) -> DeployedVersion:
    """Return the version to compare with by default: the newest that another one has replaced.

    Args:
        versions: At least one, newest first.
    """
    return next((version for version in versions if version.span.end is not None), versions[0])


def verdicts_table(report: DriftReport) -> pl.DataFrame:
    """Return one row a test, for the page's table."""
    columns = ("feature", "statistic", "distance", "threshold", "verdict", "in words")
    return pl.DataFrame(
        [
            (
                FEATURE_WORDS.get(item.feature, item.feature),
                item.statistic.value,
                in_units(item.statistic, item.value),
                in_units(item.statistic, item.threshold),
                item.verdict.value,
                item.sentence(),
            )
            for item in report.drifts
        ],
        schema=dict.fromkeys(columns, pl.String),
        orient="row",
    )


def means_table(report: DriftReport) -> pl.DataFrame:
    """Return the mean of each numerical feature before and after, with its test."""
    before = {feature.name: feature for feature in report.baseline.statistics.features}
    after = {feature.name: feature for feature in report.current.features}
    rows = []
    for item in report.drifts:
        old, new = before[item.feature], after[item.feature]
        if isinstance(old, NumericalStatistics) and isinstance(new, NumericalStatistics):
            name = FEATURE_WORDS.get(item.feature, item.feature)
            numbers = (old.mean, new.mean, item.value, item.threshold)
            rows.append((name, *numbers, item.verdict.value))
    names = ("before", "after", "distance", "threshold")
    numeric = dict.fromkeys(names, pl.Float64)
    schema = {"feature": pl.String, **numeric, "verdict": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def in_bins_of(baseline: Baseline, current: Statistics, values: pl.Series) -> Statistics:
    """Return the current statistics with confidence counted in the baseline's own bins.

    Args:
        baseline: Whose bins to use.
        current: What to count again.
        values: Every current confidence.
    """
    feature = numerical_feature(baseline.statistics)
    if feature is None:
        return current
    counted = NumericalStatistics.of(CONFIDENCE, values.to_numpy(), feature.histogram.edges)
    others = tuple(other for other in current.features if other.name != CONFIDENCE)
    return Statistics(current.item_count, (counted, *others))


def rebin_histogram(statistics: Statistics, edges: Sequence[float]) -> pl.DataFrame:
    """Return the confidence histogram of statistics in given bins: ``low``, ``high``, ``count``."""
    feature = numerical_feature(statistics)
    histogram = feature.histogram.on(edges) if feature else Histogram(tuple(edges), ())
    return pl.DataFrame(
        [
            {"low": low, "high": high, "count": count}
            for (low, high), count in zip(pairwise(histogram.edges), histogram.counts, strict=False)
        ],
        schema={"low": pl.Float64, "high": pl.Float64, "count": pl.Int64},
    )


def shown_edges(baseline: Statistics, current: Statistics, most: int) -> tuple[float, ...]:
    """Return the edges of a chart's bars: the baseline's, thinned, from where data begin."""
    features = [numerical_feature(statistics) for statistics in (baseline, current)]
    edges = features[0].histogram.edges if features[0] else (0.0, 1.0)
    held = [
        low
        for feature in features
        if feature is not None
        for low, count in zip(feature.histogram.edges, feature.histogram.counts, strict=False)
        if count
    ]
    start = min(held, default=edges[0])
    first = max((i for i, edge in enumerate(edges[:-1]) if edge <= start), default=0)
    step = max(1, (len(edges) - 1 - first) // most)
    return (*edges[first:-1:step], edges[-1])


def numerical_feature(statistics: Statistics) -> NumericalStatistics | None:
    """Return the statistics of confidence, where they are there."""
    return next(
        (
            feature
            for feature in statistics.features
            if isinstance(feature, NumericalStatistics) and feature.name == CONFIDENCE
        ),
        None,
    )
