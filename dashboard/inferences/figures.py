"""Parts of charts of inferences: colours of classes, axes of time, the line of the threshold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from dashboard.captures import aggregates as tables
from dashboard.captures import periods
from dashboard.captures.aggregates import OTHERS
from dashboard.captures.periods import Period, TimeStep
from dashboard.shared.numbers import format_share
from dashboard.shared.palette import STYLES
from workflow.executions import Outcome

LABEL_COLORS: Final = ("#56B4E9", "#CC79A7", "#B3A125", "#009E73", "#8A8F98")
"""Colours of the classes in their order, the last that of all others together."""

MOST_CLASSES: Final = len(LABEL_COLORS)
"""Classes that a chart tells apart; where there are more, the last is all others together."""

NEUTRAL_COLOR: Final = "#8A8F98"
ON_THRESHOLD_COLOR: Final = "#101822"
_FEW: Final = 100
_LABEL_PX: Final = 24  # height of a line of text on its plate
_BELOW_PX: Final = 50  # height of an axis with its title
_MILLISECOND: Final = timedelta(milliseconds=1)
Names = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class ClassLayer:
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


def new_figure(*, height: int) -> go.Figure:
    """Return an empty figure that looks like the others."""
    return go.Figure(
        layout={
            "height": height,
            "margin": {"l": 8, "r": 8, "t": 34, "b": 8},
            "legend": {
                "orientation": "h",
                "x": 0,
                "y": 1.02,
                "yanchor": "bottom",
                "traceorder": "normal",
            },
            "dragmode": "zoom",  # with "select" plotly takes a click for an empty box
            "clickmode": "event+select",
        }
    )


def class_layers(rows: pl.DataFrame, name: Names) -> list[ClassLayer]:
    """Return the largest classes, and all others together, in the order to draw them."""
    labels = tables.find_largest(rows, MOST_CLASSES)
    colors = _label_colors(labels)
    others = f"{rows['label'].n_unique() - MOST_CLASSES + 1:,} other classes"
    named = sorted(label for label in labels if label != OTHERS)
    rows = tables.fold_others(rows, labels)
    return [
        ClassLayer(
            named if label == OTHERS else [label],
            label == OTHERS,
            others if label == OTHERS else name(label),
            colors[label],
            rows.filter(pl.col("label") == label),
        )
        for label in labels
    ]


def _label_colors(labels: Sequence[int]) -> dict[int, str]:
    """Return a colour for each class: always its own, unless a larger class has it."""
    free = list(LABEL_COLORS)
    colors = {OTHERS: free.pop()} if OTHERS in labels else {}
    for label in labels:
        if label != OTHERS:
            own = LABEL_COLORS[label % len(LABEL_COLORS)]
            colors[label] = free.pop(free.index(own) if own in free else 0)
    return colors


def drawn_step(rows: pl.DataFrame, period: Period) -> TimeStep:
    """Return the step by which rows are drawn, which their own ``end`` tells."""
    return periods.step_from(rows["end"] - rows["time"], period)


def note_step(figure: go.Figure, step: TimeStep, period: Period) -> None:
    """Say so where a chart is drawn by another step than the period that was asked for."""
    if step.length != period.length:
        figure.update_xaxes(title=f"by {step.name}")


def at_every_step(steps: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows at every step, empty where there is none: a line is broken there."""
    return steps.join(rows, on="time", how="left", maintain_order="left")


def period_bars(
    figure: go.Figure, times: pl.Series, counts: pl.Series, step: TimeStep, *, name: str, color: str
) -> None:
    """Let bars span the period that they count: plotly would set them astride its start."""
    figure.add_bar(
        y=counts.fill_null(0).to_numpy(),
        **_axis_steps(times, step),
        offset=0,
        width=step.length / _MILLISECOND,
        name=name,
        marker={"color": color, "line": {"width": 0}},
        hovertemplate="%{y:,}",
    )


def period_line(
    figure: go.Figure,
    times: pl.Series,
    values: pl.Series,
    step: TimeStep,
    *,
    name: str,
    color: str,
    **style: Any,  # noqa: ANN401 - of dated_line
) -> None:
    """Draw a line of one value for each period."""
    dated_line(figure, values, name, color, **centre_points(times, step), **style)


def centre_points(times: pl.Series, step: TimeStep) -> dict[str, Any]:
    """Draw points in the middle of their period; what is said on hovering is still its start."""
    along = _axis_steps(times, step)
    return {
        **along,
        "xperiod": along["dx"],
        "xperiod0": along["x0"],
        "xperiodalignment": "middle",
    }


def _axis_steps(times: pl.Series, step: TimeStep) -> dict[str, Any]:
    """Return where every step from the first to the last lies."""
    return {"x0": times[0], "dx": step.length / _MILLISECOND}


def dated_line(
    figure: go.Figure,
    shares: pl.Series,
    name: str,
    color: str,
    *,
    dash: str = "solid",
    width: float = 2,
    **place: Any,  # noqa: ANN401 - the x of plotly's scatter, or centred
) -> None:
    """Draw a line of shares over the steps of time."""
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


def threshold_line(figure: go.Figure, threshold: float) -> None:
    """Draw the threshold as a line, its name in the margin above it, where nothing can cross it.

    There is no line where the threshold is 0, which is none. Dark on a plate of the line's own
    colour, it can be read on a white page and on a dark one.
    """
    if not threshold:
        return
    figure.add_vline(
        x=threshold,
        line={"color": threshold_color(), "dash": "dash", "width": 1.5},
        annotation={
            "text": f"threshold {format_share(threshold)}",
            "xanchor": "right" if threshold > 0.6 else "left",  # noqa: PLR2004 - the roomier side
            "yanchor": "bottom",
            "font": {"color": ON_THRESHOLD_COLOR},
            "bgcolor": threshold_color(),
            "borderpad": 2,
        },
    )
    top = figure.layout.margin.t + _LABEL_PX  # room from the start: nothing moves after drawing
    plot = figure.layout.height - top - _BELOW_PX
    figure.layout.margin.t, figure.layout.legend.y = top, 1 + _LABEL_PX / plot


def level_threshold(figure: go.Figure, threshold: float) -> None:
    """Draw the threshold as a level line, without its name."""
    if threshold:
        figure.add_hline(
            y=threshold, line={"color": threshold_color(), "dash": "dash", "width": 1.5}
        )


def threshold_color() -> str:
    """Return the colour of what is rejected."""
    return STYLES[Outcome.REJECTED].color
