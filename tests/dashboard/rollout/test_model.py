"""Two variants compared on the captures since a rollout began."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from dashboard.captures.periods import Period
from dashboard.rollout import charts, model
from tests.captured import NOW


def captures(old: list[float], new: list[float], *, hours_ago: float = 1) -> pl.DataFrame:
    names = ["Old"] * len(old) + ["New"] * len(new)
    at = NOW - timedelta(hours=hours_ago)
    return pl.DataFrame(
        {"inference_time": [at] * len(names), "variant": names, "confidence": [*old, *new]},
        schema_overrides={"inference_time": pl.Datetime("us", "UTC"), "confidence": pl.Float64},
    )


def compared(frame: pl.DataFrame) -> model.Compared:
    since = NOW - timedelta(hours=2)
    return model.compare_variants(frame, "Old", "New", since=since, threshold=0.9)


@pytest.mark.parametrize(
    ("rejected", "says", "decided"),
    [(60, "rejects more", True), (2, "rejects fewer", True), (22, "not clear yet", False)],
)
def test_the_new_model_is_compared_with_the_one_in_use(
    rejected: int, says: str, decided: object
) -> None:
    old = [0.5] * 80 + [0.95] * 320
    said = compared(captures(old, [0.5] * rejected + [0.95] * (100 - rejected)))

    assert says in said.says
    assert said.decided is decided
    assert [row.records for row in said.rows] == [400, 100]
    assert said.rows[0].low < 0.2 < said.rows[0].high


def test_captures_before_the_rollout_and_without_a_time_do_not_count() -> None:
    early = captures([0.5] * 50, [0.5] * 50, hours_ago=3)
    untimed = early.with_columns(inference_time=pl.lit(None, pl.Datetime("us", "UTC")))

    assert [row.records for row in compared(pl.concat([early, untimed])).rows] == [0, 0]


def test_rejections_over_time_are_drawn_for_each_variant() -> None:
    hour = datetime(2026, 11, 23, 9)  # noqa: DTZ001 - a wall clock
    cells = [
        (hour, "old", 199, 9),
        (hour, "old", 100, 1),
        (hour, "new", 199, 1),
        (None, "new", 0, 5),
    ]
    counts = pl.DataFrame(cells, schema=["time", "variant", "bin", "count"], orient="row")

    rows = model.rejected_by_time(counts, ["old", "new"], Period.HOUR, 0.9)
    figure = charts.draw_rejected(rows, ["old", "new"], Period.HOUR)

    assert rows.rows() == [(hour, "new", 1, 0), (hour, "old", 10, 1)]
    assert [(trace.name, trace.y[0]) for trace in figure.data] == [
        ("old", pytest.approx(0.1)),
        ("new", 0),
    ]
