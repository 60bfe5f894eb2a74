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


def start(title: str, privilege: Privilege, planned: Callable[[], Plan]) -> None:
    """Plan and apply in the background; the page finds the job again."""
    permit = permits.permit(privilege)
    deployment_job.start(components.jobs(), title, permit, planned, settings)
    st.rerun()


def read() -> tuple[Any, Any, Any, Any]:
    """Return the plan, the outputs and the checks, as JSON, and what a rollback would do."""
    plan = deployment.observe_and_plan(settings, session, weight=share)
    checks = [one.to_json() for one in deployment.check(settings, session)]
    back = deployment.preview_rollback(settings, session)
    return plan.to_json(), deployment.status(settings, session).to_json(), checks, back


components.page_header("Deployment", "The plan is shown before anything is changed.")
connection = components.connection()
session, (settings, share) = connection.session, panel.wanted(connection.settings)
if (job := components.watch(jobs.DEPLOYMENT, panel.run)) and job.running:
    st.stop()
found = components.read("deployment", (str(settings), share), "the plan", read, fresh_s=60)
plan, outputs, seen, back = found
hindered = panel.checks(model.check_view(seen))
if panel.plan(model.plan_view(plan), hindered=hindered, share=share):
    planned = partial(deployment.observe_and_plan, settings, session, weight=share)
    start("Deploy", Privilege.DEPLOY, planned)
panel.outputs(outputs, links=connection.cloud.endpoint_url is None)
shifting = canary_model.canary(outputs)
step = shifting and canary_panel.canary(shifting, settings.state_machine_arn, back.diff)
if step == "Promote":
    start("Promote", Privilege.DEPLOY, lambda: deployment.plan_promotion(settings, session))
rollback = back and not shifting and (back.live, back.target, back.diff)
if panel.versions(outputs, rollback or None) or step == "Roll back":
    start("Roll back", Privilege.ROLLBACK, lambda: deployment.plan_rollback(settings, session))
if (asked := panel.destruction(settings.prefix, outputs["bucket"]))[0]:
    destroy = partial(deployment.plan_destroy, settings, session, empty_bucket=asked[1])
    start("Destroy", Privilege.DESTROY, destroy)
