"""Overview: is it healthy, what changed, what needs me."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.alerts import panel as alerts
from dashboard.captures import panel as captures
from dashboard.demonstration import panel as demonstration
from dashboard.deployment import deployment_job
from dashboard.deployment import panel as deployment
from dashboard.executions.freshness_panel import ready
from dashboard.feeds import panel as feeds
from dashboard.overview import checks, model, panel
from dashboard.shared import components, jobs, page_address, permits, time_range_panel
from dashboard.thresholds import panel as thresholds
from workflow.access import Privilege


@components.explained()
def screen() -> None:
    """Draw the whole page as of now."""
    feeds.fresh(running)
    if not ready(running.executions):
        return
    now, watched = datetime.now(UTC), connection.watched
    captured = captures.feed() if watched.endpoint or watched.captures else None
    background = checks.Background(components.reads(), (connection.cloud, connection.watched.name))
    feed, listing = running.failures, running.executions.listing()
    checks.alert(running.alerts, feed, captured, background)
    background_jobs = components.jobs()
    made = checks.gather(feed, captured, alerts.known(), background_jobs, background, now=now)
    shown = model.overview(listing, feed.inbox(now), feed.repair_runs(), made, now=now)
    panel.verdict(shown, now)
    version = (connection.cloud, watched.reference, running.executions.version)
    threshold, names = thresholds.standing().now, watched.class_names
    panel.charts(panel.OverviewCharts(listing, captured, threshold, picked, now, version, names))
    panel.tiles(shown)
    left, right = st.columns(2)
    with left:
        panel.lines("What needs attention", shown.needs, "Nothing needs attention.")
    with right:
        panel.lines("What changed in 24 hours", shown.changes, "No change beyond chance.")


components.page_header("Overview", "Health, changes, and what needs attention.")
page_address.read(page_address.NoParameters)
connection, controls = components.connection(), demonstration.controls()
job = components.watch(jobs.DEPLOYMENT, deployment.run) if not components.deployed() else None
if (job and job.running) or (controls and demonstration.progress(controls)):
    st.stop()
if components.deployed():
    picked, running = time_range_panel.picker(), feeds.running()
    st.fragment(screen, run_every=feeds.REFRESH_SECONDS)()
elif controls is None:
    components.not_deployed()
elif demonstration.invitation():
    settings, permit = connection.settings, permits.permit(Privilege.DEPLOY)
    deployment_job.deploy(components.jobs(), permit, settings, then=demonstration.starter())
    st.rerun()
