"""Drift on the page: a baseline, a verdict, its words, its violations."""

import json
import math
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from dashboard.drift import model
from dashboard.drift.model_card import read_model_card
from dashboard.inferences import model as inferences
from tests.captured import captured, counted
from workflow.class_names import ClassNames
from workflow.drift import DriftVerdict, paired_statistics
from workflow.errors import WorkflowError
from workflow.feature_statistics import (
    Baseline,
    CheckType,
    NumericalStatistics,
    Statistics,
    suggest_constraints,
)
from workflow.monitoring import DeployedVersion
from workflow.spans import Span


def traffic(size: int, *, seed: int = 0, skill: float = 8) -> Statistics:
    return inferences.statistics_of(counted(captured(size, seed=seed, skill=skill)), ClassNames())


def against(before: Statistics, after: Statistics) -> model.DriftReport:
    return model.build_report(Baseline("last week", before), after)


def test_traffic_that_drifts_is_announced_and_other_traffic_is_not() -> None:
    steady = against(traffic(3000), traffic(3000, seed=2))
    drifted = against(traffic(3000), traffic(3000, seed=2, skill=2))

    assert steady.verdict is DriftVerdict.STABLE
    assert steady.format_sentence() == (
        "No drift larger than Kolmogorov-Smirnov 0.053 and 4.3 points of a class share:"
        " 3,000 records against last week."
    )
    assert drifted.verdict is DriftVerdict.DRIFT
    assert drifted.format_sentence().startswith("Confidence")
    assert drifted.format_sentence().endswith("drifted: 3,000 records against last week.")


def test_what_is_detected_but_small_is_said_as_that() -> None:
    found = against(traffic(3000), traffic(3000, seed=1))

    assert found.verdict is DriftVerdict.SMALL
    assert found.format_sentence() == (
        "Class share (bicycle -3.0 percentage points (95 % interval -5.5 to -0.6)) changed"
        " slightly: 3,000 records against last week."
    )
    assert found.violations == ()


def test_a_small_baseline_says_what_it_cannot_tell() -> None:
    small, large = (against(traffic(size), traffic(30_000, seed=2)) for size in (150, 5000))

    assert small.describe_reach() == (
        "With 150 records this baseline can detect a drift of Kolmogorov-Smirnov 0.123 and 8.5"
        " points of a class share or more. A smaller one goes undetected, however many records are"
        " compared with it."
    )
    assert large.describe_reach() == ""
    assert against(traffic(150), traffic(0)).describe_reach() == ""


def test_the_default_baseline_is_the_version_that_was_replaced_last() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    first, second, third = (
        DeployedVersion(f"version {number}", now, Span(now, end))
        for number, end in ((1, now), (2, now), (3, None))
    )

    assert model.version_before([third, second, first]) is second
    assert model.version_before([third]) is third


def test_too_few_records_are_told_how_many_are_missing() -> None:
    found = against(traffic(3000), traffic(30, seed=1))

    assert found.verdict is DriftVerdict.NOT_ENOUGH_DATA
    assert "more current records needed" in found.format_sentence()
    assert "more in the baseline" in against(traffic(30), traffic(30, seed=1)).format_sentence()


def test_nothing_in_common_is_said() -> None:
    found = against(Statistics(5, ()), traffic(30))

    assert found.format_sentence() == "No feature in common: 30 records against last week."
    assert model.verdicts_table(found).is_empty()


def test_a_baseline_without_a_common_feature_says_that_more_records_would_not_help() -> None:
    other = Statistics(5, (NumericalStatistics.of("petal_width", [1.0, 2.0], (0.0, 3.0)),))

    found = against(other, traffic(30))

    assert not found.comparable
    assert found.describe_lacking() == (
        "The baseline holds petal_width; the captures hold confidence, label. More records would"
        " not help: choose another baseline."
    )
    assert "no feature" in against(Statistics(0, ()), traffic(30)).describe_lacking()
    assert against(traffic(30), traffic(30, seed=1)).describe_lacking() == ""


def test_both_sides_show_the_same_classes_and_their_medians() -> None:
    before = counted(captured(2000))
    after = counted(captured(1000, seed=1, skill=2)).with_columns(label=pl.lit(1, pl.Int32))

    first, second = model.side_by_side(before, after, 0.93, ClassNames())

    assert list(first.shares) == list(second.shares) == ["bicycle", "motorcycle"]
    assert first.shares["bicycle"].hits + first.shares["motorcycle"].hits == first.total == 2000
    assert second.shares["bicycle"].value == 0
    assert second.shares["motorcycle"].value == 1
    assert first.median == pytest.approx(captured(2000)["confidence"].median(), abs=0.0026)
    assert second.median < first.median
    assert first.rejected.value < second.rejected.value


def test_of_many_classes_the_most_frequent_are_shown() -> None:
    rows = counted(captured(600))
    many = rows.with_columns(label=(pl.int_range(pl.len()) % 7).cast(pl.Int32))

    first, second = model.side_by_side(many, many.clear(), 0.93, ClassNames())

    assert len(first.shares) == model.SHOWN_CLASSES
    assert list(first.shares) == list(second.shares)
    assert second.total == 0
    assert math.isnan(second.median)


def test_drift_and_broken_constraints_become_violations() -> None:
    before = traffic(3000)
    baseline = Baseline("b", before, suggest_constraints(before))
    after = counted(captured(3000, seed=1, skill=2)).with_columns(label=pl.lit(2, pl.Int32))

    found = model.build_report(baseline, inferences.statistics_of(after, ClassNames()))

    kinds = {violation.constraint_check_type for violation in found.violations}
    assert kinds == {CheckType.CATEGORICAL_VALUES, CheckType.BASELINE_DRIFT}


def test_every_test_has_a_row() -> None:
    rows = model.verdicts_table(against(traffic(300), traffic(300, seed=1)))

    assert rows["feature"].to_list() == ["Confidence"] * 4 + ["Class share"] * 2
    assert (rows["in words"].str.len_chars() > 10).all()


def manifest(**validation: object) -> bytes:
    file = {
        "validation": {"confidence": {"bicycle": [1, 4], "motorcycle": [0, 5]}, **validation},
        "test": {"accuracy": {"value": 0.945}, "calibration_error": 0.018},
    }
    return json.dumps(file).encode()


def test_the_training_is_a_baseline() -> None:
    card = read_model_card(manifest())

    confidence, label = card.baseline.statistics.features
    assert isinstance(confidence, NumericalStatistics)
    assert confidence.histogram.edges == (0.5, 0.75, 1.0)
    assert confidence.histogram.counts == (1, 9)
    assert label.present == 10
    assert card.calibration_error == 0.018
    assert against(card.baseline.statistics, traffic(500)).drifts


@pytest.mark.parametrize(("size", "least"), [(2, 0.5), (10, 0.1), (100, 0.01)])
def test_the_training_counts_confidence_from_the_least_of_its_classes(
    size: int, least: float
) -> None:
    counts = {f"kind {number}": [1, 2] for number in range(size)}

    confidence, label = read_model_card(manifest(confidence=counts)).baseline.statistics.features

    assert isinstance(confidence, NumericalStatistics)
    assert confidence.histogram.edges == pytest.approx((least, (1 + least) / 2, 1.0))
    assert label.present == 3 * size


@pytest.mark.parametrize("content", [b"{}", b"junk", manifest(confidence={"a": [1], "b": [1, 2]})])
def test_a_manifest_that_cannot_be_read_is_an_error(content: bytes) -> None:
    with pytest.raises(WorkflowError) as caught:
        read_model_card(content)

    assert caught.value.code == "ManifestUnreadable"


def test_a_baseline_with_bins_of_its_own_is_met_in_them() -> None:
    frame = captured(2000, seed=1)
    odd = (0.5012, 0.7, 0.9031, 0.9999)
    values = captured(2000)["confidence"].to_numpy()
    before = Statistics(2000, (NumericalStatistics.of("confidence", values, odd),))
    baseline = Baseline("Model Monitor's", before)
    current = inferences.statistics_of(counted(frame), ClassNames())

    with pytest.raises(WorkflowError):
        model.build_report(baseline, current)
    found = model.build_report(baseline, model.in_bins_of(baseline, current, frame["confidence"]))

    assert found.verdict is DriftVerdict.STABLE


def test_a_baseline_without_confidence_needs_no_bins() -> None:
    current = traffic(10)

    assert model.in_bins_of(Baseline("b", Statistics(0, ())), current, pl.Series([1.0])) is current


def test_bars_begin_where_data_begin() -> None:
    before, after = traffic(300), traffic(300, seed=1)

    edges = model.shown_edges(before, after, 25)

    assert 0.5 <= edges[0] <= 0.52
    assert edges[-1] == 1.0
    assert model.rebin_histogram(before, edges)["count"].sum() == 300


def test_bars_are_thinned_to_about_so_many() -> None:
    edges = (0.0, 0.25, 0.5, 0.625, 0.75, 0.875, 1.0)
    held = NumericalStatistics.of("confidence", np.array([0.5, 0.9]), edges)
    statistics = Statistics(2, (held,))

    assert model.shown_edges(statistics, statistics, 25) == edges[2:]
    assert model.shown_edges(statistics, statistics, 2) == (0.5, 0.75, 1.0)


def test_means_stand_beside_their_tests() -> None:
    before, after = paired_statistics(
        {"brightness": [0.1] * 50 + [0.2] * 50}, {"brightness": [0.8] * 50 + [0.9] * 50}
    )

    rows = model.means_table(against(before, after))

    assert rows["feature"].unique().to_list() == ["Image brightness"]
    assert rows["before"][0] == pytest.approx(0.15)
    assert rows["after"][0] == pytest.approx(0.85)
    assert not any(math.isnan(value) for value in rows["distance"])
