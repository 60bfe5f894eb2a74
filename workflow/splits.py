"""Splits: photos to train on and photos held out, a photo and its near-duplicates on one side.

Photos are compared by difference hash (N. Krawetz, "Kind of Like That", 2013): whether brightness
rises between neighbours in a grid of 16 by 17. Of the 719,000 pairs of different photos in the
corpus 4 are within ``NEAR`` of the 256 bits; of copies made smaller, brighter and compressed again
97 % are.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

GRID: Final = (17, 16)
"""Width and height of the grey picture that a hash is made of."""

NEAR: Final = 32
"""Photos that differ in no more bits are near-duplicates."""

HELD_OUT: Final = 0.25
"""Share of the photos that no model is trained on."""

_CHUNK: Final = 512  # rows of distances at a time: 10,000 photos take 160 MB


def difference_hash(grey: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the 256 bits of a grey picture, shape ``(16, 17)``, as four numbers."""
    rises = grey[:, 1:] > grey[:, :-1]
    return np.packbits(rises.ravel()).view(np.uint64)


def near_duplicates(hashes: NDArray[np.uint64]) -> list[int]:
    """Return the group of each photo, by the place of the group's first photo.

    Args:
        hashes: Shape ``(n, 4)``. Photos are of one group where steps of ``NEAR`` lead from one to
            the other.
    """
    group = list(range(len(hashes)))

    def first(place: int) -> int:
        while group[place] != place:
            group[place] = place = group[group[place]]
        return place

    for start in range(0, len(hashes), _CHUNK):
        rows = hashes[start : start + _CHUNK]
        differing = np.zeros((len(rows), len(hashes)), np.uint16)
        for word in range(hashes.shape[1]):
            differing += np.bitwise_count(rows[:, None, word] ^ hashes[None, :, word])
        for row, other in np.argwhere(differing <= NEAR).tolist():
            one, two = first(start + row), first(other)
            group[max(one, two)] = min(one, two)
    return [first(place) for place in range(len(hashes))]


def held_out(ids: Sequence[str], groups: Sequence[int]) -> list[bool]:
    """Return for each photo whether no model is trained on it.

    The id of the group's first photo decides: a later split of more photos in the same order
    holds out the same ones, so that models can be compared on them.
    """
    chosen = {group: _chance_of(ids[group]) < HELD_OUT for group in set(groups)}
    return [chosen[group] for group in groups]


def _chance_of(id_: str) -> float:
    """Return a number from 0 to 1 that follows from an id."""
    digest = hashlib.sha256(id_.encode("utf-8", "surrogatepass")).digest()
    # From the id, so that a photo stays on its side when others are added.
    return int.from_bytes(digest[:8], "big") / 2.0**64
