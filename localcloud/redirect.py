"""Redirect: lets Python's file functions find some absolute paths elsewhere.

For systems where a process can have no root of its own: ``/tmp`` and ``/var/task`` are then this
child's, as far as Python opens them. Native code and other programs see the paths of the machine.
"""

import _imp
import _io
import builtins
import copy
import functools
import io
import os
import posix
import posixpath
import tokenize
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

_ONE_PATH = (
    "access", "chdir", "chmod", "chown", "lchown", "listdir", "listxattr", "lstat", "mkdir",
    "mkfifo", "open", "readlink", "remove", "rmdir", "scandir", "stat", "statvfs", "truncate",
    "unlink", "utime",
)  # fmt: skip
_TWO_PATHS = ("link", "rename", "replace", "symlink")
_PATH_NAMES = {"path", "file", "src", "dst"}
_OPENERS: tuple[tuple[ModuleType, str], ...] = (
    (builtins, "open"),
    (io, "open"),
    (_io, "open"),
    (tokenize, "_builtin_open"),
)


class Redirect:
    """Maps absolute paths; ``install`` makes Python's functions use it.

    Args:
        places: Where paths really lie, with everything below them; the longest that fits is used.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = sorted(places.items(), key=lambda place: -len(place[0]))
        # By real paths, because getcwd() gives those.
        self._names = [(os.path.realpath(there), path) for path, there in self._places]

    def real_path(self, path: Any) -> Any:  # noqa: ANN401 - whatever a caller gives as a path
        """Return where a path lies; descriptors and other paths are given back as they are."""
        if not isinstance(path, str | bytes | os.PathLike):
            return path
        text = posixpath.normpath(os.fsdecode(path))
        there = _replace_start(text, self._places)
        if there == text or self.shown_path(text) != text:  # it is where it belongs already
            return path
        return os.fsencode(there) if isinstance(path, bytes) else there

    def shown_path(self, path: str) -> str:
        """Return the path by which a function knows a real one."""
        return _replace_start(path, self._names)

    def install(self) -> None:
        """Replace Python's functions by ones that redirect; for the rest of the process."""
        for name in (*_ONE_PATH, *_TWO_PATHS):
            original = getattr(os, name, None)
            if original is None:
                continue
            wrapped = self._wrap_function(original, 2 if name in _TWO_PATHS else 1)
            # Callers look into these sets before they pass dir_fd, a descriptor or follow_symlinks.
            for supported in (
                os.supports_dir_fd,
                os.supports_fd,
                os.supports_follow_symlinks,
                os.supports_effective_ids,
            ):
                if original in supported:
                    supported.add(wrapped)
            setattr(os, name, wrapped)
            setattr(posix, name, wrapped)
        for module, name in _OPENERS:
            setattr(module, name, self._wrap_function(getattr(module, name), 1))
        self._install_rest()

    def _install_rest(self) -> None:
        getcwd, create_dynamic = os.getcwd, _imp.create_dynamic

        def load_extension(spec: Any, *rest: Any) -> Any:  # noqa: ANN401 - as importlib gives it
            there = copy.copy(spec)
            there.origin = self.real_path(spec.origin)
            return create_dynamic(there, *rest)

        os.getcwd = posix.getcwd = lambda: self.shown_path(getcwd())
        _imp.create_dynamic = load_extension

    def _wrap_function(self, original: Callable[..., Any], paths: int) -> Callable[..., Any]:
        @functools.wraps(original)
        def redirected(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - as the original
            moved = [self.real_path(path) for path in given[:paths]]
            named |= {name: self.real_path(named[name]) for name in _PATH_NAMES & named.keys()}
            try:
                return original(*moved, *given[paths:], **named)
            except OSError as error:  # the message names the path that the caller gave
                for there, path in zip(moved, given, strict=False):
                    if error.filename == there:
                        error.filename = path
                    elif error.filename2 is not None and error.filename2 == there:
                        error.filename2 = path
                raise

        return redirected


def _replace_start(path: str, places: Iterable[tuple[str, str]]) -> str:
    for start, other in places:
        if path == start or path.startswith(f"{start}/"):
            return other + path[len(start) :]
    return path
