"""Comparisons that may be looked at after every record."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.intervals import Share
from workflow.sequential import (
    Comparison,
    PairedComparison,
    confidence_sequence,
    differs,
    log_evidence,
)

RECORDS = 1_500


def looks(rng: np.random.Generator, p: float, q: float) -> bool:
    """Look after every record of two variants that take turns at random; whether one differs."""
    new = rng.random(RECORDS) < 0.3
    hit = rng.random(RECORDS) < np.where(new, q, p)
    counts = [np.cumsum(new), np.cumsum(new & hit), np.cumsum(~new), np.cumsum(~new & hit)]
    return any(
        differs(Share(int(old_hits), int(old)), Share(int(new_hits), int(news)))
        for news, new_hits, old, old_hits in zip(*counts, strict=True)
    )


@pytest.mark.parametrize("p", [0.05, 0.5])
def test_looking_after_every_record_raises_few_false_alarms(p: float) -> None:
    alarms = sum(looks(np.random.default_rng(seed), p, p) for seed in range(60))

    # At most 5 % are expected: 8 or more of 60 would come by chance once in 90 runs.
    assert alarms <= 7


def test_a_difference_that_matters_is_found() -> None:
    found = sum(looks(np.random.default_rng(seed), 0.1, 0.25) for seed in range(20))

    assert found >= 18


def test_a_confidence_sequence_holds_the_truth_at_every_look() -> None:
    missed = 0
    for seed in range(60):
        hits = np.cumsum(np.random.default_rng(seed).random(400) < 0.1)
        looked = [confidence_sequence(Share(int(hits[n - 1]), n)) for n in range(1, 401, 20)]
        missed += any(not low <= 0.1 <= high for low, high in looked)

    assert missed <= 7


@given(st.integers(0, 2_000), st.data())
def test_the_share_lies_in_its_sequence_which_is_wider_than_one_look(
    count: int, data: st.DataObject
) -> None:
    share = Share(data.draw(st.integers(0, count)), count)
    low, high = confidence_sequence(share)

    if count:
        assert low <= share.value <= high
        assert high - low >= (share.interval[1] - share.interval[0]) * 0.9
    else:
        assert (low, high) == (0.0, 1.0)


@given(st.integers(0, 300), st.integers(0, 300), st.data())
def test_evidence_does_not_depend_on_the_order(n: int, m: int, data: st.DataObject) -> None:
    one = Share(data.draw(st.integers(0, n)), n)
    other = Share(data.draw(st.integers(0, m)), m)

    assert log_evidence(one, other) == pytest.approx(log_evidence(other, one))
    assert math.isfinite(log_evidence(one, other))


def test_a_comparison_says_which_way_it_goes() -> None:
    assert Comparison(Share(10, 200), Share(80, 200)).says == "higher"
    assert Comparison(Share(80, 200), Share(10, 200)).says == "lower"
    assert Comparison(Share(10, 200), Share(11, 200)).says == "cannot tell yet"
    assert Comparison(Share(0, 0), Share(0, 0)).says == "cannot tell yet"


def pairs_looked_at(rng: np.random.Generator, discordant: float, new: float) -> bool:
    """Look after every pair; whether one variant is said to do it more often."""
    differ = rng.random(RECORDS) < discordant
    only_new = np.cumsum(differ & (rng.random(RECORDS) < new)).tolist()
    either = np.cumsum(differ).tolist()
    return any(
        PairedComparison(pairs, both - only, only).says != "cannot tell yet"
        for pairs, (only, both) in enumerate(zip(only_new, either, strict=True), 1)
    )


@pytest.mark.parametrize("discordant", [0.05, 0.5])
def test_looking_after_every_pair_raises_few_false_alarms(discordant: float) -> None:
    rngs = map(np.random.default_rng, range(60))

    assert sum(pairs_looked_at(rng, discordant, 0.5) for rng in rngs) <= 7


def test_pairs_find_a_difference_that_matters() -> None:
    rngs = map(np.random.default_rng, range(20))

    assert sum(pairs_looked_at(rng, 0.1, 0.8) for rng in rngs) >= 18


@given(st.integers(0, 500), st.integers(0, 500))
def test_pairs_say_the_opposite_with_the_variants_swapped(only_old: int, only_new: int) -> None:
    opposite = {"higher": "lower", "lower": "higher", "cannot tell yet": "cannot tell yet"}

    said = PairedComparison(1_000, only_old, only_new).says

    assert PairedComparison(1_000, only_new, only_old).says == opposite[said]
