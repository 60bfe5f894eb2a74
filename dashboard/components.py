"""What every page shows alike: the cloud, titles, outcomes, and empty, error and "as of" states."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import streamlit as st

from dashboard.aws.cloud import Cloud, Connection, connect
from dashboard.palette import pill
from workflow.errors import WorkflowError
from workflow.executions import Outcome

_HOUR_SECONDS = 3600
_MINUTE_SECONDS = 60


@st.cache_resource(show_spinner="Starting the cloud …", validate=Connection.alive)
def connection() -> Connection:
    """The process's one connection; made anew when the local cloud no longer answers."""
    return connect(os.environ)


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
        st.caption(f"Account {cloud.account}  \nRegion {cloud.region}")
        if cloud.endpoint_url:
            st.caption(f"`{cloud.endpoint_url}`")
    known = st.session_state.setdefault("cloud_pid", cloud.pid)
    if known != cloud.pid:
        st.session_state["cloud_pid"] = cloud.pid
        st.toast(
            "The local cloud had stopped and was started again. Whatever had finished is intact; "
            "executions that were running are shown as aborted.",
            icon=":material/restart_alt:",
            duration="long",
        )


def outcome_pill(outcome: Outcome, text: str = "") -> None:
    """An outcome as icon, word and colour, on a line of its own."""
    st.markdown(pill(outcome, text))


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
    st.error(
        f"**{error.message}**  \n{error.remedy}  \n:gray[{error.code}]", icon=":material/error:"
    )


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
