"""Classify: hand in photos and watch the workflow label them."""

import streamlit as st

from dashboard.classify import batches, panel
from dashboard.classify import model as classify
from dashboard.shared import components, page_address, permits
from dashboard.shared.jobs import Job
from workflow.access import Privilege


def show_results(job: Job) -> None:
    """Show the progress of the batch, and every verdict so far."""
    view = classify.batch_view(job.events)
    panel.show_progress(view, running=job.running)
    for index, card in enumerate(classify.build_cards(view)):
        panel.show_card(card, f"card-{index}")
    frame = classify.results_table(view)
    panel.show_table(frame, classify.csv_of(frame))
    kept = batches.keeps_photos(batch)
    if not job.running and panel.offer_again(view.unstarted, kept=kept):
        components.background_jobs().forget(batches.job_key(batch))
        st.rerun()


components.page_header("Classify", "Every photo starts a real execution of the workflow.")
cloud = components.connection()
if batch := page_address.read_parameters(classify.ClassifyAddress).batch:
    st.page_link("app_pages/classify.py", label="Classify more", icon=":material/add:")
    if components.background_jobs().get(batches.job_key(batch)) is None:
        batches.resume_batch(
            components.background_jobs(), permits.require_permit(Privilege.SUBMIT), batch
        )
    components.watch_job(batches.job_key(batch), show_results)
elif not cloud.watched.bucket or not cloud.watched.state_machine_arn:
    panel.nowhere_to_write(cloud.watched)
elif components.is_workflow_deployed():
    if asked := panel.hand_in():
        permit = permits.require_permit(Privilege.SUBMIT)
        st.query_params["batch"] = batches.start_batch(components.background_jobs(), permit, *asked)
        st.rerun()
else:
    components.not_deployed()
