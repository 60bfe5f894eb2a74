"""Drift is told from chance at the sample size at hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator, default_rng

from workflow import drift
from workflow.baselines import (
    CheckType,
    Histogram,
    NumericalStatistics,
    Statistics,
    StringStatistics,
)
from workflow.drift import Drift, Statistic, Verdict
from workflow.errors import WorkflowError

EDGES = tuple(np.linspace(0, 1, 201))


def traffic(
    rng: Generator, size: int, *, skill: float = 8.0, motorcycles: float = 0.4
) -> Statistics:
    """Confidences as a two-class model has them: heaped up near 1."""
    probability = rng.beta(skill, 0.6, size)
    second = int((rng.random(size) < motorcycles).sum())
    return Statistics(
        size,
        (
            NumericalStatistics.of("confidence", np.maximum(probability, 1 - probability), EDGES),
            StringStatistics(
                name="label", missing=0, counts={"bicycle": size - second, "motorcycle": second}
            ),
        ),
    )


def verdict(before: Statistics, after: Statistics) -> Verdict:
    return drift.overall(drift.compare(before, after))


SEEDS = 200
# Of 200 comparisons at a rate of 1 %, more than 7 alarms have a chance of 0.1 %.
MOST_ALARMS = 7


@pytest.mark.parametrize("size", [50, 100, 500, 5000])
def test_false_alarms_stay_within_the_stated_rate(size: int) -> None:
    rng = default_rng(size)
    alarms = sum(
        verdict(traffic(rng, size), traffic(rng, size)) is Verdict.DRIFT for _ in range(SEEDS)
    )

    assert drift.FALSE_ALARM_RATE == 0.01
    assert alarms <= MOST_ALARMS


@pytest.mark.parametrize(("before", "after"), [(1000, 60), (60, 1000)])
def test_the_rate_holds_where_the_samples_differ_in_size(before: int, after: int) -> None:
    rng = default_rng(7)
    alarms = sum(
        verdict(traffic(rng, before), traffic(rng, after)) is Verdict.DRIFT for _ in range(SEEDS)
    )

    assert alarms <= MOST_ALARMS


@pytest.mark.parametrize("size", [100, 500, 5000])
def test_a_clear_drift_is_seen_nearly_always(size: int) -> None:
    rng = default_rng(size)
    seen = sum(
        verdict(traffic(rng, size), traffic(rng, size, skill=2)) is Verdict.DRIFT for _ in range(40)
    )

    assert seen >= 38


def test_the_share_of_a_class_is_watched_too() -> None:
    rng = default_rng(1)
    drifts = drift.compare(traffic(rng, 2000), traffic(rng, 2000, motorcycles=0.7))

    assert {item.feature for item in drifts if item.verdict is Verdict.DRIFT} == {"label"}


def test_identical_large_samples_are_stable() -> None:
    rng = default_rng(2)

    assert verdict(traffic(rng, 5000), traffic(rng, 5000)) is Verdict.STABLE


def test_a_difference_that_is_certain_but_tiny_is_no_drift() -> None:
    rng = default_rng(3)
    before, after = traffic(rng, 400_000), traffic(rng, 400_000, motorcycles=0.41)

    assert verdict(before, after) is Verdict.STABLE


def test_few_records_are_told_how_many_more_are_needed() -> None:
    rng = default_rng(4)
    before, after = traffic(rng, 5000), traffic(rng, 60)

    drifts = drift.compare(before, after)

    assert drift.overall(drifts) is Verdict.NOT_ENOUGH_DATA
    needed = max(item.current_needed for item in drifts)
    assert all(item.baseline_needed == 0 for item in drifts)
    assert verdict(before, traffic(rng, 60 + math.ceil(needed * 1.1))) is Verdict.STABLE


def test_a_small_baseline_is_told_so() -> None:
    rng = default_rng(5)
    needed = max(
        item.baseline_needed for item in drift.compare(traffic(rng, 40), traffic(rng, 50_000))
    )

    enough = 40 + math.ceil(needed * 1.1)
    assert verdict(traffic(rng, enough), traffic(rng, 50_000)) is Verdict.STABLE


def test_no_records_at_all_are_not_enough() -> None:
    drifts = drift.compare(traffic(default_rng(6), 100), traffic(default_rng(6), 0))

    assert {item.verdict for item in drifts} == {Verdict.NOT_ENOUGH_DATA}
    assert all(math.isnan(item.value) for item in drifts)
    assert all(item.current_needed > 0 for item in drifts)


def test_nothing_in_common_is_no_verdict() -> None:
    empty = Statistics(0, ())

    assert drift.compare(empty, traffic(default_rng(0), 10)) == ()
    assert drift.overall(()) is Verdict.NOT_ENOUGH_DATA


def test_a_feature_of_another_kind_is_not_compared() -> None:
    text = Statistics(3, (StringStatistics(name="confidence", missing=0, counts={"high": 3}),))

    assert drift.compare(text, traffic(default_rng(0), 10)) == ()


def test_one_value_only_is_compared_without_error() -> None:
    same = Statistics(500, (NumericalStatistics.of("confidence", np.full(500, 0.97), EDGES),))

    assert verdict(same, same) is Verdict.STABLE


def test_coarser_baselines_are_met_in_their_own_bins() -> None:
    rng = default_rng(8)
    values = rng.beta(8, 0.6, 3000)
    coarse = NumericalStatistics.of("confidence", values, (0.0, 0.5, 0.75, 0.9, 1.0))
    fine = NumericalStatistics.of("confidence", rng.beta(8, 0.6, 3000), EDGES)

    assert verdict(Statistics(3000, (coarse,)), Statistics(3000, (fine,))) is Verdict.STABLE


def test_bins_that_do_not_align_are_an_error_not_a_guess() -> None:
    odd = NumericalStatistics.of("confidence", [0.2, 0.9], (0.0, 0.3333, 1.0))

    with pytest.raises(WorkflowError) as caught:
        drift.compare(Statistics(2, (odd,)), traffic(default_rng(0), 10))

    assert caught.value.code == "BinsDoNotAlign"


def test_the_same_data_always_give_the_same_answer() -> None:
    pair = traffic(default_rng(1), 300), traffic(default_rng(2), 300)

    assert drift.compare(*pair) == drift.compare(*pair)


def test_the_distances_of_equal_shares_are_zero_and_of_disjoint_ones_greatest() -> None:
    one, other = np.array([10, 0]), np.array([0, 10])

    assert drift.jensen_shannon(one, one) == 0
    assert drift.jensen_shannon(one, other) == pytest.approx(1)
    assert drift.kolmogorov_smirnov(one, one) == 0
    assert drift.kolmogorov_smirnov(one, other) == 1
    assert drift.psi(one, one) == 0
    assert np.isfinite(drift.psi(one, other))


def test_psi_is_the_textbooks_but_for_half_a_record() -> None:
    before, after = np.array([50_000, 50_000]), np.array([60_000, 40_000])
    expected = 0.1 * math.log(0.6 / 0.5) - 0.1 * math.log(0.4 / 0.5)

    assert drift.psi(before, after) == pytest.approx(expected, rel=1e-3)


counts = st.lists(st.integers(0, 500), min_size=1, max_size=40)


@given(counts)
def test_groups_cover_every_bin_once_and_are_at_most_ten(bins: list[int]) -> None:
    starts = drift.equal_mass(np.array(bins))

    assert starts[0] == 0
    assert len(starts) <= drift.BINS
    assert np.add.reduceat(np.array(bins), starts).sum() == sum(bins)


@settings(deadline=None, max_examples=40)
@given(counts.filter(any), st.integers(1, 300))
def test_no_pair_of_histograms_makes_it_fail(bins: list[int], size: int) -> None:
    edges = tuple(float(i) for i in range(len(bins) + 1))
    before = NumericalStatistics.of_histogram("x", Histogram(edges, tuple(bins)))
    after = NumericalStatistics.of("x", default_rng(0).uniform(-5, 50, size), edges)

    for item in drift.compare(Statistics(0, (before,)), Statistics(0, (after,))):
        assert isinstance(item, Drift)
        assert item.threshold >= drift.MATTERS[item.statistic]


def test_drift_becomes_a_violation_in_aws_words() -> None:
    rng = default_rng(9)
    drifts = drift.compare(traffic(rng, 3000), traffic(rng, 3000, skill=1))

    violations = drift.drift_violations(drifts)

    assert violations
    assert {item.constraint_check_type for item in violations} == {CheckType.BASELINE_DRIFT}
    assert "exceeds threshold" in violations[0].description
    assert all("exceeds" in item.sentence() for item in drifts if item.verdict is Verdict.DRIFT)


def test_each_verdict_has_its_sentence() -> None:
    rng = default_rng(10)

    stable = drift.compare(traffic(rng, 5000), traffic(rng, 5000))
    unsure = drift.compare(traffic(rng, 50), traffic(rng, 40))

    assert "within the threshold" in stable[0].sentence()
    assert "more in the current data and" in unsure[0].sentence()


def test_raw_values_are_compared_in_common_bins() -> None:
    rng = default_rng(11)
    before = {"brightness": rng.normal(0.6, 0.1, 400).tolist(), "gone": [1.0]}
    after = {"brightness": rng.normal(0.4, 0.1, 400).tolist()}

    paired = drift.paired_statistics(before, after)
    drifts = drift.compare(*paired, numerical=(Statistic.KOLMOGOROV_SMIRNOV,))

    assert [item.verdict for item in drifts if item.feature == "brightness"] == [Verdict.DRIFT]
    assert [item.verdict for item in drifts if item.feature == "gone"] == [Verdict.NOT_ENOUGH_DATA]


def test_raw_values_that_are_all_the_same_or_none_are_no_error() -> None:
    before, after = drift.paired_statistics(
        {"pixels": [1024.0] * 300, "none": []}, {"pixels": [1024.0] * 300, "none": []}
    )

    assert [feature.name for feature in before.features] == ["pixels"]
    assert verdict(before, after) is Verdict.STABLE
