"""Odd files: page, image drift and model see the same picture, and no file costs another.

The fuzz gate changes bytes of pictures and archives at random, from a fixed seed and for a bounded
time: whatever comes of it is a photo or the refusal of that one file.
"""

import io
import random
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from dashboard.aws.archives import RefusedFile
from dashboard.aws.captured_images import _measured
from dashboard.aws.images import Upload, verify
from dashboard.aws.intake import Intake, take_in
from deploy.model.code import inference
from tests.builders import jpeg, png
from tests.nightly import often
from workflow.errors import WorkflowError

FUZZ_SECONDS = often(6, 0)
FEWEST = often(300, 50)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)


def with_chunk(picture: bytes, name: bytes, data: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return picture[:33] + chunk(name, data) + picture[33:]


def with_segment(picture: bytes, marker: int, data: bytes) -> bytes:
    """A JPEG with one more segment at its begin."""
    return (
        picture[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data + picture[2:]
    )


def exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """EXIF with these entries (tag, type, count, value of at most four bytes)."""
    fields = b"".join(struct.pack("<HHI4s", *entry) for entry in entries)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + fields + bytes(4)


def sloped(dtype: type = np.uint8, factor: int = 1) -> Image.Image:
    """Grey, darker to the left and to the top."""
    across, down = np.meshgrid(np.linspace(20, 160, 64), np.linspace(0, 60, 48))
    return Image.fromarray(((across + down).astype(np.uint8).astype(dtype) * factor).astype(dtype))


def turned(orientation: int) -> bytes:
    return struct.pack("<HH", orientation, 0)


ODD: dict[str, bytes] = {
    "grey": saved(sloped()),
    "grey of 16 bits": saved(sloped(np.uint16, 257)),
    "palette": saved(sloped().convert("RGB").quantize(32)),
    "black and white": saved(sloped().convert("1")),
    "colour": saved(sloped().convert("RGB")),
    "grey with alpha": saved(Image.merge("LA", (sloped(), sloped()))),
    "half transparent": saved(Image.merge("RGBA", (sloped(),) * 4)),
    "transparent colour of a palette": saved(sloped().quantize(16), transparency=3),
    "transparent grey": saved(sloped(), transparency=100),
    "transparent grey of 16 bits": saved(sloped(np.uint16, 257), transparency=100 * 257),
    "interlaced colours of 16 bits": with_chunk(saved(sloped().convert("RGB")), b"gAMA", bytes(4)),
    "CMYK": saved(sloped().convert("CMYK"), "JPEG", quality=95),
    "progressive": saved(sloped().convert("RGB"), "JPEG", progressive=True, quality=95),
    "a phone's second picture": saved(
        sloped().convert("RGB"), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))]
    ),
    "turned": with_segment(
        saved(sloped(), "JPEG", quality=95), 0xE1, exif((0x112, 3, 1, turned(6)))
    ),
    "turned PNG": with_chunk(saved(sloped()), b"eXIf", exif((0x112, 3, 1, turned(8)))[6:]),
}

METADATA: dict[str, Callable[[], bytes]] = {
    "a maker that is a fraction": lambda: with_segment(
        jpeg(), 0xE1, exif((0x10F, 5, 1, b"\x08\0\0\0"), (0x112, 3, 1, turned(6)))
    ),
    "a resolution that is text": lambda: with_segment(
        jpeg(), 0xE1, exif((0x112, 3, 1, turned(6)), (0x11A, 2, 4, b"72 \0"))
    ),
    "EXIF that is cut off": lambda: with_segment(jpeg(), 0xE1, b"Exif\0\0II*\0\xff\xff"),
    "EXIF of nothing": lambda: with_segment(jpeg(), 0xE1, b"Exif\0\0"),
    "an orientation that is text": lambda: with_segment(
        jpeg(), 0xE1, exif((0x112, 2, 4, b"abc\0"))
    ),
    "a short JFIF": lambda: with_segment(jpeg(), 0xE0, b"JFIF\0"),
    "a damaged list of pictures": lambda: with_segment(jpeg(), 0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
    "a damaged Photoshop block": lambda: with_segment(jpeg(), 0xED, b"Photoshop 3.0\x008BIM\x04"),
    "a large comment": lambda: with_segment(jpeg(), 0xFE, b"c" * 65_000) + bytes(1_000_000),
    "large text": lambda: with_chunk(png(), b"tEXt", b"a\0" + b"t" * 2_000_000),
    "text that unpacks to a lot": lambda: with_chunk(
        png(), b"zTXt", b"a\0\0" + zlib.compress(bytes(90_000_000))
    ),
    "a damaged colour profile": lambda: with_chunk(png(), b"iCCP", b"x\0\0nothing"),
    "a chunk with a wrong checksum": lambda: (
        png()[:33] + chunk(b"tEXt", b"a\0b")[:-1] + b"?" + png()[33:]
    ),
    "EXIF of nonsense": lambda: with_chunk(png(), b"eXIf", b"II*\0" + b"\xff" * 40),
}


@pytest.mark.parametrize("case", ODD)
def test_people_drift_and_model_see_the_same_picture(case: str) -> None:
    seen = inference.decode(ODD[case])

    shown = Image.open(io.BytesIO(verify(Upload(case, ODD[case])).thumbnail)).convert("RGB")
    small = np.asarray(shown.resize((32, 32), Image.Resampling.BICUBIC), float)

    assert np.abs(small - np.asarray(seen, float)).mean() < 4
    assert _measured(ODD[case]).brightness == pytest.approx(np.asarray(seen).mean() / 255, abs=0.03)


def test_the_depth_of_grey_changes_nothing() -> None:
    eight, sixteen = (inference.decode(ODD[name]) for name in ("grey", "grey of 16 bits"))

    assert np.abs(np.asarray(eight, float) - np.asarray(sixteen, float)).max() <= 1


@pytest.mark.parametrize("case", METADATA)
def test_what_only_concerns_metadata_decides_about_no_picture(case: str) -> None:
    data = METADATA[case]()

    assert verify(Upload(case, data)).width == 32
    assert inference.decode(data).size == (32, 32)


def mutations(seed: int) -> Iterator[bytes]:
    """Damaged pictures and archives, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("in/a.png", png())
        file.writestr("b.jpg", jpeg())
    seeds = [*ODD.values(), *(make() for make in METADATA.values()), archive.getvalue()]
    small = [data for data in seeds if len(data) < 20_000]
    while True:
        data = bytearray(chance.choice(small))
        for _ in range(chance.randint(1, 8)):
            place = chance.randrange(len(data))
            # Half of the changes are near the begin, where headers and metadata are.
            place = place % 200 if chance.random() < 0.5 else place
            match chance.randrange(4):
                case 0:
                    data[place % len(data)] = chance.randrange(256)
                case 1:
                    data[place % len(data)] ^= 1 << chance.randrange(8)
                case 2:
                    del data[place : place + chance.randint(1, 40)]
                    data = data or bytearray(b"\xff\xd8\xff")
                case _:
                    data[place:place] = chance.randbytes(chance.randint(1, 8))
        yield bytes(data)


def answer(data: bytes) -> int:
    """The status that the model answers with."""
    try:
        inference.decode(data)
    except inference.ImageRefused as refused:
        return int(refused.status_code)
    return 200


def names(taken: Intake) -> tuple[list[str], list[str]]:
    return [photo.name for photo in taken.photos], [item.name for item in taken.refused]


def test_whatever_one_file_raises_is_the_refusal_of_that_one_file() -> None:
    good, until = Upload("good.png", png()), time.monotonic() + FUZZ_SECONDS
    for tried, data in enumerate(mutations(seed=20)):
        taken = take_in([good, Upload("odd", data), good])
        photos, refused = names(taken)

        assert photos[0] == photos[-1] == "good.png"
        assert len(photos) + len(refused) >= 3
        assert all(item.error.message and item.error.remedy for item in taken.refused)
        if photos.count("odd"):
            assert answer(data) == 200
        elif not data.startswith(b"PK"):
            assert answer(data) in (400, 413, 415)
        if tried >= FEWEST and time.monotonic() > until:
            break


@pytest.mark.parametrize("error", [AttributeError, struct.error, MemoryError, RecursionError])
def test_an_error_that_nobody_thought_of_is_a_refusal_too(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error("odd")

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(WorkflowError, match=r"odd\.png is cut off or damaged"):
        verify(Upload("odd.png", png()))
    assert answer(png()) == 400


def test_refusals_carry_no_bytes() -> None:
    (refused,) = take_in([Upload("big.gif", b"GIF89a" + bytes(1_000_000))]).refused

    assert isinstance(refused, RefusedFile)
    assert not any(isinstance(value, bytes) for value in (refused.name, refused.error.message))
    assert refused.error.__traceback__ is None
