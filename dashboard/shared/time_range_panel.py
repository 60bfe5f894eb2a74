"""The picker of the time range and the zone, in the sidebar of every page with a time axis."""

import streamlit as st

from dashboard.shared import page_address
from dashboard.shared.time_range import DEFAULT, RANGES, UTC_NAME, TimeRange, time_range

LOCAL = "Local"


def picker() -> TimeRange:
    """Draw the picker; return what is chosen.

    The address holds both choices, and the session keeps them from page to page.
    """
    page_address.check_choice("range", list(RANGES))
    page_address.check_choice("zone", [LOCAL, UTC_NAME])
    with st.sidebar:
        span = st.segmented_control(
            "Time range",
            list(RANGES),
            default=DEFAULT,
            key="range",
            required=True,
            bind="query-params",
            persist_state="session",
        )
        zone = st.segmented_control(
            "Times in",
            [LOCAL, UTC_NAME],
            default=LOCAL,
            key="zone",
            required=True,
            bind="query-params",
            persist_state="session",
        )
    return time_range(span or DEFAULT, zone or LOCAL, st.context.timezone)
