"""Descriptions of the live alias: which version was live before, which a rollback goes back to."""

from typing import Final

_BEFORE: Final = "Live before: version "


def live_before(version: int | str) -> str:
    """Return the description that names the version that was live before."""
    return f"{_BEFORE}{version}"


def read_live_before(description: str) -> int | None:
    """Return the version that a description names; None where it names none."""
    recorded = description.removeprefix(_BEFORE)
    return int(recorded) if recorded.isdecimal() else None
