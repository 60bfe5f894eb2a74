"""Releases and rollbacks on the time axes of other pages."""

from datetime import datetime
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import polars as pl

from dashboard.executions.releases_model import release_markers
from dashboard.feeds import panel as feeds
from dashboard.shared import components
from dashboard.shared.marker_charts import draw_markers


def mark_releases(figure: go.Figure, times: pl.Series, zone: ZoneInfo) -> None:
    """Mark releases and rollbacks, where executions tell of them.

    Args:
        figure: A chart with times along x.
        times: Those that it shows, as the wall clock of a zone shows them.
        zone: The zone.
    """
    first, last = times.min(), times.max()
    if not components.connection().watched.state_machine_arn:
        return
    if isinstance(first, datetime) and isinstance(last, datetime):
        between = first.replace(tzinfo=zone), last.replace(tzinfo=zone)
        known = release_markers(feeds.running_feeds().executions.listing())
        draw_markers(
            figure, [(at.astimezone(zone), word, color) for at, word, color in known], between
        )
