"""A photo has the hash of its copies, and not that of others."""

import numpy as np
from PIL import Image

from workflow.photo_hashes import hash_photo
from workflow.splits import NEAR


def photo(seed: int) -> Image.Image:
    """Return blotches of colour."""
    blotches = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(blotches).resize((120, 90), Image.Resampling.BICUBIC)


def test_a_smaller_copy_is_near_and_another_photo_is_not() -> None:
    bits = hash_photo(photo(1))

    assert bits.shape == (4,)
    assert np.bitwise_count(bits ^ hash_photo(photo(1).resize((60, 45)))).sum() <= NEAR
    assert np.bitwise_count(bits ^ hash_photo(photo(2))).sum() > NEAR
