"""Failures: what is failing, since when, why, and its repair."""

from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from dashboard.executions.freshness_panel import ready
from dashboard.failures import model as failures
from dashboard.failures import panel, repair_panel
from dashboard.feeds import panel as feeds
from dashboard.shared import components, page_address, time_range_panel

running = feeds.running()
feed = running.failures


@components.explained()
def inbox() -> None:
    """Show every group, most urgent first."""
    feeds.fresh(running)
    if ready(running.executions):
        now = datetime.now(UTC)
        groups = feed.inbox(now, picked.span)
        panel.inbox(failures.cards(groups, chosen, now=now, zone=picked.zone), chosen)
        panel.unread_notes(feed.read_notes())


@components.explained()
def one_group() -> None:
    """Show one group: cause, decisions, repair and proof."""
    groups = feed.inbox(now := datetime.now(UTC))
    group = failures.find(groups, chosen.group)
    if group is None and failures.known(running.executions.attempts(), chosen.group):
        components.empty_state("This problem has no failures left", "All were repaired.")
    elif group is None:
        components.empty_state("Unknown problem", "No known failure belongs to it.")
    else:
        panel.headline(failures.card(group, now=now, zone=picked.zone))
        panel.tabs(feed, group, groups)
    repair_panel.runs(feed, chosen.group)


@components.explained()
def several() -> None:
    """Show the repair of the groups that were picked."""
    repair_panel.repair_several(feed, chosen.repair)


components.page_header("Failures", "What fails, since when, why, and how to repair it.")
chosen, picked = page_address.read(failures.FailureFilters), time_range_panel.picker()
if not components.check_deployed():
    st.stop()
if chosen.group or chosen.repair:
    if st.button("All failures", icon=":material/arrow_back:", type="tertiary"):
        page_address.go(replace(chosen, group="", repair=()))
    st.fragment(one_group if chosen.group else several, run_every=feeds.REFRESH_SECONDS)()
else:
    page_address.follow(chosen, panel.filters(chosen))
    st.fragment(inbox, run_every=feeds.REFRESH_SECONDS)()
