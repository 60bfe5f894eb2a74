"""The manifest that a training run writes beside its model, read as a baseline."""

from dataclasses import dataclass

import msgspec

from dashboard.inferences.model import CONFIDENCE, LABEL
from workflow.errors import WorkflowError
from workflow.feature_statistics import (
    Baseline,
    Histogram,
    NumericalStatistics,
    Statistics,
    StringStatistics,
)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a trained model's manifest says of its confidence.

    Attributes:
        baseline: Confidence and class share on the validation images.
        calibration_error: Expected calibration error on the test images, 0 to 1.
    """

    baseline: Baseline
    calibration_error: float


class _Validation(msgspec.Struct):
    confidence: dict[str, list[int]]


class _Test(msgspec.Struct):
    calibration_error: float


class _Manifest(msgspec.Struct):
    validation: _Validation
    test: _Test


def read_model_card(content: bytes) -> ModelCard:
    """Read the manifest that a training run writes beside the model.

    Raises:
        WorkflowError: ``ManifestUnreadable``.
    """
    try:
        manifest = msgspec.json.decode(content, type=_Manifest)
        by_label = manifest.validation.confidence
        counts = [sum(row) for row in zip(*by_label.values(), strict=True)]
    except (msgspec.DecodeError, ValueError) as error:
        raise WorkflowError(
            "ManifestUnreadable",
            f"The manifest of the model cannot be read: {error}.",
            "Choose another baseline, or train the model again: `make model` writes it.",
        ) from error
    low, high = 1 / max(len(by_label), 1), 1.0  # that the likeliest class can have
    edges = tuple(low + (high - low) * i / len(counts) for i in range(len(counts) + 1))
    total = {label: sum(row) for label, row in by_label.items()}
    statistics = Statistics(
        sum(counts),
        (
            NumericalStatistics.of_histogram(CONFIDENCE, Histogram(edges, tuple(counts))),
            StringStatistics(name=LABEL, missing=0, counts=total),
        ),
    )
    return ModelCard(
        Baseline(f"the {sum(counts):,} validation images of the training", statistics),
        manifest.test.calibration_error,
    )
