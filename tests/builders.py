"""Small cases that tests build instead of shipping real artefacts."""

import base64
import io
import json
from functools import cache

from PIL import Image

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAA"
    "AABJRU5ErkJggg=="
)
"""A red PNG of 2 x 2 pixels."""

JPEG = b"\xff\xd8\xff\xe0" + bytes(16)
"""The first bytes of a JPEG."""


@cache
def png(width: int = 32, height: int = 32, color: str = "red") -> bytes:
    """A whole PNG of one colour."""
    return _saved(Image.new("RGB", (width, height), color), "PNG")


@cache
def jpeg(width: int = 32, height: int = 32, color: str = "red") -> bytes:
    """A whole JPEG of one colour."""
    return _saved(Image.new("RGB", (width, height), color), "JPEG")


def _saved(picture: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def captured(
    output: object = "[0.9, 0.1]",
    encoding: str = "JSON",
    event_id: str = "e1",
    **event: object,
) -> dict[str, object]:
    """One record of SageMaker data capture, with a red PNG for input."""
    image = base64.b64encode(png()).decode()
    return {
        "captureData": {
            "endpointInput": {
                "observedContentType": "image/png",
                "mode": "INPUT",
                "data": image,
                "encoding": "BASE64",
            },
            "endpointOutput": {
                "observedContentType": "application/json",
                "mode": "OUTPUT",
                "data": output,
                "encoding": encoding,
            },
        },
        "eventMetadata": {
            "eventId": event_id,
            "inferenceTime": "2026-11-23T10:15:30Z",
            **event,
        },
        "eventVersion": "0",
    }


def capture_lines(*records: dict[str, object]) -> bytes:
    """A data capture object: one compact line a record, as SageMaker writes them."""
    return b"".join(json.dumps(r, separators=(",", ":")).encode() + b"\n" for r in records)
