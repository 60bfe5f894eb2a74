"""Drawn images of neither class: the right size, of every kind, the same from the same seed."""

import numpy as np
import pytest

from deploy.model.shapes import KINDS, draw_kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_drawn_as_small_rgb_images(kind: str) -> None:
    images = draw_kind(kind, 5, seed=0)
    assert images.shape == (5, 32, 32, 3)
    assert images.dtype == np.uint8


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_draws_the_same_and_another_seed_others(kind: str) -> None:
    first, again, other = (draw_kind(kind, 3, seed) for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_blank_image_has_one_colour() -> None:
    assert all(
        len(np.unique(image.reshape(-1, 3), axis=0)) == 1 for image in draw_kind("blank", 20, 0)
    )
