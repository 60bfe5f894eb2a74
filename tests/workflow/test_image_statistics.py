"""Image statistics move with what they are named for."""

import numpy as np
import pytest

from workflow.errors import WorkflowError
from workflow.image_statistics import ImageStatistics, Pixels, columns, image_statistics


def plain(red: int, green: int, blue: int, size: tuple[int, int] = (8, 6)) -> Pixels:
    return np.full((*size, 3), (red, green, blue), dtype=np.uint8)


def chequered(size: int = 16, low: int = 0, high: int = 255) -> Pixels:
    squares = np.indices((size, size)).sum(axis=0) % 2
    return np.repeat(np.where(squares, high, low)[..., None], 3, axis=2).astype(np.uint8)


def gradient(size: int = 16) -> Pixels:
    ramp = np.linspace(0, 255, size).astype(np.uint8)
    return np.repeat(np.tile(ramp, (size, 1))[..., None], 3, axis=2)


def test_white_is_bright_and_black_is_not() -> None:
    assert image_statistics(plain(255, 255, 255)).brightness == pytest.approx(1)
    assert image_statistics(plain(0, 0, 0)).brightness == 0


def test_a_flat_image_has_neither_contrast_nor_sharpness() -> None:
    flat = image_statistics(plain(90, 90, 90))

    assert flat.contrast == pytest.approx(0, abs=1e-9)
    assert flat.sharpness == 0


def test_edges_are_sharper_than_a_gradient() -> None:
    assert image_statistics(chequered()).sharpness > 5 * image_statistics(gradient()).sharpness


def test_darkness_is_not_mistaken_for_blur() -> None:
    bright, dark = image_statistics(chequered()), image_statistics(chequered(high=40))

    assert dark.sharpness == pytest.approx(bright.sharpness)
    assert dark.brightness < bright.brightness


def test_grey_has_no_colour_and_red_is_warm() -> None:
    grey, red = image_statistics(plain(128, 128, 128)), image_statistics(plain(255, 0, 0))

    assert grey.colourfulness == pytest.approx(0, abs=1e-9)
    assert red.colourfulness > 0.1
    assert red.warmth == pytest.approx(1)
    assert image_statistics(plain(0, 0, 255)).warmth == pytest.approx(-1)


def test_the_size_is_counted_in_pixels() -> None:
    assert image_statistics(plain(1, 2, 3, (8, 6))).pixels == 48


def test_an_image_without_an_inside_has_no_edges() -> None:
    assert image_statistics(chequered(2)).sharpness == 0


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_what_is_no_rgb_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(WorkflowError) as caught:
        image_statistics(np.zeros(shape, dtype=np.uint8))

    assert caught.value.code == "NotPixels"


def test_columns_keep_the_order_of_the_images() -> None:
    table = columns([image_statistics(plain(0, 0, 0)), image_statistics(plain(255, 255, 255))])

    assert table["brightness"] == pytest.approx([0, 1])
    assert set(table) == set(ImageStatistics.__dataclass_fields__)
