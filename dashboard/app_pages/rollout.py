"""Rollout: serve a new model beside the one in use, compare them, promote or roll back."""

import streamlit as st

from dashboard.captures import panel as captures
from dashboard.rollout import panel, shadow_panel
from dashboard.rollout.client import IN_SERVICE
from dashboard.shared import components, page_address, time_range_panel
from dashboard.thresholds import panel as thresholds

components.page_header(
    "Rollout", "Give a new model a share of the traffic and compare it with the one in use."
)
page_address.read_parameters(page_address.NoParameters)
connection, feed, standing = (
    components.connection(),
    captures.running_feed(),
    thresholds.read_standing(),
)
if standing.absent:
    components.not_deployed()
    st.stop()
picked = time_range_panel.pick_time_range()
captures.show_status(feed)
found = panel.read_endpoint(connection)
panel.show_served(found)
with components.show_errors():
    match len(found.variants):
        case 1 if found.shadow:
            shadow_panel.show_comparison(connection, found, found.shadow, feed, standing.now)
            shadow_panel.show_actions(found)
        case 1 if found.status == IN_SERVICE:
            panel.show_begin(connection, found)
        case 1:
            pass
        case 2:
            panel.show_comparison(found, feed, standing.now)
            panel.show_automatic(found, feed, standing.now)
            panel.show_actions(found)
        case _:
            st.info("The endpoint has more than two variants: two can be compared here.")
    if found.status != IN_SERVICE:
        panel.follow_update()
    panel.over_time(found, feed, standing.now, picked)
