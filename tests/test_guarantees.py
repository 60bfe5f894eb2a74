"""Each guarantee of ``docs/guarantees.md`` has a figure and a command that is there."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in (ROOT / "docs" / "guarantees.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("| Guarantee", "|--"))
]


def test_there_are_guarantees_and_each_is_said_once() -> None:
    assert len(ROWS) >= 15
    assert len({row[0] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_a_guarantee_has_a_figure_and_a_command_that_is_there(row: tuple[str, ...]) -> None:
    _, figure, command = row
    assert figure

    found = re.findall(r"`([^`]+)`", command)
    assert found
    for one in found:
        path, _, name = one.partition("::")
        if one.startswith("python -m "):
            assert importlib.util.find_spec(one.split()[2])
        elif one.startswith("make "):
            assert f"\n{one.split()[1]}:" in (ROOT / "Makefile").read_text()
        else:
            assert f"def {name}" in (ROOT / path).read_text()
