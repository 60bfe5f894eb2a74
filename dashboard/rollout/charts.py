"""The chart of a rollout: what share of photos each variant rejects, over time."""

from collections.abc import Sequence
from typing import Final

import plotly.graph_objects as go
import polars as pl

from dashboard.captures import periods
from dashboard.captures.periods import MAX_STEPS, Period
from dashboard.inferences.figures import at_every_step, new_figure, note_step, period_line
from dashboard.shared.escaping import chart_text

_COLORS: Final = ("#0072B2", "#E69F00")


def draw_rejected(rows: pl.DataFrame, variants: Sequence[str], period: Period) -> go.Figure:
    """Draw the rejected share of variants over time, a line each.

    Args:
        rows: Those of ``model.rejected_by_time``; one at least.
        variants: Their names, the one in use first; two at most.
        period: By which they were counted.
    """
    figure = new_figure(height=260)
    step = periods.step_of(rows["time"], period, MAX_STEPS)
    steps = periods.every_step(rows["time"], step)
    rows = periods.coarsen_steps(rows, step)
    for variant, color in zip(variants, _COLORS, strict=False):
        line = at_every_step(steps, rows.filter(pl.col("variant") == variant))
        share, name = line["rejected"] / line["count"], chart_text(variant)
        period_line(figure, line["time"], share, step, name=name, color=color)
    figure.update_layout(hovermode="x unified", showlegend=True)
    figure.update_yaxes(title="rejected", tickformat=".0%", rangemode="tozero")
    note_step(figure, step, period)
    return figure
