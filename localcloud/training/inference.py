"""Inference: serves a model of ``fit``; travels in its archive and runs in the container.

Answers as SageMaker's built-in image classification does: a JSON list of probabilities.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

_TYPES = ("image/png", "image/jpeg", "application/x-image")


class RequestRefused(Exception):  # noqa: N818 - an answer, no fault
    """What cannot be answered; ``status_code`` is the HTTP status that the toolkit answers with."""

    status_code = 415


def model_fn(model_dir: str) -> dict[str, Any]:
    """Load the arrays and the size of the pictures."""
    folder = Path(model_dir)
    settings = json.loads((folder / "hyperparameters.json").read_text())
    _, height, width = (int(part) for part in settings["image_shape"].split(","))
    with np.load(folder / "model.npz") as arrays:
        return {**arrays, "size": (width, height)}


def input_fn(request_body: bytes, content_type: str) -> Image.Image:
    """Read a picture."""
    if content_type.partition(";")[0].strip() not in _TYPES:
        raise RequestRefused(
            f"Unsupported content-type {content_type}; use one of {', '.join(_TYPES)}"
        )
    try:
        return Image.open(io.BytesIO(request_body)).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise RequestRefused("Unable to decode the image") from error


def predict_fn(data: Image.Image, model: dict[str, Any]) -> list[float]:
    """Return a probability for each class."""
    small = np.asarray(data.resize(model["size"], Image.Resampling.BICUBIC), np.float64)
    row = (small.ravel() / 255 - model["mean"]) / model["spread"] / np.sqrt(small.size)
    scores = row @ model["weights"][:-1] + model["weights"][-1]
    raised = np.exp(scores - scores.max())
    return [float(share) for share in raised / raised.sum()]


def output_fn(prediction: list[float], accept: str) -> tuple[str, str]:  # noqa: ARG001 - the toolkit's
    """Write the probabilities as JSON, whatever is accepted, as the algorithm does."""
    return json.dumps(prediction), "application/json"
