"""Descriptions of the live alias: what is written is read again."""

import pytest

from workflow.alias_descriptions import live_before, read_live_before


def test_the_version_that_was_live_before_is_read_again() -> None:
    assert read_live_before(live_before(12)) == 12


@pytest.mark.parametrize("description", ["", "Ours, do not touch", "Live before: version"])
def test_a_description_of_somebody_else_names_none(description: str) -> None:
    assert read_live_before(description) is None
