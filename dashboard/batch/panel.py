"""Parts of the Batch page: what to classify, how far it has come, and what became of it."""

import uuid
from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime

import polars as pl
import streamlit as st

from dashboard.aws.cloud import Connection
from dashboard.batch import charts, client, model
from dashboard.batch.client import BatchExecution, BatchMachine
from dashboard.batch.model import BatchAddress
from dashboard.shared import components, page_address, time_range_panel
from dashboard.shared.chart_panel import draw_chart
from dashboard.shared.escaping import escape_text, inline_code
from dashboard.shared.tables import clean_cells
from workflow import batches
from workflow.access import Privilege
from workflow.batch_results import BatchSummary, summarise
from workflow.batches import BatchOptions, BatchSource

FRESH_S = 2.0
TICK_S = 2.0
_AT_ONCE = 10_000


def read_machine(connection: Connection) -> BatchMachine:
    """Return what there is of the state machine of batches, as of a few seconds ago."""
    return components.read_cloud(
        "states",
        "batch machine",
        "whether batches can be run",
        lambda: client.describe_machine(connection),
        fresh_s=10,
    )


def offer_update() -> bool:
    """Say that batches decide by what was live before; return whether to change that."""
    st.warning(
        "New executions call other versions of the functions than batches do, so the threshold may"
        " differ, too.",
        icon=":material/update:",
    )
    return st.button("Let batches call the same versions")


def offer_deployment() -> bool:
    """Say what is missing; return whether it is to be deployed."""
    components.empty_state(
        "Batches need a state machine of their own",
        "It calls the functions of this deployment and costs nothing while no batch runs.",
    )
    st.caption(f"On the command line: {inline_code('python -m deploy batch')}.")
    return st.button("Deploy batch classification", type="primary", icon=":material/rocket_launch:")


def show_begin(connection: Connection, address: BatchAddress) -> None:
    """Ask what is to be classified, tell what that takes, and start it."""
    usual = BatchOptions()
    with st.form("batch", border=True):
        source = st.text_input(
            "What to classify",
            address.source
            or f"s3://{connection.settings.bucket}/{connection.settings.upload_prefix}",
            help="A prefix, or in S3 a manifest (.jsonl, .manifest, .csv) or an inventory's"
            " manifest.json.",
        )
        with st.container(horizontal=True):
            size = st.number_input("Photos of one child execution", 1, 100, usual.batch_size)
            at_once = st.number_input("Child executions at once", 1, _AT_ONCE, usual.concurrency)
            tolerated = st.number_input(
                "Tolerated failures, in percent", 0.0, 100.0, usual.tolerated_percent
            )
        asked = st.form_submit_button("Estimate")
    if asked:
        page_address.follow_controls(address, BatchAddress(source=source.strip()))
    if not address.source:
        return
    with components.show_errors():
        options = BatchOptions(
            batch_size=int(size), concurrency=int(at_once), tolerated_percent=float(tolerated)
        )
        _show_offer(connection, batches.read_source(address.source), options)


def _show_offer(connection: Connection, source: BatchSource, options: BatchOptions) -> None:
    with st.spinner(f"Counting what {source} holds"):
        counted, seconds = components.read_cloud(
            "s3",
            ("batch", str(source)),
            f"what {source} holds",
            lambda: (client.count_source(connection, source), client.photo_seconds(connection)),
            fresh_s=60,
        )
    found = batches.estimate(
        counted, options, photo_seconds=seconds, region=connection.settings.region
    )
    st.markdown(f"**{escape_text(model.estimate_says(found))}**")
    st.caption(escape_text(found.says))
    if st.button(f"Classify these {found.items:,}", type="primary"):
        _start_batch(source, options)


def _start_batch(source: BatchSource, options: BatchOptions) -> None:
    _start_once(
        (source, options),
        client.new_name,
        "starting a batch",
        lambda cloud, name: client.start_batch(cloud, source, options, name),
        request=f"{source} as ",
    )


def _start_once(
    what: Hashable,
    make_name: Callable[[], str],
    title: str,
    work: Callable[[Connection, str], object],
    request: str = "",
) -> None:
    """Start a batch of ``what``, under the same name until AWS has answered that it began."""
    names = st.session_state.setdefault("batch-names", {})
    # A button pressed again after a fault, or while AWS is slow, starts no second batch.
    name = names.setdefault(what, make_name())
    components.run_action(
        title, Privilege.BATCH, lambda cloud: work(cloud, name), request=f"{request}{name}"
    )
    del names[what]
    components.shared_reads().expire("states")
    page_address.go_to(BatchAddress(batch=name))
    st.rerun()


def all_batches(connection: Connection) -> Sequence[BatchExecution]:
    """Return the latest batches, as of a few seconds ago."""
    return components.read_cloud(
        "states",
        "batches",
        "the latest batches",
        lambda: client.list_latest(connection),
        fresh_s=FRESH_S,
    )


def choose_batch(found: Sequence[BatchExecution], address: BatchAddress) -> BatchExecution:
    """Let a person choose one of the batches, the newest first."""
    names = [one.name for one in found]
    if address.batch and address.batch not in names:
        st.warning(f"There is no batch {escape_text(address.batch)}: the newest is shown.")
    at = names.index(address.batch) if address.batch in names else 0
    told = {one.name: f"{one.name}: {one.status.lower()}, {one.source}" for one in found}
    chosen = st.selectbox("Batch", names, index=at, format_func=told.__getitem__)
    if chosen != names[at]:
        page_address.go_to(BatchAddress(batch=chosen))
    return found[names.index(chosen)]


def follow_batch(connection: Connection, chosen: BatchExecution) -> None:
    """Show how far a batch has come, again and again while it runs, and what can be done."""
    running = chosen.status == "RUNNING"

    def tick() -> None:
        with components.show_errors():
            batch, read_at = components.read_cloud(
                "states",
                ("batch", chosen.arn),
                "how far the batch has come",
                lambda: (client.read_batch(connection, chosen.arn), datetime.now(UTC)),
                fresh_s=FRESH_S,
            )
            _show_progress(batch, read_at)
            if running and batch.status != "RUNNING":
                components.shared_reads().expire("states")
                st.rerun()

    st.fragment(tick, run_every=TICK_S if running else None)()
    _show_actions(chosen)


def _show_progress(batch: BatchExecution, read_at: datetime) -> None:
    share = 0.0 if batch.progress is None else batch.progress.share
    st.progress(share, text=escape_text(model.progress_says(batch.progress, batch.status, read_at)))
    if batch.error and batch.status != "RUNNING":
        st.warning(escape_text(batch.error), icon=":material/warning:")
    components.as_of(read_at, datetime.now(UTC))


def _show_actions(batch: BatchExecution) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if batch.status == "RUNNING":
            if st.button("Pause", icon=":material/pause:"):
                _run_and_redraw(
                    "pausing a batch",
                    lambda cloud: client.pause_batch(cloud, batch.arn),
                    batch.name,
                )
            if batch.progress is not None:
                _show_concurrency(batch, batch.progress.arn, batch.progress.concurrency)
        elif batch.redrivable and st.button("Resume", type="primary", icon=":material/play_arrow:"):
            _run_and_redraw(
                "resuming a batch", lambda cloud: client.resume_batch(cloud, batch.arn), batch.name
            )


def _show_concurrency(batch: BatchExecution, map_run: str, now: int) -> None:
    wanted = int(st.number_input("Child executions at once", 1, _AT_ONCE, now, key="at_once"))
    if st.button("Set", disabled=wanted == now):
        _run_and_redraw(
            "changing the concurrency of a batch",
            lambda cloud: client.set_concurrency(cloud, map_run, wanted),
            f"{batch.name}: {wanted}",
        )


def show_results(connection: Connection, batch: BatchExecution) -> None:
    """Show what became of the photos, as far as it was written."""
    found, read_at = components.read_cloud(
        "s3",
        ("batch results", batch.arn, batch.status, batch.stopped),
        "the results of the batch",
        lambda: (summarise(client.read_results(connection, batch)), datetime.now(UTC)),
        fresh_s=3600,
    )
    if not any(found.counts.values()):
        st.caption("Results are written when the batch ends.")
        return
    counts = found.counts
    with st.container(horizontal=True):
        for name, number in counts.items():
            st.metric(name.capitalize(), f"{number:,}")
    if found.labels:
        _show_classified(found)
    outcome = st.segmented_control("Show", [name for name in counts if counts[name]])
    table = clean_cells(model.results_table(found.kept, outcome or ""))
    st.dataframe(
        table.with_columns(pl.col("confidence") * 100),
        hide_index=True,
        column_config={
            "outcome": "Outcome",
            "label": "Class",
            "confidence": st.column_config.NumberColumn("Confidence", format="%.1f%%"),
            "photo": "Photo",
            "error": "Error",
            "cause": "Cause",
        },
        alt="Result of each photo",
    )
    st.caption(
        f"All photos are counted and up to {model.SHOWN:,} shown; all are in the bucket below"
        f" {inline_code(f'{batches.RESULTS_PREFIX}{batch.name}/')}."
    )
    components.as_of(read_at, datetime.now(UTC))
    last_day = (batch.stopped or read_at).astimezone(time_range_panel.picked_zone()).date()
    st.page_link(
        "app_pages/inferences.py",
        label="See their captures on Inferences",
        icon=":material/query_stats:",
        query_params={"until": last_day.isoformat()},
    )
    left = counts["unreadable"] + counts["failed"]
    if left and st.button(f"Classify these {left:,} again"):
        _start_once(
            batch.arn,
            lambda: f"{batch.name}-{uuid.uuid4().hex[:4]}",
            "starting a batch of what failed",
            lambda cloud, name: client.start_batch(
                cloud,
                client.write_manifest(
                    cloud, model.photos_to_repeat(client.read_results(cloud, batch)), name
                ),
                BatchOptions(),
                name,
            ),
        )


def _show_classified(found: BatchSummary) -> None:
    """Show how certain the model is, and what share of the photos is of which class."""
    draw_chart(
        charts.draw_confidence(found.confidence),
        "batch-confidence",
        "Accepted and rejected photos by confidence",
    )
    st.dataframe(
        model.class_shares(found.labels),
        hide_index=True,
        column_config={
            "class": "Class",
            "photos": st.column_config.NumberColumn("Photos", format="localized"),
            "share": st.column_config.NumberColumn("Share", format="percent"),
        },
        alt="Photos by class",
    )


def _run_and_redraw(title: str, work: Callable[[Connection], object], request: str) -> None:
    components.run_action(title, Privilege.BATCH, work, request=request)
    components.shared_reads().expire("states")
    st.rerun()
