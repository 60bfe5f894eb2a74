"""The committed model is the one its manifest describes, and meets the bars it states."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from deploy.model import evaluate
from deploy.model.artifacts import ARTIFACTS, MODEL_FILE
from deploy.model.code import inference
from deploy.model.manifest import read_manifest, write_manifest
from deploy.model.measure import DRAWN_TEST_SEED, classify_images
from deploy.model.shapes import KINDS, draw_kind

MANIFEST = read_manifest()


def test_the_manifest_is_of_the_committed_model() -> None:
    body = (ARTIFACTS / MODEL_FILE).read_bytes()
    assert hashlib.sha256(body).hexdigest() == MANIFEST.sha256
    assert len(body) == MANIFEST.size_bytes


def test_the_model_meets_the_bars() -> None:
    assert MANIFEST.size_bytes < 4_000_000
    assert MANIFEST.test.accuracy.value >= 0.945
    assert MANIFEST.test.calibration_error <= 0.04
    assert MANIFEST.latency.model_ms <= 1
    assert MANIFEST.latency.load_ms <= 100


def test_bicycle_comes_first() -> None:
    assert MANIFEST.labels == ("bicycle", "motorcycle")


def test_the_endpoint_prepares_images_as_the_manifest_says() -> None:
    model = inference.model_fn(str(ARTIFACTS))
    assert MANIFEST.preprocessing.base_size == inference.BASE_SIZE
    assert model.session.get_inputs()[0].shape == [1, 3, model.size, model.size]
    assert model.size == MANIFEST.preprocessing.input_size


def test_the_confidences_are_of_every_validation_image() -> None:
    counts = sum(sum(bins) for bins in MANIFEST.validation.confidence.values())
    assert counts == MANIFEST.validation.accuracy.count


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_manifest(MANIFEST, tmp_path)
    assert read_manifest(tmp_path) == MANIFEST


def test_something_else_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"sha256": 5}')
    with pytest.raises(msgspec.ValidationError):
        read_manifest(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_share_of_a_drawn_kind_that_passes_is_the_stated_one(kind: str) -> None:
    stated = MANIFEST.neither.passing[kind]
    images = draw_kind(kind, stated.count, DRAWN_TEST_SEED)
    answers = classify_images(ARTIFACTS, images)
    found = evaluate.passing_share(answers, MANIFEST.neither.threshold)
    # Another processor may round an 8-bit product differently and move one image over the line.
    assert found.value == pytest.approx(stated.value, abs=1.5 / stated.count)


@pytest.mark.parametrize("kind", KINDS)
def test_freshly_drawn_images_seldom_pass(kind: str) -> None:
    answers = classify_images(ARTIFACTS, draw_kind(kind, 100, seed=20_261_123))
    assert evaluate.passing_share(answers, MANIFEST.neither.threshold).value <= 0.05
