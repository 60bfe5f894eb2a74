"""Panels of the Workflows page, and the switch in the sidebar."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard.access import session
from dashboard.access.model import Mode
from dashboard.aws.cloud import Connection
from dashboard.shared import cloud_reads, components, time_range_panel
from dashboard.shared.connections import WORKFLOW
from dashboard.shared.escaping import escape_prose, escape_text
from dashboard.shared.tables import clean_cells
from dashboard.workflows import client, model
from dashboard.workflows.bundle import open_bundle, read_archive, read_folder
from workflow.access import Privilege
from workflow.errors import WorkflowError
from workflow.regions import partition_of
from workflow.watched import (
    NO_THRESHOLD,
    WatchedWorkflow,
    captured_at,
    of_environment,
    read_reference,
)

_IGNORED = "import-ignored"
_MOST_IGNORED = 200
HEALTH_SECONDS = 60.0
LISTING_SECONDS = 120.0
_SHOWN_WITH_HEALTH = 20
_CHOICES = ("State machines", "Endpoints", "By name", "Import")


def choose_workflow() -> None:
    """Watch what the address names, else what this session watched last; show the switch."""
    whole = components.cloud_connection()
    asked = st.query_params.get(WORKFLOW, "")
    with components.show_errors():
        if asked:
            st.session_state[WORKFLOW] = _workflow_of_address(whole, asked).reference
        elif WORKFLOW not in st.session_state:
            st.session_state[WORKFLOW] = _first_workflow(whole).reference
    reference = st.session_state.get(WORKFLOW, "")
    if reference and reference != whole.watched.reference:
        st.query_params[WORKFLOW] = reference
    workflows = all_watched()
    if len(workflows) > 1:
        _show_switch(workflows, components.connection().watched)


def all_watched() -> tuple[WatchedWorkflow, ...]:
    """Return the deployed workflow and every other one that is watched."""
    return (components.cloud_connection().watched, *components.registry().all())


def watch_workflow(workflow: WatchedWorkflow) -> None:
    """Find out about a workflow, remember it, and watch it from now on.

    Raises:
        WorkflowError: Under AWS's own code; ``StillWaiting`` while it goes on.
    """
    whole = components.cloud_connection()
    registry = components.registry()

    def find(_: Connection) -> WatchedWorkflow:
        found = registry.find(workflow.reference) or client.describe_workflow(whole, workflow)
        registry.save(found)
        return found

    found = components.run_action(
        f"looking up {workflow.name}", Privilege.WATCH, find, request=workflow.reference
    )
    switch_to(found.reference)


def switch_to(reference: str) -> None:
    """Watch another workflow, from its start page."""
    st.session_state[WORKFLOW] = reference
    st.query_params.from_dict({WORKFLOW: reference})
    st.rerun()


def health_table(workflows: Sequence[WatchedWorkflow], now: datetime) -> None:
    """Show every watched workflow with its health; the chosen row is watched."""
    listed = [one for one in workflows if one.lists_executions]
    health = _read_health([(one.reference, one.state_machine_arn) for one in listed], now)
    chosen = _choose_row(
        model.watched_table(workflows, health), "watched-workflows", "Watched workflows"
    )
    current = components.connection().watched
    if chosen is not None and workflows[chosen].reference != current.reference:
        switch_to(workflows[chosen].reference)


def show_connect(now: datetime) -> None:
    """Show the ways to another workflow."""
    match st.segmented_control("Find it by", _CHOICES, default=_CHOICES[0], required=True):
        case "State machines":
            _show_machines(now)
        case "Endpoints":
            _show_endpoints()
        case "Import":
            _show_import(now)
        case _:
            _by_name()


def known_of(workflow: WatchedWorkflow) -> None:
    """Show what is known of the workflow and from where, and a form that corrects it."""
    for name, value, source in model.list_facts(workflow):
        st.markdown(f"**{name}**  \n{escape_text(value)}")
        if source:
            st.caption(f"{escape_text(source[:1].upper() + source[1:])}.")
    if workflow.deployed:
        return
    with st.expander("Correct it", icon=":material/edit:"), components.show_errors():
        _show_correction(workflow)
    if st.button("Stop watching it", icon=":material/visibility_off:", type="tertiary"):
        registry = components.registry()
        components.run_action(
            f"stopping to watch {workflow.name}",
            Privilege.WATCH,
            lambda _: registry.remove(workflow.reference),
            request=workflow.reference,
        )
        switch_to(components.cloud_connection().watched.reference)


def _first_workflow(whole: Connection) -> WatchedWorkflow:
    """Return what a session watches first: what the environment names, else the deployed one."""
    named = of_environment(os.environ, **_current_place(whole))
    return _find_or_describe(whole, named) if named is not None else whole.watched


def _workflow_of_address(whole: Connection, asked: str) -> WatchedWorkflow:
    """Return the workflow of an address.

    Raises:
        WorkflowError: As ``read_reference``.
    """
    known = components.registry().find(asked)
    if known is not None or asked == whole.watched.reference:
        return known or whole.watched
    return _find_or_describe(whole, read_reference(asked, **_current_place(whole)))


def _find_or_describe(whole: Connection, workflow: WatchedWorkflow) -> WatchedWorkflow:
    """Return what is known of a workflow; a new one is described once AWS has answered."""
    if workflow.reference == whole.watched.reference:
        return whole.watched
    registry = components.registry()
    known = registry.find(workflow.reference)
    if known is not None:
        return known
    key = ("discovery", workflow.reference)
    title = f"what {workflow.name} consists of"
    found = components.read_cloud(
        "states", key, title, lambda: client.describe_workflow(whole, workflow)
    )
    registry.save(found)
    return found


def _current_place(whole: Connection) -> dict[str, str]:
    cloud = whole.cloud
    partition = partition_of(cloud.region).name
    return {"partition": partition, "region": cloud.region, "account": cloud.account}


def _show_switch(workflows: Sequence[WatchedWorkflow], current: WatchedWorkflow) -> None:
    names = {one.reference: one.name for one in workflows}
    with st.sidebar:
        chosen = st.selectbox(
            "Workflow",
            list(names),
            index=list(names).index(current.reference),
            format_func=names.__getitem__,
            key=f"switch-{current.reference}",
        )
    if chosen and chosen != current.reference:
        switch_to(chosen)


def _read_health(
    machines: Sequence[tuple[str, str]], now: datetime
) -> dict[str, model.WorkflowHealth]:
    """Return how state machines do, by reference; all of them are asked at once."""
    whole = components.cloud_connection()
    asked = [(reference, arn) for reference, arn in machines if arn]
    for reference, arn in asked:
        components.begin_read(
            "states", ("health", reference), *_health_read(whole, arn, now), fresh_s=HEALTH_SECONDS
        )
    found = {}
    for reference, arn in asked:
        try:
            told = components.read_cloud(
                "states",
                ("health", reference),
                *_health_read(whole, arn, now),
                fresh_s=HEALTH_SECONDS,
            )
        except WorkflowError as error:
            if error.code != cloud_reads.STILL_WAITING:
                found[reference] = model.WorkflowHealth("-", "-", error.message)
        else:
            found[reference] = model.health_in_words(
                told.last_started, told.failures, more=told.more, gone=told.gone, now=now
            )
    return found


def _health_read(
    whole: Connection, arn: str, now: datetime
) -> tuple[str, Callable[[], client.MachineHealth]]:
    title = f"how {arn.rpartition(':')[2]} does"
    return title, lambda: client.machine_health(whole, arn, now)


def _show_machines(now: datetime) -> None:
    whole = components.cloud_connection()
    listed = components.read_cloud(
        "states",
        ("state machines", whole.cloud.region),
        "the state machines of the region",
        lambda: client.list_machines(whole),
        fresh_s=LISTING_SECONDS,
    )
    if not listed:
        components.empty_state(
            "No state machine here",
            f"The region {whole.cloud.region} has none. Another region is chosen by AWS_REGION.",
        )
        return
    wanted = st.text_input("Name contains", key="machine-name") or ""
    shown = [listed[at] for at in model.found_names([one.name for one in listed], wanted)]
    st.caption(f"{len(shown):,} of {len(listed):,} state machines.")
    first = [(one.arn, one.arn) for one in shown[:_SHOWN_WITH_HEALTH] if not one.express]
    health = _read_health(first, now)
    empty = model.WorkflowHealth("-", "-")
    table = pd.DataFrame(
        [
            {
                "State machine": one.name,
                "Type": "Express" if one.express else "Standard",
                "Last execution": health.get(one.arn, empty).last,
                model.FAILED: health.get(one.arn, empty).failures,
                "Created": time_range_panel.format_in_zone(one.created_at),
            }
            for one in shown
        ]
    )
    chosen = _choose_row(table, "state-machines", "State machines of the region")
    if chosen is not None and st.button(
        f"Watch {escape_text(shown[chosen].name)}", type="primary", icon=":material/visibility:"
    ):
        watch_workflow(read_reference(shown[chosen].arn, **_current_place(whole)))


def _show_endpoints() -> None:
    whole = components.cloud_connection()
    listed, refused = components.read_cloud(
        "sagemaker",
        ("endpoints", whole.cloud.region),
        "the endpoints of the region",
        lambda: client.list_endpoints(whole),
        fresh_s=LISTING_SECONDS,
    )
    if not listed:
        components.empty_state("No endpoint here", "The region has no SageMaker endpoint.")
        return
    chosen = _choose_row(model.endpoints_table(listed), "endpoints", "Endpoints of the region")
    for error in refused:
        st.caption(escape_prose(f"Not shown: {error.message} {error.remedy}"))
    if chosen is None:
        return
    place = listed[chosen].captures
    if place is None:
        st.info(
            f"{escape_text(listed[chosen].name)} captures nothing, so there is nothing to watch."
        )
    elif st.button(
        f"Watch the captures of {escape_text(place.endpoint)}", icon=":material/visibility:"
    ):
        watch_workflow(captured_at(place))


def _by_name() -> None:
    whole = components.cloud_connection()
    said = st.text_input(
        "Name or ARN of a state machine, or s3://bucket/prefix of captures", key="workflow-name"
    )
    if st.button("Watch", type="primary", disabled=not said, icon=":material/visibility:"):
        watch_workflow(read_reference(said or "", **_current_place(whole)))


def _show_import(now: datetime) -> None:
    """Open what somebody sent; the local cloud alone, for captures go into a bucket."""
    whole = components.cloud_connection()
    if whole.cloud.endpoint_url is None:
        st.info(
            "Captures are put into a bucket, so files are opened in the local cloud only: start "
            "the dashboard without SCONES_CLOUD.",
            icon=":material/computer:",
        )
        return
    file = st.file_uploader("A zip of capture files and console exports", type=["zip"])
    # Who is elsewhere is not shown which folders the machine of the dashboard has.
    here = session.current_access().mode is Mode.OPEN
    folder = st.text_input("Or a folder on this machine", key="import-folder") if here else ""
    if not st.button("Open the files", type="primary", disabled=not (file or folder)):
        return
    # Before anything is read: to unpack takes memory.
    session.current_actor().check(Privilege.WATCH)
    sent = read_archive(file.name, file.getvalue()) if file else read_folder(Path(folder or ""))
    registry = components.registry()

    def opened(cloud: Connection) -> WatchedWorkflow:
        found = open_bundle(cloud, sent, now)
        registry.save(found)
        return found

    found = components.run_action(f"opening {sent.name}", Privilege.WATCH, opened)
    st.session_state[_IGNORED] = sent.ignored
    switch_to(found.reference)


def ignored_files() -> None:
    """Name the files of an import that were neither exports nor captures, once."""
    ignored = st.session_state.pop(_IGNORED, ())
    if ignored:
        with st.expander(f"{len(ignored):,} files were left out"):
            st.code("\n".join(ignored[:_MOST_IGNORED]), language=None)


def _show_correction(workflow: WatchedWorkflow) -> None:
    with st.form("correction"):
        states_threshold = workflow.threshold_source != NO_THRESHOLD
        said = model.Correction(
            endpoint=st.text_input("Endpoint", workflow.endpoint) or "",
            captures=st.text_input(
                "Captures (s3://bucket/prefix)",
                str(replace(workflow.captures, endpoint="")) if workflow.captures else "",
                help="Empty: read from the endpoint.",
            )
            or "",
            classes=st.text_input(
                "Classes, in the order of the answer", ", ".join(workflow.classes)
            )
            or "",
            threshold=st.text_input(
                "Threshold", f"{workflow.threshold:g}" if states_threshold else ""
            )
            or "",
            image_path=st.text_input(
                "JSONPath of the image in the input", workflow.image_path, placeholder="$.image.key"
            )
            or "",
            input_template=st.text_area("Input of a new execution", workflow.input_template) or "",
            bucket=st.text_input(
                "Bucket for images, batches and notes",
                workflow.bucket,
                help="Empty: nothing is written, and notes stay on this machine.",
            )
            or "",
        )
        if st.form_submit_button("Save", type="primary"):
            registry, corrected = components.registry(), model.apply_corrections(workflow, said)
            components.run_action(
                f"correcting {workflow.name}",
                Privilege.WATCH,
                lambda _: registry.save(corrected),
                request=repr(said),
            )
            st.rerun()


def _choose_row(frame: pd.DataFrame, key: str, alt: str) -> int | None:
    """Return a table of which one row can be chosen; its place."""
    chosen = st.dataframe(
        clean_cells(frame),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        alt=alt,
    )
    rows = chosen["selection"]["rows"]
    return int(rows[0]) if rows else None
