"""Lines are read together as each is read by itself, whatever stands beside it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import capture_lines, captured
from workflow.capture_lines import HEAD
from workflow.captures import Capture, CaptureBatch, read_captures

KEY = "data_capture/scones/AllTraffic/2026/11/23/10/15-30-000-abc.jsonl"
TIME = "2026-11-23T10:15:30Z"


def tail(
    answer: str = "[0.9, 0.1]",
    event_id: str = "e1",
    inference_id: str | None = None,
    time: str = TIME,
    encoding: str = "JSON",
) -> bytes:
    """The end of a line as SageMaker writes it, with values put in as they are."""
    inference = "" if inference_id is None else f'"inferenceId":"{inference_id}",'
    return (
        '","encoding":"BASE64"},"endpointOutput":{"observedContentType":"application/json",'
        f'"mode":"OUTPUT","data":"{answer}","encoding":"{encoding}"}}}},"eventMetadata":'
        f'{{"eventId":"{event_id}",{inference}"inferenceTime":"{time}"}},"eventVersion":"0"}}'
    ).encode()


def read(lines: list[bytes]) -> CaptureBatch:
    return read_captures(b"\n".join(lines), KEY)


def unplaced(captures: tuple[Capture, ...]) -> list[Capture]:
    """Leave out where a capture stands in its object."""
    return [replace(capture, line=0, offset=0) for capture in captures]


def one_by_one(lines: list[bytes]) -> list[Capture]:
    """Read each line by itself; of an event id that occurs again, keep the first."""
    known: dict[str, Capture] = {}
    for line in lines:
        for capture in unplaced(read([line]).captures):
            known.setdefault(capture.event_id, capture)
    return list(known.values())


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(tail(event_id='a"b'), id="a quote in a value"),
        pytest.param(tail(event_id="a\\u0062"), id="an escape"),
        pytest.param(tail("[0.9,\t0.1]"), id="a control character"),
        pytest.param(tail(event_id="é1"), id="a letter that is not ASCII"),
        pytest.param(tail(event_id='"', time="x"), id="no JSON"),
        pytest.param(tail(event_id=""), id="no event id"),
        pytest.param(tail(""), id="no answer"),
        pytest.param(tail() + b" ", id="a space at the end"),
        pytest.param(tail()[:-1], id="no end"),
        pytest.param(tail() + tail(), id="two ends"),
        pytest.param(tail('[0.9,0.1]","data":"[0.2,0.8]'), id="a second answer"),
        pytest.param(tail("[0.9,0.1]]").replace(b"]]", b"]\\"), id="a quote that closes nothing"),
        pytest.param(tail(time="{%s}"), id="no time"),
        pytest.param(tail(event_id="JSON"), id="a value that stands twice"),
        pytest.param(tail(event_id=","), id="a value that looks like JSON"),
    ],
)
def test_an_odd_line_leaves_the_lines_beside_it_as_they_are(odd: bytes) -> None:
    lines = [HEAD + tail(event_id=f"f{i}") for i in range(5)]
    for place in range(6):
        mixed = [*lines[:place], HEAD + odd, *lines[place:]]

        batch = read(mixed)

        assert unplaced(batch.captures) == one_by_one(mixed)
        assert len(batch.captures) + sum(error.lines for error in batch.errors) == 6


def test_attributes_and_encodings_differ_from_line_to_line() -> None:
    records: list[dict[str, Any]] = [
        captured(event_id="a1", customAttributes=["x"]),
        captured(event_id="a2", customAttributes=["y"]),
        captured("0.9,0.1", "CSV", "a3"),
        captured(event_id="a4", customAttributes=["x"]),
    ]

    batch = read(capture_lines(*records).split(b"\n"))

    assert [c.custom_attributes for c in batch.captures] == [("x",), ("y",), (), ("x",)]
    assert [c.event_id for c in batch.captures] == ["a1", "a2", "a3", "a4"]


values = st.sampled_from(
    [
        "e1",
        "e2",
        "J",
        "\\u004aSON",
        "JSON",
        "0",
        ",",
        ":",
        "é",
        '"',
        "\\",
        "\\n",
        "\t",
        "}",
        '":"',
        "e1\r",
        "",
    ]
)
answers = st.sampled_from(
    ["[0.9, 0.1]", "[0.2,0.8]", "0.9,0.1", "[0.3]", "", "[NaN,1]", '[0.9,"', "[1,0]\\", "[[1,0]]"]
)
tails = st.builds(
    tail,
    answers,
    values | st.text("abc0", min_size=2, max_size=3),
    st.none() | values,
    st.sampled_from([TIME, "2026-02-30T10:15:30Z", "{%s}", "", "2026-11-23T10:15:30.5Z"]),
    st.sampled_from(["JSON", "CSV", "BASE64", "XML"]),
)


@given(st.lists(tails, min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_lines_together_are_read_as_each_by_itself(ends: list[bytes]) -> None:
    lines = [HEAD + end for end in ends]

    assert sorted(unplaced(read(lines).captures), key=repr) == sorted(one_by_one(lines), key=repr)


def test_what_is_read_is_what_json_says() -> None:
    lines = [HEAD + tail(f"[{i / 100}, {1 - i / 100}]", f"e{i:02}") for i in range(100)]

    batch = read(lines)

    assert len(batch.captures) == 100
    for capture, line in zip(batch.captures, lines, strict=True):
        record = json.loads(line)
        assert capture.event_id == record["eventMetadata"]["eventId"]
        assert list(capture.probabilities) == json.loads(
            record["captureData"]["endpointOutput"]["data"]
        )


@pytest.mark.parametrize("letter", [b"\xff", b"\0", b'"', b"\\"])
def test_a_byte_that_is_no_text_in_a_time_spoils_its_own_line_alone(letter: bytes) -> None:
    lines = [HEAD + tail(event_id=f"e{i:02}") for i in range(100)]
    lines[7] = lines[7].replace(b"2026", letter + b"026")

    assert len(read(lines).captures) == 99
