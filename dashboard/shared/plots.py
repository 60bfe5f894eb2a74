"""Charts on a page: readable in both themes, and with a tool bar that covers no legend."""

from typing import Any

import plotly.graph_objects as go
import streamlit as st

NO_BAR = {"displayModeBar": False}

_TEXT = {"light": "#4A5563", "dark": "#A9B4C2"}
"""Colour of axes, legends and labels: at least 7:1 on the background of the theme."""


def draw_plot(figure: go.Figure, *, alt: str, **options: Any) -> Any:  # noqa: ANN401 - Streamlit's own
    """Draw a figure; without a tool bar unless ``config`` says otherwise.

    Args:
        figure: What to draw; its texts are coloured in place.
        alt: What it shows, for those who do not see it.
        options: Of ``st.plotly_chart``.
    """
    return draw_figure(make_readable(figure), alt=alt, **options)


def make_readable(figure: go.Figure) -> go.Figure:
    """Return a figure with its texts in the colours of the reader's theme, changed in place."""
    color_texts(figure, _TEXT.get(str(st.context.theme.type), _TEXT["light"]))
    return figure


def draw_figure(figure: go.Figure, *, alt: str, **options: Any) -> Any:  # noqa: ANN401 - Streamlit's own
    """Draw a figure that is readable already, as one that was kept is; else as ``draw_plot``."""
    return st.plotly_chart(figure, alt=alt, **{"config": NO_BAR} | options)


def color_texts(figure: go.Figure, color: str) -> None:
    """Give every text of a figure a colour that has none of its own; the tool bar stands upright.

    Streamlit's grey of axes and labels is 3.7:1 on white. Lying, the tool bar covers the legend on
    a narrow screen.
    """
    # Whole fonts, of which no chart sets anything: plotly takes three times as long to update them.
    layout, font = figure.layout, {"color": color}
    layout.font = layout.legend.font = font
    layout.modebar.orientation = "v"
    axes = (*figure.select_xaxes(), *figure.select_yaxes())
    for texts in (*axes, *(one.colorbar for one in figure.select_coloraxes())):
        texts.tickfont = texts.title.font = font
    for annotation in layout.annotations:
        if annotation.font.color is None:
            annotation.font.color = color
