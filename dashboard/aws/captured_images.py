"""Captured images: the input behind a capture, fetched by Range out of its object."""

import io
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from PIL import Image

from dashboard.aws.images import Upload, verify
from dashboard.aws.objects import Bucket
from workflow.captures import image_of, unzipped
from workflow.errors import WorkflowError
from workflow.image_statistics import ImageStatistics, image_statistics
from workflow.pictures import decode, on_white

AT_ONCE: Final = 16

LARGE_PIXELS: Final = 1_280
"""The longer side of a photo that is looked at by itself."""


@dataclass(frozen=True, slots=True)
class CaptureLine:
    """Where one capture lies.

    Attributes:
        key: S3 key of the object.
        offset: Where the line begins, in (decompressed) bytes.
        length: Length of the line in bytes.
        gzipped: Whether the object has to be decompressed first.
        event_id: The event to look for where the place in the object is not known.
    """

    key: str
    offset: int
    length: int
    gzipped: bool
    event_id: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "CaptureLine":
        """Read a row of the captures table, or of a query that knows the key and the event."""
        if row.get("length") is None:
            return cls(row["key"], 0, 0, gzipped=False, event_id=row["event_id"])
        return cls(row["key"], row["offset"], row["length"], bool(row["gzipped"]))


def captured_input(bucket: Bucket, line: CaptureLine) -> tuple[bytes, str]:
    """Return what the endpoint was given, and its content type.

    Raises:
        WorkflowError: ``CaptureUnreadable``, or AWS's code.
    """
    if line.event_id:
        return image_of(_line_of(bucket.read_whole(line.key), line.event_id))
    if line.gzipped:
        whole, _ = unzipped(bucket.read_whole(line.key))
        return image_of(whole[line.offset : line.offset + line.length])
    return image_of(bucket.read_range(line.key, line.offset, line.length))


def _line_of(data: bytes, event_id: str) -> bytes:
    """Return the line of an object that holds an event; nothing where none does."""
    wanted = event_id.encode()
    # By the bytes: Athena gives no place, and parsing every line takes far longer.
    return next((line for line in data.splitlines() if wanted in line), b"")


def fetch_captured_thumbnail(bucket: Bucket, line: CaptureLine) -> bytes:
    """Return a small JPEG of the captured image.

    Raises:
        WorkflowError: As ``captured_input``; ``NotAnImage`` and its like where it is none.
    """
    data, _ = captured_input(bucket, line)
    return verify(Upload("The captured input", data)).thumbnail


@dataclass(frozen=True, slots=True)
class LargePhoto:
    """A captured image as a reviewer sees it.

    Attributes:
        jpeg: At most ``LARGE_PIXELS`` a side, the right way up.
        statistics: Of the image.
    """

    jpeg: bytes = field(repr=False)
    statistics: ImageStatistics


def large_photo(bucket: Bucket, line: CaptureLine) -> LargePhoto:
    """Return the captured image large enough to judge it.

    Raises:
        WorkflowError: As ``captured_input``; ``NotAnImage`` and its like where it is none.
    """
    data, _ = captured_input(bucket, line)
    statistics = _measured(data)
    picture = decode(data, at_least=LARGE_PIXELS)
    picture.image.thumbnail((LARGE_PIXELS, LARGE_PIXELS))
    out = io.BytesIO()
    on_white(picture.image).save(out, "JPEG", quality=90)
    return LargePhoto(out.getvalue(), statistics)


def sample_statistics(
    bucket: Bucket, lines: Iterable[CaptureLine]
) -> tuple[list[ImageStatistics], int]:
    """Measure captured images.

    Returns:
        The statistics of those that are images, and how many are not or cannot be read.
    """

    def measure(line: CaptureLine) -> ImageStatistics | None:
        try:
            return _measured(captured_input(bucket, line)[0])
        except WorkflowError:
            return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(measure, lines))
    usable = [statistics for statistics in found if statistics is not None]
    return usable, len(found) - len(usable)


def _measured(data: bytes) -> ImageStatistics:
    """Measure an image as people see it.

    Raises:
        WorkflowError: It is none, as ``verify`` says.
    """
    # By its thumbnail: every image is measured upright and at about the same size.
    photo = verify(Upload("The captured input", data))
    with Image.open(io.BytesIO(photo.thumbnail), formats=("JPEG",)) as picture:
        found = image_statistics(np.asarray(picture.convert("RGB")))
    return replace(found, pixels=float(photo.width * photo.height))
