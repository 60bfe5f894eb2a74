"""Deployment: see what would change, apply it, go back, or take it all down."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.deployment import deploying, model, panel
from dashboard.shared import components, jobs, page_address
from deploy import deployment
from deploy.plan import Plan


def start(title: str, planned: Callable[[], Plan]) -> None:
    """Plan and apply in the background; the page finds the job again."""
    deploying.start(components.jobs(), title, planned, settings, session)
    st.rerun()


def read() -> tuple[Any, Any, Any]:
    """Return the plan, the outputs and the checks, as JSON."""
    plan = deployment.observe_and_plan(settings, session)
    checks = [one.to_json() for one in deployment.check(settings, session)]
    return plan.to_json(), deployment.status(settings, session).to_json(), checks


components.page_header("Deployment", "The plan is shown before anything is touched.")
page_address.read(model.DeploymentAddress)
connection = components.connection()
session, settings = connection.session, panel.wanted(connection.settings)
if (job := components.watch(jobs.DEPLOYMENT, panel.run)) and job.running:
    st.stop()
with st.spinner("Comparing what is wanted with what is there …"):
    plan, outputs, seen = components.read("deployment", str(settings), "the plan", read, fresh_s=60)
if panel.plan(model.plan_view(plan), hindered=panel.checks(model.check_view(seen))):
    start("Deploy", lambda: deployment.observe_and_plan(settings, session))
panel.outputs(outputs, links=connection.cloud.endpoint_url is None)
if panel.versions(outputs):
    start("Roll back", lambda: deployment.plan_rollback(settings, session))
if (asked := panel.destruction(settings.prefix, outputs["bucket"]))[0]:
    start("Destroy", lambda: deployment.plan_destroy(settings, session, empty_bucket=asked[1]))
