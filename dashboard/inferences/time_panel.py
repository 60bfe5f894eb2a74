"""Inferences over time: volume, shares, quantiles and spread of confidence."""

from datetime import timedelta

import streamlit as st

from dashboard.captures import aggregates as tables
from dashboard.captures.periods import Period
from dashboard.feeds.releases_panel import mark_releases
from dashboard.inferences import charts, model
from dashboard.inferences.counted_selection import CountedSelection
from dashboard.shared.chart_panel import draw_chart
from dashboard.shared.time_range import wall_clock

HEAT_BARS = 20
MOST_STEPS = 240

BY_DAY = timedelta(days=3)
"""Records of a longer time are shown by day at first."""


def over_time(selection: CountedSelection) -> None:
    """Show volume, shares, quantiles and spread of confidence by time."""
    period = _choose_period(selection)
    counts = wall_clock(selection.counts, selection.zone)
    rows = tables.count_volume(counts, period, selection.threshold)
    if rows.is_empty():
        st.info("No record of the selection has a usable time.", icon=":material/schedule:")
        return
    steps = rows["time"].n_unique()
    left, right = st.columns(2)
    with left:
        st.markdown("**Volume**")
        figure = charts.draw_volume(rows, period, selection.names.name)
        mark_releases(figure, rows["time"], selection.zone)
        draw_chart(figure, "volume", f"Records by class, every {period}")
        st.markdown("**Quantiles of confidence**")
        figure = charts.draw_quantiles(
            tables.compute_quantiles(counts, period), period, selection.threshold
        )
        mark_releases(figure, rows["time"], selection.zone)
        draw_chart(figure, "quantiles", f"Median, 25 % and 5 % quantile of confidence by {period}")
    with right:
        st.markdown("**Share of each class, and of rejections**")
        figure = charts.draw_shares(rows, period, selection.names.name, selection.threshold)
        mark_releases(figure, rows["time"], selection.zone)
        draw_chart(figure, "shares", f"Class and rejected share by {period}")
        st.markdown("**Spread of confidence**")
        coarse = period if steps <= MOST_STEPS else Period.DAY
        draw_chart(
            charts.draw_heat(
                tables.compute_heat(counts, coarse, HEAT_BARS), coarse, selection.threshold
            ),
            "spread",
            f"Share of records by confidence and {coarse}",
        )


def _choose_period(selection: CountedSelection) -> Period:
    finest = selection.period
    options = list(Period)[list(Period).index(finest) :]
    if len(options) == 1:
        return finest
    # Hours of many days are hundreds of points, most of which few records stand behind.
    default = Period.DAY if model.time_spanned(selection.counts) > BY_DAY else finest
    chosen = st.segmented_control(
        "By", options, default=default, required=True, format_func=str, key=f"by-{finest}-{default}"
    )
    return Period(chosen or default)
