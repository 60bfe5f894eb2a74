"""Charts of captured inferences: small tables in, plotly figures out.

Every figure is of bars and lines that were counted before; none holds more than ``MAX_POINTS``
points, whatever the number of records, classes and periods: the largest classes are shown, all
others together, and where periods are too many several are added up. Over time a point is sent as
its value alone, in bytes: steps follow each other without a hole, so their first and their length
say where they lie. Colours come from Okabe and Ito's palette and are never the only sign: classes
differ by name in the legend, the threshold is a labelled line. Times are those of a wall clock,
without a zone: plotly would turn others into the browser's own.
"""

from typing import Final

import plotly.graph_objects as go
import polars as pl

from dashboard.captures import periods
from dashboard.captures.periods import MAX_STEPS, Period
from dashboard.captures.selection import Selection
from dashboard.inferences.figures import (
    LABEL_COLORS,
    NEUTRAL_COLOR,
    Names,
    at_every_step,
    centre_points,
    class_layers,
    dated_line,
    drawn_step,
    level_threshold,
    new_figure,
    note_step,
    period_bars,
    period_line,
    threshold_color,
    threshold_line,
)
from dashboard.shared.palette import STYLES
from workflow.executions import Outcome

BEFORE_COLOR: Final = "#8A8F98"
AFTER_COLOR: Final = "#0072B2"


def draw_confidence(
    bars: pl.DataFrame,
    threshold: float,
    name: Names,
    *,
    log: bool,
    selection: Selection | None = None,
) -> go.Figure:
    """Draw confidence by class, stacked; what is below the threshold is pale.

    Each bar carries ``(low, high, others, *labels)`` as its custom data, for a selection; see
    ``captures.selection.Selection``.

    Args:
        bars: ``label``, ``low``, ``high``, ``count`` of ``tables.histogram``.
        threshold: Where to draw the threshold.
        name: Name of a class.
        log: Whether counts are on a logarithmic axis.
        selection: The bars to show as selected; None where none is.
    """
    figure = new_figure(height=330)
    for one in class_layers(bars, name):
        labels = tuple(one.labels)
        ends = one.rows.select("low", "high").iter_rows()
        drawn = [Selection(low, high, labels, others=one.others) for low, high in ends]
        figure.add_bar(
            x=[(bar.low + bar.high) / 2 for bar in drawn],
            y=one.rows["count"].to_list(),
            width=[bar.high - bar.low for bar in drawn],
            name=one.name,
            customdata=[[bar.low, bar.high, bar.others, *bar.labels] for bar in drawn],
            hovertext=[f"{bar.low:.3f} to {bar.high:.3f}" for bar in drawn],
            hovertemplate="confidence %{hovertext}: %{y:,}",
            selectedpoints=selection
            and [number for number, bar in enumerate(drawn) if selection.includes(bar)],
            marker={
                "color": one.color,
                "opacity": [0.45 if bar.low < threshold - 1e-9 else 1 for bar in drawn],
                "line": {"width": 0},
            },
        )
    figure.update_layout(barmode="stack", bargap=0, xaxis_title="confidence", yaxis_title="records")
    figure.update_layout(hovermode="closest")  # so that a click selects one class's bar
    if log:
        figure.update_yaxes(type="log", dtick=1)
    threshold_line(figure, threshold)
    return figure


def draw_volume(rows: pl.DataFrame, period: Period, name: Names) -> go.Figure:
    """Draw records by time and class, stacked.

    Args:
        rows: ``time``, ``label``, ``count`` of ``tables.volume``.
        period: By which they were counted.
        name: Name of a class.
        threshold: 0 where none is known.
    """
    figure = new_figure(height=260)
    step = periods.step_of(rows["time"], period, MAX_STEPS)
    steps = periods.every_step(rows["time"], step)
    for one in class_layers(periods.coarsen_steps(rows, step), name):
        line = at_every_step(steps, one.rows)
        period_bars(figure, line["time"], line["count"], step, name=one.name, color=one.color)
    figure.update_layout(barmode="stack", yaxis_title=f"records per {step.name}")
    figure.update_layout(hovermode="x unified")
    return figure


def draw_shares(rows: pl.DataFrame, period: Period, name: Names, threshold: float) -> go.Figure:
    """Draw the share of each class, and of rejections where there is a threshold, by time.

    Args:
        rows: ``time``, ``label``, ``count``, ``rejected`` of ``tables.volume``.
        period: By which they were counted.
        name: Name of a class.
        threshold: 0 where none is known.
    """
    figure = new_figure(height=260)
    step = periods.step_of(rows["time"], period, MAX_STEPS)
    steps = periods.every_step(rows["time"], step)
    rows = periods.coarsen_steps(rows, step)
    totals = at_every_step(
        steps,
        rows.group_by("time").agg(total=pl.col("count").sum(), rejected=pl.col("rejected").sum()),
    )
    for one in class_layers(rows, name):
        line = at_every_step(totals, one.rows)
        share = line["count"].fill_null(0) / line["total"]
        period_line(figure, line["time"], share, step, name=one.name, color=one.color)
    if threshold:
        rejected, color = totals["rejected"] / totals["total"], threshold_color()
        period_line(
            figure, totals["time"], rejected, step, name="rejected", color=color, dash="dot"
        )
    figure.update_layout(hovermode="x unified", yaxis={"tickformat": ".0%", "title": "share"})
    figure.update_yaxes(range=[0, 1.02])
    note_step(figure, step, period)
    return figure


def draw_quantiles(rows: pl.DataFrame, period: Period, threshold: float) -> go.Figure:
    """Draw median and low quantiles of confidence by time.

    Args:
        rows: ``time``, ``end``, ``q05``, ``q25``, ``q50`` of ``tables.quantiles``.
        period: By which they were asked for.
        threshold: Where to draw the threshold.
    """
    figure = new_figure(height=260)
    step = drawn_step(rows, period)
    rows = at_every_step(periods.every_step(rows["time"], step), rows)
    for column, text, color, dash, width in (
        ("q50", "median", AFTER_COLOR, "solid", 2.5),
        ("q25", "25 %", LABEL_COLORS[0], "solid", 1.5),
        ("q05", "5 %", NEUTRAL_COLOR, "dash", 1.5),
    ):
        style = {"dash": dash, "width": width}
        period_line(figure, rows["time"], rows[column], step, name=text, color=color, **style)
    figure.update_layout(
        hovermode="x unified", yaxis={"title": "confidence", "range": [None, 1.01]}
    )
    level_threshold(figure, threshold)
    note_step(figure, step, period)
    return figure


def draw_heat(cells: pl.DataFrame, period: Period, threshold: float) -> go.Figure:
    """Return how confidence is spread, by time: the darker a cell, the more of that time's records.

    Args:
        cells: ``time``, ``end``, ``low``, ``high``, ``share`` of ``tables.heat``.
        period: By which they were asked for.
        threshold: Where to draw the threshold.
    """
    figure = new_figure(height=260)
    step = drawn_step(cells, period)
    columns = cells.pivot("low", index="time", values="share")
    grid = at_every_step(periods.every_step(cells["time"], step), columns)
    edges = [*cells["low"].unique().sort(), 1.0]
    half = (edges[-1] - edges[0]) / max(len(edges) - 1, 1) / 2
    figure.add_heatmap(
        x=[*grid["time"], *cells["end"].tail(1)],
        y=edges,
        z=grid.drop("time").to_numpy().T.round(4).astype("float32"),
        zmin=0,
        colorscale=[[0, "rgba(0,114,178,0)"], [0.3, "rgba(0,114,178,0.55)"], [1, "#0072B2"]],
        hovertemplate=f"the {step.name} around %{{x}}<br>%{{y:.4~f}} ± {half:g}: %{{z:.1%}}"
        "<extra></extra>",
        hoverongaps=False,
        showscale=False,
    )
    figure.update_layout(yaxis_title="confidence")
    level_threshold(figure, threshold)
    note_step(figure, step, period)
    return figure


def draw_overlay(
    before: pl.DataFrame, after: pl.DataFrame, names: tuple[str, str], threshold: float
) -> go.Figure:
    """Draw two confidence histograms as shares of their own records, one over the other.

    Args:
        before: ``low``, ``high``, ``count``, all classes together; bars as in ``after``.
        after: The same of the later records.
        names: What to call them.
        threshold: Where to draw the threshold.
    """
    figure = new_figure(height=300)
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
    threshold_line(figure, threshold)
    return figure


def draw_sweep(rows: pl.DataFrame, measured: pl.DataFrame, threshold: float) -> go.Figure:
    """Draw coverage and accuracy over every threshold.

    Args:
        rows: ``threshold``, ``coverage``, ``expected`` of ``tables.sweep``.
        measured: ``threshold``, ``value``, ``low``, ``high``; empty where nothing is labelled.
        threshold: The one that is tried.
    """
    figure = new_figure(height=330)
    tried = rows["threshold"].to_list()
    dated_line(figure, rows["coverage"], "coverage", AFTER_COLOR, x=tried, width=2.5)
    expected = "accuracy, if calibrated"
    dated_line(figure, rows["expected"], expected, NEUTRAL_COLOR, x=tried, dash="dash")
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
        tried = measured["threshold"].to_list()
        dated_line(figure, measured["value"], "measured accuracy", color, x=tried)
    figure.update_layout(
        hovermode="x unified",
        xaxis={"title": "threshold", "hoverformat": ".3f"},
        yaxis={"tickformat": ".0%", "range": [0, 1.02]},
    )
    threshold_line(figure, threshold)
    return figure


def coverage_of_capture(rows: pl.DataFrame, period: Period) -> go.Figure:
    """Draw invocations that should have been captured, and those that were, by time.

    Args:
        rows: ``time``, ``expected`` (null where it is not known, and then not drawn), ``captured``.
        period: By which they were counted.
    """
    figure = new_figure(height=260)
    step = periods.step_of(rows["time"], period, MAX_STEPS)
    unknown = rows.filter(pl.col("expected").is_null())["time"].dt.truncate(step.every).to_list()
    known = pl.when(~pl.col("time").is_in(unknown)).then("expected")
    coarse = periods.coarsen_steps(rows, step).with_columns(expected=known)
    rows = at_every_step(periods.every_step(rows["time"], step), coarse)
    period_bars(figure, rows["time"], rows["captured"], step, name="captured", color=AFTER_COLOR)
    figure.add_scatter(
        y=rows["expected"].to_numpy(),
        name="expected",
        mode="markers",
        marker={
            "symbol": "line-ew-open",
            "size": 13,
            "line": {"color": STYLES[Outcome.FAULTED].color, "width": 2.5},
        },
        hovertemplate="%{y:,.0f}",
        **centre_points(rows["time"], step),
    )
    figure.update_layout(hovermode="x unified", yaxis_title=f"records per {step.name}")
    return figure
