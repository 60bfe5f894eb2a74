"""Evaluation on answers small enough to work out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.model import evaluate
from deploy.model.evaluate import Cut


def answers(*confident_in_bicycle: float) -> evaluate.Probabilities:
    first = np.array(confident_in_bicycle)
    return np.stack([first, 1 - first], axis=1)


def labels(*values: int) -> evaluate.Labels:
    return np.array(values, np.int64)


def test_the_interval_is_wilsons() -> None:
    found = evaluate.sample_share(np.array([True] * 95 + [False] * 5))
    assert (found.count, found.value) == (100, 0.95)
    assert found.low == pytest.approx(0.8882, abs=1e-4)
    assert found.high == pytest.approx(0.9785, abs=1e-4)


@given(st.integers(1, 500), st.floats(0, 1))
def test_the_interval_holds_the_share_and_stays_in_bounds(count: int, part: float) -> None:
    found = evaluate.sample_share(np.arange(count) < part * count)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


def test_a_perfectly_calibrated_answer_has_no_error() -> None:
    assert evaluate.calibration_error(answers(0.75, 0.75, 0.75, 0.75), labels(0, 0, 0, 1)) == 0


def test_the_error_weighs_each_bin_by_its_images() -> None:
    # Three images at 0.95, all right: a gap of 0.05. One at 0.65, wrong: a gap of 0.65.
    found = evaluate.calibration_error(answers(0.95, 0.95, 0.95, 0.65), labels(0, 0, 0, 1))
    assert found == pytest.approx(0.75 * 0.05 + 0.25 * 0.65)


def test_full_confidence_falls_into_the_last_bin() -> None:
    assert evaluate.calibration_error(answers(1.0, 0.0), labels(0, 1)) == 0


def test_a_threshold_accepts_what_reaches_it() -> None:
    found = evaluate.threshold_cuts(
        answers(0.9, 0.2, 0.6, 0.4), labels(0, 1, 1, 0), (0.5, 0.8, 0.95)
    )
    assert found == (Cut(0.5, 1.0, 0.5), Cut(0.8, 0.5, 1.0), Cut(0.95, 0.0, None))


def test_passing_counts_either_class() -> None:
    assert evaluate.passing_share(answers(0.99, 0.01, 0.5, 0.93), 0.93).value == 0.75


def test_the_histogram_is_by_predicted_class() -> None:
    found = evaluate.confidence_histogram(answers(1.0, 0.51, 0.99, 0.02), ("bicycle", "motorcycle"))
    assert found["bicycle"] == (1, *[0] * 18, 2)
    assert found["motorcycle"] == (*[0] * 19, 1)
