"""Pipes: how a child process talks to its parent: frames of a length and content.

A length has 4 bytes, big endian. ``process`` is the parent's side. What the child prints goes to
the log pipe (stderr).
"""

import os
import struct
import sys
from typing import BinaryIO

_LENGTH = 4


def own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take the protocol's pipes off stdin and stdout, so that prints land in the log."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return requests, replies


def read_frame(pipe: BinaryIO) -> bytes | None:
    """Return the next frame; None where the other side has closed the pipe."""
    head = pipe.read(_LENGTH)
    if len(head) < _LENGTH:
        return None
    return pipe.read(struct.unpack(">I", head)[0])


def write_frames(pipe: BinaryIO, *frames: bytes) -> None:
    """Send frames."""
    pipe.write(b"".join(struct.pack(">I", len(frame)) + frame for frame in frames))
    pipe.flush()
