"""Markers on time axes: a line where something happened, with its name above the plot."""

from collections.abc import Iterable
from datetime import datetime

import plotly.graph_objects as go

from dashboard.shared.escaping import chart_text

DEPLOYED = "#0072B2"
ROLLED_BACK = "#D55E00"
NEAR = 0.12
"""Markers nearer than this share of the axis are named together."""

_NAME_PX = 16
"""Height of a name: it stands in the margin above the plot, where no line can cross it."""

Marker = tuple[datetime, str, str]
"""Time, word and colour of a marker."""


def draw_markers(
    figure: go.Figure, markers: Iterable[Marker], between: tuple[datetime, datetime]
) -> None:
    """Draw a line for each marker that lies on the axis.

    Args:
        figure: A chart with times along x.
        markers: What to mark.
        between: Begin and end of the axis.
    """
    shown = [marker for marker in markers if between[0] <= marker[0] <= between[1]]
    near = (between[1] - between[0]) * NEAR
    words: list[tuple[datetime, list[str]]] = []
    for at, word, color in shown:
        figure.add_shape(
            type="line",
            x0=at.isoformat(),
            x1=at.isoformat(),
            y0=0,
            y1=1,
            yref="paper",
            line={"color": color, "width": 1.5, "dash": "dot"},
        )
        # Names side by side would run into each other.
        if words and at - words[-1][0] < near:
            words[-1][1].append(word)
        else:
            words.append((at, [word]))
    if words:
        _make_room(figure)
    for at, told in words:
        # To the left of its line where it would leave the chart on the right.
        late = at - between[0] > (between[1] - between[0]) / 2
        figure.add_annotation(
            x=at.isoformat(),
            y=1,
            yref="paper",
            yanchor="bottom",
            xanchor="right" if late else "left",
            text=chart_text(", ".join(told)),
            showarrow=False,
            font={"size": 11},
        )


def _make_room(figure: go.Figure) -> None:
    """Make room for names above the plot; a legend that is there stands above them."""
    layout = figure.layout
    top, bottom = (layout.margin.t or 0) + _NAME_PX, layout.margin.b or 0
    figure.update_layout(margin_t=top)
    if layout.legend.y is not None and layout.legend.y > 1 and layout.height:
        plot = layout.height - top - bottom
        figure.update_layout(legend_y=layout.legend.y + _NAME_PX / plot)
