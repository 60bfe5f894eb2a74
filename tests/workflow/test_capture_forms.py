"""Many lines of one form, and those that only look like it."""

import json
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import capture_lines, captured
from tests.nightly import often
from workflow import capture_forms
from workflow.capture_forms import HEAD, SPARE, Form, Forms, Tails
from workflow.captures import CaptureBatch, read_captures

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


def tails_of(texts: list[bytes]) -> Tails:
    return Tails(bytearray(b"".join(texts) + bytes(SPARE)), [len(text) for text in texts])


def read(lines: list[bytes], few: int) -> CaptureBatch:
    """Read lines, looking for forms where so many lines are left."""
    with patch.object(capture_forms, "_FEW", few):
        return read_captures(b"\n".join(lines), KEY)


def outcome(lines: list[bytes], few: int) -> tuple[object, ...]:
    batch = read(lines, few)
    return batch.captures, batch.errors


def test_lines_of_a_form_are_read_without_decoding_them() -> None:
    tails = [tail(f"[{i / 100}, {1 - i / 100}]", f"e{i:02}") for i in range(100)]
    (part,) = Forms().read(tails_of(tails))
    assert part.event_ids.tolist() == [f"e{i:02}" for i in range(100)]
    assert part.answers.texts() == [f"[{i / 100}, {1 - i / 100}]".encode() for i in range(100)]
    assert part.inference_ids.tolist() == [None] * 100
    assert set(part.times.astype(str)) == {"2026-11-23T10:15:30.000000"}
    assert part.index.tolist() == list(range(100))


def test_each_of_several_forms_is_found_and_remembered() -> None:
    forms = Forms()
    kinds = [
        lambda i: tail(event_id=f"e{i:03}"),
        lambda i: tail(event_id=f"e{i:03}", inference_id=f"i-{i:04}"),
        lambda i: tail("0.9,0.1", f"e{i:03}", encoding="CSV"),
    ]
    tails = [kinds[i % 3](i) for i in range(600)]
    for _ in range(2):
        parts = forms.read(tails_of(tails))
        assert sorted(len(part) for part in parts) == [200, 200, 200]
        assert {part.encoding for part in parts} == {"JSON", "CSV"}
    (with_ids,) = [part for part in parts if part.inference_ids[0]]
    assert with_ids.inference_ids.tolist() == [f"i-{i:04}" for i in range(600) if i % 3 == 1]


def test_a_form_that_is_met_no_more_is_forgotten() -> None:
    forms = Forms()
    forms.read(tails_of([tail(event_id=f"e{i:02}") for i in range(99)]))
    forms.read(tails_of([tail(event_id=f"longer{i:02}") for i in range(99)]))
    (part,) = forms.read(tails_of([tail(event_id=f"longer{i:02}") for i in range(99)]))
    assert len(forms._known) == 1
    assert len(part) == 99


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
def test_a_line_that_differs_is_read_as_by_itself(odd: bytes) -> None:
    lines = [HEAD + tail(event_id=f"e{i}") for i in range(5)]
    for place in range(6):
        mixed = [*lines[:place], HEAD + odd, *lines[place:]]
        assert outcome(mixed, 1) == outcome(mixed, 1000)
        assert len(read(mixed, 1)) >= 5


def test_attributes_and_encoding_are_part_of_a_form() -> None:
    records: list[dict[str, Any]] = [
        captured(event_id="a1", customAttributes=["x"]),
        captured(event_id="a2", customAttributes=["y"]),
        captured("0.9,0.1", "CSV", "a3"),
        captured(event_id="a4", customAttributes=["x"]),
    ]
    batch = read(capture_lines(*records).split(b"\n"), 1)
    assert [c.custom_attributes for c in batch.captures] == [("x",), ("y",), (), ("x",)]
    assert [c.event_id for c in batch.captures] == ["a1", "a2", "a3", "a4"]


def test_a_value_that_is_written_with_escapes_is_not_looked_for_elsewhere() -> None:
    written = [tail(event_id="\\u004aSON", encoding=encoding) for encoding in ("JSON", "XXXX")]
    lines = [HEAD + end for end in written]
    assert Form.of(written[0]) is None
    assert outcome(lines, 1) == outcome(lines, 1000)


@pytest.mark.parametrize("text", [b"", b"{}", b'"}', tail()[:-5], tail(event_id="JSON")])
def test_there_is_not_always_a_form_to_learn(text: bytes) -> None:
    assert Form.of(text) is None


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
@settings(max_examples=often(400, 50), deadline=None)
def test_with_forms_and_without_the_same_is_read(ends: list[bytes]) -> None:
    lines = [HEAD + end for end in ends]
    assert outcome(lines, 1) == outcome(lines, 1000)


@given(st.lists(tails, min_size=1, max_size=6), st.data())
@settings(max_examples=often(400, 50), deadline=None)
def test_a_mutated_tail_is_never_taken_for_its_form(ends: list[bytes], data: st.DataObject) -> None:
    mutated = bytearray(ends[0])
    at = data.draw(st.integers(0, len(mutated) - 1))
    mutated[at : at + data.draw(st.sampled_from([0, 1, 9]))] = data.draw(
        st.sampled_from([b'"', b"\\", b"{", b"}", b"\0", b"\xff", b"", b",", b'"data":"', b"1"])
    )
    lines = [HEAD + end for end in [*ends, *ends, bytes(mutated)]]
    assert outcome(lines, 1) == outcome(lines, 1000)


def test_what_is_read_is_what_json_says() -> None:
    lines = [HEAD + tail(f"[{i / 100}, {1 - i / 100}]", f"e{i:02}") for i in range(100)]
    for capture, line in zip(read(lines, 1).captures, lines, strict=True):
        record = json.loads(line)
        assert capture.event_id == record["eventMetadata"]["eventId"]
        assert list(capture.probabilities) == json.loads(
            record["captureData"]["endpointOutput"]["data"]
        )


@pytest.mark.parametrize("letter", [b"\xff", b"\0", b'"', b"\\"])
def test_a_byte_that_is_no_text_in_a_time_spoils_its_own_line_alone(letter: bytes) -> None:
    lines = [HEAD + tail(event_id=f"e{i:02}") for i in range(100)]
    lines[7] = lines[7].replace(b"2026", letter + b"026")
    assert len(read(lines, 1).captures) == 99
    assert outcome(lines, 1) == outcome(lines, 1000)


def test_a_year_that_never_was_is_no_time() -> None:
    tails = [tail(event_id=f"e{i:02}", time=f"000{i % 2}-01-01T00:00:00Z") for i in range(100)]
    (part,) = Forms().read(tails_of(tails))
    assert np.isnat(part.times).tolist() == [True, False] * 50
