"""Charts of quality: estimates with their intervals, confusion, reliability, thresholds."""

from collections.abc import Callable, Sequence

import plotly.graph_objects as go
import polars as pl

from dashboard.shared.escaping import chart_text
from dashboard.shared.palette import STYLES
from workflow.executions import Outcome

_COLORS = (STYLES[Outcome.RUNNING].color, STYLES[Outcome.REJECTED].color)
_BAND = "rgba(0,158,115,0.18)"
_NEUTRAL = "#8A8F98"
_DEPTHS = [[0, "#5F7285"], [1, "#0B4F8A"]]
"""Of few photos and of many: white can be read on both, and both on either theme."""
_ROW_PX = 44

Names = Callable[[int], str]


def _new_figure(height: int) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    return figure


def draw_intervals(
    names: Sequence[str], series: Sequence[tuple[str, pl.DataFrame]], counted: str = "labels"
) -> go.Figure:
    """Draw shares as points with 95 % intervals, one line a name.

    Args:
        names: Of the lines, from the top.
        series: Title of each series, and its rows: ``name``, ``value``, ``low``, ``high``,
            ``labels``.
        counted: What each share is of.
    """
    figure = _new_figure(90 + _ROW_PX * max(1, len(names)))
    for (title, rows), color in zip(series, _COLORS, strict=False):
        figure.add_scatter(
            x=rows["value"].to_list(),
            y=[chart_text(name) for name in rows["name"]],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": (rows["high"] - rows["value"]).to_list(),
                "arrayminus": (rows["value"] - rows["low"]).to_list(),
            },
            customdata=rows.select("low", "high", "labels").rows(),
            hovertemplate="%{x:.1%}, %{customdata[0]:.1%} to %{customdata[1]:.1%}, "
            f"%{{customdata[2]}} {counted}",
            mode="markers",
            marker={"size": 9, "color": color},
            name=title,
        )
    figure.update_layout(
        xaxis={"tickformat": ".0%", "range": [0, 1.02]},
        yaxis={
            "categoryorder": "array",
            "categoryarray": [chart_text(name) for name in reversed(names)],
        },
        scattermode="group",
    )
    return figure


def draw_confusion(cells: pl.DataFrame, shown: Sequence[int], name: Names) -> go.Figure:
    """Return what the model said against what is true, as shares of all photos.

    Args:
        cells: ``said``, ``truth``, ``share``, ``labels``.
        shown: Classes that are shown.
        name: Name of a class.
    """
    known = {(said, truth): (share, n) for said, truth, share, n in cells.iter_rows()}
    names = [chart_text(name(label)) for label in shown]
    grid = [[known.get((said, truth), (0.0, 0)) for said in shown] for truth in shown]
    # So that rare mistakes are seen; what never occurs is left to the page's own colour.
    depth = [[share**0.5 if n else None for share, n in row] for row in grid]
    few = len(shown) <= 10  # noqa: PLR2004 - more numbers do not fit into the cells
    figure = _new_figure(140 + 34 * len(shown))
    figure.add_heatmap(
        x=names,
        y=names,
        z=depth,
        hoverongaps=False,
        textfont={"color": "#FFFFFF"},
        text=[[f"{share:.1%}" if n else "" for share, n in row] for row in grid],
        customdata=grid,
        texttemplate="%{text}" if few else "",
        hovertemplate="said %{x}, is %{y}: %{customdata[0]:.2%} of all photos,"
        " %{customdata[1]} labels<extra></extra>",
        colorscale=_DEPTHS,
        showscale=False,
        xgap=2,
        ygap=2,
    )
    figure.update_layout(
        xaxis={"title": "the model said", "side": "top", "type": "category", "showgrid": False},
        yaxis={"title": "is", "autorange": "reversed", "type": "category", "showgrid": False},
        margin_t=70,
    )
    return figure


def draw_reliability(rows: pl.DataFrame) -> go.Figure:
    """Draw accuracy by confidence, beside the line on which a calibrated model lies.

    Args:
        rows: ``confidence``, ``value``, ``from``, ``to``, ``labels``.
    """
    figure = _new_figure(360)
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="calibrated",
        line={"color": _NEUTRAL, "dash": "dash"},
    )
    figure.add_scatter(
        x=rows["confidence"].to_list(),
        y=rows["value"].to_list(),
        error_y={
            "type": "data",
            "symmetric": False,
            "array": (rows["to"] - rows["value"]).to_list(),
            "arrayminus": (rows["value"] - rows["from"]).to_list(),
        },
        customdata=rows["labels"].to_list(),
        hovertemplate="confidence %{x:.3f}: %{y:.1%} right, %{customdata} labels<extra></extra>",
        mode="markers",
        marker={"size": 9, "color": _COLORS[0]},
        name="measured, 95 % interval",
    )
    figure.update_layout(
        xaxis={"title": "confidence", "range": [0, 1.02]},
        yaxis={"title": "right", "tickformat": ".0%", "range": [0, 1.02]},
    )
    return figure


def draw_thresholds(rows: pl.DataFrame, wanted: float, chosen: float | None) -> go.Figure:
    """Draw coverage and accuracy of what each threshold accepts.

    Args:
        rows: ``threshold``, ``coverage``, ``value``, ``low``, ``high``.
        wanted: Accuracy that is wanted.
        chosen: Threshold to mark; None for none.
    """
    figure, x = _new_figure(340), rows["threshold"].to_list()
    figure.add_scatter(
        x=[*x, *reversed(x)],
        y=[*rows["high"], *rows["low"].reverse()],
        fill="toself",
        fillcolor=_BAND,
        line={"width": 0},
        name="95 % interval",
        hoverinfo="skip",
    )
    accepted = STYLES[Outcome.ACCEPTED].color
    for column, title, color in (
        ("value", "accuracy of the accepted", accepted),
        ("coverage", "coverage", _COLORS[0]),
    ):
        figure.add_scatter(
            x=x, y=rows[column].to_list(), mode="lines", name=title, line={"color": color}
        )
    figure.add_hline(y=wanted, line={"color": _NEUTRAL, "dash": "dot"})
    if chosen is not None:
        figure.add_vline(x=chosen, line={"color": _COLORS[1], "dash": "dash"})
    figure.update_layout(
        hovermode="x unified",
        xaxis={"title": "threshold", "hoverformat": ".3f"},
        yaxis={"tickformat": ".1%", "range": [0, 1.02]},
    )
    return figure
