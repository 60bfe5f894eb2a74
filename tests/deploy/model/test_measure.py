"""Measuring a model in a folder, as the endpoint would run it."""

import numpy as np

from deploy.model.artifacts import ARTIFACTS
from deploy.model.data import Dataset
from deploy.model.evaluate import HISTOGRAM_BINS
from deploy.model.latency import measure_latency
from deploy.model.measure import (
    measure_neither,
    measure_test,
    measure_validation,
    neither_images,
)
from deploy.model.shapes import draw_kind


def drawn(count: int) -> Dataset:
    """Images of nothing, called bicycles: a dataset on which a classifier is at a loss."""
    return Dataset(draw_kind("scribble", count, 9), np.zeros(count, np.int64), "drawn")


def test_photos_are_split_by_turns_and_the_drawn_are_not_shared() -> None:
    photos = np.arange(5, dtype=np.uint8).repeat(32 * 32 * 3).reshape(5, 32, 32, 3)
    seen, unseen = neither_images(photos)
    assert seen["photos"][:, 0, 0, 0].tolist() == [0, 2, 4]
    assert unseen["photos"][:, 0, 0, 0].tolist() == [1, 3]
    drawn_twice = {image.tobytes() for image in seen["texture"]} & {
        image.tobytes() for image in unseen["texture"]
    }
    assert drawn_twice == set()


def test_without_photos_the_drawn_kinds_remain() -> None:
    seen, unseen = neither_images(None)
    assert seen.keys() == unseen.keys() == {"drawn shapes", "noise", "blank", "texture", "scribble"}


def test_a_test_split_is_measured_at_every_threshold() -> None:
    found = measure_test(ARTIFACTS, drawn(12))
    assert found.accuracy.count == 12
    assert found.cuts[0].coverage == 1
    coverages = [cut.coverage for cut in found.cuts]
    assert coverages == sorted(coverages, reverse=True)


def test_validation_keeps_the_confidence_of_every_image() -> None:
    found = measure_validation(ARTIFACTS, drawn(12), float_accuracy=0.5)
    assert sum(map(sum, found.confidence.values())) == 12
    assert {len(bins) for bins in found.confidence.values()} == {HISTOGRAM_BINS}


def test_images_of_neither_class_are_counted_by_kind() -> None:
    found = measure_neither(ARTIFACTS, {"scribble": drawn(10).images})
    assert found.passing["scribble"].count == 10


def test_latency_is_measured_and_its_ratio_is_of_its_parts() -> None:
    found = measure_latency(ARTIFACTS)
    assert min(found.load_ms, found.model_ms, found.decode_ms) > 0
    assert found.model_to_decode == found.model_ms / found.decode_ms


def test_a_part_of_a_dataset_keeps_images_and_labels_together() -> None:
    data = Dataset(drawn(3).images, np.array([0, 1, 0]), "drawn")
    part = data.take(np.array([2, 1]))
    assert part.labels.tolist() == [0, 1]
    assert np.array_equal(part.images, data.images[[2, 1]])
