"""What the checks of captures say to the sender of alerts."""

from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from dashboard.alerts.model import CHECKS
from dashboard.overview import checks
from workflow.errors import WorkflowError

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
LISTING = pl.DataFrame(schema={"started_at": pl.Datetime("us", "UTC"), "outcome": pl.String})


@pytest.mark.parametrize(
    ("age", "problem", "watched", "wrong"),
    [
        (None, None, 1, None),
        (timedelta(minutes=1), None, 0, False),
        (timedelta(hours=1), None, 1, False),
        (timedelta(minutes=1), WorkflowError("AccessDenied", "No.", "Allow it."), 0, True),
    ],
)
def test_old_captures_are_read_on_and_what_is_not_known_is_neither_right_nor_wrong(
    *, age: timedelta | None, problem: WorkflowError | None, watched: int, wrong: bool | None
) -> None:
    looks: list[int] = []
    captures: Any = SimpleNamespace(
        as_of=NOW - age if age else None,
        problem=problem,
        watch=partial(looks.append, 1),
        counted=lambda *_: pl.DataFrame({"count": [3]}),
        errors=pl.DataFrame,
    )
    feed: Any = SimpleNamespace(executions=SimpleNamespace(listing=lambda: LISTING))
    reads: Any = SimpleNamespace(start=lambda *_, **__: SimpleNamespace(value=None))

    drift, health = checks.check_captures(
        feed, lambda: captures, checks.Background(reads, "key"), NOW
    )

    assert (drift.name, drift.wrong) == ("Drift", None)
    assert (health.name, health.wrong) == ("Data health", wrong)
    assert len(looks) == watched
    assert sorted([drift.name, health.name]) == sorted(CHECKS)
