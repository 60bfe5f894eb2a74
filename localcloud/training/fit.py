"""Fit: labelled pictures to a model archive, by softmax regression on their pixels. Pure.

It stands in for the network of SageMaker's built-in algorithm: right for most bicycles and
motorcycles, made in a second, and answered in the same form.
"""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workflow import pictures

Array = NDArray[np.float64]

_STEPS: Final = 300
_RATE: Final = 0.1
_MOMENTUM: Final = 0.9
_DECAY: Final = 1e-3
_INFERENCE: Final = Path(__file__).with_name("inference.py")


@dataclass(frozen=True, slots=True)
class Trained:
    """A model and how it did.

    Attributes:
        archive: The bytes of its model.tar.gz.
        accuracy: Share of the pictures it was trained on that it gets right.
        validation: Share of the pictures it was not trained on.
    """

    archive: bytes
    accuracy: float
    validation: float


def parse_list(text: str) -> list[tuple[int, str]]:
    """Return label and file name of each line of a list: row, label, name, with tabs between.

    Raises:
        ValueError: A line has another form.
    """
    found = []
    for line in text.splitlines():
        if line.strip():
            _, label, name = line.rstrip("\r").split("\t")
            found.append((int(float(label)), name))
    return found


def read_pixels(data: bytes, width: int, height: int) -> Array:
    """Return a picture as one row of numbers from 0 to 1.

    Raises:
        PictureRefused: It is none.
    """
    picture = pictures.on_white(pictures.decode(data, at_least=max(width, height)).image)
    small = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(small, np.float64).ravel() / 255


def train_model(
    rows: tuple[Array, Sequence[int]],
    held_back: tuple[Array, Sequence[int]],
    hyperparameters: Mapping[str, str],
) -> Trained:
    """Train on pictures, a row each, with their labels.

    Args:
        rows: What it is trained on.
        held_back: What it is only measured on.
        hyperparameters: ``num_classes`` and ``image_shape``, as the algorithm takes them.

    Raises:
        ValueError: There is no picture, or a label is not a class.
    """
    classes = int(hyperparameters["num_classes"])
    data, labels = rows[0], np.asarray(rows[1])
    if not len(labels) or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must be from 0 to {classes - 1}")
    mean, spread = data.mean(axis=0), data.std(axis=0) + 1e-3
    # Scaled by the number of inputs, so that one learning rate suits pictures of any size.
    inputs = (data - mean) / spread / np.sqrt(data.shape[1])
    wanted = np.eye(classes)[labels]
    weights, speed = np.zeros((data.shape[1] + 1, classes)), np.zeros((data.shape[1] + 1, classes))
    padded = np.hstack([inputs, np.ones((len(inputs), 1))])
    for _ in range(_STEPS):
        error = softmax(padded @ weights) - wanted
        speed = _MOMENTUM * speed - _RATE * (padded.T @ error / len(padded) + _DECAY * weights)
        weights = weights + speed
    model = {"mean": mean, "spread": spread, "weights": weights}
    return Trained(
        _build_archive(model, hyperparameters),
        _measure_accuracy(model, data, labels),
        _measure_accuracy(model, held_back[0], np.asarray(held_back[1])),
    )


def softmax(scores: Array) -> Array:
    """Return scores as probabilities, a row each (softmax)."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Array = raised / raised.sum(axis=1, keepdims=True)
    return result


def _measure_accuracy(model: Mapping[str, Array], data: Array, labels: NDArray[np.int_]) -> float:
    if not len(labels):
        return 0.0
    inputs = (data - model["mean"]) / model["spread"] / np.sqrt(data.shape[1])
    scores = inputs @ model["weights"][:-1] + model["weights"][-1]
    return float((scores.argmax(axis=1) == labels).mean())


def _build_archive(model: Mapping[str, Array], hyperparameters: Mapping[str, str]) -> bytes:
    numbers, out = io.BytesIO(), io.BytesIO()
    np.savez(numbers, **model)  # type: ignore[arg-type]  # its keywords are arrays
    files = {
        "code/inference.py": _INFERENCE.read_bytes(),
        "hyperparameters.json": json.dumps(dict(hyperparameters)).encode(),
        "model.npz": numbers.getvalue(),
    }
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()
