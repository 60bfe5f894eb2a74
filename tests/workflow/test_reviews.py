"""Ground truth as Model Monitor reads and writes it."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import capture_lines, captured
from workflow.captures import read_captures
from workflow.reviews import (
    NEITHER,
    UNDECIDED,
    GroundTruth,
    Review,
    class_of,
    ground_truth_key,
    ground_truth_lines,
    read_ground_truth,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_label_is_read_as_aws_documents_it() -> None:
    line = (
        b'{"groundTruthData":{"data":"1","encoding":"CSV"},'
        b'"eventMetadata":{"eventId":"aaaa-bbbb-cccc"},"eventVersion":"0"}'
    )
    batch = read_ground_truth(line, "truth.jsonl")
    assert batch.truths == (GroundTruth("aaaa-bbbb-cccc", "1"),)
    assert batch.errors == ()


def test_labels_are_written_as_they_are_read() -> None:
    truths = (GroundTruth("a", "1", NOON), GroundTruth("b", "bicycle"))
    lines = ground_truth_lines(truths)
    assert read_ground_truth(lines, "k").truths == truths
    assert json.loads(lines.splitlines()[0]) == {
        "groundTruthData": {"data": "1", "encoding": "CSV"},
        "eventMetadata": {"eventId": "a", "inferenceTime": "2026-11-23T12:00:00Z"},
        "eventVersion": "0",
    }


def test_the_key_has_the_hour_of_labelling_in_utc() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=5)))
    assert ground_truth_key("labels", east, "x") == "labels/2026/11/23/12/x.jsonl"


def test_a_ground_truth_file_is_no_capture_and_a_capture_no_ground_truth() -> None:
    (error,) = read_captures(ground_truth_lines([GroundTruth("a", "1")]), "k").errors
    assert error.reason == "ground truth, not a capture"
    (error,) = read_ground_truth(capture_lines(captured()), "k").errors
    assert error.reason == "a capture, not ground truth"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"junk", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[1]", "not ground truth"),
        (b"{}", "not ground truth"),
        (b'{"groundTruthData":{"data":null},"eventMetadata":{"eventId":"a"}}', "not ground truth"),
        (b'{"groundTruthData":{"data":"1"}}', "no event id"),
        (b'{"groundTruthData":{"data":"1"},"eventMetadata":{"eventId":7}}', "no event id"),
    ],
)
def test_a_line_that_is_no_label_is_named(line: bytes, reason: str) -> None:
    good = ground_truth_lines([GroundTruth("a", "1")])
    batch = read_ground_truth(b"\xef\xbb\xbf" + good + line + b"\r\n\r\n" + good, "k")
    assert len(batch.truths) == 2
    (error,) = batch.errors
    assert (error.key, error.line, error.reason, error.length) == ("k", 2, reason, len(line) + 1)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("1", "CSV"),
        (" 1.0\n", "CSV"),
        ("0,1", "CSV"),
        ("motorcycle", "CSV"),
        ('"Motorcycle"', "CSV"),
        (1, "JSON"),
        (1.0, "JSON"),
        ([0, 1], "JSON"),
        ({"label": 1}, "JSON"),
        ("[0, 1]", "JSON"),
        ("[1]", "JSON"),
        ('["motorcycle"]', "JSON"),
        ('"motorcycle"', "JSON"),
        ('{"label": 1}', "JSON"),
        ('{"class-name": "motorcycle", "class": 7}', "JSON"),
        ('{"bicycle": 0, "motorcycle": 1}', "JSON"),
        ('{"motorcycle": 1, "bicycle": 0}', "JSON"),
        ("motorcycle", "JSON"),
        ("MQ==", "BASE64"),
        ("WzAsIDFd", "BASE64"),
        ("bW90b3JjeWNsZQo=", "BASE64"),
        ("1", None),
        ("1", "csv"),
    ],
)
def test_a_label_is_read_in_every_encoding_and_shape(data: object, encoding: str | None) -> None:
    given = {"data": data} if encoding is None else {"data": data, "encoding": encoding}
    line = {"groundTruthData": given, "eventMetadata": {"eventId": "a"}}

    batch = read_ground_truth(json.dumps(line).encode(), "k")

    assert batch.errors == ()
    assert [class_of(truth.label) for truth in batch.truths] == [1]


@pytest.mark.parametrize(
    ("data", "encoding", "reason"),
    [
        ("motorbike", "CSV", "no class"),
        ("", "CSV", "no class"),
        ("1,1", "CSV", "no class"),
        ("0,0", "CSV", "no class"),
        ("0.2,0.8", "CSV", "no class"),
        (1.5, "JSON", "no class"),
        (-1, "JSON", "no class"),
        (True, "JSON", "no class"),
        ([], "JSON", "no class"),
        ({"mask": "x"}, "JSON", "no class"),
        ("[0, 1", "JSON", "no class"),
        ("[" * 100_000, "JSON", "no class"),
        ("MQ", "BASE64", "label cannot be decoded"),
        ("/////w==", "BASE64", "label cannot be decoded"),
        ("1", "XML", "label cannot be decoded"),
    ],
)
def test_a_label_that_names_no_class_is_an_error(data: object, encoding: str, reason: str) -> None:
    line = {
        "groundTruthData": {"data": data, "encoding": encoding},
        "eventMetadata": {"eventId": "a"},
    }

    batch = read_ground_truth(json.dumps(line).encode(), "k")

    assert batch.truths == ()
    assert [error.reason for error in batch.errors] == [reason]
    assert len(batch.errors[0].detail) < 150


def test_a_merged_line_keeps_its_label() -> None:
    line = captured() | {"groundTruthData": {"data": "1", "encoding": "CSV"}}

    assert [truth.label for truth in read_ground_truth(capture_lines(line), "k").truths] == ["1"]


@pytest.mark.parametrize("time", ["{%s}", "2026-11-23T12:00:00", 5, "0001-01-01T00:00:00+14:00"])
def test_a_time_that_cannot_be_read_is_left_out(time: object) -> None:
    record = {
        "groundTruthData": {"data": 1},
        "eventMetadata": {"eventId": "a", "inferenceTime": time},
    }
    assert read_ground_truth(json.dumps(record).encode(), "k").truths == (GroundTruth("a", "1"),)


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_no_bytes_make_it_raise_and_every_line_is_accounted_for(data: bytes) -> None:
    batch = read_ground_truth(data, "k")
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert len(batch.truths) + len(batch.errors) == sum(1 for line in lines if line.strip())


def test_a_review_is_read_as_it_was_written_to_the_microsecond() -> None:
    at = datetime(2026, 11, 26, 12, 0, 0, 123456, tzinfo=UTC)
    review = Review(reviewer="ada", draw="d", settles=True, brightness=0.5, pixels=1024.0)
    truths = [GroundTruth("photo", label, at, review) for label in ("1", "neither", UNDECIDED)]

    assert read_ground_truth(ground_truth_lines(truths), "key").truths == tuple(truths)
    assert [class_of(truth.label) for truth in truths] == [1, NEITHER, None]


@pytest.mark.parametrize("said", [1, [], {}, {"reviewer": 1}, {"reviewer": None, "at": "x"}])
def test_a_review_of_another_form_is_none_but_its_label_counts(said: object) -> None:
    line = json.loads(ground_truth_lines([GroundTruth("photo", "1")]))
    line["reviewMetadata"] = said

    batch = read_ground_truth(json.dumps(line).encode(), "key")

    assert batch.truths == (GroundTruth("photo", "1"),)


@pytest.mark.parametrize("size", [2, 10, 100])
def test_a_label_names_any_class_of_the_model(size: int) -> None:
    names = [f"Kind_{number} of photo" for number in range(size)]
    last = size - 1
    one_hot = {name: int(number == last) for number, name in enumerate(names)}
    labels = [
        *(names[last], f'"{names[last].upper()}"', json.dumps(one_hot)),
        *(str(last), json.dumps(list(one_hot.values())), json.dumps({"label": names[last]})),
    ]

    lines = ground_truth_lines(GroundTruth(f"e{i}", label) for i, label in enumerate(labels))
    batch = read_ground_truth(lines, "k", names)

    assert batch.errors == ()
    assert {class_of(truth.label, names) for truth in batch.truths} == {last}
    assert class_of("bicycle", names) is None
