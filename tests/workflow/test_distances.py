"""Distances are those of the textbooks."""

import math

import numpy as np
import pytest

from workflow import distances


def test_the_distances_of_equal_shares_are_zero_and_of_disjoint_ones_greatest() -> None:
    one, other = np.array([10, 0]), np.array([0, 10])

    assert distances.jensen_shannon(one, one) == 0
    assert distances.jensen_shannon(one, other) == pytest.approx(1)
    assert distances.kolmogorov_smirnov(one, one) == 0
    assert distances.kolmogorov_smirnov(one, other) == 1
    assert distances.mann_whitney(one, one) == 0
    assert distances.mann_whitney(one, other) == distances.mann_whitney(other, one) == 0.5
    assert distances.share_change(one, one) == 0
    assert distances.share_change(one, other) == 1
    assert distances.psi(one, one) == 0
    assert np.isfinite(distances.psi(one, other))


def test_psi_is_the_textbooks_but_for_half_a_record() -> None:
    before, after = np.array([50_000, 50_000]), np.array([60_000, 40_000])
    expected = 0.1 * math.log(0.6 / 0.5) - 0.1 * math.log(0.4 / 0.5)

    assert distances.psi(before, after) == pytest.approx(expected, rel=1e-3)


def test_mann_whitney_is_the_chance_of_a_larger_value() -> None:
    before, after = np.array([1, 1, 0]), np.array([0, 1, 1])

    # Of four pairs three have the larger value after, and one has equal values.
    assert distances.mann_whitney(before, after) == pytest.approx((3 + 1 / 2) / 4 - 1 / 2)
