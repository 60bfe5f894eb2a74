"""Drift: do two samples of a feature differ more than chance at their sizes would make them?

Fixed limits such as "PSI above 0.1" alarm on 85 of 100 identical samples of 100 records. Here the
limit comes from the permutation null: had both samples one distribution, every way of dealing the
pooled records into samples of these sizes were equally likely. The false-alarm rate is therefore
exact at any size, with both samples finite, and is shared over all tests shown (Bonferroni).

Source: Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", chapter 3; Lin,
"Divergence measures based on the Shannon entropy" (1991); for PSI, Yurdakul and Naranjo,
"Statistical properties of the population stability index" (2020).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from workflow.baselines import (
    CheckType,
    ConstraintViolation,
    Feature,
    NumericalStatistics,
    Statistics,
    StringStatistics,
)

FALSE_ALARM_RATE = 0.01
"""Share of comparisons without drift in which any of the tests shown alarms."""

BINS = 10
"""Bins of about equal mass in which a numerical feature is compared."""

_EXCEEDANCES = 10  # null draws beyond the limit: enough that the limit itself is steady
_REFERENCE = 20_000  # sample size at which "how many are needed" is simulated
_SEED = 2021  # the same data always give the same verdict

_Counts = NDArray[np.int64]
_Values = NDArray[np.float64]


class Statistic(StrEnum):
    """A distance between two distributions."""

    PSI = "PSI"
    JENSEN_SHANNON = "Jensen-Shannon"
    KOLMOGOROV_SMIRNOV = "Kolmogorov-Smirnov"


MATTERS: Mapping[Statistic, float] = {
    Statistic.PSI: 0.1,
    Statistic.JENSEN_SHANNON: 0.13,
    Statistic.KOLMOGOROV_SMIRNOV: 0.1,
}
"""The smallest distance worth an alarm, however many records prove it.

PSI 0.1 is the field's "moderate shift"; the Jensen-Shannon distance of the same shift is 0.13
(divergence in bits = PSI / (8 ln 2), distance its root).
"""

NUMERICAL = (Statistic.PSI, Statistic.JENSEN_SHANNON, Statistic.KOLMOGOROV_SMIRNOV)
CATEGORICAL = (Statistic.PSI, Statistic.JENSEN_SHANNON)
"""Kolmogorov-Smirnov needs an order, and categories have none."""


class Verdict(StrEnum):
    """What a comparison came to."""

    DRIFT = "drift"
    STABLE = "stable"
    NOT_ENOUGH_DATA = "not enough data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One feature, compared by one statistic.

    Attributes:
        feature: The feature's name.
        statistic: By which distance.
        value: The distance; NaN where a sample is empty.
        threshold: The distance above which this is drift: the null's limit at these sample
            sizes, and never less than what matters.
        verdict: DRIFT above the threshold. NOT_ENOUGH_DATA where it is below, but so is a drift
            that matters. Else STABLE.
        baseline_size: Values in the baseline.
        current_size: Values held against it.
        baseline_needed: Values the baseline lacks for a verdict; 0 where it has enough.
        current_needed: Values the current data lacks for a verdict; 0 where it has enough.
    """

    feature: str
    statistic: Statistic
    value: float
    threshold: float
    verdict: Verdict
    baseline_size: int
    current_size: int
    baseline_needed: int = 0
    current_needed: int = 0

    def sentence(self) -> str:
        """The verdict in words."""
        if self.verdict is Verdict.DRIFT:
            return f"{self.statistic} {self.value:.3f} exceeds the threshold {self.threshold:.3f}."
        if self.verdict is Verdict.STABLE:
            return (
                f"{self.statistic} {self.value:.3f} is within the threshold {self.threshold:.3f}."
            )
        lacking = [
            f"{needed:,} more in the {sample}"
            for needed, sample in (
                (self.current_needed, "current data"),
                (self.baseline_needed, "baseline"),
            )
            if needed
        ]
        return f"Not enough data: {' and '.join(lacking)} needed."


def compare(
    baseline: Statistics,
    current: Statistics,
    *,
    numerical: Sequence[Statistic] = NUMERICAL,
    false_alarm_rate: float = FALSE_ALARM_RATE,
) -> tuple[Drift, ...]:
    """Compare every feature that both have with a distribution, in the baseline's order.

    Args:
        baseline: What the features looked like.
        current: What they look like; a numerical feature's bins must contain the baseline's edges.
        numerical: The statistics for numerical features.
        false_alarm_rate: For the whole answer, shared evenly by its tests.

    Raises:
        WorkflowError: ``BinsDoNotAlign`` where the current bins are too coarse for the baseline's.
    """
    pairs = list(_pairs(baseline, current))
    tests = sum(len(_statistics(feature, numerical)) for feature, _, _ in pairs)
    return tuple(
        drift
        for feature, before, after in pairs
        for drift in _compare(
            feature.name, before, after, _statistics(feature, numerical), false_alarm_rate / tests
        )
    )


def overall(drifts: Iterable[Drift]) -> Verdict:
    """The verdict over several tests: drift in one is drift, and silence needs data for all."""
    verdicts = {drift.verdict for drift in drifts}
    if Verdict.DRIFT in verdicts:
        return Verdict.DRIFT
    if Verdict.NOT_ENOUGH_DATA in verdicts or not verdicts:
        return Verdict.NOT_ENOUGH_DATA
    return Verdict.STABLE


def drift_violations(drifts: Iterable[Drift]) -> tuple[ConstraintViolation, ...]:
    """The drifts among them as Model Monitor's ``baseline_drift_check``."""
    return tuple(
        ConstraintViolation(
            drift.feature,
            CheckType.BASELINE_DRIFT,
            f"Baseline drift distance: {drift.value:.6g} exceeds threshold: {drift.threshold:.6g}"
            f" ({drift.statistic}, {drift.baseline_size} baseline and {drift.current_size} current"
            " values)",
        )
        for drift in drifts
        if drift.verdict is Verdict.DRIFT
    )


def _pairs(baseline: Statistics, current: Statistics) -> Iterable[tuple[Feature, _Counts, _Counts]]:
    found = {feature.name: feature for feature in current.features}
    for before in baseline.features:
        after = found.get(before.name)
        if isinstance(before, NumericalStatistics) and isinstance(after, NumericalStatistics):
            if before.histogram.counts:
                same = after.histogram.on(before.histogram.edges)
                yield before, _array(before.histogram.counts), _array(same.counts)
        elif isinstance(before, StringStatistics) and isinstance(after, StringStatistics):
            names = sorted({*before.counts, *after.counts})
            yield (
                before,
                _array([before.counts.get(name, 0) for name in names]),
                _array([after.counts.get(name, 0) for name in names]),
            )


def _statistics(feature: Feature, numerical: Sequence[Statistic]) -> Sequence[Statistic]:
    return numerical if isinstance(feature, NumericalStatistics) else CATEGORICAL


def _array(counts: Sequence[int]) -> _Counts:
    return np.asarray(counts, dtype=np.int64)


def _compare(
    name: str, before: _Counts, after: _Counts, statistics: Sequence[Statistic], level: float
) -> Iterable[Drift]:
    ordered = Statistic.KOLMOGOROV_SMIRNOV in statistics
    groups = equal_mass(before + after) if ordered else np.arange(len(before))
    a, b = np.add.reduceat(before, groups), np.add.reduceat(after, groups)
    sizes = int(a.sum()), int(b.sum())
    null = _null(a + b, sizes, level) if min(sizes) else None
    reference = lru_cache(lambda: _reference_null(a + b, level))
    for statistic in statistics:
        distance, matters = _DISTANCES[statistic], MATTERS[statistic]
        value = limit = math.nan
        needed = 0, 0
        if null is not None:
            value = float(distance(a[None], b[None])[0])
            limit = _limit(distance(*null), level)
        if value > max(limit, matters):
            verdict = Verdict.DRIFT
        elif limit <= matters:
            verdict = Verdict.STABLE
        else:
            verdict = Verdict.NOT_ENOUGH_DATA
            needed = _needed(statistic, _limit(distance(*reference()), level), sizes)
        yield Drift(
            feature=name,
            statistic=statistic,
            value=value,
            threshold=matters if math.isnan(limit) else max(limit, matters),
            verdict=verdict,
            baseline_size=sizes[0],
            current_size=sizes[1],
            baseline_needed=needed[0],
            current_needed=needed[1],
        )


def equal_mass(pooled: _Counts, bins: int = BINS) -> NDArray[np.intp]:
    """Start of each group of neighbouring bins, so that groups hold about the same.

    It looks at the pooled counts only: a grouping that followed one of the samples would favour
    it, and the null would no longer be exact.
    """
    before = np.cumsum(pooled) - pooled
    group = np.minimum(before * bins // max(int(pooled.sum()), 1), bins - 1)
    return np.flatnonzero(np.diff(group, prepend=-1))


def _null(pooled: _Counts, sizes: tuple[int, int], level: float) -> tuple[_Counts, _Counts]:
    """The pooled records dealt again into two samples of these sizes; two (draws, B) arrays."""
    rng = np.random.default_rng(_SEED)
    draws = math.ceil(_EXCEEDANCES / level)
    a = rng.multivariate_hypergeometric(pooled, sizes[0], size=draws, method="marginals")
    return a, pooled - a


def _reference_null(pooled: _Counts, level: float) -> tuple[_Counts, _Counts]:
    """The null of the pooled shares at ``_REFERENCE`` records in each sample."""
    shares = pooled / max(int(pooled.sum()), 1)
    spread = np.maximum(np.round(shares * 2 * _REFERENCE), 1).astype(np.int64)
    return _null(spread, (_REFERENCE, int(spread.sum()) - _REFERENCE), level)


def _limit(null: _Values, level: float) -> float:
    """The null's value that at most a share ``level`` of comparisons without drift exceed.

    A value above it has at most k of R null draws at or above it, where (k + 1) / (R + 1) <= level:
    the exact permutation test, ties counted against the alarm.
    """
    allowed = math.floor(level * (len(null) + 1)) - 1
    return float(np.partition(null, len(null) - allowed - 1)[len(null) - allowed - 1])


def _needed(statistic: Statistic, limit: float, sizes: tuple[int, int]) -> tuple[int, int]:
    """How many values (baseline, current) lack until a drift that matters can be told from chance.

    The limit of PSI goes with 1/n + 1/m, those of the other distances with its root.

    Args:
        statistic: Which distance.
        limit: Its limit at ``_REFERENCE`` records in each sample.
        sizes: Values there are.
    """
    power = 1 if statistic is Statistic.PSI else 2
    ratio = MATTERS[statistic] / max(limit, 1e-12)
    budget = ratio**power * 2 / _REFERENCE  # 1/n + 1/m must not exceed this
    n_baseline, n_current = sizes
    equal = math.ceil(2 / budget)
    if n_baseline <= equal:
        return equal - n_baseline, max(equal - n_current, 0)
    return 0, max(math.ceil(1 / (budget - 1 / n_baseline)) - n_current, 1)


def psi(baseline: _Counts, current: _Counts) -> _Values:
    """Population stability index over the last axis, half a record added to every bin.

    Without the half an empty bin makes it infinite.
    """
    p, q = _smoothed(baseline), _smoothed(current)
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1))


def jensen_shannon(baseline: _Counts, current: _Counts) -> _Values:
    """Jensen-Shannon distance over the last axis, 0 (same) to 1 (apart): root of bits."""
    p, q = _shares(baseline), _shares(current)
    middle = (p + q) / 2
    bits = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return np.sqrt(np.maximum(bits, 0))


def kolmogorov_smirnov(baseline: _Counts, current: _Counts) -> _Values:
    """Largest distance of the cumulative shares at the bins' edges, 0 to 1, over the last axis."""
    difference = np.cumsum(_shares(baseline) - _shares(current), axis=-1)
    return np.asarray(np.abs(difference).max(axis=-1, initial=0))


_DISTANCES: Mapping[Statistic, Callable[[_Counts, _Counts], _Values]] = {
    Statistic.PSI: psi,
    Statistic.JENSEN_SHANNON: jensen_shannon,
    Statistic.KOLMOGOROV_SMIRNOV: kolmogorov_smirnov,
}


def _shares(counts: _Counts) -> _Values:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def _smoothed(counts: _Counts) -> _Values:
    return _shares(counts + np.float64(0.5))  # type: ignore[arg-type]


def _relative_entropy(p: _Values, q: _Values) -> _Values:
    held = p > 0
    ratio = np.divide(p, q, out=np.ones_like(p), where=held)
    return np.asarray((p * np.log2(ratio)).sum(axis=-1))


def paired_statistics(
    baseline: Mapping[str, Sequence[float]], current: Mapping[str, Sequence[float]]
) -> tuple[Statistics, Statistics]:
    """Statistics of two sets of raw values in common bins, for features without natural edges.

    The edges are quantiles of both samples together, for the reason given at ``equal_mass``.
    """
    befores, afters = [], []
    for name in baseline:
        before, after = np.asarray(baseline[name]), np.asarray(current.get(name, ()))
        pooled = np.concatenate([before, after])
        pooled = pooled[np.isfinite(pooled)]
        if pooled.size == 0:
            continue
        edges = np.unique(np.quantile(pooled, np.linspace(0, 1, BINS + 1)))
        if edges.size == 1:
            edges = np.array([edges[0] - 0.5, edges[0] + 0.5])
        befores.append(NumericalStatistics.of(name, before, edges.tolist()))
        afters.append(NumericalStatistics.of(name, after, edges.tolist()))
    return (
        Statistics(max((len(values) for values in baseline.values()), default=0), tuple(befores)),
        Statistics(max((len(values) for values in current.values()), default=0), tuple(afters)),
    )
