"""Verified photos."""

import io
import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dashboard.aws import images
from dashboard.aws.images import Upload, verify
from tests.builders import jpeg, png
from workflow.contract import MAX_IMAGE_BYTES
from workflow.errors import WorkflowError


def refused(name: str, data: bytes) -> WorkflowError:
    with pytest.raises(WorkflowError) as caught:
        verify(Upload(name, data))
    assert name in caught.value.message
    assert caught.value.remedy
    return caught.value


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def header_only_png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds one byte of it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_a_png_of_any_mode_is_a_photo(mode: str) -> None:
    photo = verify(Upload("a.png", saved(Image.new(mode, (40, 20)), "PNG")))

    assert (photo.content_type, photo.width, photo.height) == ("image/png", 40, 20)
    assert Image.open(io.BytesIO(photo.thumbnail)).format == "JPEG"


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_of_any_mode_is_a_photo(mode: str) -> None:
    photo = verify(Upload("a.jpg", saved(Image.new(mode, (40, 20)), "JPEG")))

    assert photo.content_type == "image/jpeg"


def test_the_bytes_decide_and_not_the_name() -> None:
    assert verify(Upload("bicycle.png", jpeg())).content_type == "image/jpeg"


def test_a_thumbnail_is_small_and_the_right_way_up() -> None:
    lying = Image.new("RGB", (2000, 1000))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees

    photo = verify(Upload("a.jpg", saved(lying, "JPEG", exif=exif)))

    thumbnail = Image.open(io.BytesIO(photo.thumbnail))
    assert thumbnail.height > thumbnail.width
    assert max(thumbnail.size) <= images.THUMBNAIL_PIXELS


def test_transparency_becomes_white() -> None:
    photo = verify(Upload("a.png", saved(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "PNG")))

    assert Image.open(io.BytesIO(photo.thumbnail)).getpixel((4, 4)) == (255, 255, 255)


def test_an_empty_file_is_refused() -> None:
    assert refused("empty.png", b"").code == "EmptyFile"


def test_text_renamed_png_is_refused_as_text() -> None:
    error = refused("notes.png", b"just a note to myself")

    assert (error.code, error.message) == ("NotAnImage", "notes.png is text.")
    assert error.remedy == "Submit a PNG or a JPEG."


def test_the_way_on_for_a_heic_photo_names_the_setting_of_the_phone() -> None:
    heic = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"

    assert "Most Compatible" in refused("IMG_0001.HEIC", heic).remedy


def test_a_heic_photo_is_refused_by_its_name() -> None:
    heic = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"

    assert "a HEIC photo" in refused("IMG_0001.HEIC", heic).message


def test_an_animated_gif_is_refused() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    gif = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])

    assert "a GIF" in refused("dance.gif", gif).message


def test_an_animated_png_is_refused() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    apng = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])

    assert refused("dance.png", apng).code == "AnimatedImage"


def test_a_phone_photo_with_a_second_picture_is_a_photo() -> None:
    mpo = saved(
        Image.new("RGB", (64, 64)), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))]
    )

    assert verify(Upload("portrait.jpg", mpo)).width == 64


def progressive_jpeg() -> tuple[bytes, bytes]:
    """A JPEG without its end, and its last scan."""
    out = io.BytesIO()
    Image.new("L", (400, 400)).save(out, "JPEG", progressive=True)
    whole = out.getvalue()[:-2]
    return whole, whole[whole.rindex(b"\xff\xda") :]


def test_a_jpeg_whose_scans_take_minutes_is_refused() -> None:
    whole, scan = progressive_jpeg()
    hidden = b"\xff\xfe\x00\x04\xff\xd9"  # a comment that looks like the end of the image

    for between in (b"", hidden):
        problem = refused("slow.jpg", whole + (between + scan) * 100 + b"\xff\xd9")
        assert "more than 32 scans" in problem.message


def test_a_film_after_the_end_of_a_photo_is_no_scan() -> None:
    whole, scan = progressive_jpeg()

    assert verify(Upload("moving.jpg", whole + b"\xff\xd9" + scan * 100)).width == 400


def test_a_7_mb_photo_is_refused_with_the_limit() -> None:
    photo = jpeg() + bytes(7_000_000)

    error = refused("huge.jpg", photo)

    assert error.code == "ImageTooLarge"
    assert f"{MAX_IMAGE_BYTES:,}" in error.message


@pytest.mark.parametrize("side", [7_072, 12_000, 20_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    assert refused("bomb.png", header_only_png(side, side)).code == "TooManyPixels"


def test_a_truncated_jpeg_is_refused() -> None:
    whole = saved(Image.effect_noise((400, 400), 90).convert("RGB"), "JPEG")

    assert refused("half.jpg", whole[: len(whole) // 2]).code == "ImageDamaged"


def test_a_truncated_png_is_refused() -> None:
    assert refused("half.png", png(64, 64)[:60]).code == "ImageDamaged"


@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_bytes_raise_anything_but_a_refusal(junk: bytes, cut: int) -> None:
    for head in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", png(16, 16)[:cut], jpeg()[:cut]):
        with suppress(WorkflowError):
            assert verify(Upload("x", head + junk)).width > 0
