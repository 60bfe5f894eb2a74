"""Shares and their intervals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.intervals import Share, difference


def test_the_interval_is_wilsons() -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I.
    low, high = Share(81, 263).interval

    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_nothing_seen_says_nothing() -> None:
    assert math.isnan(Share(0, 0).value)
    assert Share(0, 0).interval == (0.0, 1.0)


def test_shares_of_two_samples_add_up() -> None:
    assert Share(1, 4) + Share(2, 2) == Share(3, 6)


@given(st.integers(1, 10_000), st.data())
def test_the_share_lies_in_its_interval(count: int, data: st.DataObject) -> None:
    share = Share(data.draw(st.integers(0, count)), count)

    low, high = share.interval

    assert 0 <= low <= share.value + 1e-12
    assert share.value - 1e-12 <= high <= 1


@given(st.integers(1, 1_000))
def test_more_data_never_widens_the_interval(count: int) -> None:
    def width(share: Share) -> float:
        low, high = share.interval
        return high - low

    assert width(Share(2 * count, 4 * count)) < width(Share(count, 2 * count))


def test_the_interval_of_a_change_is_newcombes() -> None:
    """Newcombe (1998), "Interval estimation for the difference", table II, contrast (a)."""
    assert difference(Share(48, 80), Share(56, 70)) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_a_change_from_nothing_may_be_any() -> None:
    assert difference(Share(0, 0), Share(1, 2)) == (-1.0, 1.0)
    assert difference(Share(1, 2), Share(0, 0)) == (-1.0, 1.0)
