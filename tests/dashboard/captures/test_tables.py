"""Batches of captures as rows of the store."""

from datetime import UTC, datetime

import polars as pl

from dashboard.aws.error_tables import ERRORS, error_rows
from dashboard.captures.tables import CAPTURES, capture_rows
from tests.builders import capture_lines, captured
from workflow.captures import read_captures, read_objects

KEY = "data_capture/scones/AllTraffic/2026/11/23/10/15-30-000-abc.jsonl"


def test_every_capture_is_a_row_with_the_same_values() -> None:
    lines = capture_lines(
        captured(inferenceId="i1", customAttributes=["a"]),
        captured("[0.2, 0.3, 0.5]", event_id="e2", inferenceTime="never"),
        captured("0.9,0.1\n0.4,0.6", "CSV", "e3"),
    )
    batch = read_objects([("flat.jsonl", b""), (KEY, lines)])
    rows = capture_rows(batch)
    assert rows.schema == pl.Schema(CAPTURES)
    for row, capture in zip(rows.iter_rows(named=True), batch.captures, strict=True):
        assert row.pop("hour") == datetime(2026, 11, 23, 10, tzinfo=UTC)
        assert row.pop("probabilities") == list(capture.probabilities)
        assert (row.pop("custom_attributes") or []) == list(capture.custom_attributes)
        assert row == {name: getattr(capture, name) for name in row}


def test_no_captures_are_no_rows() -> None:
    assert capture_rows(read_captures(b"", KEY)).schema == pl.Schema(CAPTURES)


def test_every_error_is_a_row_and_says_when_it_was_found() -> None:
    now = datetime(2026, 11, 23, 11, tzinfo=UTC)
    errors = read_captures(b"junk\n", KEY).errors
    (row,) = error_rows(errors, now).to_dicts()
    assert row == {name: getattr(errors[0], name) for name in ERRORS if name != "found_at"} | {
        "found_at": now
    }
    assert error_rows([], now).schema == pl.Schema(ERRORS)
