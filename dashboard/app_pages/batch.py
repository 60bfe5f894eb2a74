"""Batch: classify a prefix, a manifest or an inventory of photos, and follow it."""

import streamlit as st

from dashboard.batch import panel
from dashboard.batch.client import BatchMachine
from dashboard.batch.model import BatchAddress
from dashboard.deployment import deployment_job
from dashboard.deployment import panel as deployment
from dashboard.shared import components, jobs, page_address, permits
from workflow.access import Privilege

components.page_header("Batch", "Many photos at once, from a prefix, a manifest or an inventory.")
address = page_address.read_parameters(BatchAddress)
connection = components.connection()
if not components.check_deployed():
    st.stop()
found = panel.read_machine(connection)
if found is not BatchMachine.CURRENT:
    if (job := components.watch_job(jobs.DEPLOYMENT, deployment.show_run)) and job.running:
        st.stop()
    absent = found is BatchMachine.ABSENT
    if panel.offer_deployment() if absent else panel.offer_update():
        permit = permits.require_permit(Privilege.DEPLOY)
        deployment_job.deploy_batch(components.background_jobs(), permit, connection.settings)
        st.rerun()
    if absent:
        st.stop()
panel.show_begin(connection, address)
with components.show_errors():
    if batches := panel.all_batches(connection):
        chosen = panel.choose_batch(batches, address)
        panel.follow_batch(connection, chosen)
        panel.show_results(connection, chosen)
    else:
        st.caption("No batch has run yet.")
