"""Data capture files as SageMaker writes them, and as they should not be."""

import base64
import gzip
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.builders import capture_lines, captured, png
from tests.nightly import often
from workflow import captures as module
from workflow.captures import (
    DUPLICATE,
    MAX_ERRORS,
    Capture,
    CaptureBatch,
    image_of,
    read_captures,
    read_objects,
)
from workflow.errors import WorkflowError

KEY = "data_capture/scones/AllTraffic/2026/11/23/10/15-30-000-abc.jsonl"


def read(*records: dict[str, Any]) -> CaptureBatch:
    return read_captures(capture_lines(*records), KEY)


def reasons(batch: CaptureBatch) -> list[tuple[int, str]]:
    return [(error.line, error.reason) for error in batch.errors]


def test_a_line_becomes_a_capture() -> None:
    data = capture_lines(captured(inferenceId="i1", customAttributes=["a", "b"]))
    batch = read_captures(data, KEY)
    assert batch.captures == (
        Capture(
            event_id="e1",
            inference_id="i1",
            inference_time=datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC),
            endpoint="scones",
            variant="AllTraffic",
            probabilities=(0.9, 0.1),
            label=0,
            confidence=0.9,
            key=KEY,
            line=1,
            offset=0,
            length=len(data) - 1,
            row=0,
            custom_attributes=("a", "b"),
        ),
    )
    assert batch.errors == ()
    assert len(batch) == 1
    assert batch.sources[0].hour == datetime(2026, 11, 23, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attributes", "read"), [("a", ("a",)), (["a", 1], ("a", "1")), ({}, ()), (None, ())]
)
def test_custom_attributes_of_another_form_are_text(
    attributes: object, read: tuple[str, ...]
) -> None:
    batch = read_captures(capture_lines(captured(customAttributes=attributes)), KEY)
    assert [capture.custom_attributes for capture in batch.captures] == [read]


def test_probabilities_keep_every_digit() -> None:
    row = [0.9999593496322632, 4.07068437198177e-05]
    assert read(captured(json.dumps(row))).captures[0].probabilities == tuple(row)


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_two_to_a_thousand_classes_are_read(classes: int) -> None:
    row = [0.4 / (classes - 1)] * (classes - 1) + [0.6]
    (capture,) = read(captured(json.dumps(row))).captures
    assert capture.label == classes - 1
    assert capture.confidence == 0.6
    assert len(capture.probabilities) == classes


def test_of_equal_probabilities_the_first_is_the_label() -> None:
    assert read(captured("[0.5, 0.5]")).captures[0].label == 0


def test_outputs_of_all_encodings_stand_side_by_side() -> None:
    in_base64 = base64.b64encode(b"[0.9, 0.1]").decode()
    batch = read(
        captured(event_id="a"),
        captured("0.9,0.1", "CSV", "b"),
        captured(in_base64, "BASE64", "c"),
        captured([0.9, 0.1], "JSON", "d"),
    )
    assert [c.probabilities for c in batch.captures] == [(0.9, 0.1)] * 4
    assert [c.event_id for c in batch.captures] == list("abcd")


@pytest.mark.parametrize("encoding", ["JSON", "BASE64"])
def test_answers_of_other_containers_are_captures_too(encoding: str) -> None:
    answers = (
        '{"predictions": [[0.9, 0.1]]}',
        '[{"label": "motorcycle", "score": 0.1}, {"label": "bicycle", "score": 0.9}]',
        '{"motorcycle": 0.1, "bicycle": 0.9}',
        "[0.9, 0.1]",
    )
    texts = [base64.b64encode(a.encode()).decode() if encoding == "BASE64" else a for a in answers]

    batch = read(*(captured(text, encoding, f"e{i}") for i, text in enumerate(texts)))

    assert [(c.probabilities, c.label) for c in batch.captures] == [((0.9, 0.1), 0)] * 4


def test_an_answer_captured_as_an_object_is_read() -> None:
    (capture,) = read(captured({"predictions": [[0.9, 0.1]]}, "JSON", "a")).captures

    assert capture.probabilities == (0.9, 0.1)


def test_each_row_of_a_batch_request_is_a_capture_of_the_same_event() -> None:
    batch = read(captured("0.9,0.1\n0.2,0.8\n0.3,0.3", "CSV"), captured(event_id="e2"))
    assert [(c.event_id, c.row, c.line, c.label) for c in batch.captures] == [
        ("e1", 0, 1, 0),
        ("e1", 1, 1, 1),
        ("e2", 0, 2, 0),
    ]
    (error,) = batch.errors
    assert (error.line, error.event_id, error.detail) == (1, "e1", "row 2: the 2 values sum to 0.6")


@pytest.mark.parametrize(
    "rearrange",
    [
        pytest.param(lambda d: d.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(lambda d: b"\xef\xbb\xbf" + d, id="byte-order mark"),
        pytest.param(lambda d: d[:-1], id="no final newline"),
        pytest.param(lambda d: d.replace(b"\n", b"\n\n \r\n"), id="blank lines"),
        pytest.param(lambda d: b" " + d.replace(b"\n", b"  \n"), id="spaces"),
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(
            lambda d: gzip.compress(d[:100]) + gzip.compress(d[100:]), id="gzip of two members"
        ),
    ],
)
def test_files_are_read_however_their_lines_end(rearrange: Callable[[bytes], bytes]) -> None:
    data = capture_lines(captured(event_id="a"), captured("[0.2, 0.8]", event_id="b"))
    batch = read_captures(rearrange(data), KEY)
    assert [(c.event_id, c.label) for c in batch.captures] == [("a", 0), ("b", 1)]
    assert batch.errors == ()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n"])
def test_offset_and_length_cut_the_line_out_of_the_object(end: bytes) -> None:
    lines = [captured(event_id="a"), captured(event_id="b")]
    data = b"\xef\xbb\xbf" + capture_lines(*lines).replace(b"\n", end)
    for capture, line in zip(read_captures(data, KEY).captures, lines, strict=True):
        cut = data[capture.offset : capture.offset + capture.length]
        assert cut == capture_lines(line)[:-1]
        assert image_of(cut) == (png(), "image/png")


def test_blank_lines_count_as_lines() -> None:
    data = b"\n" + capture_lines(captured()) + b"\n"
    assert [c.line for c in read_captures(data, KEY).captures] == [2]


def test_a_gzip_says_that_no_range_can_be_fetched() -> None:
    data = capture_lines(captured())
    assert read_captures(gzip.compress(data), KEY).captures[0].gzipped
    assert not read_captures(data, KEY).captures[0].gzipped


def test_keys_may_come_in_any_order() -> None:
    record = captured(json.dumps([0.5 / 999] * 999 + [0.5]))
    data = record["captureData"]
    assert isinstance(data, dict)
    output_first = {
        "endpointOutput": data["endpointOutput"],
        "endpointInput": data["endpointInput"],
    }
    reordered = {**dict(reversed(record.items())), "captureData": output_first}
    assert read(reordered).captures == read(reordered | {"eventVersion": "1"}).captures
    assert read(reordered).captures[0].label == 999


def test_a_damaged_image_does_not_spoil_its_record() -> None:
    line = capture_lines(captured())
    damaged = line.replace(b"iVBOR", b"\x01\xff\xfe!")
    assert read_captures(damaged, KEY).captures[0].probabilities == (0.9, 0.1)


def test_an_event_is_counted_once() -> None:
    first, second = capture_lines(captured(), captured(event_id="e2")), capture_lines(captured())
    batch = read_objects([("a/1", first), ("a/2", second)])
    assert [c.event_id for c in batch.captures] == ["e1", "e2"]
    (error,) = batch.errors
    assert (error.key, error.line, error.reason, error.event_id) == ("a/2", 1, DUPLICATE, "e1")


def test_a_batch_request_captured_twice_is_one_error() -> None:
    twice = captured("0.9,0.1\n0.2,0.8", "CSV")
    batch = read(twice, twice)
    assert [c.row for c in batch.captures] == [0, 1]
    assert reasons(batch) == [(2, DUPLICATE)]


@pytest.mark.parametrize(
    ("key", "endpoint", "variant", "hour"),
    [
        (KEY, "scones", "AllTraffic", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("e/v/2026/01/02/03/x.jsonl", "e", "v", datetime(2026, 1, 2, 3, tzinfo=UTC)),
        ("e/v/2026/13/02/03/x.jsonl", "", "", None),
        ("captured_data/59-17-723-bb28.jsonl", "", "", None),
        ("x", "", "", None),
    ],
)
def test_the_key_names_endpoint_variant_and_hour(
    key: str, endpoint: str, variant: str, hour: datetime | None
) -> None:
    batch = read_captures(capture_lines(captured()), key)
    assert batch.sources[0].hour == hour
    assert (batch.captures[0].endpoint, batch.captures[0].variant) == (endpoint, variant)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-23T10:15:30Z", datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC)),
        ("2026-11-23T10:15:30.25Z", datetime(2026, 11, 23, 10, 15, 30, 250_000, tzinfo=UTC)),
        ("2026-11-23T12:15:30+02:00", datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC)),
        ("2026-11-23 10:15:30", datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-11-23T10:15:30X", None),
        ("0000-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-02-30T10:15:30Z", None),
        ("2026-11-23T25:15:30Z", None),
        ("{%s}", None),
        ("", None),
        (None, None),
        (1764000000, None),
    ],
)
def test_a_time_is_read_or_missing_never_invented(text: object, time: datetime | None) -> None:
    batch = read(captured(inferenceTime=text), captured(event_id="e2"))
    assert batch.captures[0].inference_time == time
    assert batch.captures[1].inference_time == datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC)


def without(*path: str) -> dict[str, Any]:
    record: dict[str, Any] = captured()
    part = record
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return record


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (without("captureData"), "not a capture"),
        (without("captureData", "endpointOutput"), "no output captured"),
        (without("captureData", "endpointOutput", "data"), "empty output"),
        (without("eventMetadata"), "no event id"),
        (without("eventMetadata", "eventId"), "no event id"),
        (captured(event_id=""), "no event id"),
        (captured(""), "empty output"),
        (captured(None), "empty output"),
        (captured("[NaN, 1.0]"), "not finite"),
        (captured("[-0.5, 1.5]"), "negative value"),
        (captured("[3, 4]"), "values do not sum to 1"),
        (captured("0.0107", "CSV"), "single value, no probability per class"),
        (captured("[]"), "empty output"),
        (captured(encoding="XML"), "unknown encoding"),
        (captured(encoding="BASE64"), "output is not base64 of text"),
        ({"groundTruthData": {"data": "1"}}, "ground truth, not a capture"),
        ({"violations": []}, "constraint violations, not captures"),
    ],
)
def test_a_line_that_is_no_capture_is_named_and_spoils_no_other(
    record: dict[str, Any], reason: str
) -> None:
    batch = read(captured(event_id="before"), record, captured(event_id="after"))
    assert [c.event_id for c in batch.captures] == ["before", "after"]
    assert reasons(batch) == [(2, reason)]
    assert batch.errors[0].lines == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"hello", "not JSON"),
        (b'{"captureData":', "not JSON"),
        (b"[1, 2]", "not a capture"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 200_000, "not JSON"),
    ],
)
def test_a_line_that_is_no_object_is_named(line: bytes, reason: str) -> None:
    batch = read_captures(capture_lines(captured()) + line + b"\n", KEY)
    assert len(batch) == 1
    assert reasons(batch) == [(2, reason)]
    assert batch.errors[0].length == len(line)


def test_lines_of_one_record_each_are_not_mistaken_for_their_neighbours() -> None:
    line = capture_lines(captured())[:-1]
    other = capture_lines(captured(event_id="e2"))[:-1]
    half = len(line) - 60
    batch = read_captures(line[:half] + b"\n" + line[half:] + b"\n" + other + line, KEY)
    assert len(batch) == 0
    assert [error.line for error in batch.errors] == [1, 2, 3]


def test_an_object_that_is_something_else_is_named_once() -> None:
    batch = read_captures(json.dumps({"violations": []}, indent=2).encode(), KEY)
    assert [(e.line, e.reason) for e in batch.errors] == [
        (0, "constraint violations, not captures")
    ]
    pretty = read_captures(json.dumps({"a": [1, 2]}, indent=2).encode(), KEY)
    assert [(e.line, e.reason, e.lines) for e in pretty.errors] == [
        (0, "one JSON document, not JSON Lines", 6)
    ]
    junk = bytes(range(256)) * 20
    binary = read_captures(junk, KEY)
    assert [(e.line, e.reason) for e in binary.errors] == [(0, "binary data")]


@pytest.mark.parametrize("output", ['{"text": "a"}', "[", "bicycle"])
def test_many_objects_of_unreadable_answers_are_read_to_their_end(output: str) -> None:
    count = often(10_000, 2_000)
    lines = [captured(output, event_id=f"e{i}" + "x" * (i // 200)) for i in range(count)]
    objects = [(f"{KEY}{i}", capture_lines(*lines[i : i + 50])) for i in range(0, count, 50)]

    batch = read_objects(objects)

    assert sum(error.lines for error in batch.errors) == count


def test_errors_of_one_object_are_bounded_and_every_line_is_still_counted() -> None:
    batch = read_captures(b"junk\n" * (MAX_ERRORS + 500), KEY)
    assert len(batch.errors) == MAX_ERRORS + 1
    assert sum(error.lines for error in batch.errors) == MAX_ERRORS + 500


def test_a_damaged_gzip_gives_what_comes_before_the_damage() -> None:
    whole = gzip.compress(capture_lines(*(captured(event_id=str(i)) for i in range(3))))
    for damaged, detail in (
        (whole[:20], "it is cut off"),
        (whole + b"junk", "bytes after the last member"),
        (whole[:10] + b"\xff" * 20, "Error -3 while decompressing data"),
    ):
        batch = read_captures(damaged, KEY)
        assert batch.errors[0].reason == "damaged gzip"
        assert detail in batch.errors[0].detail
    assert len(read_captures(whole + b"junk", KEY)) == 3
    assert read_captures(whole + bytes(16), KEY).errors == ()


def test_a_gzip_that_unpacks_to_too_much_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNZIPPED_BYTES", 1000)
    batch = read_captures(gzip.compress(b"\n" * 5000), KEY)
    assert [(e.reason, e.line) for e in batch.errors] == [("damaged gzip", 0)]


def test_nothing_gives_nothing() -> None:
    for batch in (read_captures(b"", KEY), read_objects([])):
        assert batch.captures == ()
        assert batch.errors == ()


def test_windows_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = [
        (
            f"e/v/2026/01/02/03/{i}",
            capture_lines(captured(event_id=str(i)), captured("", "CSV", "x")),
        )
        for i in range(10)
    ]
    whole = read_objects(objects)
    monkeypatch.setattr(module, "_WINDOW_BYTES", 1)
    apart = read_objects(objects)
    assert apart.captures == whole.captures
    assert apart.errors == whole.errors


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"captureData":{"endpointInput":{"data":1}}}',
        b'{"captureData":{"endpointInput":{"data":"!","encoding":"BASE64"}}}',
        b'{"captureData":{"endpointInput":null}}',
        b"\xff",
    ],
)
def test_a_line_without_an_image_says_so(line: bytes) -> None:
    with pytest.raises(WorkflowError) as raised:
        image_of(line)
    assert raised.value.code == "CaptureUnreadable"


def test_an_input_that_is_text_comes_as_it_was_sent() -> None:
    line = (
        b'{"captureData":{"endpointInput":'
        b'{"data":"1,2\\n","encoding":"CSV","observedContentType":"text/csv; charset=utf-8"}}}'
    )
    assert image_of(line) == (b"1,2\n", "text/csv; charset=utf-8")


# --- the fast path against a plain decoder, and against whatever bytes there are


def plainly(data: bytes) -> list[tuple[int, str, list[float]]]:
    """The records that plain ``json.loads`` finds, line by line."""
    found = []
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            record = json.loads(line)
            event_id = record["eventMetadata"]["eventId"]
            output = record["captureData"]["endpointOutput"]
            row = json.loads(output["data"])
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        known = output.get("encoding", "JSON") in {"JSON", "CSV"}
        good = (
            known and isinstance(row, list) and len(row) > 1 and all(type(v) is float for v in row)
        )
        if good and abs(sum(row) - 1) < 1e-6 and min(row) >= 0 and event_id:
            found.append((number, event_id, row))
    return found


rows = st.sampled_from(
    ["[0.9, 0.1]", "[0.25,0.75]", json.dumps([0.001] * 1000), "", "[0.3]", "null", '"x"', "[NaN,1]"]
)
payloads = st.sampled_from(
    ["", "A" * 63, "A" * 64, "A" * 300, 'quote"' * 20, "slash\\" * 20, '","data":"' * 9, "é" * 70]
)


@st.composite
def odd_records(draw: st.DrawFn) -> bytes:
    """A record with its keys in any order, odd payloads, and keys that look like others."""

    def shuffled(part: dict[str, Any]) -> dict[str, Any]:
        return dict(draw(st.permutations(list(part.items()))))

    output = {"data": draw(rows), "encoding": "JSON", "mode": "OUTPUT"}
    sent = {"data": draw(payloads), "encoding": "BASE64", 'odd"data': draw(payloads)}
    data = {"endpointInput": shuffled(sent), "endpointOutput": shuffled(output)}
    record = {
        "captureData": shuffled(data),
        "eventMetadata": {"eventId": draw(st.uuids()).hex, "data": draw(payloads)},
        "eventVersion": "0",
        "data": draw(payloads),
    }
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    return json.dumps(shuffled(record), separators=separators).encode()


@given(st.lists(odd_records(), min_size=1, max_size=4))
@settings(max_examples=often(300, 50), deadline=None)
def test_the_fast_path_equals_the_full_decode(lines: list[bytes]) -> None:
    data = b"\n".join(lines)
    batch = read_captures(data, KEY)
    read = [(c.line, c.event_id, list(c.probabilities)) for c in batch.captures]
    assert read == plainly(data)
    accounted = {c.line for c in batch.captures} | {e.line for e in batch.errors}
    assert accounted == set(range(1, len(lines) + 1))


@given(st.randoms(use_true_random=False), st.integers(1, 6))
@settings(max_examples=often(300, 50), deadline=None)
def test_no_mutation_of_a_file_loses_a_line_or_raises(source: random.Random, changes: int) -> None:
    records = [captured(event_id="a"), captured("0.2,0.8", "CSV", "b"), captured(event_id="c")]
    data = bytearray(capture_lines(*records))
    for _ in range(changes):
        at = source.randrange(len(data))
        piece = source.choice([b'"', b"\\", b"\n", b"{", b"}", b"\0", b'"data":"', b"\xff", b""])
        data[at : at + source.choice([0, 1, 30])] = piece
    batch = read_captures(bytes(data), KEY)
    good = {(c.line, c.event_id, c.probabilities) for c in batch.captures}
    for line, event_id, row in plainly(bytes(data)):
        duplicates = {e.line for e in batch.errors if e.reason == DUPLICATE}
        assert (line, event_id, tuple(row)) in good or line in duplicates
    if all(error.line for error in batch.errors):
        lines = [n for n, line in enumerate(bytes(data).split(b"\n"), 1) if line.strip()]
        accounted = {c.line for c in batch.captures} | {e.line for e in batch.errors}
        assert accounted == set(lines)


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(b"\x1f\x8b")
@example(b"\xef\xbb\xbf")
@example(b'{"data":"')
def test_no_bytes_make_it_raise(data: bytes) -> None:
    batch = read_captures(data, KEY)
    assert batch.captures == ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf_16_is_named_and_not_half_read(encoding: str) -> None:
    text = capture_lines(captured(event_id="a"), captured(event_id="b")).decode()

    batch = read_captures(text.encode(encoding), KEY)

    assert len(batch) == 0
    assert [error.reason for error in batch.errors] == ["binary data"]
