"""Charts are small, complete and honest about gaps."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.captures import aggregates as tables
from dashboard.captures import periods
from dashboard.captures.aggregates import COUNTS as COUNTS_SCHEMA
from dashboard.captures.periods import Period
from dashboard.captures.selection import Selection
from dashboard.inferences import charts
from dashboard.shared.time_range import wall_clock
from tests.captured import NOW, captured, counted
from tests.nightly import often
from workflow.class_names import ClassNames

NAMED = ClassNames().name
COUNTS = wall_clock(counted(captured(5_000, hours=24 * 14)), ZoneInfo("UTC"))
VOLUME = tables.count_volume(COUNTS, Period.HOUR, 0.93)
NO_MEASURE = pl.DataFrame(schema=dict.fromkeys(("threshold", "value", "low", "high"), pl.Float64))


def every_chart() -> dict[str, go.Figure]:
    bars = tables.build_histogram(COUNTS, 50)
    one = bars.group_by("low", "high").agg(pl.col("count").sum()).sort("low")
    rows = pl.DataFrame({"time": VOLUME["time"].unique(), "expected": 9.0, "captured": 9})
    return {
        "confidence": charts.draw_confidence(bars, 0.93, ClassNames().name, log=True),
        "volume": charts.draw_volume(VOLUME, Period.HOUR, ClassNames().name),
        "shares": charts.draw_shares(VOLUME, Period.HOUR, ClassNames().name, 0.93),
        "quantiles": charts.draw_quantiles(
            tables.compute_quantiles(COUNTS, Period.HOUR), Period.HOUR, 0.93
        ),
        "heat": charts.draw_heat(tables.compute_heat(COUNTS, Period.DAY, 20), Period.DAY, 0.93),
        "overlay": charts.draw_overlay(one, one, ("before", "after"), 0.93),
        "sweep": charts.draw_sweep(tables.sweep_thresholds(COUNTS), NO_MEASURE, 0.55),
        "capture": charts.coverage_of_capture(rows, Period.HOUR),
    }


def points_of(figure: go.Figure) -> int:
    return sum(
        len(trace.z) * len(trace.z[0]) if trace.type == "heatmap" else len(trace.y)
        for trace in figure.data
    )


def test_no_chart_sends_much() -> None:
    for name, figure in every_chart().items():
        assert 0 < points_of(figure) <= tables.MAX_POINTS, name
        assert len(figure.to_json()) < 60_000, name
        assert json.loads(figure.to_json())["data"], name


def test_bars_carry_what_a_selection_needs() -> None:
    figure = charts.draw_confidence(
        tables.build_histogram(COUNTS, 50), 0.93, ClassNames().name, log=False
    )

    bicycle = figure.data[0]
    assert bicycle.name == "bicycle"
    low, high, others, *labels = bicycle.customdata[0]
    assert (others, labels) == (False, [0])
    assert high - low == pytest.approx(bicycle.width[0])


def test_bars_that_are_selected_are_drawn_so() -> None:
    bars = tables.build_histogram(COUNTS, 50)
    chosen = Selection(0.98, 1.0, (0,), others=False)

    bicycle, motorcycle = charts.draw_confidence(
        bars, 0.93, ClassNames().name, log=False, selection=chosen
    ).data
    assert [bicycle.customdata[n][0] for n in bicycle.selectedpoints] == [0.98, 0.99]
    assert motorcycle.selectedpoints == ()
    for trace in charts.draw_confidence(bars, 0.93, ClassNames().name, log=False).data:
        assert trace.selectedpoints is None


def test_what_is_rejected_is_pale() -> None:
    figure = charts.draw_confidence(
        tables.build_histogram(COUNTS, 50), 0.93, ClassNames().name, log=False
    )

    for trace in figure.data:
        for (low, *_), opacity in zip(trace.customdata, trace.marker.opacity, strict=True):
            assert (opacity < 1) == (low < 0.93 - 1e-9)


def test_the_threshold_is_named() -> None:
    figure = charts.draw_confidence(
        tables.build_histogram(COUNTS, 50), 0.93, ClassNames().name, log=False
    )

    assert figure.layout.annotations[0].text == "threshold 93.0%"


def test_a_line_is_broken_where_there_are_no_records() -> None:
    hours = [NOW + timedelta(hours=hour) for hour in (0, 1, 5)]
    counts = counts_of([(hour, 0, 199, 3) for hour in hours])

    figures = drawn(counts, Period.HOUR)

    for name in ("shares", "quantiles"):
        for trace in figures[name].data:
            assert np.isnan(trace.y).tolist() == [False, False, True, True, True, False]
    assert figures["volume"].data[0].y.tolist() == [3, 3, 0, 0, 0, 3]
    assert figures["capture"].data[0].y.tolist() == [3, 3, 0, 0, 0, 3]
    assert np.isnan(figures["capture"].data[1].y).sum() == 3


def test_records_years_apart_are_few_points() -> None:
    years_ago = datetime(2018, 1, 1, tzinfo=UTC)
    counts = counts_of([(years_ago, 0, 199, 1), (NOW, 0, 0, 1)])

    for figure in drawn(counts, Period.TEN_SECONDS).values():
        assert len(figure.to_json()) < 40_000


def test_lone_points_between_holes_are_drawn_as_points() -> None:
    days = [NOW + timedelta(days=2 * day) for day in range(90)]
    lone = counts_of([(day, 0, 199, 1) for day in days])
    many = crowd(2, 300, 1, timedelta(days=1), records=300)

    assert drawn(lone, Period.DAY)["shares"].data[0].mode == "lines+markers"
    assert drawn(many, Period.DAY)["shares"].data[0].mode == "lines"


def test_measured_accuracy_has_its_interval_beside_it() -> None:
    measured = pl.DataFrame({"threshold": [0.9], "value": [0.95], "low": [0.9], "high": [0.98]})

    names = [
        trace.name
        for trace in charts.draw_sweep(tables.sweep_thresholds(COUNTS), measured, 0.9).data
    ]

    assert names == ["coverage", "accuracy, if calibrated", "95 % interval", "measured accuracy"]


def counts_of(rows: list[tuple[datetime | None, int, int, int]]) -> pl.DataFrame:
    """Counts of one endpoint from time, class, bin and count; times as clocks in UTC show them."""
    whole = [(time, "endpoint", "AllTraffic", *rest) for time, *rest in rows]
    counts = pl.DataFrame(whole, schema=COUNTS_SCHEMA, orient="row")
    return wall_clock(counts, ZoneInfo("UTC"))


def cell(figure: go.Figure, confidence: float, moment: datetime) -> tuple[Any, Any, float]:
    """Extent in confidence and in time, and the value, of the cell drawn at a place."""
    (trace,) = figure.data
    assert (len(trace.y), len(trace.x)) == (len(trace.z) + 1, len(trace.z[0]) + 1)  # edges
    high = (i for i, (a, b) in enumerate(pairwise(trace.y)) if a <= confidence < b)
    wide = (i for i, (a, b) in enumerate(pairwise(trace.x)) if a <= moment < b)
    row, column = next(high), next(wide)
    extent = (trace.y[row], trace.y[row + 1]), (trace.x[column], trace.x[column + 1])
    return *extent, float(trace.z[row][column])


def test_a_cell_spans_its_bin_and_its_period_however_few_there_are() -> None:
    start = datetime(2026, 11, 23, 9, tzinfo=UTC)
    later = start + timedelta(hours=5)
    counts = counts_of([(start, 0, 0, 1), (start, 0, 121, 2), (start, 0, 199, 1), (later, 0, 0, 4)])

    figure = charts.draw_heat(tables.compute_heat(counts, Period.HOUR, 20), Period.HOUR, 0.93)

    hour, naive = timedelta(hours=1), start.replace(tzinfo=None)
    bin_, period, share = cell(figure, 0.605, naive)
    assert bin_ == pytest.approx((0.6, 0.65))
    assert period == (naive, naive + hour)
    assert share == 0.5
    assert cell(figure, 0.3, naive)[2] == 0
    assert cell(figure, 0.999, naive)[0] == pytest.approx((0.95, 1.0))
    assert cell(figure, 0.01, naive + 5 * hour)[1:] == ((naive + 5 * hour, naive + 6 * hour), 1)
    between = cell(figure, 0.01, naive + 3 * hour)
    assert between[1] == (naive + 3 * hour, naive + 4 * hour)
    assert np.isnan(between[2])


def test_one_cell_has_its_bin_s_height_and_its_period_s_width() -> None:
    start = datetime(2026, 11, 23, 9, tzinfo=UTC)

    cells = tables.compute_heat(counts_of([(start, 0, 199, 1)]), Period.DAY, 20)
    figure = charts.draw_heat(cells, Period.DAY, 0.93)

    midnight = datetime(2026, 11, 23)  # noqa: DTZ001 - an axis is in UTC and does not say so
    span = (midnight, midnight + timedelta(days=1))
    assert cell(figure, 0.999, midnight) == (pytest.approx((0.995, 1.0)), span, 1)


@pytest.mark.parametrize("name", ["volume", "capture"])
def test_a_bar_spans_the_period_it_counts(name: str) -> None:
    figure = every_chart()[name]

    bars = [trace for trace in figure.data if trace.type == "bar"]
    assert bars
    for trace in bars:
        assert trace.offset == 0
        assert trace.width == 3_600_000
        assert trace.x0 == VOLUME["time"][0].replace(tzinfo=None)
        assert trace.dx == 3_600_000


@pytest.mark.parametrize("name", ["shares", "quantiles", "capture"])
def test_a_point_stands_in_the_middle_of_its_period(name: str) -> None:
    for trace in every_chart()[name].data:
        if trace.type == "scatter":
            assert trace.xperiodalignment == "middle"
            assert trace.xperiod == trace.dx == 3_600_000
            assert trace.xperiod0 == trace.x0 == VOLUME["time"][0].replace(tzinfo=None)


def crowd(classes: int, steps: int, every: int, length: timedelta, *, records: int) -> pl.DataFrame:
    """Counts of as many records in steps of a length, of which each so manieth has any."""
    rng = np.random.default_rng(classes * steps)
    start = datetime(2018, 1, 1, tzinfo=UTC)
    times = [start + length * every * (i % steps) for i in range(records)]
    rows = pl.DataFrame(
        {
            "time": pl.Series(times, dtype=COUNTS_SCHEMA["time"]),
            "endpoint": "endpoint",
            "variant": "AllTraffic",
            "label": (rng.random(records) ** 3 * classes).astype(np.int32),
            "bin": rng.integers(0, 201, records).astype(np.int16),
        }
    )
    keys = rows.columns
    counts = rows.group_by(keys).agg(pl.len().cast(pl.Int64).alias("count")).sort(keys)
    return wall_clock(counts, ZoneInfo("UTC"))


def drawn(counts: pl.DataFrame, period: Period) -> dict[str, go.Figure]:
    """Every figure of the page that grows with classes or periods."""
    rows = tables.count_volume(counts, period, 0.93)
    health = rows.group_by("time").agg(captured=pl.col("count").sum()).sort("time")
    health = health.with_columns(expected=pl.col("captured") * 0.5, invocations="captured")
    return {
        "confidence": charts.draw_confidence(
            tables.build_histogram(counts, 50), 0.93, NAMED, log=False
        ),
        "volume": charts.draw_volume(rows, period, ClassNames().name),
        "shares": charts.draw_shares(rows, period, ClassNames().name, 0.93),
        "quantiles": charts.draw_quantiles(tables.compute_quantiles(counts, period), period, 0.93),
        "heat": charts.draw_heat(tables.compute_heat(counts, period, 20), period, 0.93),
        "capture": charts.coverage_of_capture(health, period),
        "sweep": charts.draw_sweep(tables.sweep_thresholds(counts), NO_MEASURE, 0.93),
    }


@settings(max_examples=often(25, 6), deadline=None)
@given(
    classes=st.integers(1, 1_000),
    steps=st.integers(1, 3_000),
    every=st.integers(1, 3),
    period=st.sampled_from(Period),
)
def test_no_figure_grows_with_classes_or_periods(
    classes: int, steps: int, every: int, period: Period
) -> None:
    counts = crowd(classes, steps, every, period.length, records=6_000)

    for name, figure in drawn(counts, period).items():
        assert 0 < points_of(figure) <= tables.MAX_POINTS, name


@pytest.mark.parametrize(
    ("period", "steps"),
    [
        (Period.TEN_SECONDS, 121),
        (Period.HOUR, 385),
        (Period.DAY, periods.MAX_STEPS),
        pytest.param(Period.MINUTE, 181, marks=pytest.mark.nightly),
        pytest.param(Period.HOUR, 250, marks=pytest.mark.nightly),
        pytest.param(Period.DAY, 250, marks=pytest.mark.nightly),
        (Period.DAY, 7 * periods.MAX_STEPS),
    ],
)
def test_a_thousand_classes_by_any_period_are_a_small_page(period: Period, steps: int) -> None:
    counts = crowd(1_000, steps, 1, period.length, records=100_000)

    figures = drawn(counts, period)

    for figure in figures.values():
        figure.layout.template = None  # Streamlit has its own
    sizes = {name: len(figure.to_json()) for name, figure in figures.items()}
    assert sum(sizes[name] for name in ("volume", "shares", "quantiles", "heat")) < 60_000
    assert max(sizes[name] for name in ("confidence", "sweep", "capture")) < 25_000


@settings(max_examples=often(25, 6), deadline=None)
@given(classes=st.integers(1, 200), period=st.sampled_from(Period), steps=st.integers(1, 1_500))
def test_what_is_shown_together_adds_up_to_the_whole(
    classes: int, period: Period, steps: int
) -> None:
    counts = crowd(classes, steps, 1, period.length, records=3_000)
    figures = drawn(counts, period)

    for name in ("confidence", "volume"):
        assert sum(sum(trace.y) for trace in figures[name].data) == 3_000
    assert sum(figures["capture"].data[0].y) == 3_000
    by_time = zip(*(trace.y for trace in figures["shares"].data[:-1]), strict=True)
    sums = [sum(shares) for shares in by_time if not np.isnan(shares[0])]
    assert sums == pytest.approx([1] * len(sums), abs=0.001)


def test_the_largest_classes_are_named_and_the_others_numbered() -> None:
    sizes = {7: 5, 3: 9, 12: 5, 40: 8, 2: 1, 9: 2}
    time = datetime(2026, 11, 23, 9, tzinfo=UTC)
    counts = counts_of([(time, label, 199, count) for label, count in sizes.items()])
    names = ["class 3", "class 40", "class 7", "class 12", "2 other classes"]

    figures = drawn(counts, Period.HOUR)
    for name in ("confidence", "volume", "shares"):
        assert [trace.name for trace in figures[name].data[:5]] == names
    assert len({trace.marker.color for trace in figures["volume"].data}) == 5
    assert len({trace.line.color for trace in figures["shares"].data}) == 6


def test_as_many_classes_as_colours_are_all_named() -> None:
    time = datetime(2026, 11, 23, 9, tzinfo=UTC)
    counts = counts_of([(time, label, 199, 10 - label) for label in range(5)])

    names = [trace.name for trace in drawn(counts, Period.HOUR)["volume"].data]

    assert names == ["bicycle", "motorcycle", "class 2", "class 3", "class 4"]


def test_a_class_keeps_its_colour_when_another_becomes_the_largest() -> None:
    time = datetime(2026, 11, 23, 9, tzinfo=UTC)
    few = counts_of([(time, 0, 199, 1), (time, 1, 199, 5)])
    many = counts_of([(time, 0, 199, 9), (time, 1, 199, 5)])

    colors = [
        {trace.name: trace.marker.color for trace in drawn(counts, Period.HOUR)["volume"].data}
        for counts in (few, many)
    ]

    assert colors[0] == colors[1]


def test_a_bar_of_the_others_says_which_classes_it_leaves_out() -> None:
    time = datetime(2026, 11, 23, 9, tzinfo=UTC)
    counts = counts_of([(time, label, 199, 10 + label) for label in range(7)])

    *named, others = drawn(counts, Period.HOUR)["confidence"].data

    assert [trace.customdata[0][2:] for trace in named] == [[False, n] for n in (6, 5, 4, 3)]
    assert others.customdata[0][2:] == [True, 3, 4, 5, 6]


def test_a_chart_of_a_coarser_step_than_asked_says_so() -> None:
    counts = crowd(2, 2_500, 1, timedelta(days=1), records=5_000)

    figures = drawn(counts, Period.DAY)

    assert figures["volume"].layout.yaxis.title.text == "records per week"
    assert figures["volume"].data[0].width == 7 * 24 * 3_600_000
    assert figures["shares"].layout.xaxis.title.text == "by week"
    assert figures["heat"].layout.xaxis.title.text == "by month of 4 weeks"
    assert drawn(COUNTS, Period.DAY)["shares"].layout.xaxis.title.text is None


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", ["confidence", "overlay", "sweep"])
def test_the_threshold_s_name_can_be_read_and_nothing_crosses_it(name: str) -> None:
    figure = every_chart()[name]

    (note,) = figure.layout.annotations
    light, dark = sorted(map(luminance, (note.font.color, note.bgcolor)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
    assert (note.yref, note.y, note.yanchor) == ("y domain", 1, "bottom")  # above the plot
    assert figure.layout.legend.y > 1.05  # and the legend above it


def test_what_was_to_be_captured_is_drawn_only_where_it_is_known() -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    rows = pl.DataFrame(
        {
            "time": [start, start + timedelta(hours=1), start + timedelta(hours=2)],
            "expected": [9.0, None, 0.0],
            "captured": [9, 5, 0],
        }
    )

    figure = charts.coverage_of_capture(rows, Period.HOUR)

    expected = next(trace for trace in figure.data if trace.name == "expected")
    np.testing.assert_array_equal(expected.y, [9.0, np.nan, 0.0])
