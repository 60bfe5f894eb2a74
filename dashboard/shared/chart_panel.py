"""A chart with its exports, and the exports of all charts of a page."""

from functools import partial
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard.shared.plots import draw_plot


def draw_chart(figure: go.Figure, key: str, alt: str, **options: Any) -> None:  # noqa: ANN401 - Streamlit's
    """Draw a chart with its exports: PNG by its tool bar, HTML beside it."""
    draw_plot(
        figure,
        key=key,
        alt=alt,
        config={
            "displaylogo": False,
            "modeBarButtonsToRemove": ["lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
            "toImageButtonOptions": {
                "format": st.session_state.get("image_format", "png"),
                "filename": key,
                "scale": 2,
            },
        },
        **options,
    )
    # For the exports, which are drawn after all charts of the page.
    st.session_state.setdefault("figures", {})[key] = figure


def chart_exports() -> None:
    """Offer charts as files: the format of the tool bar's camera, and each as a page."""
    with st.popover("Export charts", icon=":material/image:"):
        st.segmented_control(
            "The camera in a chart's tool bar saves",
            ["png", "svg"],
            default="png",
            required=True,
            format_func=str.upper,
            key="image_format",
        )
        for key, figure in st.session_state.pop("figures", {}).items():
            st.download_button(
                f"{key} as HTML",
                partial(render_html, figure),
                f"{key}.html",
                "text/html",
                on_click="ignore",
                key=f"html-{key}",
            )


def render_html(figure: go.Figure) -> bytes:
    """Return a page that needs no network: the chart and all it takes to draw it."""
    return str(figure.to_html(include_plotlyjs=True)).encode()
