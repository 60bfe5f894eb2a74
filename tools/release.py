"""A release: version, changelog, wheel and sdist, commit and tag.

Run: ``make release VERSION=1.2.3`` in a clean checkout. Nothing is pushed or uploaded. Where the
build fails, the files are as they were.
"""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_VERSION: Final = re.compile(r'^version = "(\d+)\.(\d+)\.(\d+)"$', re.MULTILINE)
_ASKED: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_UNRELEASED: Final = "## Unreleased\n"


class NotReleasedError(Exception):
    """Why nothing was released, as a sentence."""


def with_version(pyproject: str, version: str) -> str:
    """Return ``pyproject.toml`` with the next version.

    Raises:
        NotReleasedError: It is no version, or not above the last one.
    """
    asked, last = _ASKED.fullmatch(version), _VERSION.search(pyproject)
    if asked is None:
        raise NotReleasedError(f"{version!r} is no version such as 1.2.3.")
    if last is None:
        raise NotReleasedError("pyproject.toml names no version.")
    if tuple(map(int, asked.groups())) <= tuple(map(int, last.groups())):
        raise NotReleasedError(
            f"{version} is not above the last version, {'.'.join(last.groups())}."
        )
    return _VERSION.sub(f'version = "{version}"', pyproject, count=1)


def with_section(changelog: str, version: str, day: str) -> str:
    """Return the changelog with what is unreleased under a version and a day, such as 2026-11-27.

    Raises:
        NotReleasedError: Nothing is unreleased.
    """
    before, found, rest = changelog.partition(_UNRELEASED)
    entries = rest.partition("\n## ")[0].strip()
    if not found or not entries:
        raise NotReleasedError("CHANGELOG.md has nothing under Unreleased.")
    return f"{before}{_UNRELEASED}\n## {version} ({day})\n\n{rest.lstrip()}"


def release(root: Path, version: str, day: str, build: list[str]) -> None:
    """Release what a clean checkout holds.

    Args:
        root: The checkout.
        version: Of the release.
        day: Of the release, such as 2026-11-27.
        build: The command that builds wheel and sdist.

    Raises:
        NotReleasedError: The checkout is not clean, or version or changelog are not fit.
        CalledProcessError: The build, or git, failed.
    """
    if _run_git(root, "status", "--porcelain"):
        raise NotReleasedError("The checkout has changes: commit them first.")
    if _run_git(root, "tag", "--list", f"v{version}"):
        raise NotReleasedError(f"The tag v{version} exists already.")
    files = {name: (root / name).read_text() for name in ("pyproject.toml", "CHANGELOG.md")}
    changed = {
        "pyproject.toml": with_version(files["pyproject.toml"], version),
        "CHANGELOG.md": with_section(files["CHANGELOG.md"], version, day),
    }
    _write_files(root, changed)
    try:
        # Before the commit: a version that cannot be built is taken back and leaves no tag.
        subprocess.run(build, cwd=root, check=True)
    except (OSError, subprocess.CalledProcessError):
        _write_files(root, files)
        raise
    _run_git(root, "commit", "--quiet", "--message", f"Release version {version}", "--", *changed)
    _run_git(root, "tag", "--annotate", f"v{version}", "--message", f"Version {version}")


def _write_files(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).write_text(text)


def _run_git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def main(version: str, *build: str) -> int:
    """Release; gives the exit status."""
    try:
        release(ROOT, version, f"{datetime.now(UTC):%Y-%m-%d}", list(build))
    except NotReleasedError as error:
        print(error, file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"{' '.join(error.cmd)} ended with {error.returncode}.", file=sys.stderr)
        return 1
    print(f"Released {version}: dist/ holds wheel and sdist, and the tag v{version} is made.")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
