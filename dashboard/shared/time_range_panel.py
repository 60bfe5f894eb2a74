"""The pickers of the time range and the zone, and times as the picked zone shows them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from dashboard.shared import page_address, time_range
from dashboard.shared.time_range import CLOCK, DAY_AND_MINUTE, DEFAULT, RANGES, UTC_NAME, TimeRange

LOCAL = "Local"


def pick_time_range() -> TimeRange:
    """Draw the picker of the range, for a page with a time axis; return what is chosen.

    The address holds the choice, and the session keeps it from page to page.
    """
    page_address.check_choice("range", list(RANGES))
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
    return time_range.time_range(span or DEFAULT, _zone_name(), st.context.timezone)


def zone_picker() -> None:
    """Draw the picker of the zone, likewise; every page has it."""
    page_address.check_choice("zone", [LOCAL, UTC_NAME])
    with st.sidebar:
        st.segmented_control(
            "Times in",
            [LOCAL, UTC_NAME],
            default=LOCAL,
            key="zone",
            required=True,
            bind="query-params",
            persist_state="session",
        )


def picked_zone() -> ZoneInfo:
    """Return the zone that is picked."""
    return time_range.time_zone(_zone_name(), st.context.timezone)


def format_in_zone(moment: datetime, form: str = DAY_AND_MINUTE) -> str:
    """Return a moment in the zone that is picked, with UTC beside it."""
    return time_range.format_moment(moment, picked_zone(), form)


def format_clock(moment: datetime) -> str:
    """Return the time of day of a moment, likewise."""
    return format_in_zone(moment, CLOCK)


def time_column(title: str) -> ColumnConfig:
    """Return how a table shows a column of aware times: in the zone that is picked."""
    key = picked_zone().key
    return st.column_config.DatetimeColumn(
        f"{title} ({key})", format="YYYY-MM-DD HH:mm:ss", timezone=key
    )


def _zone_name() -> str:
    return str(st.session_state.get("zone") or LOCAL)
