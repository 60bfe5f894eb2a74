"""Classify: hand in photos and watch the workflow label them."""

import streamlit as st

from dashboard.classify import batches, panel
from dashboard.classify import model as classify
from dashboard.shared import components, page_address, permits
from dashboard.shared.jobs import Job
from workflow.access import Privilege


def results(job: Job) -> None:
    """Show the progress of the batch, and every verdict so far."""
    view = classify.batch_view(job.events)
    panel.progress(view, running=job.running)
    for index, card in enumerate(classify.cards(view)):
        panel.card(card, f"card-{index}")
    frame = classify.table(view)
    panel.table(frame, classify.csv(frame))


components.page_header("Classify", "Every photo starts a real execution of the workflow.")
cloud = components.connection()
if batch := page_address.read(classify.ClassifyAddress).batch:
    st.page_link("app_pages/classify.py", label="Classify more", icon=":material/add:")
    if components.jobs().get(batches.job_key(batch)) is None:
        batches.resume(components.jobs(), permits.permit(Privilege.SUBMIT), batch)
    components.watch(batches.job_key(batch), results)
elif not cloud.watched.bucket or not cloud.watched.state_machine_arn:
    panel.nowhere_to_write(cloud.watched)
elif components.deployed():
    if asked := panel.hand_in():
        permit = permits.permit(Privilege.SUBMIT)
        st.query_params["batch"] = batches.start(components.jobs(), permit, *asked)
        st.rerun()
else:
    components.not_deployed()
