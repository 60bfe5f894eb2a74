"""Verified photos: a stranger's bytes in, a ``VerifiedPhoto`` or one clear sentence out.

The browser's file filter is a courtesy; what counts is read here, from the bytes, and decoded as
the model decodes it.
"""

import hashlib
import io
from dataclasses import dataclass, field

from workflow import contract
from workflow.errors import WorkflowError
from workflow.pictures import Picture, PictureRefused, decode, on_white

THUMBNAIL_PIXELS = 320


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was handed in: nothing about it is known to be true."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedPhoto:
    """A picture that decodes.

    Attributes:
        name: The file's own name, for people.
        data: The bytes as handed in.
        content_type: ``image/png`` or ``image/jpeg``, as the bytes prove.
        width: Pixels, before any EXIF rotation.
        height: Pixels.
        sha256: Hex digest of ``data``.
        thumbnail: A JPEG of at most 320 pixels a side, the right way up.
    """

    name: str
    data: bytes = field(repr=False)
    content_type: str
    width: int
    height: int
    sha256: str
    thumbnail: bytes = field(repr=False)


def verify(upload: Upload) -> VerifiedPhoto:
    """Make sure that an upload is a picture the workflow can classify.

    Raises:
        WorkflowError: ``EmptyFile``, ``NotAnImage``, ``ImageTooLarge``, ``TooManyPixels``,
            ``AnimatedImage`` or ``ImageDamaged``.
    """
    if not upload.data:
        raise WorkflowError(
            "EmptyFile", f"{upload.name} is empty.", "Choose the file again, or another one."
        )
    try:
        content_type = contract.content_type(upload.data, upload.name)
        contract.check_size(len(upload.data), upload.name)
    except contract.ContractError as error:
        raise _refuse_by_contract(error) from None
    try:
        picture = decode(upload.data, at_least=THUMBNAIL_PIXELS)
    except PictureRefused as error:
        message = f"{upload.name} {error.says}."
        raise WorkflowError(error.code, message, error.way_on) from None
    return VerifiedPhoto(
        name=upload.name,
        data=upload.data,
        content_type=content_type,
        width=picture.width,
        height=picture.height,
        sha256=hashlib.sha256(upload.data).hexdigest(),
        thumbnail=_make_thumbnail(picture),
    )


def _refuse_by_contract(error: contract.ContractError) -> WorkflowError:
    """Return the contract's one text, whose last sentence is the remedy."""
    message, _, remedy = str(error).rpartition(". ")
    return WorkflowError(type(error).__name__, f"{message}.", remedy)


def _make_thumbnail(picture: Picture) -> bytes:
    picture.image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    out = io.BytesIO()
    on_white(picture.image).save(out, "JPEG", quality=85)
    return out.getvalue()
