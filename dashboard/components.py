"""What every page shows alike: the cloud, titles, outcomes, and empty, error and "as of" states."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import streamlit as st

from dashboard.aws import submissions
from dashboard.aws.cloud import Cloud, Connection, connect
from dashboard.jobs import Job, Jobs
from dashboard.palette import STYLES, pill
from workflow.contract import ImageLocation
from workflow.errors import WorkflowError
from workflow.executions import Outcome
from workflow.submissions import StoredImage

TICK_SECONDS = 0.75
"""How often a running job is drawn anew."""

_HOUR_SECONDS = 3600
_MINUTE_SECONDS = 60


@st.cache_resource(show_spinner="Starting the cloud …", validate=Connection.alive)
def connection() -> Connection:
    """The process's one connection; made anew when the local cloud no longer answers."""
    return connect(os.environ)


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """The background jobs of this process, shared by every session."""
    return Jobs()


def thumbnail(image: StoredImage) -> bytes | None:
    """A small JPEG of an image in S3; None where it is not there yet, or is no image."""
    try:
        return _thumbnail(image.location.bucket, image.location.key, image.sha256)
    except WorkflowError:
        return None


@st.cache_data(max_entries=500, show_spinner=False)
def _thumbnail(bucket: str, key: str, sha256: str) -> bytes:
    """Cached by content; a failure is not cached, for the image may still be on its way."""
    return submissions.thumbnail(connection(), StoredImage(key, ImageLocation(bucket, key), sha256))


@contextmanager
def explained() -> Iterator[None]:
    """Show a ``WorkflowError`` of this block in its place, with the remedy; the page goes on."""
    try:
        yield
    except WorkflowError as error:
        error_state(error)


def page_header(title: str, purpose: str) -> None:
    """The page's title and, in one sentence, what it is for."""
    st.title(title, anchor=False)
    st.caption(purpose)


def cloud_badge(cloud: Cloud) -> None:
    """Which cloud, account and region one is looking at; and that it had to be started again."""
    with st.sidebar:
        icon, color = (
            (":material/cloud:", "orange")
            if cloud.name == "AWS"
            else (":material/computer:", "blue")
        )
        st.markdown(f":{color}-badge[{icon} **{cloud.name}**]")
        where = f"  \n{urlsplit(cloud.endpoint_url).netloc}" if cloud.endpoint_url else ""
        st.caption(f"Account {cloud.account}  \nRegion {cloud.region}{where}")
    known = st.session_state.setdefault("cloud_pid", cloud.pid)
    if known != cloud.pid:
        st.session_state["cloud_pid"] = cloud.pid
        st.toast(
            "The local cloud had stopped and was started again. Whatever had finished is intact; "
            "executions that were running are shown as aborted.",
            icon=":material/restart_alt:",
            duration="long",
        )


def empty_state(title: str, body: str, *, page: str = "", label: str = "") -> None:
    """What to say where there is nothing yet, and the page where one gets on.

    Args:
        title: What is not there, such as "No executions yet".
        body: One sentence: when there will be something.
        page: Path of the page to go to, such as ``app_pages/classify.py``; none where empty.
        label: What the link to it says.
    """
    with st.container(border=True, horizontal_alignment="center", gap="xsmall"):
        st.markdown(f"**{title}**", width="content")
        st.caption(body, width="content", text_alignment="center")
        if page:
            st.page_link(page, label=label, icon=":material/arrow_forward:")


def error_state(error: WorkflowError) -> None:
    """What happened and what to do next; never a traceback."""
    # The message may quote a file name or a key; the remedy is ours and may hold a command.
    said = f"**{plain(error.message)}**  \n{error.remedy}  \n:gray[{plain(error.code)}]"
    st.error(said, icon=":material/error:")


def as_of(moment: datetime, now: datetime) -> None:
    """How old what is shown is, with the exact time in UTC."""
    st.caption(f"As of {moment.astimezone(UTC):%H:%M:%S} UTC, {age(moment, now)} ago")


def age(moment: datetime, now: datetime) -> str:
    """The time between two moments in its largest unit: ``4 s``, ``12 min``, ``3 h``, ``2 d``."""
    seconds = max(0, int((now - moment).total_seconds()))
    if seconds < _MINUTE_SECONDS:
        return f"{seconds} s"
    if seconds < _HOUR_SECONDS:
        return f"{seconds // _MINUTE_SECONDS} min"
    if seconds < 48 * _HOUR_SECONDS:
        return f"{seconds // _HOUR_SECONDS} h"
    return f"{seconds // (24 * _HOUR_SECONDS)} d"


def outcome_counts(counts: Mapping[Outcome, int]) -> None:
    """How many of each outcome, as pills in one line; none is left out that is not zero."""
    st.markdown(
        " ".join(
            pill(outcome, f"{counts[outcome]} {style.word.lower()}")
            for outcome, style in STYLES.items()
            if counts.get(outcome)
        )
    )


def not_deployed() -> None:
    """What to say on pages that need the workflow while it is not there."""
    empty_state(
        "The workflow is not deployed yet",
        "One click on the Deployment page sets it up; then photos can be classified.",
        page="app_pages/deployment.py",
        label="Go to Deployment",
    )


def job_failure(job: Job, key: str) -> None:
    """Why a job ended early, with a way to try again; nothing where it did not."""
    try:
        job.check()
    except WorkflowError as error:
        error_state(error)
        if st.button("Try again", icon=":material/replay:"):
            jobs().forget(key)
            st.rerun()


def watch(key: str, show: Callable[[Job], None]) -> Job | None:
    """Show a job, again and again while it runs; then run the whole page once more.

    Args:
        key: The job's key.
        show: Draws the job, on its own: the rest of the page rests meanwhile.

    Returns:
        The job, or None where there is none.
    """
    job = jobs().get(key)
    if job is None:
        return None
    ticking = job.running

    def tick(found: Job) -> None:
        ended = not found.running
        show(found)
        job_failure(found, key)
        if ticking and ended:
            st.rerun()

    st.fragment(tick, run_every=TICK_SECONDS if ticking else None)(job)
    return job


def plain(text: str) -> str:
    """Text of others as itself: no Markdown, no directive, no link in it takes effect."""
    return re.sub(r"([\\`*_{}\[\]()#+\-!|~<>$:])", r"\\\1", text)
