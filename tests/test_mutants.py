"""The report of ``make mutants``; mutmut itself makes and runs the mutants."""

import json
from pathlib import Path

import pytest

from tools.mutants import by_module, caught_share, exit_codes

CODES = {"a.x__mutmut_1": 0, "a.x__mutmut_2": 1, "b.y__mutmut_1": 33, "a.z__mutmut_1": -24}
"""Survived, caught, run by no test, and ended because it never came to its end."""


def test_a_mutant_is_caught_unless_all_its_tests_pass_or_it_has_none() -> None:
    assert caught_share(CODES) == pytest.approx(0.5)
    assert caught_share({}) == 0


def test_modules_with_survivors_are_listed() -> None:
    codes = {**CODES, "a.x__mutmut_3": 0}
    assert by_module(codes) == ["   2 of 4 in a", "   1 of 1 in b"]


def test_what_mutmut_recorded_is_read_from_all_its_files(tmp_path: Path) -> None:
    for name, code in CODES.items():
        path = tmp_path / "workflow" / f"{name}.py.meta"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"exit_code_by_key": {name: code}, "durations_by_key": {}}))
    assert exit_codes(tmp_path) == CODES
