"""Hashes of photos, by which near-duplicates are found."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workflow.splits import GRID, difference_hash


def hash_photo(image: Image.Image) -> NDArray[np.uint64]:
    """Return the 256 bits of a photo, four numbers, as ``splits.near_duplicates`` takes them."""
    grey = image.convert("L").resize(GRID, Image.Resampling.LANCZOS)
    return difference_hash(np.asarray(grey))
