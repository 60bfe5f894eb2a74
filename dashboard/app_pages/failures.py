"""Failures: what is failing, since when, why, and its repair."""

from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from dashboard.executions.freshness_panel import check_ready
from dashboard.failures import model as failures
from dashboard.failures import panel, repair_panel
from dashboard.feeds import panel as feeds
from dashboard.shared import components, page_address, time_range_panel

running = feeds.running_feeds()
feed = running.failures


@components.show_errors()
def show_inbox() -> None:
    """Show every group, most urgent first."""
    feeds.show_freshness(running)
    if check_ready(running.executions):
        groups = feed.read_inbox(now := datetime.now(UTC), picked.span)
        panel.show_inbox(failures.build_cards(groups, chosen, now=now, zone=picked.zone), chosen)
        panel.unread_notes(feed.read_notes())


@components.show_errors()
def one_group() -> None:
    """Show one group: cause, decisions, repair and proof."""
    groups = feed.read_inbox(now := datetime.now(UTC))
    group = failures.find_group(groups, chosen.group)
    if group is None and failures.is_known(running.executions.attempts(), chosen.group):
        components.empty_state("This problem has no failures left", "All were repaired.")
    elif group is None:
        components.empty_state("Unknown problem", "No known failure belongs to it.")
    else:
        panel.show_headline(failures.build_card(group, now=now, zone=picked.zone))
        panel.show_tabs(feed, group, groups)
    repair_panel.show_runs(feed, chosen.group)


@components.show_errors()
def show_several() -> None:
    """Show the repair of the groups that were picked."""
    repair_panel.repair_several(feed, chosen.repair)


components.page_header("Failures", "What fails, since when, why, and how to repair it.")
chosen = page_address.read_parameters(failures.FailureFilters)
picked = time_range_panel.pick_time_range()
if not components.check_deployed():
    st.stop()
if chosen.group or chosen.repair:
    if st.button("All failures", icon=":material/arrow_back:", type="tertiary"):
        page_address.go_to(replace(chosen, group="", repair=()))
    feeds.draw_refreshing(one_group if chosen.group else show_several)
else:
    page_address.follow_controls(chosen, panel.choose_filters(chosen))
    feeds.draw_refreshing(show_inbox)
