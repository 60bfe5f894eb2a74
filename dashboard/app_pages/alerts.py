"""Alerts: what was sent, to whom, what is silenced, what could not be sent, which alarms ring."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.alerts import panel
from dashboard.feeds import panel as feeds
from dashboard.shared import components, page_address, time_range_panel

components.page_header("Alerts", "What was sent to whom, what is silenced, and which alarms ring.")
page_address.read_parameters(page_address.NoParameters)
if not components.check_deployed():
    st.stop()
picked, running = time_range_panel.pick_time_range(), feeds.running_feeds()


@components.show_errors()
def draw_screen() -> None:
    """Draw the whole page as of now."""
    now, found = datetime.now(UTC), panel.read_state()
    components.as_of(found.read_at, now)
    left, right = st.columns(2)
    with left:
        panel.show_sent(found, picked)
        panel.show_unsent(found, running.alerts.problem if running.alerts else None, picked)
    with right:
        panel.show_recipients(found)
        panel.show_silenced(found, running.failures.read_inbox(now), picked)
        panel.silence_check()
        panel.show_alarms(found, picked)


feeds.draw_refreshing(draw_screen)
