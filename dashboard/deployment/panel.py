"""Panels of the Deployment page."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from dashboard.deployment import model
from dashboard.shared import components, page_address, time_range_panel
from dashboard.shared.escaping import escape_prose, escape_text, inline_code
from dashboard.shared.jobs import Job
from dashboard.thresholds.panel import read_standing
from workflow.settings import Settings
from workflow.thresholds import lowest_threshold, of_plan


def wanted_settings(settings: Settings) -> tuple[Settings, int]:
    """Return the settings and the share of a new version, as the address or the reader asks.

    Returns:
        The settings with that threshold; percentage of new executions for a new version.
    """
    page_address.read_parameters(model.DeploymentAddress)
    now = read_standing()
    classes = settings.classes or components.connection().watched.classes
    with st.expander("Settings", icon=":material/tune:"):
        threshold = st.number_input(
            "Confidence threshold",
            min_value=min(lowest_threshold(len(classes)), now.wanted),
            max_value=1.0,
            value=now.wanted,
            step=0.005,
            key="threshold",
            bind="query-params",
            help="SCONES_THRESHOLD where it is set, else what is deployed.",
        )
        share = st.number_input(
            "Give a new version this share of new executions, in %",
            min_value=1,
            max_value=100,
            value=100,
            key="share",
            bind="query-params",
            help="The rest stays with the version in use, until you promote the new one or roll"
            " back. A first deployment gets all.",
        )
        st.caption(
            f"Project {escape_text(settings.project)}, stage "
            f"{escape_text(settings.stage)}; data capture keeps "
            f"{settings.sampling_percentage} % of all inferences."
        )
    st.caption(escape_text(of_plan(now, threshold)))
    return replace(settings, threshold=threshold), share


def show_run(job: Job) -> None:
    """Show a run step by step, and what ended it early."""
    running = job.running
    view = model.run_view(
        job.events,
        running=running,
        title=job.title,
        at=job.started_at,
        zone=time_range_panel.picked_zone(),
    )
    if view.error is not None:
        components.error_state(view.error)
        st.caption("Finished steps stay done; the next deployment continues from here.")
    elif running:
        st.progress(view.share, text=escape_text(view.says))
    elif view.done:
        st.success(escape_text(view.says), icon=":material/check_circle:")
    if not view.rows.empty:
        with st.expander("Steps", expanded=running):
            st.dataframe(view.rows, hide_index=True, alt="Steps of the run, newest first")


def show_checks(view: model.CheckView) -> bool:
    """Return what would end a deployment, or surprise whoever pays; whether it would end one."""
    icon = ":material/check_circle:" if view.calm else ":material/info:"
    with st.expander(view.summary, icon=icon, expanded=view.problem):
        for line, remedy in view.lines:
            st.markdown(escape_prose(line))
            if remedy:
                st.caption(escape_prose(remedy))
    return view.problem


def show_plan(view: model.PlanView, *, hindered: bool, share: int) -> bool:
    """Return what would be done, with the differences; whether the button that does it was pressed.

    Args:
        view: The plan.
        hindered: Whether a check says that it would fail.
        share: Percentage of new executions for a new version.
    """
    pressed = False
    with st.container(border=True):
        st.markdown(f"**{view.summary}**")
        if view.kept:
            st.info(escape_text(view.kept), icon=":material/keep:")
        if view.price:
            st.markdown(escape_text(view.price))
        if view.shifts:
            st.markdown(
                f"The new version gets **{share} %** of new executions, as *Settings* above says."
            )
        if not view.settled:
            label = "Deploy" if view.fresh else "Apply these changes"
            pressed = st.button(
                label,
                type="primary",
                disabled=view.blocked or hindered,
                icon=":material/rocket_launch:",
            )
        else:
            st.page_link(
                "app_pages/classify.py", label="Classify a photo", icon=":material/arrow_forward:"
            )
    for change in view.changes:
        with st.expander(escape_text(change.title)):
            st.caption(escape_text(change.reason))
            if not change.diffs.empty:
                st.dataframe(change.diffs, hide_index=True, alt="Properties that differ")
    with st.expander(f"All {len(view.rows)} resources", expanded=view.fresh):
        st.dataframe(view.rows, hide_index=True, alt="The plan, resource by resource")
        if view.retained:
            st.caption(view.retained)
    return pressed


def show_outputs(found: Mapping[str, Any], *, links: bool) -> None:
    """Show what the deployment offers; links to the console only where there is one."""
    facts = model.deployment_facts(found)
    if not facts:
        return
    st.header("Outputs", anchor=False)
    st.markdown("\n".join(f"- {name}: {inline_code(value)}" for name, value in facts.items()))
    if links:
        st.markdown(" · ".join(f"[{name}]({url})" for name, url in found["links"].items()))


def show_versions(found: Mapping[str, Any], back: tuple[int, int, str] | None) -> bool:
    """Return the versions of the state machine; whether the button that goes back was pressed.

    Args:
        found: The outputs.
        back: Number of the version in use, of the one to go back to, and their difference; None
            where there is none to go back to.
    """
    frame = model.versions_table(found, time_range_panel.picked_zone())
    if frame.empty:
        return False
    st.header("Versions", anchor=False)
    st.dataframe(
        frame, width="content", hide_index=True, alt="Versions of the state machine, newest first"
    )
    if back is None:
        return False
    live, target, diff = back
    with st.expander(f"Roll back to version {target}", icon=":material/undo:"):
        st.caption(
            f"New executions will then run version {target} instead of version {live}."
            " Changes to the definition:"
        )
        st.code(diff or "None: both definitions are the same.", language=None, wrap_lines=True)
        return st.button(f"Roll back to version {target} now", icon=":material/undo:")


def confirm_destruction(prefix: str, bucket: str | None) -> tuple[bool, str | None]:
    """Ask for the typed confirmation; return whether to destroy, and the bucket to empty."""
    with st.expander("Destroy", icon=":material/delete_forever:"):
        st.write("Deletes everything this deployment owns. A bucket that holds objects is kept.")
        emptied = bucket is not None and st.checkbox(
            f"Also delete every object in {escape_text(bucket)}"
        )
        typed = st.text_input(f"Type {escape_text(prefix)} to confirm")
        pressed = st.button("Destroy", disabled=typed != prefix, icon=":material/delete_forever:")
    return pressed, bucket if emptied else None
