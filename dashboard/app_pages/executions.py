"""Executions: what ran, how it went, and one execution from start to end."""

from dataclasses import replace
from datetime import UTC, datetime

from dashboard.executions import detail_model as execution
from dashboard.executions import detail_panel, panel
from dashboard.executions import model as executions
from dashboard.failures import model as failures
from dashboard.feeds import panel as feeds
from dashboard.shared import components, page_address, time_range_panel
from workflow.execution_rules import rules_of

running = feeds.running_feeds()
feed = running.executions
rules = rules_of(components.connection().watched)


@components.show_errors()
def show_list() -> None:
    """Draw the list with its charts."""
    feeds.show_freshness(running)
    now, listing = datetime.now(UTC), feed.listing()
    if listing.is_empty():
        panel.nothing_yet(feed)
        return
    if chosen.group:
        group = failures.find_group(running.failures.read_inbox(now), chosen.group)
        listing = executions.select_arns(listing, group.executions if group else ())
    rows = executions.select_executions(listing, chosen, since=now - picked.span)
    panel.rate_tiles(executions.compute_rates(rows, executions.selection_span(rows, now=now)))
    if rows.is_empty():
        panel.nothing_found(feed.listing(), picked)
        return
    panel.show_charts(feed, rows, chosen, picked)
    panel.show_machine(feed, rows)
    if opened := panel.show_listing(rows):
        page_address.go_to(replace(chosen, execution=opened))


components.page_header("Executions", "Every execution of the workflow, and why it ended as it did.")
chosen = page_address.read_parameters(executions.ExecutionFilters)
picked = time_range_panel.pick_time_range()
if chosen.execution:
    panel.link_back(chosen)
    record = detail_panel.known_record(feed, chosen.execution)
    with components.show_errors():
        detail_panel.show_restarts(running.failures.read_restarts(), chosen)
    detail_panel.show_execution(execution.build_view(record, rules=rules), record, feed, chosen)
elif imported := detail_panel.opened_file():
    detail_panel.show_execution(execution.build_view(imported, rules=rules), imported, feed, chosen)
elif components.check_deployed():
    wanted = panel.choose_filters(chosen, executions.list_versions(feed.listing()))
    page_address.follow_controls(chosen, wanted)
    feeds.draw_refreshing(show_list)
    detail_panel.show_upload()
else:
    detail_panel.show_upload()
