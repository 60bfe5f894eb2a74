"""Panels of the Lab page: one card for each condition, with what to look for and where."""

from collections.abc import Callable
from datetime import datetime

import streamlit as st

from dashboard.aws.cloud import Connection
from dashboard.demonstration import control
from dashboard.demonstration.control import Controls
from dashboard.inferences import traffic_panel
from dashboard.lab.model import CONDITIONS, Condition, traffic_arguments
from dashboard.shared import components
from workflow.access import Privilege

COLUMNS = 2


def show_cards(found: Controls) -> None:
    """Show every condition with the button that begins or ends it."""
    columns = st.columns(COLUMNS)
    for index, condition in enumerate(CONDITIONS):
        with columns[index % COLUMNS], st.container(border=True):
            _show_card(condition, on=_is_on(condition, found))


def _is_on(condition: Condition, found: Controls) -> bool:
    if condition.camera:
        sent = traffic_panel.traffic_arguments(components.connection().cloud)
        return sent == traffic_arguments(condition)
    return found.lab.get(condition.name, False)


def _show_card(condition: Condition, *, on: bool) -> None:
    badge = " :red-badge[:material/warning: on]" if on else ""
    st.markdown(f"**{condition.icon} {condition.title}**{badge}")
    st.markdown(condition.says)
    st.caption(condition.shows)
    with st.container(horizontal=True, vertical_alignment="center"):
        if on:
            if st.button("Undo", key=f"undo-{condition.name}", icon=":material/undo:"):
                _end_condition(condition)
        elif st.button("Break it", key=f"break-{condition.name}", icon=":material/bolt:"):
            _begin_condition(condition)
        st.page_link(
            f"app_pages/{condition.page}.py",
            label=f"Watch it on {condition.page.capitalize()}",
            icon=":material/visibility:",
            query_params=dict(condition.params),
        )


def _begin_condition(condition: Condition) -> None:
    """Begin a condition, and send photos so that the effect shows."""

    def work(cloud: Connection) -> None:
        if not condition.camera:
            control.begin_condition(cloud, f"lab/{condition.name}", datetime.now().astimezone())
        traffic_panel.send_traffic(cloud.cloud, traffic_arguments(condition))

    _run_and_redraw(f"Begin {condition.title.lower()}", work)


def _end_condition(condition: Condition) -> None:
    """End a condition and the photos that were sent for it."""

    def work(cloud: Connection) -> None:
        if not condition.camera:
            control.end_condition(cloud, f"lab/{condition.name}")
        traffic_panel.stop_traffic(cloud.cloud)

    _run_and_redraw(f"End {condition.title.lower()}", work)


def _run_and_redraw(title: str, work: Callable[[Connection], None]) -> None:
    components.run_action(title, Privilege.LAB, work)
    components.shared_reads().expire("control")
    st.rerun()
