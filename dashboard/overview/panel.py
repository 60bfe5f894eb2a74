"""Panels of the Overview page."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from dashboard.captures.periods import Period
from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.source import InferenceFeed
from dashboard.executions.releases_model import release_markers
from dashboard.overview import charts as drawn
from dashboard.overview import model
from dashboard.overview.checks_model import Check, CheckLevel
from dashboard.shared import numbers
from dashboard.shared.escaping import escape_text
from dashboard.shared.palette import BadgeColor
from dashboard.shared.plots import draw_figure, make_readable
from dashboard.shared.time_range import TimeRange
from dashboard.shared.version_cache import VersionCache
from workflow.class_names import ClassNames

CHARTS = ("Outcomes", "Confidence", "Latency", "Volume")
"""In the order in which they are shown, two beside each other."""

_LOOKS: dict[model.OverallHealth, tuple[BadgeColor, str, str]] = {
    model.OverallHealth.HEALTHY: ("green", ":material/check_circle:", "Healthy"),
    model.OverallHealth.NEEDS_ATTENTION: ("red", ":material/error:", "Needs attention"),
    model.OverallHealth.UNDER_WAY: ("blue", ":material/progress_activity:", "Under way"),
    model.OverallHealth.NOT_KNOWN: ("gray", ":material/help:", "Not known"),
    model.OverallHealth.QUIET: ("gray", ":material/bedtime:", "Quiet"),
}
_LEVELS: dict[CheckLevel, tuple[BadgeColor, str]] = {
    CheckLevel.FINE: ("green", ":material/check_circle:"),
    CheckLevel.NEEDS_ATTENTION: ("red", ":material/error:"),
    CheckLevel.UNDER_WAY: ("blue", ":material/progress_activity:"),
    CheckLevel.UNKNOWN: ("gray", ":material/help:"),
}


@dataclass(frozen=True, slots=True)
class OverviewCharts:
    """What the charts are drawn from.

    Attributes:
        listing: Every execution known.
        captures: Where inferences are counted; None where no endpoint is known.
        threshold: At or above which an inference is accepted.
        shown: The range and the zone.
        now: Aware.
        version: Changes whenever the executions do, or are those of another workflow.
        names: Of the classes.
    """

    listing: pl.DataFrame
    captures: InferenceFeed | None
    threshold: float
    shown: TimeRange
    now: datetime
    version: Hashable
    names: ClassNames


@st.cache_resource(show_spinner=False)
def _figure_cache() -> VersionCache:
    """Return the figures drawn last: to make one takes longer than all else on the page."""
    return VersionCache(kept=16)


def show_verdict(shown: model.Overview, now: datetime) -> None:
    """Show whether it is healthy, and what that rests on."""
    color, icon, word = _LOOKS[shown.health]
    st.markdown(f"## :{color}-badge[{icon} {word}]")
    st.markdown(escape_text(shown.sentence))
    _show_checks(shown.checks, now)


def show_charts(look: OverviewCharts) -> None:
    """Show outcomes, confidence, latency and volume, with releases and rollbacks on each axis."""
    # Axes end with the minute, so that its figures are the same.
    now = look.now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    shown, captures = look.shown, look.captures
    version = (look.version, captures.version if captures else None, now)
    key = (shown, look.threshold, look.names, st.context.theme.type)
    figures = _figure_cache().get(key, version, lambda: _draw_figures(look, now))
    names = [name for name in CHARTS if name in figures]
    for first in range(0, len(names), 2):
        for column, name in zip(st.columns(2), names[first : first + 2], strict=True):
            with column, st.container(border=True):
                st.markdown(f"**{name}**")
                draw_figure(
                    figures[name],
                    key=f"overview-{name}",
                    alt=f"{name} over time, with releases and rollbacks",
                )
    st.caption(
        f"Up to {escape_text(shown.format_moment(look.now))}, times in "
        f"{escape_text(shown.zone.key)}. Dotted lines: "
        "releases and rollbacks."
    )


def _draw_figures(look: OverviewCharts, now: datetime) -> dict[str, go.Figure]:
    """Return the charts up to a moment, in the colours of the reader's theme."""
    shown = look.shown
    rows = look.listing.filter(pl.col("started_at") > now - shown.span)
    marked = release_markers(look.listing)
    figures = {
        "Outcomes": drawn.draw_outcomes(rows, shown, marked, now),
        "Latency": drawn.draw_latency(rows, shown, marked, now),
    }
    if look.captures is not None:
        counts = look.captures.counts(InferenceFilters(), Period.HOUR, now)
        figures["Confidence"] = drawn.draw_confidence(counts, look.threshold, shown, marked, now)
        figures["Volume"] = drawn.draw_volume(counts, shown, marked, now, look.names)
    return {name: make_readable(figure) for name, figure in figures.items()}


def _show_checks(found: tuple[Check, ...], now: datetime) -> None:
    """Show each check, its result and its age; each links to its page."""
    read = [check.as_of for check in found if check.as_of is not None]
    oldest = f", the oldest {numbers.format_age(min(read), now)} ago" if read else ""
    counts = [(level, sum(check.level is level for check in found)) for level in CheckLevel]
    told = ", ".join(level.counted(count) for level, count in counts if count)
    title = f"{len(found)} checks{oldest}: {told}"
    with st.expander(title, icon=":material/checklist:", key="checks"):  # its title changes
        for check in found:
            color, icon = _LEVELS[check.level]
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f":{color}-badge[{icon} {check.level}]", width=120)
                st.page_link(
                    f"app_pages/{check.page}.py",
                    label=check.name,
                    query_params=dict(check.params),
                    width=120,
                )
                ago = f"{numbers.format_age(check.as_of, now)} ago" if check.as_of else "never read"
                st.markdown(f"{escape_text(check.sentence)} :gray[{ago}]", width="stretch")


def show_tiles(shown: model.Overview) -> None:
    """Show the numbers of 24 hours; each links to the executions that it counts."""
    st.caption("The last 24 hours, compared with the 7 days before.")
    with st.container(horizontal=True, gap="small"):
        for tile in shown.tiles:
            with st.container(border=True, width=128, height="stretch", gap=None):
                st.metric(
                    tile.label,
                    tile.value,
                    tile.change or None,
                    delta_color="off"
                    if tile.worse is None
                    else ("inverse" if (tile.change[0] == "+") == tile.worse else "normal"),
                )
                st.page_link(tile.page, label=tile.link, query_params=dict(tile.params))


def show_lists(shown: model.Overview) -> None:
    """Show what needs attention beside what has changed."""
    left, right = st.columns(2)
    with left:
        _show_lines("What needs attention", shown.needs, "Nothing needs attention.")
    with right:
        _show_lines("What changed in 24 hours", shown.changes, "No change beyond chance.")


def _show_lines(title: str, found: tuple[model.Line, ...], nothing: str) -> None:
    """Show a list of sentences, each linking to its page."""
    st.markdown(f"**{title}**")
    if not found:
        st.caption(nothing)
    for line in found:
        st.page_link(
            line.page,
            label=escape_text(line.text),
            icon=line.icon,
            query_params=dict(line.params),
        )
        if line.detail:
            st.caption(escape_text(line.detail))
