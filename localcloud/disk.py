"""Disk: what the local cloud does where there is no room left on it.

A ballast file is given up so that SQLite's log has room to delete records, and made again once
there is room.
"""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workflow.errors import WorkflowError

_BALLAST = 1 << 20
FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says where there is no room."""


class Disk:
    """The room that a directory has.

    Args:
        directory: The directory of a local cloud.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ballast = directory / "ballast"

    def full(self) -> WorkflowError:
        """The error for a write that has no room."""
        return WorkflowError(
            "DiskFull",
            f"The disk is full, so the local cloud can keep nothing more in {self._directory}. "
            "What is there can be read and deleted.",
            "Free space on that disk, or delete objects, and try again.",
        )

    def is_full(self, error: sqlite3.Error) -> bool:
        """Whether SQLite failed for want of room."""
        if "disk is full" in str(error):
            return True
        # Where the shared memory of its log cannot grow, it only speaks of input and output.
        return "disk I/O error" in str(error) and self.nearly_full()

    def nearly_full(self) -> bool:
        """Whether not even the ballast would have room."""
        return shutil.disk_usage(self._directory).free < _BALLAST

    def has_reserve(self) -> bool:
        """Whether there is a ballast to give up."""
        return self._ballast.exists()

    def release(self) -> bool:
        """Give the ballast up; gives whether there was one."""
        try:
            self._ballast.unlink()
        except FileNotFoundError:
            return False
        return True

    def refill(self) -> None:
        """Make the ballast where it is missing, as large as there is room for."""
        if self.has_reserve():
            return
        with suppress(OSError):
            self._ballast.touch(mode=0o600)
            self._ballast.write_bytes(os.urandom(_BALLAST))  # zeros may take no room

    @contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """Write a file in the block; what was written of it goes where there is no room.

        Raises:
            WorkflowError: ``DiskFull``.
        """
        try:
            yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            with suppress(FileNotFoundError):
                path.unlink()
            raise self.full() from error
