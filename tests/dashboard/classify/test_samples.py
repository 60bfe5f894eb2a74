"""The samples: two that are accepted, and two that the real model is not sure enough of."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dashboard.aws.images import Upload, verify
from dashboard.classify.panel import SAMPLE_FOLDER, SAMPLES
from dashboard.classify.photo_resizing import SIDE, is_too_large, shrink_photo
from deploy.model.code import inference
from workflow.contract import MAX_IMAGE_BYTES
from workflow.errors import WorkflowError
from workflow.settings import DEFAULT_THRESHOLD

ARTIFACTS = Path(__file__).parents[3] / "deploy/model/artifacts"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> inference.Model:
    folder = tmp_path_factory.mktemp("model")
    for name in ("model.onnx", "manifest.json"):
        shutil.copy(ARTIFACTS / name, folder)
    return inference.model_fn(str(folder))


@pytest.mark.parametrize("name", list(SAMPLES))
def test_each_sample_is_a_photo_that_can_be_submitted(name: str) -> None:
    photo = verify(Upload(name, (SAMPLE_FOLDER / name).read_bytes()))

    assert photo.content_type == "image/jpeg"


@pytest.mark.parametrize(
    ("name", "label", "accepted"),
    [
        ("bicycle.jpg", 0, True),
        ("motorcycle.jpg", 1, True),
        ("bicycle-in-the-dark.jpg", 0, False),
        ("no-vehicle.jpg", None, False),
    ],
)
def test_the_model_says_of_each_what_its_place_on_the_page_promises(
    name: str, label: int | None, *, accepted: bool, model: inference.Model
) -> None:
    image = inference.input_fn((SAMPLE_FOLDER / name).read_bytes(), "image/jpeg")
    said, _ = inference.output_fn(inference.predict_fn(image, model), "application/json")
    probabilities = json.loads(said)

    assert (max(probabilities) >= DEFAULT_THRESHOLD) is accepted
    assert label is None or int(np.argmax(probabilities)) == label


def noise(width: int, height: int) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=0)
    return out.getvalue()


def test_a_photo_that_is_too_large_is_made_smaller_and_the_change_is_said() -> None:
    large = Upload("van.png", noise(2400, 1200))
    assert is_too_large(large)

    smaller = shrink_photo(large)

    assert len(smaller.upload.data) <= MAX_IMAGE_BYTES
    photo = verify(smaller.upload)
    assert (photo.width, photo.height) == (SIDE, SIDE // 2)
    assert smaller.upload.name == "van-smaller.jpg"
    assert smaller.change.startswith("van.png: 2400 by 1200 pixels and 8.6 MB became 2000 by 1000")


def test_what_is_no_picture_cannot_be_made_smaller() -> None:
    with pytest.raises(WorkflowError, match="van"):
        shrink_photo(Upload("van.jpg", b"\xff\xd8\xff" + bytes(100)))
