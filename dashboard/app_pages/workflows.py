"""Workflows: what is watched, how it does, and how to watch another."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.shared import components, page_address, time_range_panel
from dashboard.shared.escaping import escape_text
from dashboard.workflows import panel

components.page_header(
    "Workflows", "Watch any state machine and any endpoint. Nothing is created or changed in AWS."
)
page_address.read_parameters(page_address.NoParameters)
now, watched = datetime.now(UTC), components.connection().watched
panel.ignored_files()
if problem := components.registry().problem:
    components.error_state(problem)
with components.show_errors():
    panel.health_table(panel.all_watched(), now)
    st.caption(f"As of {time_range_panel.format_clock(now)}. Choose a row to watch it.")
left, right = st.columns([3, 2], gap="large")
with left:
    st.header("Connect", anchor=False)
    with components.show_errors():
        panel.show_connect(now)
with right:
    st.header(escape_text(watched.name), anchor=False)
    with components.show_errors():
        panel.known_of(watched)
