"""Releases: one command, all of it or nothing; and a wheel that holds what the packages read."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools.release import NotReleasedError, release, with_section, with_version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = '[project]\nname = "it"\nversion = "0.1.9"\n'
CHANGES = "# Changelog\n\n## Unreleased\n\n- New.\n## 0.1.9 (2026-01-01)\n\n- Old.\n"
DAY = "2026-11-27"
BUILD = [sys.executable, "-c", "open('built', 'w').close()"]


def test_the_next_version_is_written_where_the_last_one_was() -> None:
    assert with_version(PROJECT, "0.1.10") == PROJECT.replace("0.1.9", "0.1.10")


@pytest.mark.parametrize("version", ["0.1.9", "0.1.8", "0.0.10", "1.0", "v1.0.0", "01.0.0", ""])
def test_what_is_no_later_version_is_refused(version: str) -> None:
    with pytest.raises(NotReleasedError):
        with_version(PROJECT, version)


def test_what_was_unreleased_stands_under_the_version_and_nothing_is_unreleased() -> None:
    released = with_section(CHANGES, "0.2.0", DAY)
    assert released == (
        "# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-11-27)\n\n- New.\n"
        "## 0.1.9 (2026-01-01)\n\n- Old.\n"
    )
    with pytest.raises(NotReleasedError, match="nothing under Unreleased"):
        with_section(released, "0.3.0", DAY)


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    (tmp_path / ".gitignore").write_text("built\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "config", "user.name", "Nobody")
    git(tmp_path, "config", "user.email", "nobody@example.com")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    return tmp_path


@pytest.mark.process
def test_a_release_is_a_build_a_commit_and_a_tag(checkout: Path) -> None:
    release(checkout, "0.2.0", DAY, BUILD)

    assert (checkout / "built").exists()
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "log", "-1", "--format=%s") == "Release version 0.2.0"
    assert git(checkout, "describe") == "v0.2.0"
    assert 'version = "0.2.0"' in git(checkout, "show", "v0.2.0:pyproject.toml")
    assert "## 0.2.0 (2026-11-27)" in git(checkout, "show", "v0.2.0:CHANGELOG.md")


@pytest.mark.process
def test_a_build_that_fails_releases_nothing(checkout: Path) -> None:
    before = git(checkout, "rev-parse", "HEAD")
    with pytest.raises(subprocess.CalledProcessError):
        release(checkout, "0.2.0", DAY, [sys.executable, "-c", "raise SystemExit(1)"])

    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "rev-parse", "HEAD") == before
    assert git(checkout, "tag") == ""


@pytest.mark.process
def test_a_checkout_with_changes_is_not_released(checkout: Path) -> None:
    (checkout / "new").write_text("")
    with pytest.raises(NotReleasedError, match="commit them first"):
        release(checkout, "0.2.0", DAY, BUILD)


@pytest.mark.process
def test_a_wheel_holds_every_file_of_the_packages() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = [pattern.rstrip("*") for pattern in setuptools["packages"]["find"]["include"]]
    tracked = git(ROOT, "ls-files", "--", *packages).splitlines()
    data = {name for name in tracked if not name.endswith(".py")}
    shipped = {
        str(path.relative_to(ROOT))
        for package, patterns in setuptools["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package).glob(pattern)
    }

    assert data <= shipped
    assert {"dashboard/.streamlit/config.toml", "deploy/step_function.json"} <= data


def test_the_definition_that_a_wheel_holds_is_the_one_at_the_top() -> None:
    shipped, top = ROOT / "deploy/step_function.json", ROOT / "step_function.json"
    assert shipped.read_bytes() == top.read_bytes()
