"""Charts are small, complete and honest about gaps."""

import json
from datetime import timedelta

import plotly.graph_objects as go
import polars as pl
import pytest

from dashboard import charts, tables
from dashboard.models.inferences import label_name
from dashboard.tables import Period
from tests.captured import NOW, captured, counted

COUNTS = counted(captured(20_000, hours=24 * 14))
VOLUME = tables.volume(COUNTS, Period.HOUR, 0.93)
NO_MEASURE = pl.DataFrame(schema=dict.fromkeys(("threshold", "value", "low", "high"), pl.Float64))


def every_chart() -> dict[str, go.Figure]:
    bars = tables.histogram(COUNTS, 50)
    one = bars.group_by("low", "high").agg(pl.col("count").sum()).sort("low")
    rows = pl.DataFrame({"time": VOLUME["time"].unique(), "expected": 9.0, "captured": 9})
    return {
        "confidence": charts.confidence(bars, 0.93, label_name, log=True),
        "volume": charts.volume(VOLUME, Period.HOUR, label_name),
        "shares": charts.shares(VOLUME, Period.HOUR, label_name),
        "quantiles": charts.quantiles(tables.quantiles(COUNTS, Period.HOUR), Period.HOUR, 0.93),
        "heat": charts.heat(tables.heat(COUNTS, Period.DAY, 20), Period.DAY, 0.93),
        "overlay": charts.overlay(one, one, ("before", "after"), 0.93),
        "sweep": charts.sweep(tables.sweep(COUNTS), NO_MEASURE, 0.55),
        "capture": charts.coverage_of_capture(rows, Period.HOUR),
    }


@pytest.mark.parametrize("name", every_chart())
def test_no_chart_sends_much(name: str) -> None:
    figure = every_chart()[name]
    points = sum(
        len(trace.z) * len(trace.z[0]) if trace.type == "heatmap" else len(trace.x)
        for trace in figure.data
    )

    assert 0 < points <= charts.MAX_POINTS
    assert len(figure.to_json()) < 60_000
    assert json.loads(figure.to_json())["data"]


def test_bars_carry_what_a_selection_needs() -> None:
    figure = charts.confidence(tables.histogram(COUNTS, 50), 0.93, label_name, log=False)

    bicycle = figure.data[0]
    assert bicycle.name == "bicycle"
    label, low, high = bicycle.customdata[0]
    assert label == 0
    assert high - low == pytest.approx(bicycle.width[0])


def test_what_is_rejected_is_pale() -> None:
    figure = charts.confidence(tables.histogram(COUNTS, 50), 0.93, label_name, log=False)

    for trace in figure.data:
        for (_, low, _), opacity in zip(trace.customdata, trace.marker.opacity, strict=True):
            assert (opacity < 1) == (low < 0.93 - 1e-9)


def test_the_threshold_is_named() -> None:
    figure = charts.confidence(tables.histogram(COUNTS, 50), 0.93, label_name, log=False)

    assert figure.layout.annotations[0].text == "threshold 0.93"


def test_a_line_is_broken_where_there_are_no_records() -> None:
    rows = pl.DataFrame(
        {"time": [NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=5)], "share": [0.1] * 3}
    )

    shown = charts.with_gaps(rows, Period.HOUR)

    assert shown["share"].to_list() == [0.1, 0.1, None, 0.1]
    assert shown["time"][2] == NOW + timedelta(hours=2)


def test_measured_accuracy_has_its_interval_beside_it() -> None:
    measured = pl.DataFrame({"threshold": [0.9], "value": [0.95], "low": [0.9], "high": [0.98]})

    names = [trace.name for trace in charts.sweep(tables.sweep(COUNTS), measured, 0.9).data]

    assert names == ["coverage", "accuracy, if calibrated", "95 % interval", "accuracy, measured"]
