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
        self._refused = False  # a write, since the ballast was last made whole

    def full_error(self) -> WorkflowError:
        """Return the error for a write that has no room, and remember that it had none."""
        self._refused = True
        return WorkflowError(
            "DiskFull",
            f"The disk is full, so the local cloud can keep nothing more in {self._directory}. "
            "What is there can be read and deleted.",
            "Free space on that disk, or delete objects, and try again.",
        )

    def is_full(self, error: sqlite3.Error) -> bool:
        """Return whether SQLite failed for want of room."""
        if "disk is full" in str(error):
            return True
        # Where the shared memory of its log cannot grow, and where a quota is used up, it only
        # speaks of input and output.
        return "disk I/O error" in str(error) and not self.has_room()

    def nearly_full(self) -> bool:
        """Return whether a write was refused lately, or the ballast would have no room."""
        return self._refused or shutil.disk_usage(self._directory).free < _BALLAST

    def has_room(self) -> bool:
        """Return whether as much as the ballast can be written: the free space hides quotas."""
        if shutil.disk_usage(self._directory).free < _BALLAST:
            return False
        # Only a write shows a quota: disk_usage() tells the free space of the whole file system.
        probe = self._directory / "probe"
        try:
            _fill_file(probe)
        except OSError as error:
            if error.errno not in FULL:
                raise
            return False
        finally:
            probe.unlink(missing_ok=True)
        return True

    def has_reserve(self) -> bool:
        """Return whether there is a ballast to give up."""
        return self._ballast.exists()

    def release_ballast(self) -> bool:
        """Give the ballast up; return whether there was one."""
        try:
            self._ballast.unlink()
        except FileNotFoundError:
            return False
        return True

    def refill_ballast(self) -> None:
        """Make the ballast where it is missing, as large as there is room for."""
        if self.has_reserve():
            return
        with suppress(OSError):
            _fill_file(self._ballast)
            self._refused = False

    @contextmanager
    def guard_write(self, path: Path) -> Iterator[None]:
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
            raise self.full_error() from error


def _fill_file(path: Path) -> None:
    path.touch(mode=0o600)
    path.write_bytes(os.urandom(_BALLAST))  # zeros may take no room
