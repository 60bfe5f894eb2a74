"""Own root: a root directory of its own for a process, by user and mount namespaces of Linux.

Source: user_namespaces(7), mount_namespaces(7). Many systems do not allow them: then the caller
does without.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from localcloud import linux_calls

_NEW_USER, _NEW_MOUNTS = 0x1000_0000, 0x0002_0000
_READ_ONLY, _NO_SETUID, _NO_DEVICES, _NO_PROGRAMS, _REMOUNT, _BIND = 1, 2, 4, 8, 32, 4096
_RECURSIVE, _PRIVATE = 1 << 14, 1 << 18
_KEPT = _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS  # what a remount in a namespace must not drop


def enter_root(
    stage: str, shown: Mapping[str, str], devices: Iterable[str], tmp_megabytes: int
) -> None:
    """Change this process's root to one that holds nothing but what is named here.

    ``/tmp`` is a file system in memory, empty but for what is shown below it; it is gone with the
    last process that sees it.

    Args:
        stage: An empty folder to build the root in.
        shown: What is seen read-only: path inside, path outside. What does not exist is skipped.
        devices: Files that may be written, at the same path inside and outside.
        tmp_megabytes: The size of ``/tmp``.

    Raises:
        OSError: The system does not allow it; the process still sees its old root.
    """
    user, group = os.getuid(), os.getgid()
    linux_calls.call_libc("unshare", _NEW_USER | _NEW_MOUNTS)
    # user_namespaces(7): without this, an unprivileged process may not write gid_map.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    # Private: else the mounts below would show up outside of this namespace, too.
    linux_calls.mount("", "/", flags=_RECURSIVE | _PRIVATE)
    linux_calls.mount("tmpfs", stage, "tmpfs", _NO_SETUID | _NO_DEVICES, "size=1m,mode=755")
    tmp = f"{stage}/tmp"  # noqa: S108 - the new one
    os.mkdir(tmp)  # noqa: PTH102 - text, as mounts take it
    size = f"size={tmp_megabytes}m,mode=700"
    linux_calls.mount("tmpfs", tmp, "tmpfs", _NO_SETUID | _NO_DEVICES, size)
    # After /tmp: what is shown may lie below it, such as the packages of a checkout there.
    for inside, outside in shown.items():
        _show_path(outside, stage + inside, read_only=True)
    for device in devices:
        _show_path(device, stage + device, read_only=False)
    linux_calls.mount("", stage, flags=_REMOUNT | _BIND | _READ_ONLY | _NO_SETUID | _NO_DEVICES)
    os.chroot(stage)


def _show_path(outside: str, target: str, *, read_only: bool) -> None:
    if not os.path.exists(outside) or os.path.lexists(target):  # noqa: PTH110
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
    if os.path.islink(outside) and os.path.dirname(outside) == "/":  # noqa: PTH114, PTH120
        os.symlink(os.readlink(outside), target)  # noqa: PTH115, PTH211 - /bin is usr/bin
        return
    if os.path.isdir(outside):  # noqa: PTH112
        os.mkdir(target)  # noqa: PTH102
    else:
        Path(target).touch()
    linux_calls.mount(outside, target, flags=_BIND | _RECURSIVE)
    if read_only:
        kept = os.statvfs(target).f_flag & _KEPT
        linux_calls.mount("", target, flags=_REMOUNT | _BIND | _READ_ONLY | kept)
