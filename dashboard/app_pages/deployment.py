"""Deployment: see what would change, apply it, go back, or take it all down."""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from dashboard.deployment import canary_model, canary_panel, deployment_job, model, panel
from dashboard.shared import components, jobs, permits
from deploy import deployment
from deploy.plan import Plan
from workflow.access import Privilege


def start_job(title: str, privilege: Privilege, planned: Callable[[], Plan]) -> None:
    """Plan and apply in the background; the page finds the job again."""
    permit = permits.require_permit(privilege)
    deployment_job.start_job(components.background_jobs(), title, permit, planned, settings)
    st.rerun()


def read_all() -> tuple[Any, Any, Any, Any]:
    """Return the plan, the outputs and the checks, as JSON, and what a rollback would do."""
    plan = deployment.observe_and_plan(settings, session, weight=share)
    checks = [one.to_json() for one in deployment.check(settings, session)]
    back = deployment.preview_rollback(settings, session)
    return plan.to_json(), deployment.read_status(settings, session).to_json(), checks, back


components.page_header("Deployment", "The plan is shown before anything is changed.")
connection = components.connection()
session, (settings, share) = connection.session, panel.wanted_settings(connection.settings)
if (job := components.watch_job(jobs.DEPLOYMENT, panel.show_run)) and job.running:
    st.stop()
found = components.read_cloud(
    "deployment", (str(settings), share), "the plan", read_all, fresh_s=60
)
plan, outputs, seen, back = found
hindered = panel.show_checks(model.check_view(seen))
if panel.show_plan(model.plan_view(plan), hindered=hindered, share=share):
    planned = partial(deployment.observe_and_plan, settings, session, weight=share)
    start_job("Deploy", Privilege.DEPLOY, planned)
panel.show_outputs(outputs, links=connection.cloud.endpoint_url is None)
shifting = canary_model.read_canary(outputs)
step = shifting and canary_panel.show_canary(shifting, settings.state_machine_arn, back.diff)
if step == "Promote":
    start_job("Promote", Privilege.DEPLOY, lambda: deployment.plan_promotion(settings, session))
rollback = back and not shifting and (back.live, back.target, back.diff)
if panel.show_versions(outputs, rollback or None) or step == "Roll back":
    start_job("Roll back", Privilege.ROLLBACK, lambda: deployment.plan_rollback(settings, session))
if (asked := panel.confirm_destruction(settings.prefix, outputs["bucket"]))[0]:
    destroy = partial(deployment.plan_destroy, settings, session, empty_bucket=asked[1])
    start_job("Destroy", Privilege.DESTROY, destroy)
