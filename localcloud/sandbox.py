"""Sandbox: what a child process may see and do, as far as the system allows it without root.

Called in the child, before anything that was uploaded runs. ``docs/local-cloud.md`` lists what is
isolated by what; where a layer is missing, the rest still holds.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.redirect import Redirect

_MEGABYTE = 1 << 20
_OPEN_FILES = 1024  # as on AWS
_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/sys/devices/system/cpu",
    "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/resolv.conf", "/etc/hosts",
    "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/localtime", "/etc/ld.so.cache",
    "/etc/mime.types", "/etc/services", "/etc/protocols", "/etc/passwd", "/etc/group",
    "/etc/fonts", "/etc/alternatives",
)  # fmt: skip
_KERNEL = (
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/uptime", "/proc/loadavg",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


@dataclass(frozen=True, slots=True)
class View:
    """What a child may see.

    Attributes:
        folder: An empty folder of this child alone, to build its root in.
        shown: What it sees read-only beside the system: path inside, path outside.
        tmp_megabytes: The size of its ``/tmp``.
        namespaces: Whether to try for a root of its own.
    """

    folder: str
    shown: dict[str, str]
    tmp_megabytes: int = 512
    namespaces: bool = True


def confine_process(view: View) -> None:
    """Confine this process to a view, as far as the system allows it.

    ``/tmp`` and the paths in ``shown`` are then its own, for Python's functions at least.
    """
    _set_limits(view.tmp_megabytes)
    if sys.platform != "linux":
        _build_redirect(view).install()
        return
    # ctypes and the rest only where they are of use: every cold start pays for them.
    from localcloud import landlock, linux_calls  # noqa: PLC0415

    linux_calls.forbid_new_privileges()
    redirect = None if _enter_own_root(view) else _build_redirect(view)
    with contextlib.suppress(OSError):
        if redirect:
            outside = {os.path.realpath(path) for path in view.shown.values()}
            readable = {*_SYSTEM, *_python_folders(), *_KERNEL, view.folder, *outside}
            landlock.restrict_files(readable, {_tmp_folder(view), *_DEVICES})
        else:
            # The new root is there to be read; of /proc, only what says nothing of others.
            readable = {f"/{name}" for name in os.listdir("/") if name != "proc"} | {*_KERNEL}  # noqa: PTH208
            landlock.restrict_files(readable, {"/tmp", *_DEVICES}, listable="/")  # noqa: S108
    linux_calls.drop_capabilities()
    if redirect:  # last, as what comes before opens the paths of the machine
        redirect.install()


def _enter_own_root(view: View) -> bool:
    from localcloud import own_root  # noqa: PLC0415 - as above

    if not view.namespaces:
        return False
    shown = {path: path for path in (*_SYSTEM, "/proc", *_python_folders())} | view.shown
    root = f"{view.folder}/root"
    os.mkdir(root)  # noqa: PTH102 - text, as mounts take it
    try:
        own_root.enter_root(root, shown, _DEVICES, view.tmp_megabytes)
    except OSError:
        return False
    os.chdir("/")
    return True


def _set_limits(tmp_megabytes: int) -> None:
    size = tmp_megabytes * _MEGABYTE
    for limit, wanted in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, size),
    ):
        _, hard = resource.getrlimit(limit)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(limit, (most, most))


def _build_redirect(view: View) -> Redirect:
    """Show the paths by redirecting Python's functions."""
    from localcloud.redirect import Redirect  # noqa: PLC0415 - as above

    tmp = _tmp_folder(view)
    os.makedirs(tmp)  # noqa: PTH103
    places = {"/tmp": tmp, **{path: path for path in _python_folders()}}  # noqa: S108 - this child's own
    for inside, outside in view.shown.items():
        places[inside] = outside
        if inside == outside:  # stays visible, also below /tmp
            continue
        # Links, for those who list the folders above, such as /var/lang.
        link = f"{view.folder}/files{inside}"
        os.makedirs(os.path.dirname(link), exist_ok=True)  # noqa: PTH103, PTH120
        os.symlink(outside, link)  # noqa: PTH211
        above = "/".join(inside.split("/")[:3])
        places.setdefault(above, f"{view.folder}/files{above}")
    return Redirect(places)


def _tmp_folder(view: View) -> str:
    return f"{view.folder}/tmp"  # noqa: S108 - as above


def _python_folders() -> set[str]:
    return {sys.base_prefix, sys.base_exec_prefix}
