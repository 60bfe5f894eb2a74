"""Charts of captured inferences: small tables in, plotly figures out.

Every figure is of bars and lines that were counted before; none holds more than ``MAX_POINTS``
points, whatever the number of records, classes and periods: the largest classes are shown, all
others together, and where periods are too many several are added up. Over time a point is sent as
its value alone, in bytes: steps follow each other without a hole, so their first and their length
say where they lie. Colours come from Okabe and Ito's palette and are never the only sign: classes
differ by name in the legend, the threshold is a labelled line.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from dashboard.captures import aggregates as tables
from dashboard.captures.aggregates import MAX_STEPS, OTHERS, Period, TimeStep
from dashboard.captures.selection import Selection
from dashboard.shared.palette import STYLES
from workflow.executions import Outcome

LABEL_COLORS: Final = ("#56B4E9", "#CC79A7", "#B3A125", "#009E73", "#8A8F98")
"""Colours of the classes in their order, the last that of all others together."""

MOST_CLASSES: Final = len(LABEL_COLORS)
"""Classes that a chart tells apart; where there are more, the last is all others together."""

BEFORE_COLOR: Final = "#8A8F98"
AFTER_COLOR: Final = "#0072B2"
NEUTRAL_COLOR: Final = "#8A8F98"
ON_THRESHOLD_COLOR: Final = "#101822"

_FEW: Final = 100
_LABEL_PX: Final = 24  # height of a line of text on its plate
_BELOW_PX: Final = 50  # height of an axis with its title
_MILLISECOND: Final = timedelta(milliseconds=1)

Names = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class _Class:
    """A class as a chart shows it, or all others together.

    Attributes:
        labels: The number of the class; of all others together, the classes that they are not.
        others: Whether it is all others together.
        name: What to call it.
        color: Its colour.
        rows: Its rows.
    """

    labels: Sequence[int]
    others: bool
    name: str
    color: str
    rows: pl.DataFrame


def confidence(
    bars: pl.DataFrame,
    threshold: float,
    name: Names,
    *,
    log: bool,
    selection: Selection | None = None,
) -> go.Figure:
    """Confidence by class, stacked; what is below the threshold is pale.

    Each bar carries ``(low, high, others, *labels)`` as its custom data, for a selection; see
    ``models.selection.Selection``.

    Args:
        bars: ``label``, ``low``, ``high``, ``count`` of ``tables.histogram``.
        threshold: Where to draw the threshold.
        name: Name of a class.
        log: Whether counts are on a logarithmic axis.
        selection: The bars to show as selected; None where none is.
    """
    figure = _figure(height=330)
    for one in _classes(bars, name):
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
            and [number for number, bar in enumerate(drawn) if selection.holds(bar)],
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
    step = tables.step_of(rows["time"], period, MAX_STEPS)
    steps = tables.every_step(rows["time"], step)
    for one in _classes(tables.coarsened(rows, step), name):
        line = _joined(steps, one.rows)
        _period_bars(figure, line["time"], line["count"], step, name=one.name, color=one.color)
    figure.update_layout(barmode="stack", yaxis_title=f"records per {step.name}")
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
    step = tables.step_of(rows["time"], period, MAX_STEPS)
    steps = tables.every_step(rows["time"], step)
    rows = tables.coarsened(rows, step)
    totals = _joined(
        steps,
        rows.group_by("time").agg(total=pl.col("count").sum(), rejected=pl.col("rejected").sum()),
    )
    for one in _classes(rows, name):
        line = _joined(totals, one.rows)
        share = line["count"].fill_null(0) / line["total"]
        _period_line(figure, line["time"], share, step, name=one.name, color=one.color)
    rejected, color = totals["rejected"] / totals["total"], STYLES[Outcome.REJECTED].color
    _period_line(figure, totals["time"], rejected, step, name="rejected", color=color, dash="dot")
    figure.update_layout(hovermode="x unified", yaxis={"tickformat": ".0%", "title": "share"})
    figure.update_yaxes(range=[0, 1.02])
    _say_step(figure, step, period)
    return figure


def quantiles(rows: pl.DataFrame, period: Period, threshold: float) -> go.Figure:
    """Median and low quantiles of confidence by time.

    Args:
        rows: ``time``, ``end``, ``q05``, ``q25``, ``q50`` of ``tables.quantiles``.
        period: By which they were asked for.
        threshold: Where to draw the threshold.
    """
    figure = _figure(height=260)
    step = _drawn_step(rows, period)
    rows = _joined(tables.every_step(rows["time"], step), rows)
    for column, text, color, dash, width in (
        ("q50", "median", AFTER_COLOR, "solid", 2.5),
        ("q25", "25 %", LABEL_COLORS[0], "solid", 1.5),
        ("q05", "5 %", NEUTRAL_COLOR, "dash", 1.5),
    ):
        style = {"dash": dash, "width": width}
        _period_line(figure, rows["time"], rows[column], step, name=text, color=color, **style)
    figure.update_layout(
        hovermode="x unified", yaxis={"title": "confidence", "range": [None, 1.01]}
    )
    figure.add_hline(y=threshold, line={"color": _threshold_color(), "dash": "dash", "width": 1.5})
    _say_step(figure, step, period)
    return figure


def heat(cells: pl.DataFrame, period: Period, threshold: float) -> go.Figure:
    """Return how confidence is spread, by time: the darker a cell, the more of that time's records.

    Args:
        cells: ``time``, ``end``, ``low``, ``high``, ``share`` of ``tables.heat``.
        period: By which they were asked for.
        threshold: Where to draw the threshold.
    """
    figure = _figure(height=260)
    step = _drawn_step(cells, period)
    columns = cells.pivot("low", index="time", values="share")
    grid = _joined(tables.every_step(cells["time"], step), columns)
    edges = [*cells["low"].unique().sort(), 1.0]
    half = (edges[-1] - edges[0]) / max(len(edges) - 1, 1) / 2
    figure.add_heatmap(
        x=_naive(pl.concat([grid["time"], cells["end"].tail(1)])).to_list(),
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
    figure.add_hline(y=threshold, line={"color": _threshold_color(), "dash": "dash", "width": 1.5})
    _say_step(figure, step, period)
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
    tried = rows["threshold"].to_list()
    _line(figure, rows["coverage"], "coverage", AFTER_COLOR, x=tried, width=2.5)
    expected = "accuracy, if calibrated"
    _line(figure, rows["expected"], expected, NEUTRAL_COLOR, x=tried, dash="dash")
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
        _line(figure, measured["value"], "accuracy, measured", color, x=tried)
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
        rows: ``time``, ``expected`` (null where it is not known, and then not drawn), ``captured``.
        period: By which they were counted.
    """
    figure = _figure(height=260)
    step = tables.step_of(rows["time"], period, MAX_STEPS)
    unknown = rows.filter(pl.col("expected").is_null())["time"].dt.truncate(step.every).to_list()
    known = pl.when(~pl.col("time").is_in(unknown)).then("expected")
    coarse = tables.coarsened(rows, step).with_columns(expected=known)
    rows = _joined(tables.every_step(rows["time"], step), coarse)
    _period_bars(figure, rows["time"], rows["captured"], step, name="captured", color=AFTER_COLOR)
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
        **_amid(rows["time"], step),
    )
    figure.update_layout(hovermode="x unified", yaxis_title=f"records per {step.name}")
    return figure


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


def _classes(rows: pl.DataFrame, name: Names) -> list[_Class]:
    """The largest classes of rows, and all others together, in the order in which to draw them."""
    labels = tables.largest(rows, MOST_CLASSES)
    colors = _label_colors(labels)
    others = f"{rows['label'].n_unique() - MOST_CLASSES + 1:,} other classes"
    named = sorted(label for label in labels if label != OTHERS)
    rows = tables.folded(rows, labels)
    return [
        _Class(
            named if label == OTHERS else [label],
            label == OTHERS,
            others if label == OTHERS else name(label),
            colors[label],
            rows.filter(pl.col("label") == label),
        )
        for label in labels
    ]


def _label_colors(labels: Sequence[int]) -> dict[int, str]:
    """A colour for each class: its own whatever else is shown, unless a larger class has it."""
    free = list(LABEL_COLORS)
    colors = {OTHERS: free.pop()} if OTHERS in labels else {}
    for label in labels:
        if label != OTHERS:
            own = LABEL_COLORS[label % len(LABEL_COLORS)]
            colors[label] = free.pop(free.index(own) if own in free else 0)
    return colors


def _drawn_step(rows: pl.DataFrame, period: Period) -> TimeStep:
    """By what rows are drawn that were asked for by a period: their own ``end`` tells."""
    return tables.step_from(rows["end"] - rows["time"], period)


def _say_step(figure: go.Figure, step: TimeStep, period: Period) -> None:
    """Say so where a chart is drawn by another step than the period that was asked for."""
    if step.length != period.length:
        figure.update_xaxes(title=f"by {step.name}")


def _joined(steps: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by ``time`` at every step, empty where there is none: a line is broken there."""
    return steps.join(rows, on="time", how="left", maintain_order="left")


def _period_bars(
    figure: go.Figure, times: pl.Series, counts: pl.Series, step: TimeStep, *, name: str, color: str
) -> None:
    """Bars that each span the period they count: plotly would set them astride its start."""
    figure.add_bar(
        y=counts.fill_null(0).to_numpy(),
        **_along(times, step),
        offset=0,
        width=step.length / _MILLISECOND,
        name=name,
        marker={"color": color, "line": {"width": 0}},
        hovertemplate="%{y:,}",
    )


def _period_line(
    figure: go.Figure,
    times: pl.Series,
    values: pl.Series,
    step: TimeStep,
    *,
    name: str,
    color: str,
    **style: Any,  # noqa: ANN401 - of _line
) -> None:
    _line(figure, values, name, color, **_amid(times, step), **style)


def _amid(times: pl.Series, step: TimeStep) -> dict[str, Any]:
    """Draw points in the middle of their period; what is said on hovering is still its start."""
    along = _along(times, step)
    return {
        **along,
        "xperiod": along["dx"],
        "xperiod0": along["x0"],
        "xperiodalignment": "middle",
    }


def _along(times: pl.Series, step: TimeStep) -> dict[str, Any]:
    """Return where every step from the first to the last lies."""
    return {"x0": _naive(times)[0], "dx": step.length / _MILLISECOND}


def _line(
    figure: go.Figure,
    shares: pl.Series,
    name: str,
    color: str,
    *,
    dash: str = "solid",
    width: float = 2,
    **place: Any,  # noqa: ANN401 - the x of plotly's scatter, or _amid
) -> None:
    few = len(shares) - shares.null_count() <= _FEW
    figure.add_scatter(
        y=shares.to_numpy().astype("float32"),
        **place,
        name=name,
        mode="lines+markers" if few else "lines",  # a lone point is no line
        marker={"size": 4},
        line={"color": color, "dash": dash, "width": width},
        hovertemplate="%{y:.1%}",
    )


def _naive(times: pl.Series) -> pl.Series:
    """Times in UTC that do not say so: plotly would turn them into the browser's own."""
    return times.dt.replace_time_zone(None)


def _threshold_line(figure: go.Figure, threshold: float) -> None:
    """The threshold as a line, its name in the margin above it, where nothing can cross it.

    Dark on a plate of the line's own colour, it can be read on a white page and on a dark one.
    """
    figure.add_vline(
        x=threshold,
        line={"color": _threshold_color(), "dash": "dash", "width": 1.5},
        annotation={
            "text": f"threshold {threshold:g}",
            "xanchor": "right" if threshold > 0.6 else "left",  # noqa: PLR2004 - the roomier side
            "yanchor": "bottom",
            "font": {"color": ON_THRESHOLD_COLOR},
            "bgcolor": _threshold_color(),
            "borderpad": 2,
        },
    )
    top = figure.layout.margin.t + _LABEL_PX  # room from the start: nothing moves after drawing
    plot = figure.layout.height - top - _BELOW_PX
    figure.update_layout(margin_t=top, legend_y=1 + _LABEL_PX / plot)


def _threshold_color() -> str:
    return STYLES[Outcome.REJECTED].color
