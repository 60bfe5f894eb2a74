"""Baselines and schedules of Model Monitor, for the accounts that have them."""

from collections.abc import Sequence

import streamlit as st

from dashboard.aws import monitoring
from dashboard.aws.cloud import Connection
from dashboard.drift.report_panel import show_report
from dashboard.inferences import model as inferences
from dashboard.inferences.counted_selection import CountedSelection
from dashboard.shared import components, time_range_panel
from dashboard.shared.escaping import escape_text, inline_code
from workflow.access import Privilege
from workflow.errors import WorkflowError
from workflow.monitoring import Schedule


def show_monitor_baseline(selection: CountedSelection, connection: Connection) -> None:
    """Draw the choice of a saved baseline, and the selection against it."""
    address = st.text_input(
        "Folder of statistics.json, as s3://bucket/prefix",
        key="monitor",
        bind="query-params",
        placeholder=f"s3://{connection.watched.bucket}/monitoring/baseline",
    )
    with st.container(horizontal=True):
        if st.button("Save the selection as a baseline", icon=":material/save:"):
            current = inferences.statistics_of(selection.counts, selection.names)
            folder = components.run_action(
                "saving the baseline",
                Privilege.EXPORT,
                lambda cloud: monitoring.write_baseline(cloud, current, selection.now),
            )
            st.success(
                f"Saved to {inline_code(folder)}: give that address above to compare with it."
            )
    if address:
        baseline = components.read_cloud(
            "s3",
            ("baseline", address),
            f"the baseline in {address}",
            lambda: monitoring.read_baseline(connection, address),
        )
        show_report(selection, baseline, selection.counts)


def show_schedules(selection: CountedSelection, connection: Connection) -> None:
    """Show the monitoring schedules of accounts that have them; a sentence for all others."""
    endpoint = selection.filters.endpoint or connection.watched.endpoint
    with st.expander("Model Monitor schedules of this endpoint"):
        try:
            found = _list_schedules(connection, endpoint)
        except WorkflowError as error:
            st.caption(
                "This account cannot list monitoring schedules; Model Monitor is closed to new"
                f" customers, and nothing here needs it. {escape_text(error.message)}"
            )
            return
        if not found:
            st.caption("There are none, and nothing here needs them.")
        for schedule in found:
            last = (
                time_range_panel.format_in_zone(schedule.last_run) if schedule.last_run else "never"
            )
            st.markdown(
                f"**{escape_text(schedule.name)}** "
                + escape_text(
                    f"{schedule.kind}, {schedule.status}; last run {last} {schedule.last_status}"
                )
            )
            for problem in schedule.problems:
                st.warning(escape_text(problem), icon=":material/warning:")
            for one in schedule.violations:
                said = escape_text(f"{one.constraint_check_type}: {one.description}")
                st.markdown(f"- {inline_code(one.feature_name)} {said}")


def _list_schedules(connection: Connection, endpoint: str) -> Sequence[Schedule]:
    return components.read_cloud(
        "sagemaker",
        ("schedules", endpoint),
        f"the monitoring schedules of {endpoint}",
        lambda: monitoring.list_schedules(connection, endpoint),
        fresh_s=300.0,
    )
