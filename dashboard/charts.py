"""Charts of captured inferences: small tables in, plotly figures out.

Every figure is of bars and lines that were counted before; none holds more than ``MAX_POINTS``
points, whatever the number of records. Colours come from Okabe and Ito's palette and are never the
only sign: classes differ by name in the legend, the threshold is a labelled line.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from dashboard.palette import STYLES
from dashboard.tables import Period
from workflow.executions import Outcome

MAX_POINTS: Final = 5_000
"""A chart with more points is slow to send and cannot be read."""

LABEL_COLORS: Final = ("#56B4E9", "#CC79A7", "#B3A125", "#009E73", "#8A8F98")
"""Colours of the classes in their order, then again from the first."""

BEFORE_COLOR: Final = "#8A8F98"
AFTER_COLOR: Final = "#0072B2"
NEUTRAL_COLOR: Final = "#8A8F98"

_FEW: Final = 100

Names = Callable[[int], str]


def confidence(bars: pl.DataFrame, threshold: float, name: Names, *, log: bool) -> go.Figure:
    """Confidence by class, stacked; what is below the threshold is pale.

    Each bar carries ``(label, low, high)`` as its custom data, for a selection.

    Args:
        bars: ``label``, ``low``, ``high``, ``count`` of ``tables.histogram``.
        threshold: Where to draw the threshold.
        name: Name of a class.
        log: Whether counts are on a logarithmic axis.
    """
    figure = _figure(height=330)
    for (label,), part in bars.group_by("label", maintain_order=True):
        low, high = part["low"].to_list(), part["high"].to_list()
        figure.add_bar(
            x=[(a + b) / 2 for a, b in zip(low, high, strict=True)],
            y=part["count"].to_list(),
            width=[b - a for a, b in zip(low, high, strict=True)],
            name=name(label),
            customdata=[[label, a, b] for a, b in zip(low, high, strict=True)],
            hovertemplate="confidence %{customdata[1]:.3f} to %{customdata[2]:.3f}: %{y:,}",
            marker={
                "color": _label_color(label),
                "opacity": [0.45 if a < threshold - 1e-9 else 1 for a in low],
                "line": {"width": 0},
            },
        )
    figure.update_layout(barmode="stack", bargap=0, xaxis_title="confidence", yaxis_title="records")
    figure.update_layout(hovermode="closest")  # so that a click selects one class's bar
    if log:
        figure.update_yaxes(type="log", dtick=1)
    _threshold_line(figure, threshold)
    return figure


def volume(rows: pl.DataFrame, period: Period, name: Names) -> go.Figure:
    """Records by time and class, stacked.

    Args:
        rows: ``time``, ``label``, ``count`` of ``tables.volume``.
        period: By which they were counted.
        name: Name of a class.
    """
    figure = _figure(height=260)
    for (label,), part in rows.group_by("label", maintain_order=True):
        figure.add_bar(
            x=_times(part["time"]),
            y=part["count"].to_list(),
            name=name(label),
            marker={"color": _label_color(label), "line": {"width": 0}},
            hovertemplate="%{y:,}",
        )
    figure.update_layout(barmode="stack", bargap=0.08, yaxis_title=f"records a {period}")
    figure.update_layout(hovermode="x unified")
    return figure


def shares(rows: pl.DataFrame, period: Period, name: Names) -> go.Figure:
    """Share of each class, and of rejections, by time.

    Args:
        rows: ``time``, ``label``, ``count``, ``rejected`` of ``tables.volume``.
        period: By which they were counted.
        name: Name of a class.
    """
    figure = _figure(height=260)
    totals = rows.group_by("time").agg(
        total=pl.col("count").sum(), rejected=pl.col("rejected").sum()
    )
    every = rows.select(pl.col("label").unique().sort()).join(totals, how="cross")
    full = every.join(rows.select("time", "label", "count"), on=["time", "label"], how="left")
    full = full.with_columns(share=pl.col("count").fill_null(0) / pl.col("total"))
    for (label,), part in full.sort("label", "time").group_by("label", maintain_order=True):
        line = with_gaps(part, period)
        _line(figure, line["time"], line["share"], name(label), _label_color(label))
    rejected = totals.sort("time").with_columns(share=pl.col("rejected") / pl.col("total"))
    rejected = with_gaps(rejected, period)
    style = STYLES[Outcome.REJECTED]
    _line(figure, rejected["time"], rejected["share"], "rejected", style.color, dash="dot")
    figure.update_layout(hovermode="x unified", yaxis={"tickformat": ".0%", "title": "share"})
    figure.update_yaxes(range=[0, 1.02])
    return figure


def quantiles(rows: pl.DataFrame, period: Period, threshold: float) -> go.Figure:
    """Median and low quantiles of confidence by time.

    Args:
        rows: ``time``, ``q05``, ``q25``, ``q50`` of ``tables.quantiles``.
        period: By which they were counted.
        threshold: Where to draw the threshold.
    """
    figure = _figure(height=260)
    rows = with_gaps(rows, period)
    for column, text, width in (("q50", "median", 2.5), ("q25", "25 %", 1.5), ("q05", "5 %", 1.5)):
        dash = "solid" if column != "q05" else "dash"
        _line(figure, rows["time"], rows[column], text, AFTER_COLOR, dash=dash, width=width)
    figure.data[1].line.color = LABEL_COLORS[0]
    figure.data[2].line.color = NEUTRAL_COLOR
    figure.update_layout(
        hovermode="x unified", yaxis={"title": "confidence", "range": [None, 1.01]}
    )
    figure.add_hline(y=threshold, line={"color": _threshold_color(), "dash": "dash", "width": 1.5})
    return figure


def heat(cells: pl.DataFrame, period: Period, threshold: float) -> go.Figure:
    """How confidence is spread, by time: the darker a cell, the more of that time's records.

    Args:
        cells: ``time``, ``low``, ``share`` of ``tables.heat``.
        period: By which they were counted.
        threshold: Where to draw the threshold.
    """
    figure = _figure(height=260)
    grid = with_gaps(cells.pivot("low", index="time", values="share").sort("time"), period)
    lows = sorted(grid.columns[1:], key=float)
    figure.add_heatmap(
        x=_times(grid["time"]),
        y=[float(low) for low in lows],
        z=grid.select(lows).fill_null(0).to_numpy().T.round(4),
        colorscale=[[0, "rgba(0,114,178,0)"], [0.3, "rgba(0,114,178,0.55)"], [1, "#0072B2"]],
        hovertemplate="%{x}<br>from %{y:.3f}: %{z:.1%}<extra></extra>",
        showscale=False,
    )
    figure.update_layout(yaxis_title="confidence")
    figure.add_hline(y=threshold, line={"color": _threshold_color(), "dash": "dash", "width": 1.5})
    return figure


def overlay(
    before: pl.DataFrame, after: pl.DataFrame, names: tuple[str, str], threshold: float
) -> go.Figure:
    """Two confidence histograms as shares of their own records, one over the other.

    Args:
        before: ``low``, ``high``, ``count``, all classes together; bars as in ``after``.
        after: The same of the later records.
        names: What to call them.
        threshold: Where to draw the threshold.
    """
    figure = _figure(height=300)
    pairs = ((before, names[0], BEFORE_COLOR, True), (after, names[1], AFTER_COLOR, False))
    for bars, text, color, filled in pairs:
        total = max(int(bars["count"].sum()), 1)
        figure.add_scatter(
            x=[*bars["low"].to_list(), *bars["high"].to_list()[-1:]],
            y=[count / total for count in (*bars["count"], *bars["count"].to_list()[-1:])],
            name=text,
            mode="lines",
            line={"shape": "hv", "color": color, "width": 2},
            fill="tozeroy" if filled else None,
            hovertemplate="%{y:.1%}",
        )
    figure.update_layout(
        hovermode="x unified",
        xaxis={"title": "confidence", "hoverformat": ".3f"},
        yaxis={"title": "share of records", "tickformat": ".0%"},
    )
    _threshold_line(figure, threshold)
    return figure


def sweep(rows: pl.DataFrame, measured: pl.DataFrame, threshold: float) -> go.Figure:
    """Coverage and accuracy over every threshold.

    Args:
        rows: ``threshold``, ``coverage``, ``expected`` of ``tables.sweep``.
        measured: ``threshold``, ``value``, ``low``, ``high``; empty where nothing is labelled.
        threshold: The one that is tried.
    """
    figure = _figure(height=330)
    _line(figure, rows["threshold"], rows["coverage"], "coverage", AFTER_COLOR, width=2.5)
    expected = "accuracy, if calibrated"
    _line(figure, rows["threshold"], rows["expected"], expected, NEUTRAL_COLOR, dash="dash")
    if not measured.is_empty():
        color = STYLES[Outcome.ACCEPTED].color
        figure.add_scatter(
            x=[*measured["threshold"], *measured["threshold"].reverse()],
            y=[*measured["high"], *measured["low"].reverse()],
            fill="toself",
            fillcolor="rgba(0,158,115,0.18)",
            line={"width": 0},
            name="95 % interval",
            hoverinfo="skip",
        )
        _line(figure, measured["threshold"], measured["value"], "accuracy, measured", color)
    figure.update_layout(
        hovermode="x unified",
        xaxis={"title": "threshold", "hoverformat": ".3f"},
        yaxis={"tickformat": ".0%", "range": [0, 1.02]},
    )
    _threshold_line(figure, threshold)
    return figure


def coverage_of_capture(rows: pl.DataFrame, period: Period) -> go.Figure:
    """Invocations that should have been captured, and those that were, by time.

    Args:
        rows: ``time``, ``expected``, ``captured``.
        period: By which they were counted.
    """
    figure = _figure(height=260)
    figure.add_bar(
        x=_times(rows["time"]),
        y=rows["captured"].to_list(),
        name="captured",
        marker={"color": AFTER_COLOR, "line": {"width": 0}},
        hovertemplate="%{y:,}",
    )
    figure.add_scatter(
        x=_times(rows["time"]),
        y=rows["expected"].to_list(),
        name="expected",
        mode="markers",
        marker={
            "symbol": "line-ew-open",
            "size": 13,
            "line": {"color": STYLES[Outcome.FAULTED].color, "width": 2.5},
        },
        hovertemplate="%{y:,.0f}",
    )
    figure.update_layout(hovermode="x unified", yaxis_title=f"records a {period}", bargap=0.08)
    return figure


def with_gaps(rows: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Rows by time with an empty row after each one that is not followed by the next period.

    A line is broken there, instead of running through a time without records.
    """
    times = rows["time"]
    last = times.shift(-1)
    ends = times.filter((last - times) > period.length * 1.5)
    breaks = pl.DataFrame({"time": ends + period.length})
    return pl.concat([rows, breaks], how="diagonal").sort("time")


def _figure(*, height: int) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        dragmode="zoom",  # with "select" plotly takes a click for an empty box
        clickmode="event+select",
    )
    return figure


def _line(
    figure: go.Figure,
    x: Sequence[Any] | pl.Series,
    y: Sequence[Any] | pl.Series,
    name: str,
    color: str,
    *,
    dash: str = "solid",
    width: float = 2,
) -> None:
    figure.add_scatter(
        x=_times(x) if isinstance(x, pl.Series) else list(x),
        y=[None if value is None or math.isnan(value) else round(value, 4) for value in y],
        name=name,
        mode="lines+markers" if len(x) <= _FEW else "lines",  # a lone point is no line
        marker={"size": 4},
        line={"color": color, "dash": dash, "width": width},
        hovertemplate="%{y:.1%}",
    )


def _times(times: pl.Series) -> list[Any]:
    """The values of an axis; times as UTC without saying so each time, which halves a chart."""
    utc = times.dt.replace_time_zone(None) if isinstance(times.dtype, pl.Datetime) else times
    return utc.to_list()


def _threshold_line(figure: go.Figure, threshold: float) -> None:
    figure.add_vline(
        x=threshold,
        line={"color": _threshold_color(), "dash": "dash", "width": 1.5},
        annotation={
            "text": f"threshold {threshold:g}",
            "xanchor": "right" if threshold > 0.6 else "left",  # noqa: PLR2004 - the roomier side
            "yanchor": "top",
            "font": {"color": _threshold_color()},
        },
    )


def _threshold_color() -> str:
    return STYLES[Outcome.REJECTED].color


def _label_color(label: int) -> str:
    return LABEL_COLORS[label % len(LABEL_COLORS)]
