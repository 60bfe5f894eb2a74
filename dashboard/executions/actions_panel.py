"""The actions of one execution: redrive, stop, copy, open in the AWS console, and its problem."""

from collections.abc import Callable

import streamlit as st

from dashboard.aws.cloud import Connection
from dashboard.executions import actions
from dashboard.executions.detail_model import ExecutionView
from dashboard.executions.feed import ExecutionFeed
from dashboard.shared import components
from dashboard.shared.escaping import clean_block
from workflow.access import Privilege
from workflow.executions import Status
from workflow.fingerprints import fingerprint
from workflow.regions import console_url

PAGE = "states/home?region={region}#/v2/executions/details/"
_REDRIVABLE = (Status.FAILED, Status.TIMED_OUT, Status.ABORTED)


def show_actions(view: ExecutionView, feed: ExecutionFeed) -> None:
    """Draw what can be done with an execution that AWS knows."""
    connection, execution = components.connection(), view.execution
    failure = feed.failures().get(execution.arn)
    with st.container(horizontal=True):
        if execution.status in _REDRIVABLE and execution.redrive_status != "NOT_REDRIVABLE":
            with st.popover("Redrive", icon=":material/replay:"):
                st.caption(
                    "It continues from the failed state with its original definition and"
                    " input; the results of earlier states are kept."
                )
                _draw_button("Redrive now", feed, actions.redrive_execution, execution.arn)
        if not execution.status.ended:
            with st.popover("Stop", icon=":material/stop_circle:"):
                st.caption("It ends as ABORTED; the work of a running state is not undone.")
                _draw_button("Stop now", feed, actions.stop_execution, execution.arn)
        with st.popover("Copy", icon=":material/content_copy:"):
            st.caption("ARN")
            st.code(execution.arn, language=None, wrap_lines=True)
            st.caption("Input")
            given = clean_block(execution.input or "not recorded")
            st.code(given, language=None, wrap_lines=True)
        if connection.cloud.endpoint_url is None:
            st.link_button(
                "Open in the AWS console",
                console_url(connection.cloud.region, PAGE) + execution.arn,
                icon=":material/open_in_new:",
            )
        if failure is not None:
            st.page_link(
                "app_pages/failures.py",
                label="All failures of this problem",
                icon=":material/inbox:",
                query_params={"group": fingerprint(failure).digest},
            )


def _draw_button(
    label: str, feed: ExecutionFeed, work: Callable[[Connection, str], None], arn: str
) -> None:
    """Do something to the execution when asked, and show what became of it."""
    if st.button(label, type="primary"):
        with components.show_errors():
            doing = f"{label.removesuffix(' now').lower()}ing the execution"
            components.run_action(
                doing, Privilege.REPAIR, lambda cloud: work(cloud, arn), request=arn
            )
            feed.refresh()
            components.shared_reads().expire("states")
            st.rerun()
