"""Where lines are cut, whatever the payload is and however long."""

import random
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import capture_lines, captured
from tests.nightly import often
from workflow import capture_lines as module
from workflow.captures import CaptureBatch, read_captures

KEY = "data_capture/scones/AllTraffic/2026/11/23/10/15-30-000-abc.jsonl"


def read(data: bytes, block: int) -> CaptureBatch:
    with patch.object(module, "_BLOCK", block):
        return read_captures(data, KEY)


def lines(*payloads: bytes) -> bytes:
    whole = capture_lines(*(captured(event_id=f"e{i}") for i in range(len(payloads))))
    cut = whole.split(b"\n")
    begin = cut[0].index(b'"data":"') + len(b'"data":"')
    end = cut[0].index(b'"', begin)
    return b"\n".join(
        line[:begin] + payload + line[end:] for line, payload in zip(cut, payloads, strict=False)
    )


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 17])
def test_long_payloads_are_jumped_over_block_by_block(block: int) -> None:
    data = lines(b"A" * 300, b"B" * 200_000, b"", b"C" * 64)
    for end in (b"", b"\n"):
        batch = read(data + end, block)
        assert [c.event_id for c in batch.captures] == ["e0", "e1", "e2", "e3"]
        assert [data[c.offset : c.offset + c.length] for c in batch.captures] == data.split(b"\n")


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 17])
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"A" * 90 + b"\n" + b"B" * 90, id="a line feed in it"),
        pytest.param(b'A"B', id="a quote in it"),
        pytest.param(b"A" * 90 + b"\\", id="a backslash before its end"),
    ],
)
def test_a_payload_that_breaks_its_line_breaks_no_other(block: int, payload: bytes) -> None:
    data = lines(b"A" * 100, payload, b"C" * 100)
    batch = read(data, block)
    assert [c.event_id for c in batch.captures] == ["e0", "e2"]
    broken = {number for number, line in enumerate(data.split(b"\n"), 1)} - {1}
    assert {e.line for e in batch.errors} == broken - {data.count(b"\n") + 1}
    assert {e.reason for e in batch.errors} == {"not JSON"}


def test_a_line_that_ends_in_its_payload_is_named_and_the_next_one_read() -> None:
    first, second = lines(b"A" * 100, b"B" * 100).split(b"\n")
    for cut in (60, 120, 180):
        batch = read_captures(first[:cut] + b"\n" + second, KEY)
        assert [(c.event_id, c.line) for c in batch.captures] == [("e1", 2)]
        assert [e.line for e in batch.errors] == [1]


def test_the_payload_is_left_out_wherever_it_stands() -> None:
    long = b"A" * 1000
    record = b'{"captureData":{"endpointOutput":{"data":"[1,0]"},"endpointInput":{"data":"%b"}}}'
    assert len(module._without_payload(record % long)) == len(record % b"")
    for line in (b"{}", b'{"endpointInput":{"data":"A', b'{"endpointInput":{"data":"A\\"}}'):
        assert module._without_payload(line) == line


@given(st.randoms(use_true_random=False), st.integers(1, 5), st.sampled_from([1, 5, 100]))
@settings(max_examples=often(200, 50), deadline=None)
def test_blocks_do_not_show(source: random.Random, changes: int, block: int) -> None:
    data = bytearray(lines(b"A" * 100, b"B" * 30, b"C" * 200) + b"\n")
    for _ in range(changes):
        at = source.randrange(len(data))
        piece = source.choice([b'"', b"\\", b"\n", b"\r\n", b"{", b'"data":"', b"\xff", b""])
        data[at : at + source.choice([0, 1, 30])] = piece
    small, whole = read(bytes(data), block), read(bytes(data), 1 << 17)
    assert (small.captures, small.errors) == (whole.captures, whole.errors)


def test_images_of_several_types_may_take_turns() -> None:
    types = ["image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif", "image/tiff"]
    turns = [types[i * i % 13 % 6] for i in range(300)]
    texts = [
        capture_lines(captured(event_id=f"e{i:03}")).replace(b"image/png", kind.encode())
        for i, kind in enumerate(turns)
    ]

    batch = read_captures(b"".join(texts), KEY)

    assert batch.event_ids == [f"e{i:03}" for i in range(300)]
    assert batch.lengths.tolist() == [len(text) - 1 for text in texts]
    assert not batch.errors
