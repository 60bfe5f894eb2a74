"""Inference: image bytes to ``[p_bicycle, p_motorcycle]``, as the SageMaker container calls it.

The four functions are those of the SageMaker inference toolkit. This file travels inside
model.tar.gz and runs in the container on AWS and in the local endpoint. Of the project there is
only what ``deploy.model.package`` packs beside it, the decoder. Who runs it elsewhere has to know
two things: ``output_fn`` gives the toolkit's pair ``(body, content type)``, and every refusal is an
``ImageRefused`` whose ``status_code`` is the HTTP status of the answer (the toolkit reads it the
same way).

Source: github.com/aws/sagemaker-inference-toolkit, ``transformer.py`` and ``errors.py``.
"""

import json
import os
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from workflow import pictures

try:
    from sagemaker_inference.errors import (  # type: ignore[import-not-found]
        BaseInferenceToolkitError,
    )
except ImportError:  # Outside the container there is no toolkit; this is the contract it checks.

    class BaseInferenceToolkitError(Exception):  # type: ignore[no-redef]
        """Stands in for the toolkit's error of the same name."""

        def __init__(self, status_code: int, message: str, phrase: str) -> None:
            super().__init__(status_code, message, phrase)
            self.status_code = status_code
            self.message = message
            self.phrase = phrase


CONTENT_TYPES = ("image/png", "image/jpeg", "application/x-image", "application/octet-stream")
JSON = "application/json"

# Every image is brought to the 32 px of CIFAR-100 first: a large photo then looks to the network
# like the images it was trained, calibrated and measured on.
BASE_SIZE = 32

_STATUS = {
    "NotAnImage": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "AnimatedImage": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "TooManyPixels": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "ImageDamaged": HTTPStatus.BAD_REQUEST,
}


class ImageRefused(BaseInferenceToolkitError):  # type: ignore[misc]  # noqa: N818 - no fault
    """The request cannot be answered, and sending it again will not help.

    Attributes:
        status_code: HTTP status of the answer, 400 to 499.
        message: One sentence that says why.
        phrase: The HTTP reason phrase of the status.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(int(status), message, status.phrase)

    def __str__(self) -> str:
        return str(self.message)


class Model(NamedTuple):
    """A loaded model and the preprocessing that its manifest states."""

    session: onnxruntime.InferenceSession
    size: int
    mean: float
    scale: float


def model_fn(model_dir: str) -> Model:
    """Load ``model.onnx`` and ``manifest.json`` from the unpacked model.tar.gz.

    Runs on ``OMP_NUM_THREADS`` threads, one unless set: an endpoint answers more requests a second
    with one thread each.
    """
    folder = Path(model_dir)
    preprocessing = json.loads((folder / "manifest.json").read_text("utf-8"))["preprocessing"]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        folder / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    return Model(
        session,
        int(preprocessing["input_size"]),
        float(preprocessing["mean"]),
        float(preprocessing["scale"]),
    )


def input_fn(request_body: bytes | bytearray | str, content_type: str | None = None) -> Image.Image:
    """Read one PNG or JPEG image.

    The bytes decide what the image is, as in the built-in algorithm; the content type only has to
    be one that an image can have.

    Returns:
        The image in RGB, upright, 32 x 32 pixels; transparent parts are white.

    Raises:
        ImageRefused: 415 for a content type or format that is not served, 413 for too many pixels,
            400 for anything that cannot be decoded.
    """
    declared = (content_type or "application/octet-stream").split(";")[0].strip().lower()
    if declared not in CONTENT_TYPES or isinstance(request_body, str):
        raise ImageRefused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content type {declared} is not served; send one of {', '.join(CONTENT_TYPES)}.",
        )
    return decode(bytes(request_body))


def predict_fn(data: Image.Image, model: Model) -> list[float]:
    """Classify one image.

    Returns:
        The probabilities of bicycle and motorcycle; they sum to 1.
    """
    pixels = prepare(data, model.size, model.mean, model.scale)
    (probabilities,) = model.session.run(None, {"image": pixels})
    return [float(probability) for probability in probabilities[0]]


def output_fn(prediction: list[float], accept: str | None = None) -> tuple[str, str]:
    """Write the probabilities as a JSON list, as the built-in algorithm does.

    Returns:
        The body and its content type, which is always JSON.

    Raises:
        ImageRefused: 406 where the caller accepts no JSON.
    """
    accepted = [part.split(";")[0].strip().lower() for part in (accept or JSON).split(",")]
    if not {JSON, "application/*", "*/*"} & set(accepted):
        raise ImageRefused(
            HTTPStatus.NOT_ACCEPTABLE, f"The answer is {JSON}; {accept} is not served."
        )
    return json.dumps(prediction), JSON


def decode(body: bytes) -> Image.Image:
    """Decode PNG or JPEG bytes to an upright 32 x 32 RGB image, transparent parts white.

    Raises:
        ImageRefused: See ``input_fn``.
    """
    if not body:
        raise ImageRefused(HTTPStatus.BAD_REQUEST, "The image is empty: it has 0 bytes.")
    try:
        # A JPEG decodes at a fraction of its size, many times faster, and still well above 32 px.
        picture = pictures.decode(body, at_least=4 * BASE_SIZE)
    except pictures.PictureRefused as refused:
        says = f"The file {refused.says}; PNG and JPEG images are served. {refused.way_on}"
        raise ImageRefused(_STATUS[refused.code], says) from refused
    small = picture.image.resize((BASE_SIZE, BASE_SIZE), Image.Resampling.BICUBIC)
    return pictures.on_white(small)


def prepare(image: Image.Image, size: int, mean: float, scale: float) -> NDArray[np.float32]:
    """Enlarge and normalise a decoded image to the network's input, shape (1, 3, size, size)."""
    enlarged = image.resize((size, size), Image.Resampling.BICUBIC)
    pixels = (np.asarray(enlarged, np.float32) - mean) / scale
    return pixels.transpose(2, 0, 1)[None]
