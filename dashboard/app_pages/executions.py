"""Executions: what ran, how it went, and one execution from start to end."""

from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from dashboard.executions import detail_model as execution
from dashboard.executions import freshness_panel as feeds
from dashboard.executions import model as executions
from dashboard.executions import panel
from dashboard.shared import components
from dashboard.shared.query import read
from workflow.execution_rules import rules_of

feed = feeds.feed()
rules = rules_of(components.connection().watched)
params = {name: st.query_params.get_all(name) for name in st.query_params}
query = read(executions.ExecutionFilters, params)
chosen = query.filters


@components.explained()
def many() -> None:
    """The list with its charts."""
    feeds.fresh(feed)
    now, listing = datetime.now(UTC), feed.listing()
    if listing.is_empty():
        panel.nothing_yet(feed)
        return
    rows = executions.select(listing, chosen, now=now)
    span = executions.window(rows, chosen, now=now)
    panel.numbers(executions.rates(rows, span))
    if rows.is_empty():
        panel.nothing_found()
        return
    panel.charts(rows, feed.visits(), span)
    panel.machine(feed, rows)
    picked = panel.listing(rows)
    if picked:
        panel.go(replace(chosen, execution=picked))


components.page_header("Executions", "Every execution of the workflow, and why it ended as it did.")
for sentence in query.ignored:
    st.warning(sentence)
if chosen.execution:
    panel.back(chosen)
    record = panel.known_record(feed, chosen.execution)
    with components.explained():
        panel.restarts(feed, chosen)
    panel.one_execution(execution.view(record, rules=rules), record, feed, chosen)
elif imported := panel.imported():
    panel.one_execution(execution.view(imported, rules=rules), imported, feed, chosen)
else:
    asked = panel.filters(chosen, executions.versions(feed.listing()))
    if asked != chosen:
        panel.go(asked)
    st.fragment(many, run_every=feeds.REFRESH_SECONDS)()
    panel.upload()
