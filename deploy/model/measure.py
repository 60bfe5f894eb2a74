"""Measurement: a model in a folder, measured through the functions that the endpoint runs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deploy.model import evaluate
from deploy.model.code import inference
from deploy.model.data import Dataset
from deploy.model.manifest import Neither, Test, Validation
from deploy.model.shapes import KINDS, draw_kind
from workflow.settings import DEFAULT_THRESHOLD

Images = NDArray[np.uint8]

PHOTOS = "photos"
# Training and measuring draw different images of the same kinds, from different seeds.
DRAWN_TRAIN_SEED, DRAWN_TEST_SEED = 1, 2
_DRAWN_TEST_COUNT = 200
_DRAWN_TRAIN_COUNTS = {
    "drawn shapes": 60,
    "noise": 30,
    "blank": 15,
    "texture": 40,
    "scribble": 40,
}


def neither_images(photos: Images | None) -> tuple[dict[str, Images], dict[str, Images]]:
    """Return images that show neither class, by kind: to train on, and others to measure on.

    Args:
        photos: ``uint8`` (n, 32, 32, 3), of which every second one is to measure on, or None.
    """
    seen = {
        kind: draw_kind(kind, count, DRAWN_TRAIN_SEED)
        for kind, count in _DRAWN_TRAIN_COUNTS.items()
    }
    unseen = {kind: draw_kind(kind, _DRAWN_TEST_COUNT, DRAWN_TEST_SEED) for kind in KINDS}
    if photos is None:
        return seen, unseen
    return {PHOTOS: photos[::2], **seen}, {PHOTOS: photos[1::2], **unseen}


def classify_images(folder: Path, images: Images) -> evaluate.Probabilities:
    """Return probabilities (n, classes) of images (n, 32, 32, 3) by the model of a folder."""
    model = inference.model_fn(str(folder))
    return np.array([inference.predict_fn(Image.fromarray(image), model) for image in images])


def measure_validation(folder: Path, data: Dataset, float_accuracy: float) -> Validation:
    """Return how the model does on validation images; see ``Validation``."""
    answers = classify_images(folder, data.images)
    return Validation(
        accuracy=evaluate.sample_share(evaluate.correct_mask(answers, data.labels)),
        float_accuracy=float_accuracy,
        calibration_error=evaluate.calibration_error(answers, data.labels),
        confidence=evaluate.confidence_histogram(answers, data.classes),
    )


def measure_test(folder: Path, data: Dataset) -> Test:
    """Return how the model does on the test split; see ``Test``."""
    answers = classify_images(folder, data.images)
    return Test(
        accuracy=evaluate.sample_share(evaluate.correct_mask(answers, data.labels)),
        calibration_error=evaluate.calibration_error(answers, data.labels),
        cuts=evaluate.threshold_cuts(answers, data.labels),
    )


def measure_neither(folder: Path, unseen: dict[str, Images]) -> Neither:
    """Return what the model lets pass of images of neither class, by kind."""
    return Neither(
        threshold=DEFAULT_THRESHOLD,
        passing={
            kind: evaluate.passing_share(classify_images(folder, images), DEFAULT_THRESHOLD)
            for kind, images in unseen.items()
        },
    )
