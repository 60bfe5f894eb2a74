"""The endpoint's own code: what it accepts, what it refuses and what it answers."""

import io
import json
import struct
import sys
import types
import zlib
from importlib import util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deploy.model.artifacts import ARTIFACTS
from deploy.model.code import inference
from deploy.model.code.inference import ImageRefused


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A red picture with a blue left half."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (0, 0, size[0] // 2, size[1]))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG header that promises this many pixels, with no data behind it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def colour(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    value = image.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


@pytest.fixture(scope="module")
def model() -> inference.Model:
    return inference.model_fn(str(ARTIFACTS))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "1", "P"])
def test_every_kind_of_png_becomes_a_small_rgb_image(mode: str) -> None:
    image = inference.input_fn(encoded(picture(mode)), "image/png")
    assert (image.mode, image.size) == ("RGB", (32, 32))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_every_kind_of_jpeg_becomes_a_small_rgb_image(mode: str) -> None:
    image = inference.input_fn(encoded(picture(mode), "JPEG"), "image/jpeg")
    assert (image.mode, image.size) == ("RGB", (32, 32))


def test_a_cmyk_jpeg_keeps_its_colours() -> None:
    red, green, blue = colour(inference.decode(encoded(picture("CMYK"), "JPEG")), 28, 16)
    assert red > 200
    assert max(green, blue) < 60


def test_a_progressive_jpeg_is_read() -> None:
    body = encoded(picture(size=(640, 480)), "JPEG", progressive=True)
    assert colour(inference.decode(body), 28, 16)[0] > 200


def test_sixteen_bit_grey_keeps_its_brightness() -> None:
    grey = Image.fromarray(np.full((8, 8), 128 * 256, np.uint16))
    assert colour(inference.decode(encoded(grey)), 5, 5) == (128, 128, 128)


def test_transparent_parts_are_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert colour(inference.decode(encoded(clear)), 4, 4) == (255, 255, 255)


def test_half_transparent_parts_are_mixed_with_white() -> None:
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert colour(inference.decode(encoded(half)), 4, 4) == (127, 127, 127)


def test_the_transparent_colour_of_a_palette_is_white() -> None:
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    body = encoded(palette, transparency=1)
    assert colour(inference.decode(body), 4, 4) == (255, 255, 255)


def test_a_photo_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    image = inference.decode(encoded(picture(), "JPEG", exif=exif, quality=95))
    assert colour(image, 2, 16)[0] > 200
    assert colour(image, 29, 16)[2] > 200


def test_a_phone_photo_with_a_second_picture_inside_is_one_photo() -> None:
    body = encoded(picture(), "MPO", save_all=True, append_images=[Image.new("RGB", (40, 30))])
    assert colour(inference.decode(body), 28, 16)[0] > 200


def test_a_large_photo_is_seen_as_its_small_self() -> None:
    pixels = np.random.default_rng(2).integers(60, 200, (8, 8, 3), np.uint8)
    small = Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC)
    photo = encoded(small.resize((1024, 768), Image.Resampling.BICUBIC), "JPEG", quality=90)
    seen = np.asarray(inference.decode(photo), float)
    assert np.abs(seen - np.asarray(small, float)).mean() < 3


def test_the_bytes_decide_not_the_declared_type() -> None:
    image = inference.input_fn(encoded(picture(), "JPEG"), "image/png")
    assert image.size == (32, 32)


@pytest.mark.parametrize(
    "content_type",
    [*inference.CONTENT_TYPES, "IMAGE/PNG", "image/png; charset=binary", "", None],
)
def test_content_types_of_images_are_served(content_type: str | None) -> None:
    assert inference.input_fn(bytearray(encoded(picture())), content_type).size == (32, 32)


@pytest.mark.parametrize("content_type", ["text/csv", "application/json", "image/gif", "video/mp4"])
def test_other_content_types_are_refused(content_type: str) -> None:
    with pytest.raises(ImageRefused, match="is not served; send one of image/png") as refused:
        inference.input_fn(encoded(picture()), content_type)
    assert refused.value.status_code == 415


def test_text_that_the_toolkit_has_decoded_is_refused() -> None:
    with pytest.raises(ImageRefused) as refused:
        inference.input_fn("[1, 2]", "application/json")
    assert refused.value.status_code == 415


def outcome(body: bytes) -> tuple[int, int] | int:
    try:
        return inference.decode(body).size
    except ImageRefused as refused:
        return int(refused.status_code)


def brand(name: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + name + b"\0" * 16


REFUSED = {
    "empty": (b"", 400, "The image is empty: it has 0 bytes."),
    "text": (b"not an image\n", 415, "The file is text"),
    "text in another script": ("ни велосипед".encode(), 415, "The file is text"),
    "gif": (encoded(picture("P"), "GIF"), 415, "The file is a GIF"),
    "webp": (b"RIFF\x10\0\0\0WEBPVP8 ", 415, "The file is a WebP image"),
    "heic": (brand(b"heic"), 415, "The file is a HEIC photo"),
    "heif": (brand(b"mif1"), 415, "The file is a HEIF image"),
    "avif": (brand(b"avif"), 415, "The file is an AVIF image"),
    "bmp": (encoded(picture(), "BMP"), 415, "The file is a BMP image"),
    "tiff": (encoded(picture(), "TIFF"), 415, "The file is a TIFF image"),
    "pdf": (b"%PDF-1.7", 415, "The file is a PDF document"),
    "zip": (b"PK\x03\x04rest", 415, "The file is a zip archive"),
    "unknown": (b"\x00\xff\x13\x37" * 8, 415, "The file is no image format that is known here"),
    "animated png": (
        encoded(picture(), save_all=True, append_images=[Image.new("RGB", (40, 30))]),
        415,
        "is an animation",
    ),
    "png header only": (encoded(picture())[:12], 400, "header cannot be read"),
    "jpeg header only": (encoded(picture(), "JPEG")[:4], 400, "header cannot be read"),
    "truncated jpeg": (encoded(picture(), "JPEG")[:-200], 400, "cut off or damaged"),
    "truncated png": (encoded(picture())[:-30], 400, "cut off or damaged"),
    "bomb": (png_of_size(20_000, 20_000), 413, "more than the 50,000,000 allowed"),
    "bomb that Pillow only warns of": (
        png_of_size(10_000, 10_000),
        413,
        "more than the 50,000,000",
    ),
    "no pixels": (png_of_size(30, 30), 400, "cut off or damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_one_png_or_jpeg_is_refused_with_the_reason(case: str) -> None:
    body, status, reason = REFUSED[case]
    with pytest.raises(ImageRefused, match=reason) as refused:
        inference.input_fn(body, "application/x-image")
    assert refused.value.status_code == status
    assert refused.value.phrase
    assert "\n" not in str(refused.value)


@given(st.data())
def test_a_damaged_file_is_answered_or_refused_but_never_a_fault(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG"]))
    body = bytearray(encoded(picture("RGB" if kind == "JPEG" else "RGBA"), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(bytes(body)) in {(32, 32), 400, 413, 415}


def test_probabilities_sum_to_one(model: inference.Model) -> None:
    random = np.random.default_rng(5)
    for _ in range(200):
        pixels = random.integers(0, 256, (32, 32, 3), np.uint8)
        answer = inference.predict_fn(Image.fromarray(pixels), model)
        assert sum(answer) == pytest.approx(1, abs=1e-6)
        assert min(answer) >= 0


def test_the_answer_is_a_json_list_of_two(model: inference.Model) -> None:
    image = inference.input_fn(encoded(picture()), "image/png")
    body, content_type = inference.output_fn(inference.predict_fn(image, model), "application/json")
    assert len(json.loads(body)) == 2
    assert content_type == "application/json"


@pytest.mark.parametrize("accept", [None, "", "*/*", "application/*", "text/html, */*;q=0.8"])
def test_whoever_takes_anything_gets_json(accept: str | None) -> None:
    assert inference.output_fn([0.25, 0.75], accept) == ("[0.25, 0.75]", "application/json")


def test_whoever_takes_no_json_is_told() -> None:
    with pytest.raises(ImageRefused, match="text/csv is not served") as refused:
        inference.output_fn([0.25, 0.75], "text/csv")
    assert refused.value.status_code == 406


def test_the_number_of_threads_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    options = inference.model_fn(str(ARTIFACTS)).session.get_session_options()
    assert options.intra_op_num_threads == 2


def test_one_thread_is_used_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    options = inference.model_fn(str(ARTIFACTS)).session.get_session_options()
    assert options.intra_op_num_threads == 1


def test_a_refusal_is_the_toolkits_own_error_where_the_toolkit_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class ToolkitError(Exception):
        def __init__(self, status_code: int, message: str, phrase: str) -> None:
            self.status_code, self.message, self.phrase = status_code, message, phrase

    errors = types.ModuleType("sagemaker_inference.errors")
    errors.BaseInferenceToolkitError = ToolkitError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sagemaker_inference", types.ModuleType("sagemaker_inference"))
    monkeypatch.setitem(sys.modules, "sagemaker_inference.errors", errors)
    alone = load_alone()
    with pytest.raises(ToolkitError) as refused:
        alone.input_fn(b"", "image/png")
    assert (refused.value.status_code, refused.value.phrase) == (400, "Bad Request")


def load_alone() -> types.ModuleType:
    """The file as the container loads it: by path, outside the package."""
    spec = util.spec_from_file_location("inference_alone", Path(inference.__file__))
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
