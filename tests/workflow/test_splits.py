"""A split never puts a photo and its near-duplicate on both sides."""

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from workflow.splits import GRID, HELD_OUT, difference_hash, held_out, near_duplicates


def hashed(picture: Image.Image) -> np.ndarray:
    return difference_hash(np.asarray(picture.convert("L").resize(GRID)))


def photo(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC)


def copy_of(picture: Image.Image) -> Image.Image:
    out = io.BytesIO()
    picture.resize((48, 48)).save(out, "JPEG", quality=80)
    return Image.open(out)


def test_a_compressed_smaller_copy_is_a_near_duplicate_and_another_photo_is_none() -> None:
    photos = [photo(seed) for seed in range(40)]
    hashes = np.stack([hashed(one) for one in [*photos, *map(copy_of, photos)]])

    assert near_duplicates(hashes) == [*range(40), *range(40)]


def test_a_chain_of_near_duplicates_is_one_group() -> None:
    bits = np.zeros((3, 256), np.uint8)
    bits[1, :30] = 1
    bits[2, :60] = 1
    hashes = np.packbits(bits, axis=1).view(np.uint64)

    assert near_duplicates(hashes) == [0, 0, 0]
    assert near_duplicates(hashes[[0, 2]]) == [0, 1]


@given(st.lists(st.text(), min_size=1, unique=True), st.data())
def test_a_later_split_holds_out_the_same_photos(ids: list[str], data: st.DataObject) -> None:
    groups = [data.draw(st.integers(0, place)) for place in range(len(ids))]
    groups = [groups[groups[place]] if groups[place] != place else place for place in groups]
    groups = [place if groups[place] == place else 0 for place in groups]
    cut = data.draw(st.integers(1, len(ids)))

    assert held_out(ids, groups)[:cut] == held_out(ids[:cut], groups[:cut])


def test_about_a_quarter_is_held_out() -> None:
    ids = [f"photo-{number}" for number in range(4_000)]
    share = sum(held_out(ids, range(4_000))) / 4_000

    assert abs(share - HELD_OUT) < 0.03


def test_no_photo_has_no_group() -> None:
    assert near_duplicates(np.zeros((0, 4), np.uint64)) == []
