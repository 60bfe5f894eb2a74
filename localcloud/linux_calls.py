"""Calls of Linux that Python has no function for; each raises ``OSError`` as ``os`` does.

Used by child processes before they run what was uploaded. Sources: the manual pages prctl(2),
unshare(2), mount(2), capset(2).
"""

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_CAPABILITY_VERSION_3 = 0x20080522


def call_libc(name: str, *arguments: object) -> int:
    """Call a function of the C library that gives -1 and sets ``errno`` where it fails.

    Raises:
        OSError: It failed, or the C library has no such function.
    """
    function = getattr(_LIBC, name, None)
    if function is None:
        raise OSError(f"This system has no {name}.")
    result: int = function(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def make_undumpable() -> None:
    """Keep other processes of this user out of this one's ``/proc/<pid>/environ`` and memory."""
    call_libc("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def forbid_new_privileges() -> None:
    """Let no program that this process starts gain rights by its file mode (setuid)."""
    call_libc("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def drop_capabilities() -> None:
    """Give up what root, or the owner of a user namespace, may do beyond a user."""
    # Two 32-bit words of each set (effective, permitted, inheritable), all zero: capset(2).
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    call_libc("capset", header, (ctypes.c_uint32 * 6)())


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Attach a file system, or what lies at ``source``, at ``target``."""
    given = [text.encode() or None for text in (source, target, kind)]
    call_libc("mount", *given, ctypes.c_ulong(flags), options.encode() or None)
