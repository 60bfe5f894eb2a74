"""Panels of the Lab page: one card for each condition, with what to look for and where."""

from datetime import datetime

import streamlit as st

from dashboard.access import session
from dashboard.demonstration import control
from dashboard.demonstration.control import Controls
from dashboard.inferences import traffic_panel
from dashboard.lab.model import CONDITIONS, Condition, traffic
from dashboard.shared import components
from workflow.access import Privilege

COLUMNS = 2


def cards(found: Controls) -> None:
    """Every condition with the button that begins or ends it."""
    columns = st.columns(COLUMNS)
    for index, condition in enumerate(CONDITIONS):
        with columns[index % COLUMNS], st.container(border=True):
            _card(condition, on=_on(condition, found))


def _on(condition: Condition, found: Controls) -> bool:
    if condition.camera:
        sent = traffic_panel.arguments(components.connection().cloud)
        return sent == traffic(condition)
    return found.lab.get(condition.name, False)


def _card(condition: Condition, *, on: bool) -> None:
    badge = " :red-badge[:material/warning: on]" if on else ""
    st.markdown(f"**{condition.icon} {condition.title}**{badge}")
    st.markdown(condition.says)
    st.caption(condition.shows)
    with st.container(horizontal=True, vertical_alignment="center"):
        if on:
            if st.button("Undo", key=f"undo-{condition.name}", icon=":material/undo:"):
                _end(condition)
        elif st.button("Break it", key=f"break-{condition.name}", icon=":material/bolt:"):
            _begin(condition)
        st.page_link(
            f"app_pages/{condition.page}.py",
            label=f"Watch it on {condition.page.capitalize()}",
            icon=":material/visibility:",
            query_params=dict(condition.params),
        )


def _begin(condition: Condition) -> None:
    """Begin a condition, and send photos so that it is seen."""
    session.check(Privilege.LAB)
    cloud = components.connection()
    if not condition.camera:
        components.act(
            f"Begin {condition.title.lower()}",
            Privilege.LAB,
            lambda: control.begin(cloud, f"lab/{condition.name}", datetime.now().astimezone()),
        )
    traffic_panel.send(cloud.cloud, traffic(condition))
    components.reads().expire("control")
    st.rerun()


def _end(condition: Condition) -> None:
    """End a condition and the photos that were sent for it."""
    session.check(Privilege.LAB)
    cloud = components.connection()
    if not condition.camera:
        components.act(
            f"End {condition.title.lower()}",
            Privilege.LAB,
            lambda: control.end(cloud, f"lab/{condition.name}"),
        )
    traffic_panel.stop(cloud.cloud)
    components.reads().expire("control")
    st.rerun()
