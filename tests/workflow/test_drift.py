"""Drift is told from chance at the sample size at hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator, default_rng

from tests.nightly import NIGHTLY, often
from workflow import drift
from workflow.drift import Drift, DriftVerdict, Statistic
from workflow.errors import WorkflowError
from workflow.feature_statistics import (
    CheckType,
    Histogram,
    NumericalStatistics,
    Statistics,
    StringStatistics,
)

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


def verdict(before: Statistics, after: Statistics) -> DriftVerdict:
    return drift.overall(drift.compare(before, after))


SEEDS = often(120, 40)
# Of 120 comparisons at a rate of 5 %, fewer than 1 or more than 14 alarms have a chance of 0.4 %,
# of 40 more than 6 one of 0.3 %.
ALARMS = range(1, 15) if NIGHTLY else range(7)
DETECTED = {DriftVerdict.DRIFT, DriftVerdict.SMALL}


@pytest.mark.parametrize(("before", "after"), [(50, 50), (500, 500), (5000, 5000), (1000, 60)])
def test_false_alarms_come_at_the_stated_rate(before: int, after: int) -> None:
    rng = default_rng(before)
    alarms = sum(
        verdict(traffic(rng, before), traffic(rng, after)) in DETECTED for _ in range(SEEDS)
    )

    assert drift.FALSE_ALARM_RATE == 0.05
    assert alarms in ALARMS


def test_half_a_standard_deviation_among_100_records_is_found_in_most_cases_at_1_percent() -> None:
    found, seeds = 0, often(80, 20)
    edges = tuple(np.linspace(-6, 7, 201))
    for seed in range(seeds):
        rng = default_rng(seed)
        before, after = (
            Statistics(
                100,
                (
                    NumericalStatistics.of("confidence", rng.normal(shift, 1, 100), edges),
                    StringStatistics(name="label", missing=0, counts={"a": 40, "b": 60}),
                ),
            )
            for shift in (0.0, 0.5)
        )
        drifts = drift.compare(before, after, false_alarm_rate=0.01)
        found += drift.overall(drifts) is DriftVerdict.DRIFT

    assert found / seeds >= 0.6


def test_ten_percentage_points_among_500_records_are_found_in_most_cases() -> None:
    found, seeds = 0, often(150, 40)
    for seed in range(seeds):
        rng = default_rng(seed)
        before, after = traffic(rng, 500, motorcycles=0.5), traffic(rng, 500, motorcycles=0.6)
        label = [item for item in drift.compare(before, after) if item.feature == "label"]
        found += drift.overall(label) is DriftVerdict.DRIFT

    assert found / seeds >= 0.8


def test_tests_that_say_the_same_share_no_rate() -> None:
    rng = default_rng(3)
    before, after = traffic(rng, 300), traffic(rng, 300)
    once, twice = (
        drift.compare(before, after, numerical=(Statistic.KOLMOGOROV_SMIRNOV,) * times)
        for times in (1, 2)
    )

    assert once[0].limit == twice[0].limit


@pytest.mark.parametrize("size", [100, 500, 5000])
def test_a_clear_drift_is_seen_nearly_always(size: int) -> None:
    rng, seeds = default_rng(size), often(40, 15)
    seen = sum(
        verdict(traffic(rng, size), traffic(rng, size, skill=2)) is DriftVerdict.DRIFT
        for _ in range(seeds)
    )

    assert seen >= 0.95 * seeds


def test_the_share_of_a_class_is_watched_too() -> None:
    rng = default_rng(1)
    drifts = drift.compare(traffic(rng, 2000), traffic(rng, 2000, motorcycles=0.7))

    assert {item.feature for item in drifts if item.verdict is DriftVerdict.DRIFT} == {"label"}


def test_identical_samples_are_told_how_large_a_drift_is_ruled_out() -> None:
    same = traffic(default_rng(2), 500)

    drifts = drift.compare(same, same)

    assert {item.verdict for item in drifts} == {DriftVerdict.STABLE}
    assert all(item.largest == pytest.approx(item.limit) for item in drifts)
    assert all("no drift larger than" in item.sentence() for item in drifts)


def test_a_difference_that_is_certain_but_tiny_is_said_to_be_detected_and_small() -> None:
    rng = default_rng(3)
    before, after = traffic(rng, 400_000), traffic(rng, 400_000, motorcycles=0.41)

    drifts = drift.compare(before, after)

    assert drift.overall(drifts) is DriftVerdict.SMALL
    assert [item.statistic for item in drifts if item.verdict is DriftVerdict.SMALL] == [
        Statistic.SHARE_CHANGE,
        Statistic.PSI,
    ]
    label = next(item for item in drifts if item.statistic is Statistic.SHARE_CHANGE)
    assert "percentage points (95 % interval" in label.sentence()
    assert "more than chance explains (0.2 points), but less than matters (5.0 points)" in (
        label.sentence()
    )


def test_a_new_rare_category_is_found_though_its_share_is_small() -> None:
    before = StringStatistics(name="label", missing=0, counts={"a": 1000, "b": 1000})
    after = StringStatistics(name="label", missing=0, counts={"a": 960, "b": 960, "c": 80})

    drifts = drift.compare(Statistics(2000, (before,)), Statistics(2000, (after,)))

    assert drift.overall(drifts) is DriftVerdict.DRIFT


def test_a_small_baseline_says_what_it_cannot_tell_however_many_records_come() -> None:
    rng = default_rng(12)
    baseline = traffic(rng, 150)
    few, many = (drift.compare(baseline, traffic(rng, size)) for size in (150, 100_000))

    for small, large in zip(few, many, strict=True):
        assert small.least_detectable == pytest.approx(large.limit, rel=0.35)
        assert large.least_detectable == pytest.approx(large.limit, rel=0.01)


def test_few_records_are_told_how_many_more_are_needed() -> None:
    rng = default_rng(4)
    before, after = traffic(rng, 5000), traffic(rng, 60)

    drifts = drift.compare(before, after)

    assert drift.overall(drifts) is DriftVerdict.NOT_ENOUGH_DATA
    needed = max(item.current_needed for item in drifts)
    assert all(item.baseline_needed == 0 for item in drifts)
    drifts = drift.compare(before, traffic(rng, 60 + math.ceil(needed * 1.1)))
    assert DriftVerdict.NOT_ENOUGH_DATA not in {item.verdict for item in drifts}


def test_a_small_baseline_is_told_so() -> None:
    rng = default_rng(5)
    needed = max(
        item.baseline_needed for item in drift.compare(traffic(rng, 40), traffic(rng, 50_000))
    )

    enough = 40 + math.ceil(needed * 1.1)
    drifts = drift.compare(traffic(rng, enough), traffic(rng, 50_000))
    assert DriftVerdict.NOT_ENOUGH_DATA not in {item.verdict for item in drifts}


def test_no_records_at_all_are_not_enough() -> None:
    drifts = drift.compare(traffic(default_rng(6), 100), traffic(default_rng(6), 0))

    assert {item.verdict for item in drifts} == {DriftVerdict.NOT_ENOUGH_DATA}
    assert all(math.isnan(item.value) for item in drifts)
    assert all(item.current_needed > 0 for item in drifts)


def test_nothing_in_common_is_no_verdict() -> None:
    empty = Statistics(0, ())

    assert drift.compare(empty, traffic(default_rng(0), 10)) == ()
    assert drift.overall(()) is DriftVerdict.NOT_ENOUGH_DATA


def test_a_feature_of_another_kind_is_not_compared() -> None:
    text = Statistics(3, (StringStatistics(name="confidence", missing=0, counts={"high": 3}),))

    assert drift.compare(text, traffic(default_rng(0), 10)) == ()


def test_one_value_only_is_compared_without_error() -> None:
    same = Statistics(500, (NumericalStatistics.of("confidence", np.full(500, 0.97), EDGES),))

    assert verdict(same, same) is DriftVerdict.STABLE


def test_coarser_baselines_are_met_in_their_own_bins() -> None:
    rng = default_rng(8)
    values = rng.beta(8, 0.6, 3000)
    coarse = NumericalStatistics.of("confidence", values, (0.0, 0.5, 0.75, 0.9, 1.0))
    fine = NumericalStatistics.of("confidence", rng.beta(8, 0.6, 3000), EDGES)

    assert verdict(Statistics(3000, (coarse,)), Statistics(3000, (fine,))) is DriftVerdict.STABLE


def test_bins_that_do_not_align_are_an_error_not_a_guess() -> None:
    odd = NumericalStatistics.of("confidence", [0.2, 0.9], (0.0, 0.3333, 1.0))

    with pytest.raises(WorkflowError) as caught:
        drift.compare(Statistics(2, (odd,)), traffic(default_rng(0), 10))

    assert caught.value.code == "BinsDoNotAlign"


def test_the_same_data_always_give_the_same_answer() -> None:
    pair = traffic(default_rng(1), 300), traffic(default_rng(2), 300)

    assert drift.compare(*pair) == drift.compare(*pair)


counts = st.lists(st.integers(0, 500), min_size=1, max_size=40)


@settings(deadline=None, max_examples=often(40, 10))
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
    assert all(
        "exceeds" in item.sentence() for item in drifts if item.verdict is DriftVerdict.DRIFT
    )


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

    assert [item.verdict for item in drifts if item.feature == "brightness"] == [DriftVerdict.DRIFT]
    assert [item.verdict for item in drifts if item.feature == "gone"] == [
        DriftVerdict.NOT_ENOUGH_DATA
    ]


def raw(before: list[float], after: list[float]) -> DriftVerdict:
    paired = drift.paired_statistics({"pixels": before}, {"pixels": after})
    return drift.overall(drift.compare(*paired, numerical=(Statistic.KOLMOGOROV_SMIRNOV,)))


def test_pictures_that_all_changed_their_size_are_drift() -> None:
    assert raw([25_600.0] * 300, [1_024.0] * 300) is DriftVerdict.DRIFT
    assert raw([1_024.0] * 300, [25_600.0] * 300) is DriftVerdict.DRIFT


def test_two_values_drift_where_their_shares_do() -> None:
    assert raw([1.0] * 200 + [2.0] * 300, [1.0] * 205 + [2.0] * 295) is DriftVerdict.STABLE
    assert raw([1.0] * 200 + [2.0] * 300, [1.0] * 300 + [2.0] * 200) is DriftVerdict.DRIFT


def test_a_constant_is_stable_until_it_is_another_constant() -> None:
    assert raw([0.1] * 300, [0.1] * 300) is DriftVerdict.STABLE
    assert raw([0.1] * 300, [np.nextafter(0.1, 1)] * 300) is DriftVerdict.DRIFT


def test_a_constant_with_a_few_other_values_on_both_sides_is_compared_value_by_value() -> None:
    before = [0.0] * 20 + [1.0] * 960 + [2.0] * 20
    after = [0.0] * 220 + [1.0] * 760 + [2.0] * 20

    assert raw(before, before) is DriftVerdict.STABLE
    assert raw(before, after) is DriftVerdict.DRIFT


def test_heavy_tails_neither_hide_a_drift_nor_make_one() -> None:
    rng = default_rng(13)
    before, same, wider = (rng.standard_cauchy(600) * scale for scale in (1.0, 1.0, 3.0))

    assert raw(list(before), list(same)) is DriftVerdict.STABLE
    assert raw(list(before), list(wider)) is DriftVerdict.DRIFT


def test_discrete_values_are_compared_value_by_value() -> None:
    rng = default_rng(14)
    fair, again = rng.integers(1, 7, 600), rng.integers(1, 7, 600)
    loaded = np.where(rng.random(600) < 0.3, 6, rng.integers(1, 7, 600))

    assert raw(list(map(float, fair)), list(map(float, again))) is DriftVerdict.STABLE
    assert raw(list(map(float, fair)), list(map(float, loaded))) is DriftVerdict.DRIFT


@settings(deadline=None, max_examples=often(60, 20))
@given(
    st.lists(st.floats(-1e150, 1e150), min_size=1, max_size=30),
    st.lists(st.floats(-1e150, 1e150), max_size=30),
)
def test_every_raw_value_is_counted_once(before: list[float], after: list[float]) -> None:
    for side, statistics in zip(
        (before, after),
        drift.paired_statistics({"x": before}, {"x": after}),
        strict=True,
    ):
        (feature,) = statistics.features
        assert feature.present == len(side)


def test_raw_values_that_are_all_the_same_or_none_are_no_error() -> None:
    before, after = drift.paired_statistics(
        {"pixels": [1024.0] * 300, "none": []}, {"pixels": [1024.0] * 300, "none": []}
    )

    assert [feature.name for feature in before.features] == ["pixels"]
    assert verdict(before, after) is DriftVerdict.STABLE
