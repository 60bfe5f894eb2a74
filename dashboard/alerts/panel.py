"""Panels of the Alerts page: what was sent, to whom, what is silenced, what could not be sent."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import pandas as pd
import streamlit as st

from dashboard.alerts import log
from dashboard.alerts.log import AlertPart, AlertState
from dashboard.alerts.model import CHECKS, slug_of
from dashboard.failures import model as failures
from dashboard.shared import components
from dashboard.shared.escaping import clean_block, escape_text
from dashboard.shared.query import write_filters
from dashboard.shared.time_range import TimeRange
from workflow.access import Privilege
from workflow.errors import WorkflowError
from workflow.triage import FailureGroup

T = TypeVar("T")

FRESH_S = 15.0

_TITLES = {
    AlertPart.SENT: "the alerts",
    AlertPart.SUBSCRIBERS: "who gets alerts",
    AlertPart.ALARMS: "the alarms",
}


def read_state() -> AlertState:
    """Return what is known of alerts.

    Raises:
        WorkflowError: AWS's own code; ``StillWaiting`` while it has not answered.
    """

    def read_part(part: AlertPart, read: Callable[[], T]) -> T:
        return components.read_cloud("alerts", part, _TITLES[part], read, fresh_s=FRESH_S)

    now = datetime.now(UTC)
    return log.read_alerts(components.connection(), now=now, read_part=read_part)


def find_state() -> AlertState | None:
    """Return the state of alerts; None where it cannot be read, or not yet."""
    try:
        return read_state()
    except WorkflowError:
        return None


def _show_refusal(found: AlertState, part: AlertPart) -> bool:
    """Return whether a part may not be read; name what is missing for it."""
    error = found.refused.get(part)
    if error is not None:
        components.error_state(error)
    return error is not None


def show_sent(found: AlertState, shown: TimeRange) -> None:
    """Show every alert sent, with its text, and the button that marks them as read."""
    st.header("Sent", anchor=False)
    if _show_refusal(found, AlertPart.SENT):
        return
    if not found.sent:
        components.empty_state("No alert has been sent yet", "The first new failure sends one.")
        return
    if found.unread and st.button(
        f"Mark {len(found.unread):,} as read", icon=":material/mark_email_read:"
    ):
        unread = found.unread
        components.run_action(
            "Mark alerts as read", Privilege.TRIAGE, lambda cloud: log.mark_read(cloud, unread)
        )
        components.shared_reads().expire("alerts")
        st.rerun()
    for alert in found.sent:
        icon = ":material/drafts:" if alert.read else ":material/mark_email_unread:"
        with st.expander(
            f"{shown.format_moment(alert.at)}: {escape_text(alert.subject)}", icon=icon
        ):
            st.text(clean_block(alert.body or "Its text was not kept."))


def show_recipients(found: AlertState) -> None:
    """Show who gets alerts, with a button that sends a test message."""
    st.header("Recipients", anchor=False)
    if _show_refusal(found, AlertPart.SUBSCRIBERS):
        pass
    elif found.subscribers:
        rows = [
            {"By": one.protocol, "To": one.endpoint, "Confirmed": one.confirmed}
            for one in found.subscribers
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Subscribers of the alerts topic")
    else:
        components.empty_state(
            "Nobody gets alerts",
            "Deploy with SCONES_ALARM_EMAIL, or subscribe somebody to the topic.",
            page="app_pages/deployment.py",
            label="Go to Deployment",
        )
    cloud = components.connection()
    if cloud.watched.topic_arn and st.button("Send a test message", icon=":material/send:"):
        components.run_action(
            "Send a test message",
            Privilege.EXPORT,
            lambda cloud: log.send_test(cloud, now=datetime.now(UTC)),
        )
        # A message of the page would be gone with the next refresh.
        st.toast("SNS accepted the test message.", icon=":material/check_circle:")


def show_silenced(found: AlertState, groups: Sequence[FailureGroup], shown: TimeRange) -> None:
    """Show which failures and checks send no alert, and until when."""
    st.header("Silenced", anchor=False)
    quiet = [group for group in groups if group.silenced_until is not None]
    checks = {name: found.silences.get(slug_of(name)) for name in CHECKS}
    if not quiet and not any(checks.values()):
        st.caption("Nothing is silenced.")
    for name, until in checks.items():
        if until is not None:
            st.markdown(f":material/notifications_off: {name}: until {shown.format_moment(until)}")
            if st.button(f"End the silence of {name}"):
                _silence(name, 0)
    for group in quiet:
        end = shown.format_moment(group.silenced_until) if group.silenced_until else ""
        st.page_link(
            "app_pages/failures.py",
            label=f"{escape_text(failures.group_title(group))}: until {end}",
            icon=":material/notifications_off:",
            query_params=write_filters(failures.FailureFilters(group=group.fingerprint.digest)),
        )


def silence_check() -> None:
    """Ask for a check that is to send no alert for a while."""
    with st.popover("Silence a check", icon=":material/notifications_off:"):
        name = st.selectbox("Check", CHECKS)
        hours = st.selectbox(
            "For", list(failures.SILENCES), format_func=failures.SILENCES.__getitem__
        )
        if name and hours and st.button("Silence", type="primary"):
            _silence(name, hours)


def _silence(name: str, hours: int) -> None:
    now = datetime.now(UTC)
    until = failures.silence_end(hours, now=now)
    components.run_action(
        f"Silence {name}" if hours else f"End the silence of {name}",
        Privilege.TRIAGE,
        lambda cloud: log.silence(cloud, slug_of(name), until, now=now),
    )
    components.shared_reads().expire("alerts")
    st.rerun()


def show_unsent(found: AlertState, problem: WorkflowError | None, shown: TimeRange) -> None:
    """Show what could not be sent, and why."""
    st.header("Not sent", anchor=False)
    if problem is not None:
        components.error_state(problem)
    if not found.waiting and problem is None and AlertPart.SENT not in found.refused:
        st.caption("Every alert was delivered.")
    for key, since in found.waiting:
        st.markdown(
            f":material/schedule_send: {escape_text(key)}, waiting since "
            f"{shown.format_moment(since)}"
        )


def show_alarms(found: AlertState, shown: TimeRange) -> None:
    """Show the alarms of CloudWatch, those in alarm first."""
    st.header("Alarms", anchor=False)
    if _show_refusal(found, AlertPart.ALARMS):
        return
    if not found.alarms:
        st.caption("There are no alarms.")
        return
    order = {"ALARM": 0, "INSUFFICIENT_DATA": 1, "OK": 2}
    rows = [
        {
            "State": {"ALARM": "In alarm", "OK": "OK"}.get(one.state, "No data"),
            "Alarm": one.name,
            "Since": shown.format_moment(one.since),
            "Reason": one.reason,
        }
        for one in sorted(found.alarms, key=lambda one: order.get(one.state, 1))
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Alarms, those in alarm first")
