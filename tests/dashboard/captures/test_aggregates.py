"""Counts of captures answer what the records themselves would."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.captures import aggregates as tables
from dashboard.captures import periods
from dashboard.captures.aggregates import COUNTS, count_captures
from dashboard.captures.periods import Period
from tests.captured import NOW, captured, counted
from tests.nightly import often


def test_every_record_is_counted_once() -> None:
    frame = captured(1000)

    counts = counted(frame)

    assert counts.schema == COUNTS
    assert counts["count"].sum() == 1000
    assert counts.equals(counts.sort(COUNTS.names()[:-1]))


def test_no_record_gives_an_empty_table() -> None:
    assert counted(captured(0)).is_empty()
    assert counted(captured(0)).schema == COUNTS


@pytest.mark.parametrize("period", list(Period))
def test_counts_are_what_grouping_the_records_gives(period: Period) -> None:
    frame = captured(3000, hours=30, endpoints=("a", "b"), variants=("x", "y"))
    every = {"10 seconds": "10s", "minute": "1m", "hour": "1h", "day": "1d"}[period]

    expected = (
        frame.group_by(
            pl.col("inference_time").dt.truncate(every).alias("time"),
            "endpoint",
            "variant",
            "label",
            (pl.col("confidence") * 200 + 1e-9).floor().cast(pl.Int16).alias("bin"),
        )
        .len("count")
        .cast({"count": pl.Int64})
        .sort(COUNTS.names()[:-1])
    )

    assert counted(frame, period).equals(expected.select(COUNTS.names()))


@pytest.mark.parametrize(
    "moment", [None, datetime(1970, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)]
)
def test_records_without_a_usable_time_are_counted_apart(moment: datetime | None) -> None:
    frame = captured(10)
    odd = frame.head(4).with_columns(inference_time=pl.lit(moment, frame.schema["inference_time"]))

    counts = counted(pl.concat([frame.tail(6), odd]))

    assert counts.filter(pl.col("time").is_null())["count"].sum() == 4
    assert counts.filter(pl.col("time").is_not_null())["count"].sum() == 6
    assert tables.count_volume(counts, Period.HOUR, 0.9)["count"].sum() == 6


def test_a_time_just_out_of_use_is_not_counted_with_its_hour() -> None:
    now = NOW + timedelta(minutes=30)
    moments = [tables.EARLIEST, now + tables.AHEAD, now + tables.AHEAD + timedelta(seconds=1)]
    frame = captured(3).with_columns(inference_time=pl.Series(moments, dtype=COUNTS["time"]))

    counts = count_captures(frame, Period.HOUR, now=now)

    assert counts.filter(pl.col("time").is_null())["count"].sum() == 1


def test_records_that_all_lack_a_time_are_still_counted() -> None:
    frame = captured(5).with_columns(inference_time=pl.lit(None, tables.COUNTS["time"]))

    assert counted(frame)["count"].sum() == 5


@pytest.mark.parametrize("place", range(100, 201))
def test_a_threshold_parts_counts_as_it_parts_records(place: int) -> None:
    threshold = place / 200
    values = [0.5, threshold - 1e-6, threshold, min(1.0, threshold + 1e-6), 1.0]
    frame = captured(5).with_columns(confidence=pl.Series([min(max(v, 0), 1) for v in values]))

    taken = counted(frame).select(tables.count_accepted(threshold)).item()

    assert taken == (frame["confidence"] >= threshold).sum()


@settings(max_examples=often(50, 15), deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_the_sweep_counts_what_each_threshold_accepts(values: list[float]) -> None:
    frame = captured(len(values)).with_columns(confidence=pl.Series(values))

    for row in tables.sweep_thresholds(counted(frame)).iter_rows(named=True):
        exact = (frame["confidence"] >= row["threshold"] - 1e-11).sum()
        assert row["accepted"] == exact
        assert row["coverage"] == pytest.approx(exact / len(values))


def test_expected_accuracy_is_the_mean_confidence_of_the_accepted() -> None:
    frame = captured(5000)
    taken = frame.filter(pl.col("confidence") >= 0.9)["confidence"]

    row = tables.sweep_thresholds(counted(frame)).filter((pl.col("threshold") - 0.9).abs() < 1e-9)

    assert row["expected"].item() == pytest.approx(taken.mean(), abs=0.0026)


def test_a_histogram_holds_every_record_and_every_empty_bar() -> None:
    bars = tables.build_histogram(counted(captured(500)), 50)

    assert bars["count"].sum() == 500
    assert bars.height == 2 * bars["low"].n_unique()
    assert bars.filter(label=0)["low"].to_list()[1:] == pytest.approx(
        bars.filter(label=0)["high"].to_list()[:-1]
    )
    assert bars["high"].max() == 1.0
    assert bars["low"].n_unique() <= 50


def test_a_confidence_of_exactly_one_is_in_the_last_bar() -> None:
    frame = captured(3).with_columns(confidence=pl.lit(1.0), label=pl.lit(0, pl.Int32))

    bars = tables.build_histogram(counted(frame), 10)

    assert bars["count"].to_list() == [3]
    assert bars["high"].to_list() == [1.0]


def test_no_counts_make_an_empty_histogram() -> None:
    assert tables.build_histogram(pl.DataFrame(schema=COUNTS), 10).is_empty()
    assert tables.compute_heat(pl.DataFrame(schema=COUNTS), Period.HOUR, 10).is_empty()


def test_quantiles_are_right_to_half_a_bin() -> None:
    frame = captured(4000, hours=2)
    rows = tables.compute_quantiles(counted(frame), Period.HOUR)

    for row in rows.iter_rows(named=True):
        hour = frame.filter(pl.col("inference_time").dt.truncate("1h") == row["time"])
        for name, q in (("q05", 0.05), ("q25", 0.25), ("q50", 0.5)):
            exact = np.quantile(hour["confidence"].to_numpy(), q, method="inverted_cdf")
            assert row[name] == pytest.approx(exact, abs=0.0026)
        assert row["count"] == hour.height


def test_volume_tells_the_rejected() -> None:
    frame = captured(600, hours=3)
    rows = tables.count_volume(counted(frame), Period.HOUR, 0.93)

    assert rows["count"].sum() == 600
    assert rows["rejected"].sum() == (frame["confidence"] < 0.93).sum()
    assert tables.count_volume(counted(frame), Period.DAY, 0.93)["count"].sum() == 600


def test_the_shares_of_each_time_add_up() -> None:
    cells = tables.compute_heat(counted(captured(900, hours=4)), Period.HOUR, 20)

    totals = cells.group_by("time").agg(pl.col("share").sum())
    assert totals["share"].to_list() == pytest.approx([1.0] * totals.height)


def test_a_heat_map_has_every_bar_of_every_time() -> None:
    frame = captured(3, hours=3).with_columns(confidence=pl.Series([0.0, 0.6, 0.95]))

    cells = tables.compute_heat(counted(frame), Period.HOUR, 20)

    assert cells.height == 3 * 20
    for (_,), part in cells.group_by("time"):
        assert part["low"].to_list() == pytest.approx([i / 20 for i in range(20)])
        assert part["high"].to_list() == pytest.approx([(i + 1) / 20 for i in range(20)])


def test_the_largest_classes_come_first_and_ties_by_number() -> None:
    rows = pl.DataFrame({"label": [4, 1, 0, 2, 3], "count": [1, 2, 2, 9, 1]})

    assert tables.find_largest(rows, 5) == [2, 0, 1, 3, 4]
    assert tables.find_largest(rows, 3) == [2, 0, tables.OTHERS]


def test_a_step_is_as_short_as_the_points_allow() -> None:
    days = pl.datetime_range(NOW - timedelta(days=99), NOW, "1d", eager=True)

    assert periods.step_of(days, Period.DAY, 100).name == "day"
    assert periods.step_of(days, Period.DAY, 99).name == "week"
    assert periods.step_of(days.gather_every(99), Period.DAY, 99).name == "week"
    assert periods.step_of(days.clear(), Period.DAY, 99).name == "day"


def test_every_step_from_first_to_last_is_there() -> None:
    days = pl.Series([NOW, NOW - timedelta(days=17)])
    week = periods.step_of(days, Period.DAY, 4)

    starts = periods.every_step(days, week)["time"]

    assert [f"{start:%a %d}" for start in starts] == ["Mon 02", "Mon 09", "Mon 16", "Mon 23"]


@pytest.mark.parametrize(
    ("span", "period"),
    [
        (timedelta(0), Period.TEN_SECONDS),
        (timedelta(hours=1), Period.MINUTE),
        (timedelta(days=3), Period.HOUR),
        (timedelta(days=40), Period.DAY),
    ],
)
def test_the_period_suits_the_span(span: timedelta, period: Period) -> None:
    assert Period.of(span) is period


def test_names_may_be_strings_or_categories() -> None:
    frame = captured(50, endpoints=("a", "b"))
    categories = frame.with_columns(pl.col("endpoint", "variant").cast(pl.Categorical))

    assert count_captures(frame, Period.HOUR, now=NOW).equals(
        count_captures(categories, Period.HOUR, now=NOW)
    )
