"""Formats: what a file is by its first bytes, and how one gets on where it is no PNG and no JPEG.

Standard library only: this file is shipped with every Lambda function and inside the model archive,
so that the page, the functions and the model call a file by the same name.
"""

import re
from dataclasses import dataclass

HEAD_BYTES = 1024
"""So many of a file's first bytes are looked at."""

_IMAGE_TYPES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


@dataclass(frozen=True, slots=True)
class OtherFormat:
    """A format that is not served.

    Attributes:
        name: With its article, such as ``a HEIC photo``.
        way_on: What to do about it, one sentence.
    """

    name: str
    way_on: str


_SUBMIT = "Submit a PNG or a JPEG."
_SAVE = "Open it in a browser or an image editor, save it as a PNG or a JPEG, and submit that."
_PHONE = (
    "Export it as a JPEG and submit that; for the next photos, choose Settings, Camera, Formats, "
    "Most Compatible on an iPhone."
)
_RAW = "Export it as a JPEG from the camera or a photo program and submit that."
_PAGE = "Export the page you mean as a PNG or a JPEG and submit that."
_UNPACK = "Unpack it and submit the images in it."
_FRAME = "Save the frame you mean as a PNG or a JPEG and submit that."
_AGAIN = "Download the image itself and submit that."
_DECODE = "Decode the base64 into a file and submit that."
_BINARY = "Copy or download the file again in binary mode and submit that."

_HEIC = OtherFormat("a HEIC photo", _PHONE)
_HEIF = OtherFormat("a HEIF image", _PHONE)
_AVIF = OtherFormat("an AVIF image", _SAVE)
_VIDEO = OtherFormat("a video", _FRAME)
_TEXT = OtherFormat("text", _SUBMIT)
_UNKNOWN = OtherFormat("no image format that is known here", _SUBMIT)

# Where the bytes are, what they are, and what that means. The first that fits counts.
_SIGNATURES = (
    (0, b"GIF8", OtherFormat("a GIF", _FRAME)),
    (0, b"\x00\x00\x00\x0cJXL ", OtherFormat("a JPEG XL image", _SAVE)),
    (0, b"\xff\x0a", OtherFormat("a JPEG XL image", _SAVE)),
    (0, b"\x00\x00\x00\x0cjP  ", OtherFormat("a JPEG 2000 image", _SAVE)),
    (0, b"\xff\x4f\xff\x51", OtherFormat("a JPEG 2000 image", _SAVE)),
    (8, b"WEBP", OtherFormat("a WebP image", _SAVE)),
    (8, b"AVI ", _VIDEO),
    (8, b"WAVE", OtherFormat("a sound file", _SUBMIT)),
    (8, b"CR\x02\x00", OtherFormat("a RAW photo (Canon CR2)", _RAW)),
    (0, b"FUJIFILMCCD-RAW", OtherFormat("a RAW photo (Fujifilm RAF)", _RAW)),
    (0, b"IIRO", OtherFormat("a RAW photo (Olympus ORF)", _RAW)),
    (0, b"IIRS", OtherFormat("a RAW photo (Olympus ORF)", _RAW)),
    (0, b"IIU\x00", OtherFormat("a RAW photo (Panasonic RW2)", _RAW)),
    (0, b"FOVb", OtherFormat("a RAW photo (Sigma X3F)", _RAW)),
    (0, b"\x00MRM", OtherFormat("a RAW photo (Minolta MRW)", _RAW)),
    (0, b"II*\x00", OtherFormat("a TIFF image or a camera's RAW photo", _SAVE)),
    (0, b"MM\x00*", OtherFormat("a TIFF image or a camera's RAW photo", _SAVE)),
    (0, b"II+\x00", OtherFormat("a TIFF image (BigTIFF)", _SAVE)),
    (0, b"MM\x00+", OtherFormat("a TIFF image (BigTIFF)", _SAVE)),
    (0, b"8BPS", OtherFormat("a Photoshop document", _SAVE)),
    *((0, b"P%d\n" % kind, OtherFormat("a PNM image", _SAVE)) for kind in range(1, 8)),
    (0, b"gimp xcf", OtherFormat("a GIMP document", _SAVE)),
    (0, b"\x00\x00\x01\x00", OtherFormat("an ICO icon", _SAVE)),
    (0, b"icns", OtherFormat("an ICNS icon", _SAVE)),
    (0, b"qoif", OtherFormat("a QOI image", _SAVE)),
    (0, b"DDS ", OtherFormat("a DDS texture", _SAVE)),
    (0, b"\x76\x2f\x31\x01", OtherFormat("an OpenEXR image", _SAVE)),
    (0, b"#?RADIANCE", OtherFormat("a Radiance HDR image", _SAVE)),
    (0, b"SIMPLE  =", OtherFormat("a FITS image", _SAVE)),
    (128, b"DICM", OtherFormat("a DICOM image", _SAVE)),
    (0, b"\x8aMNG", OtherFormat("an MNG animation", _FRAME)),
    (0, b"%PDF", OtherFormat("a PDF document", _PAGE)),
    (0, b"%!PS", OtherFormat("a PostScript document", _PAGE)),
    (0, b"\xd0\xcf\x11\xe0", OtherFormat("an Office document", _PAGE)),
    (0, b"PK\x03\x04", OtherFormat("a zip archive", _UNPACK)),
    (0, b"PK\x05\x06", OtherFormat("an empty zip archive", _SUBMIT)),
    (0, b"\x1f\x8b", OtherFormat("a gzip file", _UNPACK)),
    (0, b"7z\xbc\xaf\x27\x1c", OtherFormat("a 7-Zip archive", _UNPACK)),
    (0, b"Rar!", OtherFormat("a RAR archive", _UNPACK)),
    (0, b"\xfd7zXZ", OtherFormat("an xz file", _UNPACK)),
    (0, b"BZh", OtherFormat("a bzip2 file", _UNPACK)),
    (0, b"\x28\xb5\x2f\xfd", OtherFormat("a Zstandard file", _UNPACK)),
    (257, b"ustar", OtherFormat("a tar archive", _UNPACK)),
    (0, b"\x1a\x45\xdf\xa3", _VIDEO),
    (4, b"moov", _VIDEO),
    (4, b"mdat", _VIDEO),
    (0, b"ID3", OtherFormat("a sound file", _SUBMIT)),
    (0, b"\x93NUMPY", OtherFormat("a NumPy array", _SAVE)),
    (0, b"PAR1", OtherFormat("a Parquet table", _SUBMIT)),
    (0, b"\x89HDF", OtherFormat("an HDF5 file", _SUBMIT)),
    (0, b"\x80\x04\x95", OtherFormat("a Python pickle", _SUBMIT)),
    (
        0,
        b"\x00\x05\x16\x07",
        OtherFormat(
            "what macOS keeps beside a file (._)", "Submit the file without ._ before its name."
        ),
    ),
    (0, b"\x89PNG", OtherFormat("a PNG whose line ends were changed on its way", _BINARY)),
    (0, b"\xef\xbf\xbdPNG", OtherFormat("a PNG that was read as text on its way", _BINARY)),
    (0, b"\xc2\x89PNG", OtherFormat("a PNG that was read as text on its way", _BINARY)),
    (0, b"\xef\xbf\xbd\xef\xbf\xbd", OtherFormat("a file that was read as text", _BINARY)),
    (0, b"\xc3\xbf\xc3\x98\xc3\xbf", OtherFormat("a JPEG that was read as text", _BINARY)),
)

# Of ISO media files ("ftyp"): what the brand, or one it is compatible with, stands for.
_BRANDS = (
    ((b"avif", b"avis"), _AVIF),
    ((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), _HEIC),
    ((b"mif1", b"msf1", b"mif2", b"miaf"), _HEIF),
    ((b"crx ",), OtherFormat("a RAW photo (Canon CR3)", _RAW)),
    ((b"jxl ",), OtherFormat("a JPEG XL image", _SAVE)),
    ((b"jp2 ", b"jpx "), OtherFormat("a JPEG 2000 image", _SAVE)),
)

# Of texts: how they begin, in lower case.
_TEXTS = (
    (
        r"version https://(git-lfs\.|hawser\.)",
        OtherFormat(
            "a Git LFS pointer, not the image", "Run git lfs pull and submit the image itself."
        ),
    ),
    (
        r"\S*/annex/objects/",
        OtherFormat(
            "a git-annex pointer, not the image", "Run git annex get and submit the image."
        ),
    ),
    (r"data:[a-z]+/[^,]{1,80};base64,", OtherFormat("a data URL, an image as base64", _DECODE)),
    (r"(/9j/|ivborw0kggo)", OtherFormat("an image as base64 text", _DECODE)),
    (
        r"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype svg[^>]*>\s*)?<svg",
        OtherFormat("an SVG", _SAVE),
    ),
    (r"(<!doctype html|<html|<head|<body)", OtherFormat("an HTML page, not an image", _AGAIN)),
    (
        r"(<\?xml[^>]*>\s*)?<error>",
        OtherFormat("an error message of S3 (XML), not the image", _AGAIN),
    ),
    (r"<\?xml", OtherFormat("an XML document", _SUBMIT)),
    (r"\{\\rtf", OtherFormat("an RTF document", _PAGE)),
    (r"[\[{]\s*([\"\[{\]}]|-?\d|$)", OtherFormat("JSON text, not an image", _SUBMIT)),
    (r"https?://\S+\s*$", OtherFormat("an address, not the image", _AGAIN)),
)


def image_type(data: bytes) -> str | None:
    """``image/png`` or ``image/jpeg``, as the first bytes prove; None for anything else."""
    return next((kind for signature, kind in _IMAGE_TYPES if data.startswith(signature)), None)


def other_format(data: bytes) -> OtherFormat:
    """Return what a file is that is no PNG and no JPEG, as far as its first bytes tell."""
    head = data[:HEAD_BYTES]
    if not head:
        return OtherFormat("empty", "Choose the file again, or another one.")
    if not head.strip(b"\0"):
        return OtherFormat("nothing but zero bytes", _BINARY)
    found = _by_brand(head) if head[4:8] == b"ftyp" else _by_signature(head)
    text = None if found else _text(head)
    return found or (_UNKNOWN if text is None else _by_text(text))


def _by_signature(head: bytes) -> OtherFormat | None:
    if head.startswith(b"BM") and head[6:10] == bytes(4):  # BM alone may begin a text
        return OtherFormat("a BMP image", _SAVE)
    found = (kind for offset, signature, kind in _SIGNATURES if head.startswith(signature, offset))
    return next(found, None)


def _by_brand(head: bytes) -> OtherFormat:
    """What an ISO media file is: its own brand counts first, then those it is compatible with."""
    end = min(len(head), max(16, int.from_bytes(head[:4], "big")))
    major, *others = [head[8:12], *(head[at : at + 4] for at in range(16, end, 4))]
    for brand in (major, *others):
        found = next((kind for brands, kind in _BRANDS if brand in brands), None)
        # HEIF says no more than that it is a container: what is in it, the others say.
        if found and (found is not _HEIF or not _more_exact(others)):
            return found
    return _more_exact(others) or _VIDEO


def _more_exact(brands: list[bytes]) -> OtherFormat | None:
    kinds = (kind for brands_of, kind in _BRANDS for brand in brands if brand in brands_of)
    return next((kind for kind in kinds if kind is not _HEIF), None)


def _text(head: bytes) -> str | None:
    """Return the first characters of a text in UTF-8 or UTF-16; None for binary data."""
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        # The last character may be cut.
        text = head.decode(encoding) if len(head) < HEAD_BYTES else head[:-4].decode(encoding)
    except UnicodeDecodeError as error:
        if error.start < len(head) - 8:
            return None
        text = head[: error.start].decode(encoding, "ignore")
    return (
        text if all(character.isprintable() or character.isspace() for character in text) else None
    )


def _by_text(text: str) -> OtherFormat:
    begin = text.lstrip().lower()
    return next((kind for pattern, kind in _TEXTS if re.match(pattern, begin, re.DOTALL)), _TEXT)
