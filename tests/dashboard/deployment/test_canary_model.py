"""Two versions of the state machine that share new executions, side by side."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from dashboard.deployment.canary_model import Canary, compare_versions, read_canary
from dashboard.shared import numbers
from workflow.executions import Outcome
from workflow.intervals import Share

SHIFTED = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHARED = Canary(old=1, new=3, share=10, since=SHIFTED)


def outputs(*weights: int) -> dict[str, Any]:
    versions = [
        {"number": len(weights) - place, "weight": weight} for place, weight in enumerate(weights)
    ]
    return {"versions": versions, "shifted_at": SHIFTED.isoformat()}


def listing(*rows: tuple[int | None, Outcome, int]) -> pl.DataFrame:
    """Executions: version, outcome, and seconds after the shift."""
    return pl.DataFrame(
        [
            (None if version is None else str(version), how.value, SHIFTED + timedelta(seconds=at))
            for version, how, at in rows
        ],
        schema={
            "version": pl.String,
            "outcome": pl.String,
            "started_at": pl.Datetime("us", "UTC"),
        },
        orient="row",
    )


def test_two_versions_that_share_executions_are_a_canary() -> None:
    assert read_canary(outputs(10, 0, 90)) == SHARED


@pytest.mark.parametrize("weights", [(), (100,), (100, 0), (0, 100)], ids=str)
def test_one_version_with_all_executions_is_no_canary(weights: tuple[int, ...]) -> None:
    assert read_canary(outputs(*weights)) is None


def test_what_was_started_before_the_shift_or_by_other_versions_is_left_out() -> None:
    before = listing(
        (1, Outcome.ACCEPTED, -1), (2, Outcome.ACCEPTED, 5), (None, Outcome.FAULTED, 5)
    )

    assert compare_versions(before, SHARED).is_empty()


def test_both_versions_are_told_by_how_their_executions_ended() -> None:
    table = compare_versions(
        listing(
            *[(1, Outcome.ACCEPTED, 0)] * 6,
            (1, Outcome.UNEXAMINED, 1),
            *[(1, Outcome.REJECTED, 1)] * 2,
            (1, Outcome.FAULTED, 1),
            (3, Outcome.SILENT, 1),
            (3, Outcome.RUNNING, 2),
            (3, Outcome.ABORTED, 2),
        ),
        SHARED,
    )

    low, high = Share(7, 10).interval
    assert dict(table.select("Since the shift", "Version 1 (old)").iter_rows()) == {
        "Share of new executions": "90 %",
        "Started": "10",
        "Running or aborted": "0",
        "Accepted": f"7 · 70.0% ({numbers.format_interval(low, high)})",
        "Rejected": "2 · 20.0% (5.7% to 51.0%)",
        "Failed": "1 · 10.0% (1.8% to 40.4%)",
    }
    assert table["Version 3 (new)"].to_list() == [
        "10 %",
        "3",
        "2",
        "0 · 0.0% (0.0% to 79.3%)",
        "0 · 0.0% (0.0% to 79.3%)",
        "1 · 100.0% (20.7% to 100.0%)",
    ]


def test_a_version_of_which_nothing_has_ended_has_no_shares() -> None:
    table = compare_versions(listing((1, Outcome.ACCEPTED, 1)), SHARED)

    assert table["Version 3 (new)"].to_list() == ["10 %", "0", "0", "-", "-", "-"]
