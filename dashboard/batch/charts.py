"""The chart of a batch: how certain the model is of its photos."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from dashboard.inferences.figures import new_figure
from dashboard.shared.palette import STYLES
from workflow.batch_results import BINS
from workflow.executions import Outcome


def draw_confidence(counts: Mapping[str, Sequence[int]]) -> go.Figure:
    """Draw how many accepted and rejected photos have which confidence.

    Args:
        counts: Photos by outcome in ``BINS`` equal bins from 0 to 1.
    """
    figure = new_figure(height=260)
    middles = [(place + 0.5) / BINS for place in range(BINS)]
    for outcome in (Outcome.REJECTED, Outcome.ACCEPTED):
        style = STYLES[outcome]
        figure.add_bar(
            x=middles,
            y=counts.get(style.word.lower(), [0] * BINS),
            width=1 / BINS,
            name=style.word,
            marker_color=style.color,
        )
    figure.update_layout(barmode="stack", showlegend=True)
    figure.update_xaxes(title="confidence", tickformat=".0%")
    figure.update_yaxes(title="photos")
    return figure
