"""The time range of all pages: read from the address, said in the reader's zone with UTC beside."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dashboard.shared.marker_charts import draw_markers
from dashboard.shared.time_range import (
    CLOCK,
    DEFAULT,
    LONGEST,
    RANGES,
    format_moment,
    time_range,
    wall_clock,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_moment_is_said_in_local_time_with_utc_beside_it() -> None:
    berlin = time_range("24h", "Local time", "Europe/Berlin")

    assert berlin.format_moment(NOW) == "2026-11-23 13:00 (12:00 UTC)"
    assert time_range("24h", "UTC", "Europe/Berlin").format_moment(NOW) == "2026-11-23 12:00 UTC"


def test_the_axis_ends_now_in_the_zone() -> None:
    begin, end = time_range("7d", "Local time", "Asia/Tokyo").axis_limits(NOW)

    assert end - begin == timedelta(days=7)
    assert end == NOW
    assert end.hour == 21


def test_a_time_of_day_is_said_to_the_second() -> None:
    assert format_moment(NOW, ZoneInfo("Europe/Berlin"), CLOCK) == "13:00:00 (12:00 UTC)"
    assert format_moment(NOW, ZoneInfo("UTC"), CLOCK) == "12:00:00 UTC"


def test_a_day_ends_at_midnight_of_the_zone() -> None:
    tokyo = time_range("7d", "Local", "Asia/Tokyo")

    assert tokyo.day_end(date(2026, 11, 23)) == datetime(2026, 11, 23, 15, tzinfo=UTC)


def test_only_all_shows_what_is_older_than_its_span() -> None:
    assert [name for name in RANGES if time_range(name, "UTC", None).everything] == [LONGEST]


def test_days_of_a_wall_clock_are_equally_long_where_summer_time_ends() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    midnights = [datetime(2026, 10, day, tzinfo=berlin).astimezone(UTC) for day in (24, 25, 26)]
    rows = pl.DataFrame({"time": midnights}, {"time": pl.Datetime("us", "UTC")})

    shown = wall_clock(rows, berlin)["time"]

    assert shown.to_list() == [datetime(2026, 10, day) for day in (24, 25, 26)]  # noqa: DTZ001 - a wall clock


@given(st.text(), st.text(), st.none() | st.text())
def test_whatever_the_address_and_the_browser_say_there_is_a_range(
    span: str, zone: str, browser: str | None
) -> None:
    found = time_range(span, zone, browser)

    assert found.span in RANGES.values()
    assert found.axis_limits(NOW)[1] == NOW
    assert time_range("foo", zone, browser).span == RANGES[DEFAULT]


def test_markers_outside_of_the_axis_are_not_drawn_and_near_ones_are_named_together() -> None:
    figure = go.Figure()
    between = (NOW - timedelta(days=10), NOW)
    at = [NOW - timedelta(days=days) for days in (30, 5, 4.9, 1)]

    draw_markers(figure, [(moment, f"v{i}", "#000000") for i, moment in enumerate(at)], between)

    assert len(figure.layout.shapes) == 3
    assert [note.text for note in figure.layout.annotations] == ["v1, v2", "v3"]


def test_names_of_markers_stand_above_the_plot_and_below_its_legend() -> None:
    figure = go.Figure(
        layout={"height": 260, "margin": {"t": 34, "b": 26}, "legend": {"y": 1.02, "x": 0}}
    )

    draw_markers(figure, [(NOW, "v1", "#000000")], (NOW - timedelta(days=1), NOW))

    (note,) = figure.layout.annotations
    assert (note.y, note.yanchor) == (1, "bottom")
    assert figure.layout.margin.t > 34
    assert figure.layout.legend.y > 1.02
