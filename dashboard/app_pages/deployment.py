"""Deployment: see what would change, apply it, go back, or take it all down."""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from dashboard.deployment import deploying, model, panel
from dashboard.shared import components, jobs, permits
from deploy import deployment
from deploy.plan import Plan
from workflow.access import Privilege


def start(title: str, privilege: Privilege, planned: Callable[[], Plan]) -> None:
    """Plan and apply in the background; the page finds the job again."""
    permit = permits.permit(privilege)
    deploying.start(components.jobs(), title, permit, planned, settings)
    st.rerun()


def read() -> tuple[Any, Any, Any, Any]:
    """Return the plan, the outputs and the checks, as JSON, and what a rollback would do."""
    plan = deployment.observe_and_plan(settings, session)
    checks = [one.to_json() for one in deployment.check(settings, session)]
    back = deployment.preview_rollback(settings, session)
    return plan.to_json(), deployment.status(settings, session).to_json(), checks, back


components.page_header("Deployment", "The plan is shown before anything is changed.")
connection = components.connection()
session, settings = connection.session, panel.wanted(connection.settings)
if (job := components.watch(jobs.DEPLOYMENT, panel.run)) and job.running:
    st.stop()
found = components.read("deployment", str(settings), "the plan", read, fresh_s=60)
plan, outputs, seen, back = found
if panel.plan(model.plan_view(plan), hindered=panel.checks(model.check_view(seen))):
    start("Deploy", Privilege.DEPLOY, lambda: deployment.observe_and_plan(settings, session))
panel.outputs(outputs, links=connection.cloud.endpoint_url is None)
if panel.versions(outputs, back and (back.live, back.target, back.diff)):
    start("Roll back", Privilege.ROLLBACK, lambda: deployment.plan_rollback(settings, session))
if (asked := panel.destruction(settings.prefix, outputs["bucket"]))[0]:
    destroy = partial(deployment.plan_destroy, settings, session, empty_bucket=asked[1])
    start("Destroy", Privilege.DESTROY, destroy)
