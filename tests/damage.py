"""What happens to files: each kind of damage, done to one."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _garbage(path: Path) -> None:
    path.write_bytes(b"\xff\x00garbage\x1a" * 64)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _unreadable(path: Path) -> None:
    """Put a link to itself in its place: unlike permissions, that stops root too."""
    path.unlink()
    path.symlink_to(path)


DAMAGES: Final[dict[str, Callable[[Path], None]]] = {
    "flipped": _flip,
    "truncated": _truncate,
    "empty": _empty,
    "garbage": _garbage,
    "a directory": _directory,
    "unreadable": _unreadable,
}


def copied(folder: Path, to: Path) -> Path:
    """Return a copy of a folder to damage, links kept as links."""
    return Path(shutil.copytree(folder, to, symlinks=True))
