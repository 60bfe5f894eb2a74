"""Verified photos: a stranger's bytes in, a ``Photo`` or one clear sentence out.

The browser's file filter is a courtesy; what counts is read here, from the bytes. Pillow may open
PNG and JPEG only, and a picture is refused by the size in its header before it is decoded.
"""

import hashlib
import io
from dataclasses import dataclass, field

from PIL import Image, ImageOps, UnidentifiedImageError

from workflow import contract
from workflow.errors import WorkflowError

MAX_PIXELS = 50_000_000
"""Pixels of the largest picture that is decoded: 200 MB as RGBA, and more than a phone takes."""

THUMBNAIL_PIXELS = 320
_FORMATS = ("PNG", "JPEG")
_SMALLER = "Save it again at a smaller size (2,000 pixels wide is plenty) and submit that."


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was handed in: nothing about it is known to be true."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
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


def verify(upload: Upload) -> Photo:
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
        raise _refusal(error) from None
    with _opened(upload) as picture:
        width, height = picture.size
        thumbnail = _thumbnail(picture, upload.name)
    return Photo(
        name=upload.name,
        data=upload.data,
        content_type=content_type,
        width=width,
        height=height,
        sha256=hashlib.sha256(upload.data).hexdigest(),
        thumbnail=thumbnail,
    )


def _refusal(error: contract.ContractError) -> WorkflowError:
    """The contract's one text, whose last sentence is the remedy."""
    message, _, remedy = str(error).rpartition(". ")
    return WorkflowError(type(error).__name__, f"{message}.", remedy)


def _opened(upload: Upload) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(upload.data), formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(f"{upload.name} unpacks to far more pixels") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise _damaged(upload.name) from None
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(f"{upload.name} is {width:,} x {height:,} pixels, more")
    # A phone's JPEG may hold a second picture (MPO: depth, burst); only a PNG can be an animation.
    if picture.format == "PNG" and getattr(picture, "n_frames", 1) > 1:
        raise WorkflowError(
            "AnimatedImage",
            f"{upload.name} is an animation; one image is classified at a time.",
            "Save the frame you mean as a PNG or a JPEG and submit that.",
        )
    return picture


def _thumbnail(picture: Image.Image, name: str) -> bytes:
    """Decode the whole picture, which proves that it is whole, and keep a small copy."""
    # A JPEG is decoded at about the size wanted: it reads every byte, at a fraction of the work.
    picture.draft("RGB", (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    try:
        picture.load()
        upright = ImageOps.exif_transpose(picture)
    except (OSError, SyntaxError, ValueError, EOFError):
        raise _damaged(name) from None
    upright.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    flat = Image.new("RGB", upright.size, "white")
    coloured = upright.convert("RGBA")
    flat.paste(coloured, mask=coloured.getchannel("A"))
    out = io.BytesIO()
    flat.save(out, "JPEG", quality=85)
    return out.getvalue()


def _too_many_pixels(says: str) -> WorkflowError:
    return WorkflowError("TooManyPixels", f"{says} than the {MAX_PIXELS:,} allowed.", _SMALLER)


def _damaged(name: str) -> WorkflowError:
    return WorkflowError(
        "ImageDamaged",
        f"{name} begins like an image but is cut off or damaged.",
        "Copy or download it again, or open it in an image editor and save it anew.",
    )
