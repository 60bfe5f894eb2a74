"""Image statistics: a few cheap numbers of an image, to tell whether the inputs have changed.

The source of colourfulness is Hasler and Suesstrunk, "Measuring colourfulness in natural images"
(2003). Sharpness is the mean size of the Laplacian relative to contrast, after Pertuz et al.,
"Analysis of focus measure operators" (2013), so that a dark image is not called blurred.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from workflow.errors import WorkflowError

Pixels = NDArray[np.uint8]

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_FLAT = 1e-3  # contrast below which an image has no edges to be sharp
_CHANNELS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStatistics:
    """One image in numbers.

    Attributes:
        brightness: Mean luma, 0 (black) to 1 (white).
        contrast: Standard deviation of luma, 0 to 0.5.
        sharpness: Mean absolute Laplacian over contrast; 0 where the image is flat.
        colourfulness: Hasler and Suesstrunk's M3, 0 (grey) to about 1.
        warmth: Mean of red less blue, -1 to 1.
        pixels: Width times height.
    """

    brightness: float
    contrast: float
    sharpness: float
    colourfulness: float
    warmth: float
    pixels: float


def image_statistics(pixels: Pixels) -> ImageStatistics:
    """Measure an image.

    Args:
        pixels: Red, green and blue, shape (height, width, 3), 0 to 255.

    Raises:
        WorkflowError: ``NotPixels`` where the array has another shape or no pixel.
    """
    if pixels.ndim != _CHANNELS or pixels.shape[2] != _CHANNELS or pixels.size == 0:
        raise WorkflowError(
            "NotPixels",
            f"An array of shape {pixels.shape} is not an image of red, green and blue.",
            "Convert the image to RGB first.",
        )
    values = pixels.astype(np.float64) / 255
    luma = values @ _LUMA
    red, green, blue = values[..., 0], values[..., 1], values[..., 2]
    opponents = red - green, (red + green) / 2 - blue
    spread = np.hypot(*(channel.std() for channel in opponents))
    middle = np.hypot(*(channel.mean() for channel in opponents))
    contrast = float(luma.std())
    return ImageStatistics(
        brightness=float(luma.mean()),
        contrast=contrast,
        sharpness=_mean_laplacian(luma) / contrast if contrast > _FLAT else 0.0,
        colourfulness=float(spread + 0.3 * middle),
        warmth=float((red - blue).mean()),
        pixels=float(luma.size),
    )


def _mean_laplacian(luma: NDArray[np.float64]) -> float:
    """Return the mean absolute Laplacian inside the image; 0 where it has no inside."""
    inside = luma[1:-1, 1:-1]
    if inside.size == 0:
        return 0.0
    # The 4-neighbour Laplacian by shifted views; border pixels lack neighbours and are left out.
    neighbours = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float(np.abs(neighbours - 4 * inside).mean())


def columns(images: Iterable[ImageStatistics]) -> dict[str, list[float]]:
    """Return the statistics of many images, by name: one list a feature, in the images' order."""
    table: dict[str, list[float]] = {name: [] for name in ImageStatistics.__dataclass_fields__}
    for image in images:
        for name, value in asdict(image).items():
            table[name].append(value)
    return table
