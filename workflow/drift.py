"""Drift: do two samples differ more than chance at their sizes would make them?

Fixed limits such as "PSI above 0.1" alarm on 85 of 100 identical samples of 100 records. Here the
limit comes from a permutation test: had both samples one distribution, every way of dealing the
pooled records into samples of these sizes would be equally likely. All tests of a comparison are
one test, that of the smallest p-value among them, so the false-alarm rate is that of the whole
answer at any size, and tests that say the same cost nothing.

Source: Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", chapter 3; Westfall and
Young, "Resampling-Based Multiple Testing" (1993), section 2.3 (single-step minP).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from workflow.distances import (
    Counts,
    Values,
    jensen_shannon,
    kolmogorov_smirnov,
    mann_whitney,
    psi,
    share_change,
)
from workflow.feature_statistics import (
    CheckType,
    ConstraintViolation,
    NumericalStatistics,
    Statistics,
)
from workflow.pairing import Pair, ShareChange, equal_mass, pairs

FALSE_ALARM_RATE = 0.05
"""Share of comparisons without drift in which anything at all is detected."""

CATEGORICAL_WEIGHT = 4
"""How much more of the rate a categorical feature gets than a numerical one.

A change of shares from 50 to 60 % among 500 records is found in at most 73 % of cases by any test
at 1 %; ADR 22 has what this weight finds.
"""

_DRAWS = 200  # permutations for each unit of 1 / rate: enough that a limit is steady
_SEED = 2021  # the same data always give the same verdict
_TELLING = 2.0  # an answer is one if it rules out a shift of twice what matters
_EXACT_DIGITS = 12  # equal counts must give equal distances, whichever way they were added up


class Statistic(StrEnum):
    """A distance between two distributions."""

    PSI = "PSI"
    JENSEN_SHANNON = "Jensen-Shannon"
    KOLMOGOROV_SMIRNOV = "Kolmogorov-Smirnov"
    MANN_WHITNEY = "Mann-Whitney"
    SHARE_CHANGE = "Change of share"


MATTERS: Mapping[Statistic, float] = {
    Statistic.PSI: 0.1,
    Statistic.JENSEN_SHANNON: 0.13,
    Statistic.KOLMOGOROV_SMIRNOV: 0.1,
    Statistic.MANN_WHITNEY: 0.07,
    Statistic.SHARE_CHANGE: 0.05,
}
"""The smallest distance worth an alarm, however many records prove it.

PSI 0.1 is the field's "moderate shift"; the Jensen-Shannon distance of the same shift is 0.13
(divergence in bits = PSI / (8 ln 2), distance its root). A normal distribution that moves by a
quarter of its standard deviation has Kolmogorov-Smirnov 0.1 and Mann-Whitney 0.07. Shares of
categories are compared in percentage points: 5.
"""

NUMERICAL = (
    Statistic.PSI,
    Statistic.JENSEN_SHANNON,
    Statistic.KOLMOGOROV_SMIRNOV,
    Statistic.MANN_WHITNEY,
)
CATEGORICAL = (Statistic.SHARE_CHANGE, Statistic.PSI)
"""PSI finds a new rare category, whose share is few percentage points."""

_DISTANCES: Mapping[Statistic, Callable[[Counts, Counts], Values]] = {
    Statistic.PSI: psi,
    Statistic.JENSEN_SHANNON: jensen_shannon,
    Statistic.KOLMOGOROV_SMIRNOV: kolmogorov_smirnov,
    Statistic.MANN_WHITNEY: mann_whitney,
    Statistic.SHARE_CHANGE: share_change,
}


class DriftVerdict(StrEnum):
    """What a comparison came to."""

    DRIFT = "drift"
    SMALL = "detected but small"
    STABLE = "stable"
    NOT_ENOUGH_DATA = "not enough data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One feature, compared by one statistic.

    Attributes:
        feature: The feature's name.
        statistic: By which distance.
        value: The distance; NaN where a sample is empty.
        limit: The largest distance that chance explains at these sample sizes; NaN where a sample
            is empty.
        verdict: DRIFT above the limit, SMALL where that is less than what matters. Below it,
            STABLE where a shift of twice what matters would have been above it, else
            NOT_ENOUGH_DATA.
        baseline_size: Values in the baseline.
        current_size: Values compared with it.
        baseline_needed: Values the baseline lacks for a verdict; 0 where it has enough.
        current_needed: Values the current data lacks for a verdict; 0 where it has enough.
        change: Of categories, the one that changed most; else None.
    """

    feature: str
    statistic: Statistic
    value: float
    limit: float
    verdict: DriftVerdict
    baseline_size: int
    current_size: int
    baseline_needed: int = 0
    current_needed: int = 0
    change: ShareChange | None = None

    @property
    def threshold(self) -> float:
        """The distance above which this is drift: the limit, and never less than what matters."""
        return max(MATTERS[self.statistic], self.limit)  # in this order: NaN is never the larger

    @property
    def largest(self) -> float:
        """The largest true distance that these samples leave possible; NaN where one is empty.

        A sample lies no further from its distribution than chance explains, and distances add up
        (the root of PSI does so nearly).
        """
        order = _shift_power(self.statistic)
        return float((self.value ** (1 / order) + self.limit ** (1 / order)) ** order)

    @property
    def least_detectable(self) -> float:
        """The smallest distance this baseline can tell from chance, however many records come."""
        sizes = self.baseline_size + self.current_size
        part = self.current_size / sizes if sizes else math.nan  # of the noise 1/n + 1/m
        return float(self.limit * part ** (_shift_power(self.statistic) / 2))

    def sentence(self) -> str:
        """Return the verdict in words."""
        value, limit, threshold, matters = (
            in_units(self.statistic, number)
            for number in (self.value, self.limit, self.threshold, MATTERS[self.statistic])
        )
        said = f"{self.statistic} {value}"
        if self.change is not None:
            said = self.change.sentence()
        if self.verdict is DriftVerdict.DRIFT:
            return f"{said} exceeds the threshold {threshold}."
        if self.verdict is DriftVerdict.SMALL:
            return (
                f"{said} is more than chance explains ({limit}), but less than matters ({matters})."
            )
        if self.verdict is DriftVerdict.STABLE:
            largest = in_units(self.statistic, self.largest)
            return f"{said} is within the threshold {threshold}: no drift larger than {largest}."
        lacking = [
            f"{needed:,} more in the {sample}"
            for needed, sample in (
                (self.current_needed, "current data"),
                (self.baseline_needed, "baseline"),
            )
            if needed
        ]
        return f"Not enough data: {' and '.join(lacking)} needed."


def in_units(statistic: Statistic, value: float) -> str:
    """Return a distance as text: shares in percentage points, the others as plain numbers."""
    if statistic is Statistic.SHARE_CHANGE:
        return f"{value * 100:.1f} points"
    return f"{value:.3f}"


def _shift_power(statistic: Statistic) -> int:
    """Return the power of the shift that the distance goes with: PSI is a squared distance."""
    return 2 if statistic is Statistic.PSI else 1


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
        false_alarm_rate: For the whole answer: how often anything is detected without a drift.

    Raises:
        WorkflowError: ``BinsDoNotAlign`` where the current bins are too coarse for the baseline's.
    """
    rng = np.random.default_rng(_SEED)
    draws = math.ceil(_DRAWS / false_alarm_rate)
    tests = [
        (pair, statistic, np.round(_DISTANCES[statistic](before, after), _EXACT_DIGITS))
        for pair in pairs(baseline, current)
        for before, after in [pair.dealt(rng, draws)]
        for statistic in (CATEGORICAL if pair.categories else numerical)
    ]
    if not tests:
        return ()
    # Features are dealt one by one. Where they depend on one another, what all of them together
    # exceed by chance becomes rarer (Royen's Gaussian correlation inequality), never more frequent.
    weights = [CATEGORICAL_WEIGHT if pair.categories else 1 for pair, _, _ in tests]
    limits = _compute_limits([distances for _, _, distances in tests], weights, false_alarm_rate)
    return tuple(
        _judge_test(pair, statistic, float(distances[0]), limit)
        for (pair, statistic, distances), limit in zip(tests, limits, strict=True)
    )


def _compute_limits(
    distances: Sequence[Values], weights: Sequence[float], rate: float
) -> tuple[float, ...]:
    """Return for each test the largest distance that chance explains.

    The distance of a test becomes its p-value among all draws, ties counted against the alarm; the
    smallest of them over all tests, each divided by its weight, is the joint statistic of a draw.
    Of R draws at most ``rate`` * R have a joint statistic below the limit.

    Args:
        distances: One array of shape (R,) a test: the samples' own in row 0, and the draws'.
        weights: One a test.
        rate: Of the joint test.
    """
    p_values = []
    for distance, weight in zip(distances, weights, strict=True):
        # Counted from the left end of equal distances, so that a tie makes the p-value larger.
        at_or_above = len(distance) - np.searchsorted(np.sort(distance), distance)
        p_values.append(at_or_above / len(distance) / weight)
    joint = np.minimum.reduce(p_values)
    allowed = math.floor(rate * len(joint))
    # Only one order statistic is needed: a partition finds it without sorting all draws.
    cut = np.partition(joint, allowed)[allowed]
    return tuple(
        float(distance[p_value >= cut].max(initial=0))
        for distance, p_value in zip(distances, p_values, strict=True)
    )


def _judge_test(pair: Pair, statistic: Statistic, value: float, limit: float) -> Drift:
    matters = MATTERS[statistic]
    # PSI grows with the square of a shift, so twice the shift is four times the PSI.
    telling = matters * _TELLING ** _shift_power(statistic)
    known = min(pair.sizes) > 0
    needed = 0, 0
    if known and value > limit:
        verdict = DriftVerdict.DRIFT if value >= matters else DriftVerdict.SMALL
    elif known and limit <= telling:
        verdict = DriftVerdict.STABLE
    else:
        verdict = DriftVerdict.NOT_ENOUGH_DATA
        # The variance of a difference goes with 1/n + 1/m: more values bring that down.
        noise = sum(1 / size for size in pair.reference_sizes)
        ratio = telling / max(limit, 10**-_EXACT_DIGITS)
        needed = _values_needed(noise * ratio ** (2 / _shift_power(statistic)), pair.sizes)
    return Drift(
        feature=pair.name,
        statistic=statistic,
        value=value if known else math.nan,
        limit=limit if known else math.nan,
        verdict=verdict,
        baseline_size=pair.sizes[0],
        current_size=pair.sizes[1],
        baseline_needed=needed[0],
        current_needed=needed[1],
        change=pair.change() if statistic is Statistic.SHARE_CHANGE else None,
    )


def _values_needed(noise: float, sizes: tuple[int, int]) -> tuple[int, int]:
    """Return how many values (baseline, current) lack until 1/n + 1/m is down to ``noise``."""
    n_baseline, n_current = sizes
    equal = math.ceil(2 / noise)
    if n_baseline <= equal:
        return equal - n_baseline, max(equal - n_current, 0)
    return 0, max(math.ceil(1 / (noise - 1 / n_baseline)) - n_current, 1)


def overall(drifts: Iterable[Drift]) -> DriftVerdict:
    """Return the verdict over several tests: what one detects counts, silence needs all."""
    verdicts = {drift.verdict for drift in drifts}
    ranked = (
        DriftVerdict.DRIFT,
        DriftVerdict.SMALL,
        DriftVerdict.NOT_ENOUGH_DATA,
        DriftVerdict.STABLE,
    )
    return next(
        (verdict for verdict in ranked if verdict in verdicts), DriftVerdict.NOT_ENOUGH_DATA
    )


def drift_violations(drifts: Iterable[Drift]) -> tuple[ConstraintViolation, ...]:
    """Return the drifts among them as Model Monitor's ``baseline_drift_check``."""
    return tuple(
        ConstraintViolation(
            drift.feature,
            CheckType.BASELINE_DRIFT,
            f"Baseline drift distance: {drift.value:.6g} exceeds threshold: {drift.threshold:.6g}"
            f" ({drift.statistic}, {drift.baseline_size} baseline and {drift.current_size} current"
            " values)",
        )
        for drift in drifts
        if drift.verdict is DriftVerdict.DRIFT
    )


def paired_statistics(
    baseline: Mapping[str, Sequence[float]], current: Mapping[str, Sequence[float]]
) -> tuple[Statistics, Statistics]:
    """Return statistics of two sets of raw values in common bins, of features without natural ones.

    The bins part the distinct values of both samples together by ``equal_mass``: a value that is
    held often has a bin of its own.
    """
    befores, afters = [], []
    for name in baseline:
        before, after = (
            np.asarray(side.get(name, ()), dtype=np.float64) for side in (baseline, current)
        )
        # Edges chosen from one sample alone would favour it (ADR 7).
        pooled = np.concatenate([before, after])
        values, counts = np.unique(pooled[np.isfinite(pooled)], return_counts=True)
        if values.size == 0:
            continue
        edges = values[equal_mass(counts)].tolist()
        # A last bin of one value needs an upper edge above it.
        edges.append(max(values[-1], np.nextafter(edges[-1], math.inf)))
        befores.append(NumericalStatistics.of(name, before, edges))
        afters.append(NumericalStatistics.of(name, after, edges))
    return (
        Statistics(max((len(values) for values in baseline.values()), default=0), tuple(befores)),
        Statistics(max((len(values) for values in current.values()), default=0), tuple(afters)),
    )
