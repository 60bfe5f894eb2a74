"""Charts of executions: small tables in, plotly figures out.

Colours come from ``dashboard.shared.palette`` and are never the only sign: outcomes are named in
legends, states carry their numbers as text. Text takes the page's own colour: it can be read in
both themes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import plotly.graph_objects as go
import polars as pl

from dashboard.executions.detail_model import Bar
from dashboard.executions.state_graph_model import Arrow, Box, StateGraph
from dashboard.shared.escaping import chart_text
from dashboard.shared.numbers import format_duration
from dashboard.shared.palette import STYLES
from workflow.definitions import Via
from workflow.executions import Outcome
from workflow.timelines import VisitStatus

VISIT_COLORS: Final = {
    VisitStatus.SUCCEEDED: STYLES[Outcome.ACCEPTED].color,
    VisitStatus.CAUGHT: STYLES[Outcome.REJECTED].color,
    VisitStatus.FAILED: STYLES[Outcome.FAULTED].color,
    VisitStatus.TIMED_OUT: STYLES[Outcome.FAULTED].color,
    VisitStatus.ABORTED: STYLES[Outcome.ABORTED].color,
    VisitStatus.RUNNING: STYLES[Outcome.RUNNING].color,
}
STATE_COLORS: Final = ("#0072B2", "#E69F00", "#CC79A7", "#009E73", "#56B4E9", "#D55E00", "#B3A125")
GREY: Final = "#8A8F98"
Between = tuple[datetime, datetime]

MAX_BARS: Final = 400
"""Bars of a waterfall; a longer one cannot be read."""

_ROUND_SECONDS: Final = (
    *(lead * 10.0**power for power in (-3, -2, -1, 0) for lead in (1, 3)),
    *(10.0, 30.0, 60.0, 180.0, 600.0, 1_800.0, 3_600.0, 10_800.0, 36_000.0),
    *(86_400.0 * days for days in (1, 3, 10, 30, 90, 365)),
)

_ROW_PX: Final = 26
_HALF_WIDTH: Final = 0.42
_HALF_HEIGHT: Final = 0.29
_RANK_PX: Final = 96


def draw_outcomes(bins: pl.DataFrame, width: timedelta, between: Between) -> go.Figure:
    """Draw executions by start, stacked by outcome.

    Args:
        bins: ``time``, ``outcome``, ``count`` of ``models.executions.outcomes_over_time``.
        width: Of one bin.
        between: Begin and end of the axis.
    """
    figure = _new_figure(height=260)
    for outcome, style in STYLES.items():
        part = bins.filter(pl.col("outcome") == outcome.value)
        if part.height:
            figure.add_bar(
                x=part["time"].to_list(),
                y=part["count"].to_list(),
                name=style.word,
                marker={"color": style.color, "line": {"width": 0}},
                width=width / timedelta(milliseconds=1) * 0.92,
                offset=0,
                hovertemplate="%{y:,}",
            )
    figure.update_layout(barmode="stack", hovermode="x unified", yaxis_title="executions")
    figure.update_xaxes(type="date", range=list(between))
    return figure


def draw_durations(rows: pl.DataFrame, between: Between) -> go.Figure:
    """Draw median (solid) and 95th percentile (dotted) of each state's duration by time.

    Args:
        rows: ``time``, ``state``, ``p50``, ``p95`` of ``models.executions.durations_over_time``.
        between: Begin and end of the axis.
    """
    figure = _new_figure(height=260)
    for at, ((state,), part) in enumerate(rows.group_by("state", maintain_order=True)):
        for quantile, dash in (("p50", "solid"), ("p95", "dot")):
            figure.add_scatter(
                x=part["time"].to_list(),
                y=part[quantile].to_list(),
                name=chart_text(state),
                legendgroup=chart_text(state),
                showlegend=quantile == "p50",
                mode="lines+markers",
                marker={"size": 4},
                line={"color": STATE_COLORS[at % len(STATE_COLORS)], "dash": dash, "width": 2},
                customdata=[format_duration(value) for value in part[quantile]],
                hovertemplate=f"{quantile} %{{customdata}}",
            )
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(type="date", range=list(between), hoverformat="%b %d, %H:%M")
    ticks = _choose_ticks([value for name in ("p50", "p95") for value in rows[name].drop_nulls()])
    figure.update_yaxes(
        type="log", tickvals=ticks, ticktext=[format_duration(value) for value in ticks]
    )
    return figure


def _choose_ticks(seconds: Sequence[float]) -> list[float]:
    """Return round durations from just below to just above those shown, at most about eight."""
    low, high = min(seconds, default=1.0), max(seconds, default=1.0)
    within = [tick for tick in _ROUND_SECONDS if low / 3 <= tick <= high * 3]
    return within[:: 1 + len(within) // 9]


def draw_waterfall(bars: Sequence[Bar], started_at: datetime) -> go.Figure:
    """Return when each state of one execution ran, an attempt a bar, in the order they began.

    Args:
        bars: Of ``models.execution.bars``; at most ``MAX_BARS`` are drawn.
        started_at: Zero of the axis.
    """
    shown = bars[:MAX_BARS]
    figure = _new_figure(height=70 + _ROW_PX * max(2, len({bar.row for bar in shown})))
    for status, color in VISIT_COLORS.items():
        part = [bar for bar in shown if bar.status is status]
        if not part:
            continue
        figure.add_bar(
            orientation="h",
            y=[bar.row for bar in part],
            x=[bar.seconds for bar in part],
            base=[(bar.begin - started_at).total_seconds() for bar in part],
            name=status.replace("_", " ").capitalize(),
            marker={"color": color, "line": {"width": 0}},
            width=0.62,
            text=[bar.text for bar in part],
            textposition="outside",
            textfont={"size": 11},
            cliponaxis=False,
            customdata=[[chart_text(bar.label), bar.hover] for bar in part],
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>",
        )
    labels = {bar.row: chart_text(bar.label) for bar in shown}
    figure.update_layout(barmode="overlay", xaxis_title="seconds since the start")
    ends = [(bar.begin - started_at).total_seconds() + bar.seconds for bar in shown]
    figure.update_xaxes(range=[min([0.0, *ends]), 1.12 * max([0.001, *ends])])  # room for text
    figure.update_yaxes(
        autorange="reversed", tickvals=list(labels), ticktext=list(labels.values()), title=None
    )
    return figure


def draw_graph(drawn: StateGraph) -> go.Figure:
    """Return the state machine from top to bottom; each box with its visits and durations."""
    ranks = max((box.y for box in drawn.boxes), default=0) + 1
    figure = _new_figure(height=40 + _RANK_PX * ranks)
    figure.update_layout(
        shapes=[_draw_rectangle(box) for box in drawn.boxes],
        annotations=[
            *(_draw_text(box) for box in drawn.boxes),
            *(_draw_arrow_head(arrow) for arrow in drawn.arrows),
            *(_draw_condition(arrow) for arrow in drawn.arrows if arrow.label),
        ],
        showlegend=False,
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
    )
    figure.add_scatter(
        x=[box.x for box in drawn.boxes],
        y=[box.y for box in drawn.boxes],
        mode="markers",
        marker={"size": 44, "opacity": 0},
        hovertext=[_hover_text(box) for box in drawn.boxes],
        hoverinfo="text",
    )
    reach = max((abs(box.x) for box in drawn.boxes), default=0) + 0.6
    figure.update_xaxes(visible=False, range=[-reach, reach], fixedrange=True)
    figure.update_yaxes(visible=False, range=[ranks - 0.5, -0.5], fixedrange=True)
    return figure


def draw_trend(counts: Sequence[int], color: str) -> go.Figure:
    """Return a small bar chart of counts over time, oldest first."""
    axis = {"visible": False, "fixedrange": True}
    bars = go.Bar(y=list(counts), marker={"color": color, "line": {"width": 0}}, hoverinfo="y")
    return go.Figure(
        bars,
        {
            "height": 60,
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "showlegend": False,
            "xaxis": axis,
            "yaxis": axis | {"rangemode": "tozero"},
        },
    )


def _new_figure(*, height: int) -> go.Figure:
    return go.Figure(
        layout={
            "height": height,
            "margin": {"l": 8, "r": 8, "t": 34, "b": 8},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": None},
        }
    )


def _box_color(box: Box) -> str:
    if not box.visits:
        return GREY
    if box.failed and box.type == "Fail":
        return STYLES[Outcome.REJECTED].color
    return STYLES[Outcome.FAULTED if box.failed else Outcome.ACCEPTED].color


def _draw_rectangle(box: Box) -> dict[str, object]:
    color = _box_color(box)
    return {
        "type": "rect",
        "x0": box.x - _HALF_WIDTH,
        "x1": box.x + _HALF_WIDTH,
        "y0": box.y - _HALF_HEIGHT,
        "y1": box.y + _HALF_HEIGHT,
        "line": {"color": color, "width": 2, "dash": "solid" if box.visits else "dot"},
        "fillcolor": color,
        "opacity": 0.28,
        "layer": "below",
    }


def _draw_text(box: Box) -> dict[str, object]:
    name = chart_text(box.name)
    return {
        "x": box.x,
        "y": box.y,
        "text": f"<b>{name}</b><br><span style='font-size:11px'>{_describe_numbers(box)}</span>",
        "showarrow": False,
    }


def _describe_numbers(box: Box) -> str:
    if not box.visits:
        return f"{chart_text(box.type)}, not visited"
    failed = f", {box.failed:,} failed" if box.failed else ""
    return (
        f"{box.visits:,} visits{failed}<br>p50 {format_duration(box.p50)}, p95 "
        f"{format_duration(box.p95)}"
    )


def _hover_text(box: Box) -> str:
    return f"<b>{chart_text(box.name)}</b> ({chart_text(box.type)})<br>{_describe_numbers(box)}"


def _draw_arrow_head(arrow: Arrow) -> dict[str, object]:
    downwards = arrow.end.y > arrow.start.y
    return {
        "x": arrow.end.x,
        "y": arrow.end.y - _HALF_HEIGHT if downwards else arrow.end.y + _HALF_HEIGHT,
        "ax": arrow.start.x,
        "ay": arrow.start.y + _HALF_HEIGHT if downwards else arrow.start.y - _HALF_HEIGHT,
        "xref": "x",
        "yref": "y",
        "axref": "x",
        "ayref": "y",
        "text": "",
        "showarrow": True,
        "arrowhead": 2,
        "arrowwidth": 1.5,
        "arrowcolor": STYLES[Outcome.FAULTED].color if arrow.via is Via.CATCH else GREY,
    }


def _draw_condition(arrow: Arrow) -> dict[str, object]:
    return {
        "x": (arrow.start.x + arrow.end.x) / 2,
        "y": (arrow.start.y + arrow.end.y) / 2,
        "text": chart_text(
            arrow.label if len(arrow.label) <= 36 else f"{arrow.label[:35]}…"  # noqa: PLR2004 - fits
        ),
        "hovertext": chart_text(arrow.label),
        "showarrow": False,
        "font": {"size": 10},
    }
