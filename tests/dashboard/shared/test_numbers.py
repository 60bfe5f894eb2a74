"""Numbers are written the same on every page."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.shared import numbers

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"),
        (math.nan, "-"),
        (0.0854, "85 ms"),
        (1.239, "1.24 s"),
        (42.0, "42 s"),
        (186.0, "3.1 min"),
        (48_600.0, "13.5 h"),
        (20_150 * 60.0, "14.0 d"),
    ],
)
def test_a_duration_is_told_in_the_unit_that_fits(seconds: float | None, said: str) -> None:
    assert numbers.format_duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (4, "4 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (47 * 3600, "47 h"),
        (48 * 3600, "2 d"),
    ],
)
def test_an_age_is_said_in_its_largest_unit(seconds: float, said: str) -> None:
    assert numbers.format_age(NOW - timedelta(seconds=seconds), NOW) == said


@pytest.mark.parametrize(
    ("rate", "said"), [(0.4, "0.4 an hour"), (12.3, "12 an hour"), (1060.4, "1,060 an hour")]
)
def test_a_rate_is_a_plain_number(rate: float, said: str) -> None:
    assert numbers.per_hour(rate) == said


def test_shares_and_their_differences() -> None:
    assert numbers.format_share(0.93) == "93.0%"
    assert numbers.format_share(math.nan) == "-"
    assert numbers.format_points(-0.0151) == "-1.5 points"


def test_counts_name_what_they_count() -> None:
    assert numbers.format_count(1, "image") == "1 image"
    assert numbers.format_count(1234, "image") == "1,234 images"
    assert numbers.format_count(0, "class", "classes") == "0 classes"


@given(st.floats(0, 1e12))
def test_no_duration_is_told_in_powers_of_ten(seconds: float) -> None:
    assert "e" not in numbers.format_duration(seconds)
    assert "e" not in numbers.per_hour(seconds).removesuffix(" an hour")
