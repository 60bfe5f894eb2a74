"""Percentages of command lines are whole numbers from 1 to 100."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.percentages import parse_percentage


@given(st.integers(1, 100))
def test_a_percentage_is_read(value: int) -> None:
    assert parse_percentage(f" {value}") == value


@pytest.mark.parametrize("text", ["0", "101", "-1", "1.5", "much", ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises((argparse.ArgumentTypeError, ValueError)):
        parse_percentage(text)
