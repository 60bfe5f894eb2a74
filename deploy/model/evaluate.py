"""Evaluation: how good, how well calibrated and how wary of other images a classifier is.

Everything here is a function of probabilities ``(n, classes)`` and labels ``(n,)``, and pure.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.99)
ECE_BINS = 10
HISTOGRAM_BINS = 20

Probabilities = NDArray[np.float64]
Labels = NDArray[np.int64]


class SampleShare(msgspec.Struct, frozen=True):
    """A share of a sample with its 95 % confidence interval.

    Attributes:
        count: Size of the sample.
        value: The share, 0 to 1.
        low: Lower end of the Wilson interval.
        high: Upper end of the Wilson interval.
    """

    count: int
    value: float
    low: float
    high: float


class Cut(msgspec.Struct, frozen=True):
    """What a threshold does.

    Attributes:
        threshold: Confidence at or above which an inference is accepted.
        coverage: Share of the images that are accepted.
        accuracy: Share of the accepted ones that are right; None where none is accepted.
    """

    threshold: float
    coverage: float
    accuracy: float | None


def sample_share(hits: NDArray[np.bool_]) -> SampleShare:
    """Return the share of true values, with Wilson's interval (Wilson, 1927)."""
    count, value, z = len(hits), float(hits.mean()), 1.959964
    centre = (value + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * np.sqrt(value * (1 - value) / count + z * z / (4 * count**2))
    return SampleShare(
        count, value, float(max(0.0, centre - reach)), float(min(1.0, centre + reach))
    )


def correct_mask(probabilities: Probabilities, labels: Labels) -> NDArray[np.bool_]:
    """Return which images the likelier class is right for."""
    return np.asarray(probabilities.argmax(1) == labels)


def calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """Return the expected calibration error over ten equal bins (Guo et al., 2017)."""
    confidence, right = probabilities.max(1), correct_mask(probabilities, labels)
    # A confidence of exactly 1 belongs to the last bin.
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = (
        np.mean(bins == index) * abs(right[bins == index].mean() - confidence[bins == index].mean())
        for index in np.unique(bins)
    )
    return float(sum(gaps))


def threshold_cuts(
    probabilities: Probabilities, labels: Labels, thresholds: Sequence[float] = THRESHOLDS
) -> tuple[Cut, ...]:
    """Return coverage and accuracy of the accepted at each threshold."""
    confidence, right = probabilities.max(1), correct_mask(probabilities, labels)
    return tuple(_make_cut(threshold, confidence >= threshold, right) for threshold in thresholds)


def passing_share(probabilities: Probabilities, threshold: float) -> SampleShare:
    """Return the share of images whose confidence reaches the threshold, whatever they show."""
    return sample_share(probabilities.max(1) >= threshold)


def confidence_histogram(
    probabilities: Probabilities, classes: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """Count confidences by predicted class, in twenty equal bins from 1/classes to 1."""
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    edges = np.linspace(1 / len(classes), 1, HISTOGRAM_BINS + 1)
    return {
        label: tuple(np.histogram(confidence[predicted == index], edges)[0].tolist())
        for index, label in enumerate(classes)
    }


def _make_cut(threshold: float, accepted: NDArray[np.bool_], right: NDArray[np.bool_]) -> Cut:
    accuracy = float(right[accepted].mean()) if accepted.any() else None
    return Cut(threshold, float(accepted.mean()), accuracy)
