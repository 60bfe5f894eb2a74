"""The features of two samples, counted in the same bins and dealt again at random."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workflow.distances import Counts
from workflow.feature_statistics import NumericalStatistics, Statistics, StringStatistics
from workflow.intervals import Share, difference

BINS = 10
"""Bins of about equal mass in which a numerical feature is compared."""

_REFERENCE = 20_000  # sizes of the samples that are dealt where one of the two is empty


@dataclass(frozen=True, slots=True)
class ShareChange:
    """The category whose share changed most.

    Attributes:
        category: Its name.
        change: Its share now less its share in the baseline, -1 to 1.
        interval: Where the true change lies, 95 times of 100.
    """

    category: str
    change: float
    interval: tuple[float, float]

    def sentence(self) -> str:
        """Return the change in words, in percentage points."""
        low, high = self.interval
        return (
            f"{self.category} {self.change * 100:+.1f} percentage points"
            f" (95 % interval {low * 100:+.1f} to {high * 100:+.1f})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A feature of both samples, counted in the same bins.

    Attributes:
        name: The feature's name.
        before: (B,) counts of the baseline.
        after: (B,) counts of the current data.
        categories: B names of categories; empty for a numerical feature.
    """

    name: str
    before: Counts
    after: Counts
    categories: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[int, int]:
        """Values in the baseline and in the current data."""
        return int(self.before.sum()), int(self.after.sum())

    @property
    def reference_sizes(self) -> tuple[int, int]:
        """The sizes of the samples that are dealt: these, unless one is empty."""
        return self.sizes if min(self.sizes) else (_REFERENCE, _REFERENCE)

    def change(self) -> ShareChange | None:
        """Return the category whose share changed most, in either direction."""
        n, m = self.sizes
        if not self.categories or not min(n, m):
            return None
        at = int(np.argmax(np.abs(self.before / n - self.after / m)))
        before, after = Share(int(self.before[at]), n), Share(int(self.after[at]), m)
        return ShareChange(
            self.categories[at], after.value - before.value, difference(before, after)
        )

    def dealt(self, rng: np.random.Generator, draws: int) -> tuple[Counts, Counts]:
        """Return the two samples in row 0, and below them the pooled records dealt ``draws`` times.

        Two arrays of shape (draws + 1, B).
        """
        pooled, (n, m) = self.before + self.after, self.reference_sizes
        if (n, m) != self.sizes:
            # An empty sample cannot be dealt: take two of a usual size, to say how much data is
            # needed.
            shares = pooled / max(int(pooled.sum()), 1)
            pooled = np.maximum(np.round(shares * (n + m)), 1).astype(np.int64)
        # Records dealt without replacement give these counts; "marginals" costs by bins, not by
        # records.
        first = rng.multivariate_hypergeometric(pooled, n, size=draws + 1, method="marginals")
        if min(self.sizes):
            # The observed samples are one of the draws, else a p-value could be 0 (Phipson and
            # Smyth, "Permutation p-values should never be zero", 2010).
            first[0] = self.before
        return first, pooled - first


def pairs(baseline: Statistics, current: Statistics) -> Iterable[Pair]:
    """Yield every feature that both have with a distribution, in the order of the baseline.

    Raises:
        WorkflowError: ``BinsDoNotAlign`` where the current bins are too coarse for the baseline's.
    """
    found = {feature.name: feature for feature in current.features}
    for before in baseline.features:
        after = found.get(before.name)
        if isinstance(before, NumericalStatistics) and isinstance(after, NumericalStatistics):
            if before.histogram.counts:
                same = after.histogram.on(before.histogram.edges)
                yield _in_groups(
                    before.name, _to_array(before.histogram.counts), _to_array(same.counts)
                )
        elif isinstance(before, StringStatistics) and isinstance(after, StringStatistics):
            names = tuple(sorted({*before.counts, *after.counts}))
            if names:
                held, now = (
                    _to_array([side.counts.get(name, 0) for name in names])
                    for side in (before, after)
                )
                yield Pair(before.name, held, now, names)


def _in_groups(name: str, before: Counts, after: Counts) -> Pair:
    starts = equal_mass(before + after)
    return Pair(name, np.add.reduceat(before, starts), np.add.reduceat(after, starts))


def _to_array(counts: Sequence[int]) -> Counts:
    return np.asarray(counts, dtype=np.int64)


def equal_mass(pooled: Counts, bins: int = BINS) -> NDArray[np.intp]:
    """Return the start of each group of neighbouring bins, so that groups hold about the same.

    A bin lies in the group that the middle of its mass falls into, so one that holds most of the
    records is kept apart from those on both of its sides. The grouping looks at the pooled counts
    only: one that followed one of the samples would favour it, and the test would not be exact.
    """
    middle = np.cumsum(pooled) - pooled / 2
    group = np.minimum(middle * bins // max(int(pooled.sum()), 1), bins - 1)
    return np.flatnonzero(np.diff(group, prepend=-1))
