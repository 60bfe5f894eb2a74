"""Overview: is it healthy, what changed, what needs me."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.alerts import panel as alerts
from dashboard.captures import panel as captures
from dashboard.demonstration import panel as demonstration
from dashboard.deployment import deployment_job
from dashboard.deployment import panel as deployment
from dashboard.executions.freshness_panel import check_ready
from dashboard.feeds import panel as feeds
from dashboard.overview import checks, model, panel
from dashboard.shared import components, jobs, page_address, permits, time_range_panel
from dashboard.thresholds import panel as thresholds
from workflow.access import Privilege


@components.show_errors()
def draw_screen() -> None:
    """Draw the whole page as of now."""
    feeds.show_freshness(running)
    if not check_ready(running.executions):
        return
    now, watched = datetime.now(UTC), connection.watched
    captured = captures.running_feed() if watched.endpoint or watched.captures else None
    background = checks.Background(components.shared_reads(), (connection.cloud, watched.name))
    feed, listing = running.failures, running.executions.listing()
    state, under_way = alerts.find_state(), components.background_jobs()
    made = checks.make_checks(feed, captured, state, under_way, background, now=now)
    shown = model.build_overview(listing, feed.read_inbox(now), feed.repair_runs(), made, now=now)
    panel.show_verdict(shown, now)
    version = (connection.cloud, watched.reference, running.executions.version)
    threshold, names = thresholds.read_standing().now, watched.class_names
    look = panel.OverviewCharts(listing, captured, threshold, picked, now, version, names)
    panel.show_charts(look)
    panel.show_tiles(shown)
    panel.show_lists(shown)


components.page_header("Overview", "Health, changes, and what needs attention.")
page_address.read_parameters(page_address.NoParameters)
connection, controls = components.connection(), demonstration.find_controls()
deployed = components.is_workflow_deployed()
job = None if deployed else components.watch_job(jobs.DEPLOYMENT, deployment.show_run)
if (job and job.running) or (controls and demonstration.show_progress(controls)):
    st.stop()
if components.is_workflow_deployed():
    picked, running = time_range_panel.pick_time_range(), feeds.running_feeds()
    feeds.draw_refreshing(draw_screen)
elif controls is None:
    components.not_deployed()
elif demonstration.show_invitation():
    permit, then = permits.require_permit(Privilege.DEPLOY), demonstration.make_starter()
    deployment_job.start_deployment(components.background_jobs(), permit, connection.settings, then)
    st.rerun()
