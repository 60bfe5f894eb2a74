"""The panel of a canary on the Deployment page."""

from typing import Literal

import streamlit as st

from dashboard.deployment import canary_model as model
from dashboard.executions import freshness_panel
from dashboard.feeds import panel as feeds
from dashboard.shared import components, time_range_panel
from dashboard.shared.escaping import escape_text
from dashboard.shared.refresh import refresh_interval

Step = Literal["Promote", "Roll back"]


def show_canary(found: model.Canary, machine: str, diff: str) -> Step | None:
    """Show how both versions do; return which button was pressed.

    Args:
        found: The canary.
        machine: ARN of the state machine.
        diff: Between the definitions of both versions.
    """
    st.header("Canary", anchor=False)
    since = time_range_panel.format_in_zone(found.since)
    st.markdown(
        escape_text(
            f"Since {since}, version {found.new} gets {found.share} % of new "
            "executions and"
            f" version {found.old} the rest."
        )
    )
    if components.connection().watched.state_machine_arn == machine:
        st.fragment(_show_outcomes, run_every=refresh_interval(feeds.REFRESH_SECONDS))(found)
    else:
        st.caption("Watch the deployed workflow to see how the executions of both versions end.")
    pressed: Step | None = None
    with st.container(horizontal=True):
        if st.button("Promote", type="primary", icon=":material/check:"):
            pressed = "Promote"
        if st.button("Roll back", icon=":material/undo:"):
            pressed = "Roll back"
    st.caption(
        f"*Promote* gives version {found.new} all new executions, *Roll back* version {found.old}."
        " Neither changes anything else."
    )
    with st.expander("Changes to the definition", icon=":material/difference:"):
        st.code(diff or "None: both definitions are the same.", language=None, wrap_lines=True)
    return pressed


@components.show_errors()
def _show_outcomes(found: model.Canary) -> None:
    """Show how the executions of both versions ended, as far as they are known."""
    running = feeds.running_feeds()
    feeds.show_freshness(running)
    if not freshness_panel.check_ready(running.executions):
        return
    table = model.compare_versions(running.executions.listing(), found)
    if table.is_empty():
        components.empty_state(
            "No execution since the shift",
            "Both versions are compared here once executions are started.",
            page="app_pages/classify.py",
            label="Classify a photo",
        )
        return
    # Its cells wrap, so that both versions are side by side on a phone too.
    st.table(table, hide_index=True, alt="How executions of both versions end")
    st.caption(
        "Shares are of the executions that were accepted, rejected or failed; in brackets the"
        " interval that holds the true share 95 times of 100."
    )
