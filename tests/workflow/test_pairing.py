"""Neighbouring bins are put together so that each group holds about the same."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workflow import pairing

counts = st.lists(st.integers(0, 500), min_size=1, max_size=40)


@given(counts)
def test_groups_cover_every_bin_once_and_are_at_most_ten(bins: list[int]) -> None:
    starts = pairing.equal_mass(np.array(bins))

    assert starts[0] == 0
    assert len(starts) <= pairing.BINS
    assert np.add.reduceat(np.array(bins), starts).sum() == sum(bins)


def test_a_bin_with_most_of_the_records_is_kept_apart() -> None:
    assert pairing.equal_mass(np.array([10, 980, 10])).tolist() == [0, 1, 2]
