"""Alerts: what was sent, to whom, what is silenced, what could not be sent, which alarms ring."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.alerts import panel
from dashboard.feeds import panel as feeds
from dashboard.shared import components, page_address, time_range_panel

components.page_header("Alerts", "What was sent to whom, what is silenced, and which alarms ring.")
page_address.read(page_address.NoParameters)
if not components.check_deployed():
    st.stop()
picked, running = time_range_panel.picker(), feeds.running()


@components.explained()
def screen() -> None:
    """Draw the whole page as of now."""
    now, found = datetime.now(UTC), panel.state()
    components.as_of(found.read_at, now)
    left, right = st.columns(2)
    with left:
        panel.sent(found, picked)
        panel.unsent(found, running.alerts.problem if running.alerts else None, picked)
    with right:
        panel.recipients(found)
        panel.silenced(found, running.failures.inbox(now), picked)
        panel.silence_check()
        panel.alarms(found, picked)


st.fragment(screen, run_every=feeds.REFRESH_SECONDS)()
