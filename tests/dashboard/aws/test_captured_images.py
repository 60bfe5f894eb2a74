"""The image behind a capture, out of its line in S3."""

import base64
import gzip
import json
from typing import Any

import pytest

from dashboard.aws.captured_images import (
    CaptureLine,
    captured_input,
    fetch_captured_thumbnail,
    sample_statistics,
)
from tests.builders import png
from workflow.errors import WorkflowError


class Shelf:
    """A bucket in memory."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        return self.read_whole(key)[offset : offset + length]

    def read_whole(self, key: str) -> bytes:
        if key not in self.objects:
            raise WorkflowError("NoSuchKey", f"There is no {key}.", "Look again.")
        return self.objects[key]


def line(event: str, image: bytes) -> bytes:
    data = base64.b64encode(image).decode()
    captured = {"observedContentType": "image/png", "data": data, "encoding": "BASE64"}
    record = {"captureData": {"endpointInput": captured}, "eventMetadata": {"eventId": event}}
    return json.dumps(record).encode()


RED, BLUE = png(40, 20, "red"), png(10, 10, "blue")
FIRST, SECOND = line("event-a", RED), line("event-b", BLUE)
WHOLE = FIRST + b"\n" + SECOND + b"\n"
SHELF: Any = Shelf(
    plain=WHOLE,
    zipped=gzip.compress(WHOLE),
    members=gzip.compress(WHOLE[:9]) + gzip.compress(WHOLE[9:]),
    damaged=gzip.compress(WHOLE)[:40],
    words=line("w", b"words"),
)


def place(key: str, *, gzipped: bool = False) -> CaptureLine:
    return CaptureLine(key, len(FIRST) + 1, len(SECOND), gzipped)


def test_one_line_is_fetched_by_its_place() -> None:
    assert captured_input(SHELF, place("plain")) == (BLUE, "image/png")


def test_a_compressed_object_is_read_whole() -> None:
    assert captured_input(SHELF, place("zipped", gzipped=True)) == (BLUE, "image/png")


def test_an_event_is_found_where_its_place_is_not_known() -> None:
    row = {"key": "plain", "event_id": "event-b", "length": None}

    assert captured_input(SHELF, CaptureLine.of(row)) == (BLUE, "image/png")
    with pytest.raises(WorkflowError):
        captured_input(SHELF, CaptureLine.of({**row, "event_id": "gone"}))


def test_a_row_of_the_store_knows_its_place() -> None:
    row = {"key": "plain", "offset": 3, "length": 4, "gzipped": None, "event_id": "event-b"}

    assert CaptureLine.of(row) == CaptureLine("plain", 3, 4, gzipped=False)


def test_a_thumbnail_is_a_jpeg() -> None:
    assert fetch_captured_thumbnail(SHELF, place("plain")).startswith(b"\xff\xd8")


def test_what_is_no_image_says_so() -> None:
    words = SHELF.objects["words"]

    with pytest.raises(WorkflowError) as caught:
        fetch_captured_thumbnail(SHELF, CaptureLine("words", 0, len(words), gzipped=False))

    assert caught.value.code == "NotAnImage"


def test_a_sample_is_measured_and_what_cannot_be_is_counted() -> None:
    lines = [
        CaptureLine("plain", 0, len(FIRST), gzipped=False),
        CaptureLine("words", 0, len(SHELF.objects["words"]), gzipped=False),
        CaptureLine("gone", 0, 1, gzipped=False),
    ]

    measured, failed = sample_statistics(SHELF, lines)

    assert failed == 2
    assert [statistics.pixels for statistics in measured] == [800]
    assert measured[0].warmth > 0.9


def test_an_image_in_a_gzip_of_several_members_is_found() -> None:
    assert captured_input(SHELF, place("members", gzipped=True)) == (BLUE, "image/png")


def test_a_damaged_gzip_is_one_image_that_cannot_be_read() -> None:
    with pytest.raises(WorkflowError, match="holds no input to show"):
        captured_input(SHELF, place("damaged", gzipped=True))

    assert sample_statistics(SHELF, [place("damaged", gzipped=True)]) == ([], 1)
