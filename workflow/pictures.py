"""Pictures: a stranger's bytes as one upright eight-bit picture, or one named refusal.

The page, image drift and the model decode with this file; it is shipped inside the model archive,
beside ``inference.py``. Only what makes the picture reaches Pillow: other segments and chunks
(EXIF, colour profiles, comments, previews) are cut off before, so that they can decide about
nothing. Of EXIF the orientation alone is looked at, and where it cannot be read there is none.
"""

import io
import re
import struct
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from PIL import Image, UnidentifiedImageError

from workflow.formats import image_type, other_format

MAX_PIXELS = 50_000_000
"""Pixels of the largest picture that is decoded: 200 MB as RGBA, and more than a phone takes."""

_PNG_HEAD = 8
_DEEPEST = 255
_CHUNK_EXTRA = 12
_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""What makes the picture of a PNG (PNG specification, "Chunk specifications")."""

# Markers of a JPEG (ITU T.81, table B.1); those below the first segment and from the restarts to
# the end of the image stand alone.
_FIRST_SEGMENT, _RESTART, _EOI, _SOS = 0xC0, 0xD0, 0xD9, 0xDA
_APP0, _APP1, _APP14, _APP15, _COMMENT, _FILL = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE, 0xFF
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)
"""The next marker among the bytes of a scan, in which 0xFF is followed by 0 or by a restart."""
_MOST_SCANS = 32
_JFIF = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SMALLER = "Save it again at a smaller size (2,000 pixels wide is plenty) and submit that."
_ANEW = "Copy or download it again, or open it in an image editor and save it again."
_STILL = "Save the frame you mean as a PNG or a JPEG and submit that."


class PictureRefused(Exception):  # noqa: N818 - an outcome, no fault
    """Bytes that are no picture to classify.

    Attributes:
        code: ``NotAnImage``, ``TooManyPixels``, ``AnimatedImage`` or ``ImageDamaged``.
        says: What is the matter, to follow the file's name: ``is a HEIC photo``.
        way_on: What to do about it, one sentence.
    """

    def __init__(self, code: str, says: str, way_on: str) -> None:
        super().__init__(code, says, way_on)
        self.code = code
        self.says = says
        self.way_on = way_on


class Picture:
    """A picture that decoded.

    Attributes:
        image: Upright, in RGB, or RGBA where parts are transparent. A JPEG may be smaller than
            it is in its file, but no smaller than was asked for.
        width: Pixels in the file, before it was turned.
        height: Pixels in the file.
    """

    def __init__(self, image: Image.Image, width: int, height: int) -> None:
        self.image = image
        self.width = width
        self.height = height


def decode(data: bytes, *, at_least: int) -> Picture:
    """Decode a PNG or a JPEG.

    Args:
        data: The whole file.
        at_least: Pixels a side that are enough: a large JPEG is decoded at a fraction of its size,
            many times faster.

    Raises:
        PictureRefused: Whatever else the bytes are.
    """
    kind = image_type(data)
    if kind is None:
        other = other_format(data)
        raise PictureRefused("NotAnImage", f"is {other.name}", other.way_on)
    try:
        return _decoded(*(_png(data) if kind == "image/png" else _jpeg(data)), at_least)
    except PictureRefused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large("unpacks to far") from None
    except UnidentifiedImageError:
        raise PictureRefused(
            "ImageDamaged", "is damaged: its header cannot be read", _ANEW
        ) from None
    except (
        Exception
    ) as error:  # the edge: whatever a file makes Pillow raise is that file's refusal
        says = f"is cut off or damaged ({type(error).__name__}: {str(error)[:80]})"
        raise PictureRefused("ImageDamaged", says, _ANEW) from error


def on_white(image: Image.Image) -> Image.Image:
    """Return the picture in RGB; transparent parts are white."""
    if image.mode == "RGB":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _decoded(picture: bytes, exif: bytes, at_least: int) -> Picture:
    image = Image.open(io.BytesIO(picture), formats=("PNG", "JPEG"))
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(f"is {width:,} x {height:,} pixels,")
    image.draft(None, (at_least, at_least))
    image.load()
    clear = image.info.get("transparency")
    if isinstance(clear, tuple) and max(clear) > _DEEPEST:  # Pillow keeps 8 bits of the colours
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    turn = _TURNS.get(_orientation(exif))
    return Picture(_eight_bit(image if turn is None else image.transpose(turn)), width, height)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 bits would be clipped at 255, and lose its transparent value."""
    if not image.mode.startswith("I"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    deep = np.asarray(image).astype(np.uint32)
    grey = Image.fromarray((deep >> 8).astype(np.uint8))
    clear = image.info.get("transparency")
    if not isinstance(clear, int):
        return grey.convert("RGB")
    opaque = Image.fromarray(np.where(deep == clear, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, opaque)).convert("RGBA")


def _orientation(exif: bytes) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none that can be read."""
    found: object = None
    with suppress(Exception):  # EXIF is not part of the picture: odd EXIF is no EXIF
        read = Image.Exif()
        read.load(exif)
        found = read.get(_ORIENTATION)
    return found if isinstance(found, int) else 1


def _png(data: bytes) -> tuple[bytes, bytes]:
    """Return the parts of a PNG that make its picture, and its EXIF.

    Raises:
        PictureRefused: It is animated.
    """
    parts, exif = [data[:_PNG_HEAD]], b""
    for name, begin, end in _chunks(data):
        if name in _CHUNKS:
            parts.append(data[begin:end])
        elif name == b"eXIf":
            exif = data[begin + 8 : end - 4]
        elif name == b"acTL" and int.from_bytes(data[begin + 8 : begin + 12], "big") > 1:
            says = "is an animation; one image is classified at a time"
            raise PictureRefused("AnimatedImage", says, _STILL)
    return b"".join(parts), exif


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of each chunk; the last one may be cut off."""
    begin = _PNG_HEAD
    while begin + _CHUNK_EXTRA <= len(data):
        length, name = struct.unpack_from(">I4s", data, begin)
        end = begin + length + _CHUNK_EXTRA
        yield name, begin, min(end, len(data))
        if name == b"IEND":
            return
        begin = end


def _jpeg(data: bytes) -> tuple[bytes, bytes]:
    """Return the parts of a JPEG that make its picture, and its EXIF.

    Of the application segments, JFIF and Adobe's tell how colours are coded; others are cut off.

    Raises:
        PictureRefused: It has more scans than any photo.
    """
    parts, exif, position = [data[:2]], b"", 2
    while position + 4 <= len(data) and data[position] == _FILL:
        marker = data[position + 1]
        if marker == _FILL:
            position += 1
            continue
        if marker == _SOS or marker < _FIRST_SEGMENT or _RESTART <= marker <= _EOI:
            break
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        end = position + 2 + max(length, 2)
        content = data[position + 4 : end]
        if marker == _APP1 and content.startswith(_EXIF) and not exif:
            exif = content
        if marker == _APP0 and content.startswith(b"JFIF\0"):
            parts.append(b"\xff\xe0" + struct.pack(">H", len(_JFIF) + 2) + _JFIF)
        elif marker == _APP14 or not (_APP0 <= marker <= _APP15 or marker == _COMMENT):
            parts.append(data[position:end])
        position = end
    _check_scans(data, position)
    return b"".join([*parts, data[position:]]), exif


def _check_scans(data: bytes, position: int) -> None:
    """Refuse a JPEG that takes minutes: each scan is a few bytes and goes over the whole picture.

    Bytes after the end of the image do not count: phones keep a film there.
    """
    scans = 0
    while (found := _MARKER.search(data, position)) and found[0][-1] != _EOI:
        scans += found[0][-1] == _SOS
        if scans > _MOST_SCANS:
            says = f"has more than {_MOST_SCANS} scans; photos have a dozen"
            raise PictureRefused("ImageDamaged", says, _ANEW)
        position = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")


def _too_large(says: str) -> PictureRefused:
    return PictureRefused("TooManyPixels", f"{says} more than the {MAX_PIXELS:,} allowed", _SMALLER)
