"""Panels of the demonstration: the invitation, how it is written, and the mark on every page."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

import streamlit as st

from dashboard.captures import panel as captures
from dashboard.captures.feed import CaptureFeed
from dashboard.demonstration import control
from dashboard.demonstration.control import Controls
from dashboard.feeds import panel as feeds
from dashboard.shared import components, permits
from dashboard.shared.escaping import escape_text
from workflow.access import Privilege
from workflow.errors import WorkflowError

TICK_SECONDS = 0.75
ASKED_EVERY_S = 2.0
OFFERED_FOR_S = 3600.0
"""Whether an endpoint offers anything is asked so often where it does not."""


@st.cache_resource(show_spinner=False)
def _seen_states() -> dict[str, str]:
    """Return the state of the demonstration that this process has seen last, by endpoint."""
    return {}


def find_controls() -> Controls | None:
    """Return what the endpoint offers; None where that is nothing, or is not known yet."""
    title = "whether the cloud offers a demonstration"
    try:
        ask = partial(control.read_controls, components.connection())
        offered = components.read_cloud("control", "offered", title, ask, fresh_s=OFFERED_FOR_S)
        if offered is None:
            return None
        found = components.read_cloud("control", "controls", title, ask, fresh_s=ASKED_EVERY_S)
    except WorkflowError:  # what cannot be asked now is not offered now; the page has other news
        return None
    if found is not None:
        _reread_feeds(found)
    return found


def _reread_feeds(found: Controls) -> None:
    """Have the feeds read everything again when the past has been written or removed."""
    connection = components.connection()
    endpoint = connection.cloud.endpoint_url or ""
    before = _seen_states().get(endpoint)
    now = found.demonstration.state
    _seen_states()[endpoint] = now
    changed = before is not None and before != now and now in ("done", "absent")
    if changed and connection.watched.deployed:
        # Its check of drift is of the past that is gone.
        components.shared_reads().expire("overview")
        running = feeds.running_feeds()
        running.executions.reread()
        running.failures.refresh()
        captured = captures.running_feed()
        if isinstance(captured, CaptureFeed):  # the other one keeps nothing
            captured.reread()


def show_mark() -> None:
    """Say on every page that what is shown is a demonstration, and offer to remove it."""
    found = find_controls()
    if found is None or found.demonstration.state != "done":
        return
    with st.sidebar:
        st.markdown(":violet-badge[:material/science: **Demonstration data**]")
        st.caption(f"{found.demonstration.executions:,} executions written for two weeks.")
        if st.button("Remove the demonstration", icon=":material/delete_sweep:"):
            components.run_action(
                "Remove the demonstration",
                Privilege.LAB,
                lambda cloud: control.end_condition(cloud, "demonstration"),
            )
            components.shared_reads().expire("control")
            st.rerun()


def show_invitation() -> bool:
    """Return whether the button was pressed that deploys and writes the demonstration."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.markdown("## See it at work in a minute", width="content")
        st.caption(
            "Deploys the workflow here and fills two weeks of history: photos classified by the "
            "real functions and model, a release that went wrong one night, a drift since three "
            "days. One click removes it again.",
            width="content",
            text_alignment="center",
        )
        pressed = st.button("Deploy and show me", type="primary", icon=":material/play_circle:")
        st.page_link(
            "app_pages/deployment.py",
            label="Deploy without a demonstration",
            icon=":material/arrow_forward:",
        )
    return pressed


def make_starter() -> Callable[[], None]:
    """Return what begins to write the demonstration, for the person at this page.

    Raises:
        WorkflowError: ``NotPermitted``; what it returns raises the endpoint's own code.
    """
    permit = permits.require_permit(Privilege.LAB)

    def begin() -> None:
        with permit.record_action("Write the demonstration"):
            control.begin_condition(permit.connection, "demonstration", datetime.now().astimezone())

    return begin


def show_progress(found: Controls) -> bool:
    """Show how far the demonstration has come; whether it is being written."""
    shown = found.demonstration
    if shown.state == "failed":
        components.error_state(
            WorkflowError(
                "DemonstrationFailed",
                f"The demonstration could not be written: {shown.problem}",
                "Try again; the part written so far is not shown.",
            )
        )
    if shown.state != "running":
        return False

    def tick() -> None:
        latest = find_controls()
        if latest is None or latest.demonstration.state != "running":
            st.rerun()
        else:
            st.progress(latest.demonstration.share, text=escape_text(latest.demonstration.says))

    st.fragment(tick, run_every=TICK_SECONDS)()
    return True
