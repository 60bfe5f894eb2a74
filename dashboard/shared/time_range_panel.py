"""The picker of the time range and the zone, in the sidebar of every page."""

import streamlit as st

from dashboard.shared.time_range import DEFAULT, RANGES, UTC_NAME, WORDS, TimeRange, time_range

LOCAL = "Local time"


def picker() -> TimeRange:
    """Draw the picker; return what is chosen. The address holds both choices."""
    with st.sidebar:
        span = st.selectbox(
            "Time range",
            list(RANGES),
            index=list(RANGES).index(DEFAULT),
            format_func=lambda name: f"Last {WORDS[name]}",
            key="range",
            bind="query-params",
        )
        zone = st.selectbox("Times in", [LOCAL, UTC_NAME], key="zone", bind="query-params")
    return time_range(span or DEFAULT, zone or LOCAL, st.context.timezone)
