"""The feeds as pages use them: one set for each watched workflow, with how fresh it is."""

from typing import Final

import streamlit as st

from dashboard.access import session
from dashboard.access.model import Mode
from dashboard.aws.cloud import Connection
from dashboard.executions import freshness_panel
from dashboard.feeds.connected import WorkflowFeeds, connect_feeds
from dashboard.shared import components
from dashboard.shared.escaping import plain
from dashboard.shared.feeds import Feeds
from workflow.access import OWN_CALLS, READS_ONLY

REFRESH_SECONDS: Final = 4.0


@st.cache_resource(show_spinner=False, on_release=Feeds.close)
def _feeds() -> Feeds[WorkflowFeeds]:
    return Feeds(_connect)


def _connect(connection: Connection) -> WorkflowFeeds:
    """Make the feeds; those of a dashboard that everybody may only read change nothing in AWS."""
    read_only = session.access().mode is Mode.READ_ONLY
    calls = READS_ONLY if read_only else OWN_CALLS
    return connect_feeds(connection.limited(calls), read_only=read_only)


def running() -> WorkflowFeeds:
    """Return the feeds of the watched workflow, running.

    Raises:
        WorkflowError: What ended their thread.
    """
    found = _feeds().of(components.connection())
    found.executions.watch()
    return found


def fresh(feeds: WorkflowFeeds) -> None:
    """Show how complete and how old the data are, and what AWS refused."""
    freshness_panel.fresh(feeds.executions)
    if feeds.alerts is not None and feeds.alerts.problem is not None:
        problem = plain(str(feeds.alerts.problem))
        st.warning(
            f"**An alert could not be sent; it is tried again.** {problem}",
            icon=":material/notification_important:",
        )
    denied = (f"{error.message} {error.remedy}" for error in feeds.failures.denied.values())
    for warning in dict.fromkeys(denied):
        st.warning(plain(warning), icon=":material/warning:")
