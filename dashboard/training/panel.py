"""The training set of the Quality page: write labelled photos where training jobs find them."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import polars as pl
import streamlit as st

from dashboard.captures import panel as captures
from dashboard.review.client import ReviewClient
from dashboard.shared import components, permits
from dashboard.shared.escaping import escape_text
from dashboard.shared.jobs import Job
from dashboard.training import comparison_panel
from dashboard.training.client import Exported, export_set, zip_set
from workflow.access import Privilege
from workflow.audit import DONE

JOB: Final = "training-set"


def show_training_set(found: ReviewClient) -> None:
    """Write a training set, watch it being written, and say what to do with it."""
    photos, draws, verdicts = (
        captures.running_feed().bucket,
        found.list_draws(),
        found.read_verdicts(),
    )
    st.caption(
        "Labelled photos as files, with `train.lst` and `test.lst` as SageMaker's built-in image"
        " classification takes them. A quarter is held out; a photo and its near-duplicates are"
        " never on both sides, and a later set holds out the same photos."
    )

    job = components.background_jobs().get(JOB)
    if st.button(
        "Write a training set",
        type="primary",
        icon=":material/save:",
        disabled=bool(job and job.running),
    ):
        permit = permits.require_permit(Privilege.EXPORT)

        def work(report: Callable[[Any], None]) -> None:
            with permit.record_action("writing a training set") as result:
                written = export_set(permit.connection, photos, draws, verdicts, report)
                result.text = f"{DONE}: {written.url}"
            report(written)

        components.background_jobs().start(JOB, "Write a training set", work)
        st.rerun()
    components.watch_job(JOB, _show_progress)
    comparison_panel.show_comparison(told=True)


def _show_progress(job: Job) -> None:
    last = job.events[-1] if job.events else 0.0
    if not isinstance(last, Exported):
        if job.running:
            st.progress(float(last), text="Reading and writing photos …")
        return
    names = components.connection().watched.class_names
    rows = [
        {"Folder": part.value, "Class": names.name(label), "Photos": count}
        for part, counts in last.counts.items()
        for label, count in sorted(counts.items())
    ]
    st.dataframe(pl.DataFrame(rows), hide_index=True, alt="Photos by folder and class")
    st.caption(
        f"{last.near} photos have a near-duplicate before them and are in the same folder;"
        f" {last.twice} were left out since the same file is there already."
    )
    for problem in last.problems[:20]:
        st.warning(escape_text(problem), icon=":material/broken_image:")
    with st.container(horizontal=True):
        st.download_button(
            "Download as ZIP",
            partial(zip_set, components.connection(), last.url),
            "training-set.zip",
            on_click="ignore",
            icon=":material/download:",
        )
    st.markdown(
        "Train on this machine, compare on the photos held out, and make the model; `--with FOLDER`"
        " trains on earlier photos as well:"
    )
    st.code(
        f"{comparison_panel.train_command(last.url)}\npython -m deploy apply --keep-endpoint",
        language=None,
        wrap_lines=True,
    )
    st.markdown("Or train as a SageMaker training job, and make the model:")
    st.code(
        f"python -m deploy train {last.url} --sagemaker\n"
        f"python -m deploy apply --train {last.url} --keep-endpoint",
        language=None,
        wrap_lines=True,
    )
    st.page_link("app_pages/rollout.py", label="Go to Rollout", icon=":material/swap_horiz:")
