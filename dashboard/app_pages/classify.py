"""Classify: hand in photos and watch the workflow label them."""

import streamlit as st

from dashboard.aws.images import Upload
from dashboard.classify import batches, panel
from dashboard.classify import model as classify
from dashboard.shared import components, page_address
from dashboard.shared.jobs import Job


def hand_in() -> None:
    """Choose files, take a photo or name keys; the button starts the batch."""
    upload, camera, stored = st.tabs(["Upload", "Camera", "From S3"])
    with upload:
        files = panel.files()
    shot = camera.camera_input("Take a photo") if camera.toggle("Use the camera") else None
    lines = (
        stored.text_area(
            "S3 keys or s3:// addresses, one a line", placeholder="ARNs and https URLs do, too."
        )
        or ""
    )
    uploads = [Upload(file.name, file.getvalue()) for file in [*files, *([shot] if shot else [])]]
    keys = [line.strip() for line in lines.splitlines() if line.strip()]
    count = len(uploads) + len(keys)
    action = f"Classify ({count})" if count else "Classify"
    if st.button(action, key="classify", type="primary", disabled=not count):
        st.query_params["batch"] = batches.start(components.jobs(), cloud, uploads, keys)
        st.rerun()


def results(job: Job) -> None:
    """How far the batch has come, and every verdict so far."""
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
    batches.find(components.jobs(), cloud, batch)
    components.watch(batches.job_key(batch), results)
elif not cloud.watched.bucket or not cloud.watched.state_machine_arn:
    panel.nowhere_to_write(cloud.watched)
elif components.deployed():
    hand_in()
else:
    components.not_deployed()
