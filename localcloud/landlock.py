"""Landlock: Linux's access control that a process lays on itself, without root.

Source: https://docs.kernel.org/userspace-api/landlock.html. What is not granted is refused, also to
root; processes outside cannot be read through ``/proc`` or traced, and (since Linux 6.12) not be
sent signals. A kernel without it raises ``OSError``.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from localcloud import linux_calls

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on x86-64 and arm64
_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_IOCTL = 1 << 15
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_SCOPES = 0b11  # abstract sockets and signals


def restrict_files(readable: Iterable[str], writable: Iterable[str], listable: str = "") -> None:
    """Refuse this process and its children every file but those in or below the given paths.

    Paths that do not exist are skipped. Below ``listable`` only the names are given.

    Raises:
        OSError: The kernel has no Landlock, or it is switched off.
    """
    version = linux_calls.call_libc("syscall", _CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    handled = (1 << _count_rights(version)) - 1
    # The kernel refuses fields that its version of Landlock does not know.
    fields = [handled] if version < 4 else [handled, 0] if version < 6 else [handled, 0, _SCOPES]  # noqa: PLR2004 - as the page lists them
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = linux_calls.call_libc(
        "syscall", _CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0
    )
    try:
        _grant_path(ruleset, listable, _READ_DIR)
        for path in readable:
            _grant_path(ruleset, path, _READ)
        for path in writable:
            _grant_path(ruleset, path, handled)
        linux_calls.call_libc("syscall", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _count_rights(version: int) -> int:
    """Return how many rights to files a version of Landlock knows."""
    return {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)


def _grant_path(ruleset: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            rights &= _ON_FILES
        rule = struct.pack("=Qi", rights, opened)
        linux_calls.call_libc("syscall", _ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(opened)
