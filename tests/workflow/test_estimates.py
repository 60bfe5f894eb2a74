"""Shares estimated from labels that were not chosen with equal chances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.estimates import UNKNOWN, StratumCount, estimate, labels_needed
from workflow.intervals import Share

REJECTED = StratumCount(population=1_500, labelled=50, inside=50, hits=30)
ACCEPTED = StratumCount(population=8_500, labelled=50, inside=50, hits=49)


def test_each_label_counts_for_the_photos_it_stands_for() -> None:
    found = estimate([REJECTED, ACCEPTED])

    assert found.value == pytest.approx(0.15 * 0.6 + 0.85 * 0.98)
    assert found.low < found.value < found.high
    assert found.labels == 100


def test_one_stratum_gives_the_interval_of_wilson() -> None:
    low, high = Share(30, 50).interval
    found = estimate([StratumCount(1e12, 50, 50, 30)])

    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_traffic_of_tomorrow_is_not_known_where_every_photo_of_today_is_labelled() -> None:
    found = estimate([StratumCount(5, 5, 5, 5)])
    two = estimate([StratumCount(50, 50, 50, 30), StratumCount(50, 50, 50, 50)])
    whole = Share(80, 100).interval

    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low < 0.6
    assert (two.low, two.high) == (
        pytest.approx(whole[0], abs=0.02),
        pytest.approx(whole[1], abs=0.02),
    )


def test_no_label_tells_nothing() -> None:
    assert estimate([]) is UNKNOWN
    assert estimate([StratumCount(100, 10, 0, 0)]) is UNKNOWN


counts = st.integers(1, 60).flatmap(
    lambda n: st.tuples(st.just(n), st.integers(0, n)).flatmap(
        lambda two: st.tuples(st.just(two[0]), st.just(two[1]), st.integers(0, two[1]))
    )
)


@given(st.lists(st.tuples(st.integers(60, 10**6), counts), min_size=1, max_size=5))
def test_an_estimate_lies_in_its_interval(given_: list[tuple[int, tuple[int, int, int]]]) -> None:
    found = estimate([StratumCount(size, *count) for size, count in given_])

    if found is not UNKNOWN:
        assert 0 <= found.low <= found.value + 1e-12
        assert found.value - 1e-12 <= found.high <= 1


@pytest.mark.parametrize("seed", range(3))
def test_labels_that_are_needed_give_the_width_that_was_wanted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    few = [StratumCount(1e6, 40, 40, int(rng.integers(20, 39))) for _ in range(2)]
    more = labels_needed(few, 0.05)
    times = (80 + more) / 80
    many = [StratumCount(1e6, *(round(times * n) for n in (40, 40, one.hits))) for one in few]

    assert estimate(many).width == pytest.approx(0.05, rel=0.15)
    assert labels_needed(many, 0.2) == 0
    assert labels_needed([], 0.1) > 300


@pytest.mark.parametrize("part", ["all", "one class"])
def test_the_interval_covers_the_truth_under_a_biased_choice(part: str) -> None:
    """The benchmark ``python -m benchmarks.review`` does this with 200 seeds in every case."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        strata, truth = [], [0.0, 0.0]
        for population, right, share in ((1_500, 0.6, 0.5), (8_500, 0.97, 0.3)):
            inside = share if part == "one class" else 1.0
            hits, others = rng.multinomial(60, [inside * right, inside * (1 - right), 1 - inside])[
                :2
            ]
            strata.append(StratumCount(population, 60, int(hits + others), int(hits)))
            truth[0] += population * inside * right
            truth[1] += population * inside
        found = estimate(strata)
        covered += found.low <= truth[0] / truth[1] <= found.high

    # 95 % of 400 within three standard deviations, and a little less than that for small samples.
    assert 0.92 <= covered / 400 <= 0.985
