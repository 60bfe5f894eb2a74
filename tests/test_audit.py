"""The audit allows what the list allows, and says what it could not look up."""

import json
from pathlib import Path

import pytest

from tools.audit import find_forbidden, find_vulnerable, is_allowed, main


@pytest.mark.parametrize(
    "licence",
    ["MIT", "MIT License", "Apache-2.0 OR GPL-3.0", "BSD-3-Clause AND MIT", "(MIT OR X) ",
     "Apache Software License; BSD License", "Mozilla Public License 2.0 (MPL 2.0)"],
)  # fmt: skip
def test_licences_of_the_list_are_allowed(licence: str) -> None:
    assert is_allowed(licence)


@pytest.mark.parametrize(
    "licence", ["GPL-3.0", "MIT AND GPL-3.0", "UNKNOWN", "", "MIT License; GPL-3.0"]
)
def test_other_licences_are_not_allowed(licence: str) -> None:
    assert not is_allowed(licence)
    package = {"Name": "it", "Version": "1", "License": licence}
    assert find_forbidden([package]) == [f"it 1: the licence {licence} is not allowed."]


def test_an_exception_holds_for_the_licence_that_was_read_only() -> None:
    read = {"Name": "paramiko", "Version": "5", "License": "LGPL-2.1"}
    assert find_forbidden([read, {"Name": "huey", "Version": "3", "License": "UNKNOWN"}]) == []
    assert find_forbidden([read | {"License": "GPL-3.0"}]) != []


VULNERABLE = {"name": "it", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
SKIPPED = {"name": "other", "version": "1", "skip_reason": "not found"}


def test_vulnerabilities_are_named_and_what_was_skipped_does_not_count() -> None:
    assert find_vulnerable([VULNERABLE, SKIPPED]) == (["it 1: CVE-1, mended in 2."], 1)


@pytest.mark.parametrize(
    ("dependencies", "status", "said"),
    [
        ([VULNERABLE], 1, "all 1 packages were looked up"),
        ([VULNERABLE | {"vulns": []}], 0, "all 1 packages were looked up"),
        ([SKIPPED], 0, "NOT AUDITED: 1 of 1 packages"),
        (None, 0, "NOT AUDITED: 0 of 0 packages"),
    ],
)
def test_the_report_says_what_was_looked_up(
    dependencies: list[object] | None,
    status: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report, licences = tmp_path / "vulnerabilities.json", tmp_path / "licences.json"
    if dependencies is not None:
        report.write_text(json.dumps({"dependencies": dependencies}))
    licences.write_text("[]")

    assert main(str(report), str(licences)) == status
    assert said in capsys.readouterr().out
