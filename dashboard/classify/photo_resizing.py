"""Photos that are too large for the endpoint, made smaller, with a sentence about the change."""

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image

from dashboard.aws.images import Upload
from workflow.contract import MAX_IMAGE_BYTES
from workflow.errors import WorkflowError
from workflow.pictures import PictureRefused, decode, on_white

SIDE: Final = 2000
"""Pixels of the longer side: the model looks at far fewer."""

QUALITY: Final = 88
_MEGA: Final = 1e6


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A photo that was made smaller.

    Attributes:
        upload: The smaller one, a JPEG.
        change: What was changed, one sentence.
    """

    upload: Upload
    change: str


def is_too_large(upload: Upload) -> bool:
    """Return whether a photo has more bytes than the endpoint takes."""
    return len(upload.data) > MAX_IMAGE_BYTES


def shrink_photo(upload: Upload) -> Shrunk:
    """Make a photo smaller.

    Raises:
        WorkflowError: As ``images.verify`` raises of a picture that cannot be decoded.
    """
    try:
        picture = decode(upload.data, at_least=SIDE)
    except PictureRefused as error:
        raise WorkflowError(error.code, f"{upload.name} {error.says}.", error.way_on) from None
    image = on_white(picture.image)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    before, after = len(upload.data) / _MEGA, out.tell() / _MEGA
    return Shrunk(
        Upload(f"{upload.name.rpartition('.')[0] or upload.name}-smaller.jpg", out.getvalue()),
        f"{upload.name}: {picture.width} by {picture.height} pixels and {before:.1f} MB became "
        f"{image.width} by {image.height} and {after:.1f} MB, as a JPEG.",
    )
