"""Draws: how many photos of which stratum, and a draw written and read back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.draws import (
    MOST_PHOTOS,
    Draw,
    Photo,
    Place,
    Stratum,
    StratumSize,
    draw_id,
    read_draw,
    split,
    to_json,
)
from workflow.errors import WorkflowError

AT = datetime(2026, 11, 26, 12, 30, 15, tzinfo=UTC)


@given(
    size=st.integers(1, 2 * MOST_PHOTOS),
    share=st.floats(0, 1),
    rejected=st.integers(0, 5_000),
    accepted=st.integers(0, 5_000),
)
def test_a_draw_is_as_large_as_asked_where_there_are_photos(
    size: int, share: float, rejected: int, accepted: int
) -> None:
    if not rejected + accepted:
        return
    low, high = split(size, share, rejected, accepted)

    assert 0 <= low <= rejected
    assert 0 <= high <= accepted
    assert low + high == min(size, MOST_PHOTOS, rejected + accepted)


def test_one_stratum_fills_up_for_the_other() -> None:
    assert split(100, 0.5, 1_000, 1_000) == (50, 50)
    assert split(100, 0.5, 10, 1_000) == (10, 90)
    assert split(100, 0.5, 1_000, 10) == (90, 10)


def test_no_photo_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(WorkflowError, match="Draw again"):
        split(10, 0.5, 0, 0)


def test_a_draw_is_read_as_it_was_written() -> None:
    photo = Photo("id", Place("key", 1, 2, gzipped=False), Stratum.ACCEPTED, "e", "v", 1, 0.9, None)
    draw = Draw(
        draw_id(AT, "abc"), AT, "ada", 0.93, {Stratum.ACCEPTED: StratumSize(40, 1)}, (photo,)
    )

    assert read_draw(to_json(draw), "key") == draw
    assert draw.strata[Stratum.ACCEPTED].probability == 1 / 40
    assert draw.id == "20261126T123015-abc"


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff", b'{"id": 1}'])
def test_what_is_no_draw_is_named(data: bytes) -> None:
    with pytest.raises(WorkflowError, match=r"draws/x\.json is no draw"):
        read_draw(data, "draws/x.json")
