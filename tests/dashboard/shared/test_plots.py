"""Charts can be read in both themes."""

import plotly.graph_objects as go

from dashboard.shared.plots import color_texts


def test_every_text_without_a_colour_of_its_own_gets_one() -> None:
    figure = go.Figure()
    figure.update_layout(
        annotations=[{"text": "plain"}, {"text": "own", "font": {"color": "#ff0000"}}]
    )

    color_texts(figure, "#4A5563")

    layout = figure.layout
    assert layout.xaxis.tickfont.color == layout.yaxis.title.font.color == "#4A5563"
    assert layout.legend.font.color == "#4A5563"
    assert [one.font.color for one in layout.annotations] == ["#4A5563", "#ff0000"]


def test_the_tool_bar_stands_beside_the_legend_not_on_it() -> None:
    figure = go.Figure()

    color_texts(figure, "#4A5563")

    assert figure.layout.modebar.orientation == "v"
