"""Panels of the Classify page."""

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile, UploadedFile

from dashboard.classify import model as classify
from dashboard.shared import components
from dashboard.shared.escaping import plain
from dashboard.shared.palette import pill
from dashboard.shared.plots import plot
from workflow.errors import WorkflowError
from workflow.watched import WatchedWorkflow


def files() -> list[UploadedFile]:
    """The files that were chosen; says so where the dashboard no longer has some of them."""
    chosen = st.file_uploader(
        "Photos (PNG or JPEG), or a zip of them", accept_multiple_files=True, key="files"
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


def progress(view: classify.BatchView, *, running: bool) -> None:
    """How many images of a batch have their verdict, and which."""
    total = len(view.submissions)
    if running or view.done < total:
        said = f"{view.done} of {total} images" if total else "Verifying and uploading …"
        st.progress(view.done / total if total else 0.0, text=said)
    components.outcome_counts(view.counts)
    for refusal in view.refused[: classify.MAX_CARDS]:
        components.error_state(WorkflowError(refusal.code, refusal.message, refusal.remedy))
    if len(view.refused) > classify.MAX_CARDS:
        st.caption(f"{len(view.refused) - classify.MAX_CARDS} more were refused: see the table.")


def table(frame: pd.DataFrame, csv: bytes) -> None:
    """Every image of a batch in a row, to read and to download."""
    if frame.empty:
        return
    with st.expander(f"Result table ({len(frame)})", expanded=len(frame) > classify.MAX_CARDS):
        st.dataframe(frame, hide_index=True, alt="The verdict on every image of the batch")
        st.download_button("Download as CSV", csv, "classified.csv", "text/csv", on_click="ignore")


def card(card: classify.Card, key: str) -> None:
    """One image, its verdict against the threshold, its way through the states, its execution."""
    image = card.submission.image
    with st.container(border=True, gap="xsmall"):
        picture, says = st.columns([1, 4], vertical_alignment="center", wrap=False)
        small = components.thumbnail(image)
        if small:
            picture.image(small, width="stretch", alt=image.name)
        with says.container(gap="xsmall"):
            name = plain(image.name)
            st.markdown(f"{pill(card.outcome)} **{plain(card.headline)}** :gray[{name}]")
            if card.confidence is not None and card.threshold is not None:
                figure = classify.confidence_figure(card.confidence, card.threshold, card.outcome)
                plot(figure, key=f"{key}-confidence", alt=classify.alt_text(card))
            if card.note:
                st.markdown(plain(card.note))
            way = [*card.steps, *([f"[Open the execution]({card.href})"] if card.href else [])]
            st.markdown(f":small[{'  →  '.join(way)}]")


def nowhere_to_write(watched: WatchedWorkflow) -> None:
    """What to say where photos cannot be handed in."""
    if not watched.state_machine_arn:
        reason = "It has no state machine, so there is nothing to start."
    else:
        reason = "Name a bucket for photos, and the input that it takes, on the Workflows page."
    components.empty_state(
        f"Photos cannot be handed in to {plain(watched.name)}",
        reason,
        page="app_pages/workflows.py",
        label="Go to Workflows",
    )
