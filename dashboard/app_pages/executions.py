"""Executions: what ran, how it went, and one execution from start to end."""

from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from dashboard.executions import detail_model as execution
from dashboard.executions import detail_panel, panel
from dashboard.executions import model as executions
from dashboard.failures import model as failures
from dashboard.feeds import panel as feeds
from dashboard.shared import components, page_address, time_range_panel
from workflow.execution_rules import rules_of

running = feeds.running()
feed = running.executions
rules = rules_of(components.connection().watched)


@components.explained()
def many() -> None:
    """Draw the list with its charts."""
    feeds.fresh(running)
    now, listing = datetime.now(UTC), feed.listing()
    if listing.is_empty():
        panel.nothing_yet(feed)
        return
    if chosen.group:
        group = failures.find(running.failures.inbox(now), chosen.group)
        listing = executions.among(listing, group.executions if group else ())
    rows = executions.select(listing, chosen, since=now - picked.span)
    panel.rate_tiles(executions.rates(rows, executions.window(rows, now=now)))
    if rows.is_empty():
        panel.nothing_found(feed.listing(), picked)
        return
    panel.charts(feed, rows, chosen, picked)
    panel.machine(feed, rows)
    if opened := panel.listing(rows):
        page_address.go(replace(chosen, execution=opened))


components.page_header("Executions", "Every execution of the workflow, and why it ended as it did.")
chosen, picked = page_address.read(executions.ExecutionFilters), time_range_panel.picker()
if chosen.execution:
    panel.back(chosen)
    record = detail_panel.known_record(feed, chosen.execution)
    with components.explained():
        detail_panel.restarts(running.failures.restarts(), chosen)
    detail_panel.one_execution(execution.view(record, rules=rules), record, feed, chosen)
elif imported := detail_panel.imported():
    detail_panel.one_execution(execution.view(imported, rules=rules), imported, feed, chosen)
elif components.check_deployed():
    page_address.follow(chosen, panel.filters(chosen, executions.versions(feed.listing())))
    st.fragment(many, run_every=feeds.REFRESH_SECONDS)()
    detail_panel.upload()
else:
    detail_panel.upload()
