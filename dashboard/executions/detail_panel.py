"""Panels of one execution: its record, timeline, steps, events, image, capture and logs."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import polars as pl
import streamlit as st

from dashboard.aws.captured_images import CaptureLine
from dashboard.aws.ground_truth import GROUND_TRUTH_PREFIX
from dashboard.captures import panel as captures
from dashboard.captures.feed import CaptureFeed
from dashboard.executions import actions_panel, logs
from dashboard.executions import charts as execution_charts
from dashboard.executions import detail_model as one
from dashboard.executions import model as many
from dashboard.executions.execution_reader import open_execution, stored_record
from dashboard.executions.feed import ExecutionFeed
from dashboard.executions.panel import show_graph
from dashboard.executions.tables import VISITS, build_frame, visit_row
from dashboard.shared import components, page_address, time_range_panel
from dashboard.shared.cloud_reads import STILL_WAITING
from dashboard.shared.escaping import clean_block, escape_text, inline_code
from dashboard.shared.palette import format_pill
from dashboard.shared.plots import draw_plot
from dashboard.shared.query import write_filters
from dashboard.shared.tables import clean_cells
from dashboard.shared.time_range import DAY_AND_SECOND
from workflow.contract import ImageLocation
from workflow.errors import WorkflowError
from workflow.execution_rules import rules_of
from workflow.exports import Export, read_export, write_export
from workflow.known_errors import is_denial
from workflow.submissions import StoredImage

FRESH_SECONDS = 3.0
"""How long an execution and its logs are not read again; it may be running."""

_IMPORTED = WorkflowError(
    "Imported", "It was imported from a file, so nothing is read from AWS.", ""
)
CAUSE_LINES = 12
CAUSE_PIXELS = 280


def show_upload() -> None:
    """Choose a file of the console; the page shows it in place of the list."""
    with st.expander("Open an export of the console", icon=":material/upload_file:"):
        file = st.file_uploader(
            "execution-detail.json, as the Step Functions console exports it",
            type=["json"],
            max_upload_size=64,
        )
        if file:
            st.session_state["imported"] = file.getvalue()
            st.rerun()


def known_record(feed: ExecutionFeed, arn: str) -> Export:
    """Return an execution as far as known: from AWS, or from the store while that is awaited.

    Raises:
        WorkflowError: As ``open_execution``; ``StillWaiting`` where the store does not know it.
    """
    if components.connection().watched.imported:
        found = stored_record(feed.store, arn, _IMPORTED)
        if found is not None:
            return found
    try:
        return components.read_cloud(
            "states",
            ("execution", arn),
            f"the execution {arn.rpartition(':')[2]}",
            lambda: open_execution(feed.states, feed.store, arn),
            fresh_s=FRESH_SECONDS,
        )
    except WorkflowError as error:
        stored = stored_record(feed.store, arn, error)
        # While AWS is awaited the stored copy is shown; what AWS refuses is told.
        if error.code != STILL_WAITING or stored is None:
            raise
        return stored


def opened_file() -> Export | None:
    """Return the execution of the file that was opened, or None."""
    data = st.session_state.get("imported")
    if data is None:
        return None
    if st.button("Close the file", icon=":material/arrow_back:", type="tertiary"):
        del st.session_state["imported"]
        st.rerun()
    return _read_export_cached(data)


@st.cache_data(show_spinner=False, max_entries=8)
def _read_export_cached(data: bytes) -> Export:
    return read_export(data)


def show_restarts(links: Mapping[str, str], current: many.ExecutionFilters) -> None:
    """Link an execution and the one that restarts it.

    Args:
        links: ARN of the execution that restarts another, by the ARN of that other.
        current: Names the execution.
    """
    back = {new: old for old, new in links.items()}
    for arn, said in (
        (links.get(current.execution), "Was restarted as"),
        (back.get(current.execution), "Is the restart of"),
    ):
        if arn:
            st.page_link(
                "app_pages/executions.py",
                label=f"{said} {escape_text(arn.rpartition(':')[2])}",
                icon=":material/link:",
                query_params=write_filters(many.ExecutionFilters(execution=arn)),
            )


def show_execution(
    view: one.ExecutionView, record: Export, feed: ExecutionFeed, current: many.ExecutionFilters
) -> None:
    """Show one execution in tabs; beside another where one was chosen."""
    if current.compare:
        with components.show_errors():
            other = known_record(feed, current.compare)
            rules = rules_of(components.connection().watched)
            show_comparison(view, one.build_view(other, rules=rules))
        return
    show_header(view)
    if current.execution:  # one that was opened from a file is not in this cloud
        actions_panel.show_actions(view, feed)
    names = ("Timeline", "States", "Events", "State machine", "Image", "Capture", "Logs", "Compare")
    tabs = dict(zip(names, st.tabs(names, key="view", on_change="rerun"), strict=True))
    shown = {
        "Timeline": lambda: show_timeline(view),
        "States": lambda: show_steps(view),
        "Events": lambda: show_events(view),
        "State machine": lambda: show_machine(view, record),
        "Image": lambda: show_image(view),
        "Capture": lambda: show_capture(view),
        "Logs": lambda: show_logs(view),
        "Compare": lambda: choose_other(view, feed, current),
    }
    for name, tab in tabs.items():
        if tab.open:
            with tab, components.show_errors():
                shown[name]()
    offer_export(record)


def show_machine(view: one.ExecutionView, record: Export) -> None:
    """Show the definition that the execution ran, with its own visits."""
    if record.definition is None:
        components.empty_state("No definition", "Neither the record nor AWS has one.")
        return
    rows = [visit_row(("", 0), step.visit) for step in view.steps]
    states = many.states_of(build_frame(rows, VISITS))
    show_graph(record.definition, states, "As this execution ran it.")


def choose_other(
    view: one.ExecutionView, feed: ExecutionFeed, current: many.ExecutionFilters
) -> None:
    """Choose an execution to compare with, such as the last that went well."""
    others = feed.listing().filter(pl.col("arn") != view.execution.arn).head(many.LISTED)
    started = partial(time_range_panel.format_in_zone, form=DAY_AND_SECOND)
    label = {
        row["arn"]: f"{row['name']} ({row['outcome']}, {started(row['started_at'])})"
        for row in others.select("arn", "name", "outcome", "started_at").iter_rows(named=True)
    }
    other = st.selectbox(
        "Compare with", list(label), index=None, format_func=label.__getitem__, key="other"
    )
    if other:
        page_address.go_to(replace(current, execution=view.execution.arn, compare=other))


def show_header(view: one.ExecutionView) -> None:
    """Show which execution it is, its outcome, and what its record lacks."""
    st.header(escape_text(view.execution.name), anchor=False)
    started = time_range_panel.format_in_zone(view.execution.started_at, DAY_AND_SECOND)
    facts = (("Started", started), *view.facts)
    st.markdown(
        f"{format_pill(view.outcome)} "
        + " · ".join(f"{name}: **{escape_text(value)}**" for name, value in facts)
    )
    for problem in view.problems:
        st.info(escape_text(problem), icon=":material/info:")
    if view.finding:
        title, _, detail = view.finding.partition("\n")
        st.markdown(title.strip())
        if not detail.strip():
            return
        long = detail.count("\n") > CAUSE_LINES or len(detail) > 100 * CAUSE_LINES
        with st.container(height=CAUSE_PIXELS if long else "content", border=False):
            st.code(clean_block(detail), language=None, wrap_lines=True)


def show_timeline(view: one.ExecutionView) -> None:
    """Show when each state ran."""
    if not view.bars:
        components.empty_state("No timeline", "The record has no events.")
        return
    draw_plot(
        execution_charts.draw_waterfall(view.bars, view.execution.started_at),
        alt="Waterfall of the states of this execution",
    )
    if len(view.bars) > execution_charts.MAX_BARS:
        st.caption(f"The first {execution_charts.MAX_BARS} of {len(view.bars):,} visits are drawn.")


def show_steps(view: one.ExecutionView) -> None:
    """Show input and output of every state."""
    for step in view.steps[: execution_charts.MAX_BARS]:
        with st.expander(escape_text(step.title)):
            left, right = st.columns(2)
            for column, name, text in ((left, "Input", step.input), (right, "Output", step.output)):
                column.caption(name)
                said = clean_block(text or "not recorded")
                column.code(said, language=None, wrap_lines=True)


def show_events(view: one.ExecutionView) -> None:
    """Show every event."""
    st.dataframe(
        clean_cells(view.events),
        hide_index=True,
        alt="Every event of the execution",
        column_config={
            "id": "Event",
            "type": "Type",
            "ms": st.column_config.NumberColumn("Since the start", format="%.0f ms"),
            "state": "State",
            "after": "After event",
            "details": "Details",
        },
    )


def show_image(view: one.ExecutionView) -> None:
    """Show the image, from S3."""
    if view.image is None:
        components.empty_state("No image", "The input names no image.")
        return
    bucket, _, key = view.image.removeprefix("s3://").partition("/")
    location = ImageLocation(bucket, key)
    st.caption(inline_code(view.image))
    try:
        small = components.load_thumbnail(StoredImage(name=key, location=location, sha256=""))
        st.image(small, width=320, alt=key)
    except WorkflowError as error:
        # Shown around this panel as everywhere: neither says anything of the image.
        if error.code == STILL_WAITING or is_denial(error.code):
            raise
        components.empty_state("The image is not there", "It was deleted, or is not an image.")


def show_capture(view: one.ExecutionView) -> None:
    """Show its capture and its ground truth, joined by the inference id."""
    source = captures.running_feed()
    events: list[str] = []
    if isinstance(source, CaptureFeed):
        events = _show_stored_capture(view, source)
    else:
        components.empty_state("Captures are in Athena", "Look for the inference id there.")
        st.code(view.inference_id, language=None)
    truth = source.truth_of([view.inference_id, *events])
    if truth is not None:
        name = components.connection().watched.class_names.name(truth)
        st.markdown(f"Ground truth: **{escape_text(name)}**")
    else:
        st.caption(
            f"No ground truth yet: a label under `{GROUND_TRUTH_PREFIX}/` in the bucket joins by "
            f"the inference id {inline_code(view.inference_id)}."
        )


def _show_stored_capture(view: one.ExecutionView, source: CaptureFeed) -> list[str]:
    """Return what the store has of it; the event ids of that."""
    mine = pl.col("inference_id") == view.inference_id
    rows = source.store.scan("captures").filter(mine).collect()
    if source.as_of is None:
        st.caption("Captures are being read for the first time …")
    elif rows.is_empty():
        components.empty_state(
            "No capture yet",
            "Data capture delivers minutes late, and sampling may have left this inference out.",
        )
    for row in rows.iter_rows(named=True):
        probabilities = ", ".join(f"{share:.4f}" for share in row["probabilities"])
        at = one.captured_at(row["inference_time"], time_range_panel.picked_zone())
        st.markdown(
            f"Captured **{at}** by variant **{escape_text(row['variant'])}**: [{probabilities}]"
        )
        st.caption(f"{inline_code(row['key'])}, line {row['line']}")
        with components.show_errors():
            picture = captures.load_picture(source, CaptureLine.of(row))
            st.image(picture, width=320, alt="Input to the endpoint")
    return rows["event_id"].to_list()


def show_logs(view: one.ExecutionView) -> None:
    """Show what its Lambda functions logged."""
    connection = components.connection()
    functions = connection.watched.functions
    execution = view.execution
    found = components.read_cloud(
        "logs",
        ("logs", execution.arn, execution.stopped_at),
        f"the logs of {execution.name}",
        lambda: logs.read_logs(
            connection.client("logs"),
            connection.pacer,
            functions,
            began=execution.started_at,
            ended=execution.stopped_at or datetime.now(UTC),
        ),
        fresh_s=FRESH_SECONDS,
    )
    mine = logs.lines_about(found.lines, execution.arn, view.inference_id)
    everything = st.toggle("Include lines of executions that ran at the same time", value=not mine)
    lines = found.lines if everything else mine
    for problem in found.problems:
        st.caption(escape_text(problem))
    zone = time_range_panel.picked_zone()
    text = "\n".join(
        f"{line.at.astimezone(zone):%H:%M:%S.%f} {line.function} {line.text}" for line in lines
    )
    text = clean_block(text or "Nothing was logged in this period.")
    st.code(text, language=None, wrap_lines=True)


def show_comparison(view: one.ExecutionView, other: one.ExecutionView) -> None:
    """Show two executions side by side."""
    left, right = st.columns(2)
    for column, shown in ((left, view), (right, other)):
        with column:
            show_header(shown)
            show_timeline(shown)
    st.dataframe(
        clean_cells(one.compare_states(view, other)),
        hide_index=True,
        alt="Both executions state by state",
        column_config={
            "state": "State",
            "status": "Status, left",
            "other_status": "Status, right",
            "seconds": st.column_config.NumberColumn("Took, left", format="%.3f s"),
            "other_seconds": st.column_config.NumberColumn("Took, right", format="%.3f s"),
            "slower_by": st.column_config.NumberColumn("Right slower by", format="%.3f s"),
            "same_output": "Same output",
        },
    )


def offer_export(record: Export) -> None:
    """Offer the record as a file, in the console's shape."""
    st.download_button(
        "Export as JSON",
        write_export(record.execution, record.events, record.definition),
        f"{record.execution.name}.json",
        "application/json",
        icon=":material/download:",
        on_click="ignore",
    )
