"""Panels of the Classify page."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile, UploadedFile

from dashboard.aws.archives import is_archive
from dashboard.aws.images import Upload
from dashboard.classify import model as classify
from dashboard.classify import photo_resizing
from dashboard.shared import components, numbers
from dashboard.shared.escaping import escape_text
from dashboard.shared.palette import format_pill
from dashboard.shared.plots import draw_plot
from dashboard.shared.tables import clean_cells
from workflow.contract import MAX_IMAGE_BYTES
from workflow.errors import WorkflowError
from workflow.watched import WatchedWorkflow

LIMIT = f"{MAX_IMAGE_BYTES // 2**20} MB"
SAMPLE_FOLDER = Path(__file__).parent / "samples"
SAMPLES = {
    "bicycle.jpg": "A bicycle",
    "motorcycle.jpg": "A motorcycle",
    "bicycle-in-the-dark.jpg": "A bicycle in the dark",
    "no-vehicle.jpg": "A house (no vehicle)",
}
"""Drawn by ``localcloud.drawings``; the last two are rejected."""


def chosen_files() -> list[UploadedFile]:
    """Return the files that were chosen; says so where the dashboard no longer has some of them."""
    chosen = st.file_uploader(
        f"Photos (PNG or JPEG, up to {LIMIT} each), or a zip of them",
        accept_multiple_files=True,
        key="files",
    )
    lost = sum(isinstance(file, DeletedFile) for file in st.session_state["files"])
    if lost:
        components.error_state(
            WorkflowError(
                "FilesNotKept",
                f"{lost} of the chosen files are no longer here: the dashboard was started again, "
                "and browsers do not send a file twice.",
                "Remove them from the list and choose them again.",
            )
        )
    return chosen


class Asked(NamedTuple):
    """What is to be classified: files, keys or addresses in S3, and addresses of the web."""

    uploads: Sequence[Upload]
    keys: Sequence[str] = ()
    addresses: Sequence[str] = ()


def hand_in() -> Asked | None:
    """Choose files, take a photo, paste or name keys; returns what a button was pressed for."""
    first = "Camera" if is_phone() else "Upload"
    upload, camera, paste, stored = st.tabs(["Upload", "Camera", "Paste", "From S3"], default=first)
    with upload:
        chosen: list[UploadedFile] = chosen_files()
    if camera.toggle("Use the camera") and (shot := camera.camera_input("Take a photo")):
        chosen = [*chosen, shot]
    with paste:
        st.caption("Paste photos, or https addresses of photos, and press Enter.")
        pasted = st.chat_input(
            "Paste here", accept_file="multiple", file_type=["png", "jpg", "jpeg"], key="pasted"
        )
    lines = stored.text_area(
        "S3 keys or s3:// addresses, one a line", placeholder="ARNs and https URLs work, too."
    )
    uploads = made_smaller([Upload(file.name, file.getvalue()) for file in chosen])
    keys = [line.strip() for line in (lines or "").splitlines() if line.strip()]
    count = len(uploads) + len(keys)
    action = f"Classify ({count})" if count else "Classify"
    if st.button(action, key="classify", type="primary", disabled=not count):
        return Asked(uploads, keys)
    if sample := choose_sample():
        return Asked([sample])
    if pasted is not None:
        taken = [Upload(file.name, file.getvalue()) for file in pasted.files or ()]
        return Asked(taken, addresses=(pasted.text or "").split())
    return None


def choose_sample() -> Upload | None:
    """Show photos to try; return the one whose button was pressed."""
    pressed = None
    st.markdown("**Or try one of these**")
    for column, (name, says) in zip(st.columns(len(SAMPLES)), SAMPLES.items(), strict=True):
        file = SAMPLE_FOLDER / name
        with column, st.container(border=True):
            st.image(str(file), caption=says, alt=says)
            if st.button(f"Try {says.lower()}", key=f"sample-{name}", width="stretch"):
                pressed = Upload(name, file.read_bytes())
    return pressed


def made_smaller(chosen: Sequence[Upload]) -> list[Upload]:
    """Return the photos to send: those that are too large made smaller where that is asked for."""
    large = [one for one in chosen if photo_resizing.is_too_large(one) and not is_archive(one)]
    if not large:
        return list(chosen)
    noun = "photo is" if len(large) == 1 else "photos are"
    if not st.toggle(f"Make larger photos smaller ({len(large)} {noun} over {LIMIT})"):
        return list(chosen)
    sent = []
    for one in chosen:
        if one not in large:
            sent.append(one)
            continue
        try:
            smaller = photo_resizing.shrink_photo(one)
        except WorkflowError as error:
            components.error_state(error)
            sent.append(one)
        else:
            st.caption(f":material/photo_size_select_small: {escape_text(smaller.change)}")
            sent.append(smaller.upload)
    return sent


def is_phone() -> bool:
    """Return whether the browser says that it runs on a phone."""
    return "Mobi" in (st.context.headers.get("user-agent") or "")


def show_progress(view: classify.BatchView, *, running: bool) -> None:
    """Show how many images of a batch have their verdict, and which."""
    total = len(view.submissions)
    if running or view.done < total:
        said = f"{view.done} of {total} images" if total else "Verifying and uploading …"
        st.progress(view.done / total if total else 0.0, text=said)
    components.outcome_counts(view.counts)
    for refusal in view.refused[: classify.MAX_CARDS]:
        components.error_state(WorkflowError(refusal.code, refusal.message, refusal.remedy))
    if len(view.refused) > classify.MAX_CARDS:
        st.caption(f"{len(view.refused) - classify.MAX_CARDS} more were refused: see the table.")


def offer_again(unstarted: int, *, kept: bool) -> bool:
    """Offer to submit what AWS did not take; whether that is asked for.

    Args:
        unstarted: How many images that is.
        kept: Whether the dashboard still has the photos that S3 did not take.
    """
    if not unstarted:
        return False
    images = numbers.format_count(unstarted, "image")
    note = (
        "Nothing has to be chosen again."
        if kept
        else "The dashboard holds none of these photos: choose again what S3 never took."
    )
    st.caption(f"{images} could not be submitted. {note}")
    return st.button("Submit these again", icon=":material/replay:")


def show_table(frame: pd.DataFrame, csv: bytes) -> None:
    """Show a batch as a table, one row for each image, with its download."""
    if frame.empty:
        return
    with st.expander(f"Result table ({len(frame)})", expanded=len(frame) > classify.MAX_CARDS):
        st.dataframe(
            clean_cells(frame), hide_index=True, alt="The verdict on every image of the batch"
        )
        st.download_button("Download as CSV", csv, "classified.csv", "text/csv", on_click="ignore")


def show_card(card: classify.SubmissionCard, key: str) -> None:
    """Show an image, its verdict against the threshold, its states and its execution."""
    image = card.submission.image
    with st.container(border=True, gap="xsmall"):
        picture, says = st.columns([1, 4], vertical_alignment="center", wrap=False)
        small = components.find_thumbnail(image)
        if small:
            picture.image(small, width="stretch", alt=image.name)
        with says.container(gap="xsmall"):
            name = escape_text(image.name)
            st.markdown(
                f"{format_pill(card.outcome)} **{escape_text(card.headline)}** :gray[{name}]"
            )
            if card.confidence is not None and card.threshold is not None:
                figure = classify.confidence_figure(card.confidence, card.threshold, card.outcome)
                draw_plot(figure, key=f"{key}-confidence", alt=classify.alt_text(card))
            if card.note:
                st.markdown(escape_text(card.note))
            way = [*card.steps, *([f"[Open the execution]({card.href})"] if card.href else [])]
            st.markdown(f":small[{'  →  '.join(way)}]")


def nowhere_to_write(watched: WatchedWorkflow) -> None:
    """Explain why no photos can be submitted."""
    if not watched.state_machine_arn:
        reason = "The workflow has no state machine, so there is nothing to start."
    else:
        reason = (
            "Name a bucket for photos, and the input the workflow takes, on the Workflows page."
        )
    components.empty_state(
        f"Photos cannot be submitted to {escape_text(watched.name)}",
        reason,
        page="app_pages/workflows.py",
        label="Go to Workflows",
    )
