"""Charts of the Overview: outcomes, confidence, latency and volume over one range of time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import plotly.graph_objects as go
import polars as pl

from dashboard.captures import aggregates
from dashboard.captures.periods import Period
from dashboard.executions import charts as executions_charts
from dashboard.executions.model import bar_width, outcomes_over_time
from dashboard.inferences.figures import class_layers, level_threshold
from dashboard.shared.escaping import chart_text
from dashboard.shared.marker_charts import Marker, draw_markers
from dashboard.shared.palette import STYLES
from dashboard.shared.time_range import TimeRange
from workflow.class_names import ClassNames
from workflow.executions import Outcome

HEIGHT: Final = 240
MEDIAN: Final = STYLES[Outcome.RUNNING].color
LOW: Final = "#8A8F98"


def draw_outcomes(
    rows: pl.DataFrame, shown: TimeRange, marked: list[Marker], now: datetime
) -> go.Figure:
    """Draw how executions ended, stacked.

    Args:
        rows: Executions of the range.
        shown: The range.
        marked: What to mark on the axis.
        now: Aware.
    """
    between, bins = shown.axis_limits(now), outcomes_over_time(rows, shown.span)
    figure = executions_charts.draw_outcomes(shown.to_local(bins), bar_width(shown.span), between)
    return _finish_figure(figure, marked, between)


def draw_latency(
    rows: pl.DataFrame, shown: TimeRange, marked: list[Marker], now: datetime
) -> go.Figure:
    """Draw median and 95th percentile of the executions' durations; likewise."""
    bins = (
        rows.drop_nulls("seconds")
        .group_by(pl.col("started_at").dt.truncate(bar_width(shown.span)).alias("time"))
        .agg(
            p50=pl.col("seconds").quantile(0.5, "linear"),
            p95=pl.col("seconds").quantile(0.95, "linear"),
        )
        .sort("time")
    )
    figure = go.Figure()
    for column, word, color, dash in (
        ("p95", "95 %", LOW, "dot"),
        ("p50", "median", MEDIAN, "solid"),
    ):
        _add_line(figure, shown.to_local(bins), column, _Style(word, color, dash, "%{y:.2f} s"))
    figure.update_yaxes(title="seconds", rangemode="tozero")
    return _finish_figure(figure, marked, shown.axis_limits(now))


def draw_confidence(
    counts: pl.DataFrame, threshold: float, shown: TimeRange, marked: list[Marker], now: datetime
) -> go.Figure:
    """Draw median and lowest twentieth of confidence, and the threshold.

    Args:
        counts: A frame of ``aggregates.COUNTS``, by hour.
        threshold: At or above which an inference is accepted; 0 where none is known.
        shown: The range.
        marked: What to mark on the axis.
        now: Aware.
    """
    bins = aggregates.compute_quantiles(_filter_shown(counts, shown, now), _choose_period(shown))
    figure = go.Figure()
    for column, word, color, dash in (
        ("q50", "median", MEDIAN, "solid"),
        ("q05", "lowest 5 %", LOW, "dot"),
    ):
        _add_line(figure, shown.to_local(bins), column, _Style(word, color, dash, "%{y:.3f}"))
    level_threshold(figure, threshold)
    figure.update_yaxes(title="confidence", range=[None, 1.01])
    return _finish_figure(figure, marked, shown.axis_limits(now))


def draw_volume(
    counts: pl.DataFrame,
    shown: TimeRange,
    marked: list[Marker],
    now: datetime,
    names: ClassNames,
) -> go.Figure:
    """Draw the inferences of the largest classes and of all others, stacked; likewise."""
    width = bar_width(shown.span)
    bins = (
        _filter_shown(counts, shown, now)
        .group_by(pl.col("time").dt.truncate(width), "label")
        .agg(pl.col("count").sum())
        .sort("time", "label")
    )
    figure = go.Figure()
    for one in class_layers(bins, names.name):
        local = shown.to_local(one.rows)
        figure.add_bar(
            x=local["time"].to_list(),
            y=local["count"].to_list(),
            name=chart_text(one.name),
            marker={"color": one.color, "line": {"width": 0}},
            width=width / timedelta(milliseconds=1) * 0.92,
            offset=0,
            hovertemplate="%{y:,}",
        )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title="inferences", rangemode="nonnegative")
    return _finish_figure(figure, marked, shown.axis_limits(now))


def _choose_period(shown: TimeRange) -> Period:
    return Period.HOUR if shown.span <= timedelta(days=3) else Period.DAY


def _filter_shown(counts: pl.DataFrame, shown: TimeRange, now: datetime) -> pl.DataFrame:
    return counts.filter(pl.col("time") > now - shown.span)


@dataclass(frozen=True, slots=True)
class _Style:
    """How a line is drawn and called."""

    word: str
    color: str
    dash: str
    hover: str


def _add_line(figure: go.Figure, rows: pl.DataFrame, column: str, style: _Style) -> None:
    figure.add_scatter(
        x=rows["time"].to_list(),
        y=rows[column].to_list(),
        name=style.word,
        mode="lines+markers",
        marker={"size": 4},
        line={"color": style.color, "dash": style.dash, "width": 2},
        hovertemplate=style.hover,
    )


def _finish_figure(
    figure: go.Figure, marked: list[Marker], between: tuple[datetime, datetime]
) -> go.Figure:
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 16, "b": 60},
        legend={
            "orientation": "h",
            "x": 0,
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "title": None,
        },
        hovermode="x unified",
    )
    figure.update_xaxes(type="date", range=[one.isoformat() for one in between])
    zone = between[0].tzinfo
    draw_markers(
        figure, [(at.astimezone(zone), word, color) for at, word, color in marked], between
    )
    return figure
