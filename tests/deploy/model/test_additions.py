"""Photos that are trained on beside a training set: none is a copy of a photo held out."""

import numpy as np
import pytest

from deploy.model.additions import joined, without_copies
from deploy.model.data import Dataset
from workflow.errors import WorkflowError


def photos(count: int, seed: int, classes: tuple[str, ...] = ("a", "b")) -> Dataset:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, 32, 32, 3), np.uint8)
    return Dataset(images, np.arange(count) % 2, f"{count} images", classes)


def test_brighter_copies_of_photos_held_out_are_not_trained_on() -> None:
    held_out, others = photos(4, 0), photos(6, 1)
    copies = Dataset(held_out.images // 2 + 100, held_out.labels, "4 images", held_out.classes)

    left = without_copies(joined(others, copies), held_out)

    np.testing.assert_array_equal(left.images, others.images)
    np.testing.assert_array_equal(left.labels, others.labels)
    assert left.source == "6 of 6 images; 4 images"


def test_photos_of_other_classes_are_not_joined() -> None:
    with pytest.raises(WorkflowError) as caught:
        joined(photos(2, 0), photos(2, 1, ("b", "a")))

    assert caught.value.code == "ClassesDiffer"
    assert "b, a" in caught.value.message
