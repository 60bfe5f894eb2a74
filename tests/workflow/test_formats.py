"""What people send in place of a PNG or a JPEG is called by its name, with a way on."""

import gzip
import io
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.builders import JPEG, PNG
from workflow.formats import image_type, other_format


def saved(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, kind)
    return out.getvalue()


def media(major: bytes, *compatible: bytes) -> bytes:
    """The first box of an ISO media file."""
    brands = b"".join(compatible)
    return (16 + len(brands)).to_bytes(4, "big") + b"ftyp" + major + bytes(4) + brands + bytes(64)


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.png", PNG)
    return out.getvalue()


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        file.addfile(tarfile.TarInfo("a.png"))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "empty"),
        (bytes(100), "nothing but zero bytes"),
        (saved("GIF"), "a GIF"),
        (saved("WEBP"), "a WebP image"),
        (saved("AVIF"), "an AVIF image"),
        (saved("BMP"), "a BMP image"),
        (saved("TIFF"), "a TIFF image or a camera's RAW photo"),
        (saved("JPEG2000"), "a JPEG 2000 image"),
        (saved("ICO"), "an ICO icon"),
        (saved("PPM"), "a PNM image"),
        (saved("PDF"), "a PDF document"),
        (media(b"heic"), "a HEIC photo"),
        (media(b"heim"), "a HEIC photo"),
        (media(b"mif1", b"mif1", b"heic"), "a HEIC photo"),
        (media(b"msf1"), "a HEIF image"),
        (media(b"mif1", b"miaf", b"avif"), "an AVIF image"),
        (media(b"crx ", b"isom"), "a RAW photo (Canon CR3)"),
        (media(b"jp2 "), "a JPEG 2000 image"),
        (media(b"qt  "), "a video"),
        (media(b"isom", b"mp41"), "a video"),
        (b"II*\0\x10\0\0\0CR\x02\0", "a RAW photo (Canon CR2)"),
        (b"\xff\x0a" + bytes(9), "a JPEG XL image"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
        (archive(), "a zip archive"),
        (gzip.compress(PNG, mtime=0), "a gzip file"),
        (tar(), "a tar archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer, not"),
        (b"../.git/annex/objects/xx/yy/SHA256E-s1", "a git-annex pointer"),
        (b"data:image/png;base64,iVBORw0KGgo=", "a data URL, an image as base64"),
        (b"iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIA", "an image as base64 text"),
        (b"/9j/4AAQSkZJRgABAQAAAQABAAD", "an image as base64 text"),
        (b"\n<!DOCTYPE html><html><body>404", "an HTML page"),
        (b"<html>", "an HTML page"),
        (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "an error message of S3"),
        (b'<?xml version="1.0"?><svg xmlns="a"/>', "an SVG"),
        (b"<svg/>", "an SVG"),
        (b'{"captureData": {}}', "JSON text"),
        (b"[0.9, 0.1]", "JSON text"),
        (b"https://example.com/a.png", "an address, not the image"),
        (b"\x89PNG\n\x1a\n" + bytes(20), "a PNG whose line ends were changed"),
        (PNG.decode("utf-8", "replace").encode(), "a PNG that was read as text"),
        (JPEG.decode("utf-8", "replace").encode(), "a file that was read as text"),
        (b"\0\x05\x16\x07\0\x02\0\0Mac OS X", "what macOS keeps beside a file"),
        (b"BMW and other brands", "text"),
        ("ни велосипед".encode(), "text"),
        ("a bicycle".encode("utf-16"), "text"),
        ("ü" * 2000, "text"),
        (b"\0\1\2\3\xfe", "no image format that is known here"),
    ],
)
def test_a_file_is_called_what_it_is(data: bytes | str, name: str) -> None:
    bytes_ = data if isinstance(data, bytes) else data.encode()

    found = other_format(bytes_)

    assert image_type(bytes_) is None
    assert found.name.startswith(name)
    assert found.way_on.endswith(".")
    assert ". " not in found.way_on


def test_png_and_jpeg_are_served() -> None:
    assert image_type(PNG) == "image/png"
    assert image_type(JPEG) == "image/jpeg"


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_every_file_has_a_name_and_a_way_on(data: bytes) -> None:
    found = other_format(data)

    assert found.name
    assert found.way_on
