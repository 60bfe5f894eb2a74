"""Distances between two samples that are counted in the same bins.

Every function takes the counts of a baseline and of a current sample, two integer arrays of shape
(..., B), and returns an array of shape (...): one call measures a comparison and all its
permutations.

Source: Lin, "Divergence measures based on the Shannon entropy" (1991); Yurdakul and Naranjo,
"Statistical properties of the population stability index" (2020); Mann and Whitney, "On a test of
whether one of two random variables is stochastically larger than the other" (1947).
"""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Values = NDArray[np.float64]


def psi(baseline: Counts, current: Counts) -> Values:
    """Return the population stability index, with half a record added to every bin.

    Without the half an empty bin makes it infinite.
    """
    p, q = _smooth_shares(baseline), _smooth_shares(current)
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1))


def jensen_shannon(baseline: Counts, current: Counts) -> Values:
    """Return the Jensen-Shannon distance, 0 (same) to 1 (apart): the root of the bits."""
    p, q = _to_shares(baseline), _to_shares(current)
    middle = (p + q) / 2
    bits = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    # Rounding can leave a little less than 0, which has no root.
    return np.sqrt(np.maximum(bits, 0))


def kolmogorov_smirnov(baseline: Counts, current: Counts) -> Values:
    """Return the largest difference of the cumulative shares at the bins' edges, 0 to 1."""
    difference = np.cumsum(_to_shares(baseline) - _to_shares(current), axis=-1)
    return np.asarray(np.abs(difference).max(axis=-1, initial=0))


def mann_whitney(baseline: Counts, current: Counts) -> Values:
    """Return how far the chance that a current value exceeds a baseline value is from a half.

    0 (as often above as below) to 0.5 (always above, or always below); values of one bin count as
    equal.
    """
    p, q = _to_shares(baseline), _to_shares(current)
    # A tie counts half: half of a value's own bin lies below it.
    below = np.cumsum(p, axis=-1) - p / 2
    return np.asarray(np.abs((below * q).sum(axis=-1) - 0.5))


def share_change(baseline: Counts, current: Counts) -> Values:
    """Return the largest change of a single bin's share, 0 to 1."""
    return np.asarray(np.abs(_to_shares(baseline) - _to_shares(current)).max(axis=-1, initial=0))


def _to_shares(counts: Counts) -> Values:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def _smooth_shares(counts: Counts) -> Values:
    return _to_shares(counts + np.float64(0.5))  # type: ignore[arg-type]


def _relative_entropy(p: Values, q: Values) -> Values:
    # 0 * log 0 is 0 here: an empty bin adds nothing.
    held = p > 0
    ratio = np.divide(p, q, out=np.ones_like(p), where=held)
    return np.asarray((p * np.log2(ratio)).sum(axis=-1))
