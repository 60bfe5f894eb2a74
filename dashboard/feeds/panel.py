"""The feeds as pages use them: one set for each watched workflow, with how fresh it is."""

from collections.abc import Callable
from typing import Final

import streamlit as st

from dashboard.access import session
from dashboard.access.model import Mode
from dashboard.aws.cloud import Connection
from dashboard.executions import freshness_panel
from dashboard.feeds.connected import WorkflowFeeds, connect_feeds
from dashboard.shared import components
from dashboard.shared.feeds import Feeds
from dashboard.shared.refresh import refresh_interval
from workflow.access import OWN_CALLS, READS_ONLY

REFRESH_SECONDS: Final = 4.0


@st.cache_resource(show_spinner=False, on_release=Feeds.close)
def _known_feeds() -> Feeds[WorkflowFeeds]:
    return Feeds(_make_feeds)


def _make_feeds(connection: Connection) -> WorkflowFeeds:
    """Make the feeds; those of a dashboard that everybody may only read change nothing in AWS."""
    read_only = session.current_access().mode is Mode.READ_ONLY
    calls = READS_ONLY if read_only else OWN_CALLS
    return connect_feeds(connection.limited(calls), read_only=read_only)


def draw_refreshing(draw: Callable[[], None]) -> None:
    """Draw a part of the page, and again whenever it is time to."""

    def drawn() -> None:
        with components.follow_reads(st.container()):
            draw()

    st.fragment(drawn, run_every=refresh_interval(REFRESH_SECONDS))()


def known_feeds() -> WorkflowFeeds:
    """Return the feeds of the watched workflow, which this does not start."""
    return _known_feeds().get_feed(components.connection())


def running_feeds() -> WorkflowFeeds:
    """Return the feeds of the watched workflow, running.

    Raises:
        WorkflowError: What ended their thread.
    """
    found = known_feeds()
    found.executions.watch()
    return found


def show_freshness(feeds: WorkflowFeeds) -> None:
    """Show how complete and how old the data are, and what AWS refused."""
    problems = [f"{error.message} {error.remedy}" for error in feeds.failures.denied.values()]
    if feeds.alerts is not None and feeds.alerts.problem is not None:
        problems.append(f"An alert could not be sent; it is tried again. {feeds.alerts.problem}")
    freshness_panel.show_freshness(feeds.executions, problems)
