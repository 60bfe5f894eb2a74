"""Small cases that tests build instead of shipping real artefacts."""

import base64
import io

from PIL import Image

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAA"
    "AABJRU5ErkJggg=="
)
"""A red PNG of 2 x 2 pixels."""

JPEG = b"\xff\xd8\xff\xe0" + bytes(16)
"""The first bytes of a JPEG."""


def png(width: int = 32, height: int = 32, color: str = "red") -> bytes:
    """A whole PNG of one colour."""
    return _saved(Image.new("RGB", (width, height), color), "PNG")


def jpeg(width: int = 32, height: int = 32, color: str = "red") -> bytes:
    """A whole JPEG of one colour."""
    return _saved(Image.new("RGB", (width, height), color), "JPEG")


def _saved(picture: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()
