"""The data health panel of the Inferences page: is every inference captured, soon, and once?"""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from dashboard.aws import monitoring
from dashboard.aws.cloud import Connection
from dashboard.aws.configurations import read_configurations, sampling_percentage
from dashboard.captures.periods import Period
from dashboard.captures.record_filters import InferenceFilters
from dashboard.data_health import metrics, model, reading_model, volume_model
from dashboard.data_health.model import Health
from dashboard.data_health.volume_model import TrafficCounts
from dashboard.feeds.releases_panel import mark_releases
from dashboard.inferences import charts
from dashboard.inferences import model as inferences
from dashboard.inferences.counted_selection import CountedSelection
from dashboard.shared import components
from dashboard.shared.chart_panel import draw_chart
from dashboard.shared.escaping import escape_text
from dashboard.shared.tables import clean_cells
from dashboard.shared.time_range import wall_clock
from workflow.configurations import Sampling
from workflow.errors import WorkflowError
from workflow.monitoring import CaptureState

OBJECTS = 1_000
ERRORS = 200
FRESH_SECONDS = 10.0
"""How long what AWS says of an endpoint is not asked for again."""

_ERROR_COLUMNS = {
    "reason": "Reason",
    "lines": "Lines",
    "objects": "Whole objects",
    "detail": "Detail",
    "key": "Object",
    "line": "Line",
    "event_id": "Event",
}


def show_health(selection: CountedSelection, connection: Connection) -> None:
    """Show findings, invocations against captures, and every line that could not be read."""
    if selection.filters.label is not None:
        st.caption(
            "The class filter does not apply here: neither invocations nor unreadable lines have a"
            " class."
        )
        selection = _of_all_classes(selection)
    known = selection.feed.reads_objects
    errors = reading_model.filter_errors(selection.feed.errors(), selection.filters)
    unlabelled = selection.feed.truth_errors()
    delay, delivery = reading_model.judge_deliveries(
        selection.feed.deliveries(selection.filters, OBJECTS), known=known
    )
    records, untimed = int(selection.counts["count"].sum()), _count_untimed(selection)
    read = reading_model.judge_lines(errors, records, untimed, known=known)
    traffic, period, refused = _read_traffic(selection, connection)
    volume = volume_model.judge_volumes(
        traffic, period, read_at=_read_at(selection), zone=selection.zone
    )
    nameless = volume_model.judge_nameless(selection.counts)
    _show_verdict(
        model.combine_health(
            (volume, refused, nameless, read, delivery, reading_model.judge_truths(unlabelled))
        )
    )
    _show_coverage(traffic, period, selection.zone)
    _show_facts(traffic, delay)
    _show_errors(errors, "record")
    _show_errors(unlabelled, "ground truth")
    if st.button(
        "Check all objects again",
        icon=":material/refresh:",
        help="Lists the whole prefix and reads what is new or has changed, however old.",
    ):
        selection.feed.resume(full=True)
        st.toast("All objects are being checked.", icon=":material/refresh:")


def _of_all_classes(selection: CountedSelection) -> CountedSelection:
    """Return the selection without its class filter."""
    filters = replace(selection.filters, label=None)
    counts = selection.feed.counts(filters, selection.period, selection.now)
    return replace(selection, filters=filters, counts=counts)


def _count_untimed(selection: CountedSelection) -> int:
    """Return how many records have no usable time, and so are in no time range."""
    if not selection.feed.reads_objects:
        return 0
    # A record without a usable time is in no window: it is looked for without one.
    of_any_time = replace(selection.filters, since=None, until=None)
    counts = selection.feed.counts(of_any_time, Period.HOUR, selection.now)
    return inferences.summarise_counts(counts, selection.threshold).untimed


def _read_at(selection: CountedSelection) -> datetime | None:
    """Return up to when all captures have been read: a sync may be stopped, or fail."""
    as_of = selection.feed.as_of
    return None if as_of is None else min(as_of, selection.now)


def _show_verdict(health: Health) -> None:
    """Show what is wrong, what was judged, and what could not be judged."""
    for finding in health.findings:
        where = f" {escape_text(finding.subject)}:" if finding.subject else ""
        st.warning(
            f"**{finding.kind.capitalize()}.**{where} {escape_text(finding.sentence)}",
            icon=":material/warning:",
        )
    if health.judged:
        if health.findings:
            st.info(f"Checked:{_format_list(health.judged)}", icon=":material/fact_check:")
        else:
            st.success(
                f"Everything that was checked is fine:{_format_list(health.judged)}",
                icon=":material/check_circle:",
            )
    if health.unjudged:
        st.info(f"Not checked:{_format_list(health.unjudged)}", icon=":material/help:")


def _format_list(sentences: tuple[str, ...]) -> str:
    return "".join(f"\n- {escape_text(sentence)}" for sentence in sentences)


def _read_traffic(
    selection: CountedSelection, connection: Connection
) -> tuple[list[TrafficCounts], Period, Health]:
    """Return every shown variant, by which period, and the endpoints that cannot be asked."""
    names, own = selection.feed.names(), connection.watched.endpoint
    window = volume_model.compared_window(selection.filters, selection.counts, selection.now)
    age = selection.now - window[0] if window else timedelta(0)
    period = volume_model.metric_period(
        selection.period, metrics.shortest_kept(Period.MINUTE.length, age)
    )
    counts = selection.feed.counts(selection.filters, period, selection.now)
    found: list[TrafficCounts] = []
    refused: list[Health] = []
    for endpoint in volume_model.list_endpoints(names, selection.filters, own):
        try:
            state = _read_state(connection, endpoint)
            samplings = _read_samplings(connection, endpoint, state)
        except WorkflowError as error:
            refused.append(volume_model.judge_unasked(endpoint, error.message))
            continue
        for variant in volume_model.list_variants(names, selection.filters, endpoint, state):
            captured = volume_model.captured_by_time(counts, endpoint, variant)
            span = volume_model.compared_window(
                selection.filters, captured if captured.height else counts, selection.now
            )
            one = TrafficCounts(
                endpoint=endpoint,
                variant=variant,
                state=state,
                captured=captured,
                samplings=samplings,
            )
            found.append(_add_invocations(one, span, period, selection.filters, connection))
    return found, period, model.combine_health(refused)


def _read_samplings(
    connection: Connection, endpoint: str, state: CaptureState
) -> tuple[Sampling, ...]:
    """Return when which share of invocations was captured, as far as that is known."""
    known = components.read_cloud(
        "sagemaker",
        ("configurations", endpoint, state.configuration),
        f"the configurations of {endpoint}",
        lambda: read_configurations(connection, endpoint),
        fresh_s=300.0,
    )
    earlier = {
        name: _read_percentage(connection, name) for name in known.made if name != known.present
    }
    return known.samplings({**earlier, known.present: state.share})


def _read_state(connection: Connection, endpoint: str) -> CaptureState:
    return components.read_cloud(
        "sagemaker",
        ("capture state", endpoint),
        f"the data capture of {endpoint}",
        lambda: monitoring.capture_state(connection, endpoint),
        fresh_s=FRESH_SECONDS,
    )


def _read_percentage(connection: Connection, name: str) -> float:
    """Return the share that a configuration captures; it never changes."""
    return components.read_cloud(
        "sagemaker",
        ("sampling", name),
        f"the sampling of {name}",
        lambda: sampling_percentage(connection, name),
        fresh_s=float("inf"),
    )


def _show_coverage(traffic: list[TrafficCounts], period: Period, zone: ZoneInfo) -> None:
    rows = volume_model.sum_traffic(traffic, period) if traffic else None
    if rows is not None and not rows.is_empty():
        rows = wall_clock(rows, zone)
        figure = charts.coverage_of_capture(rows, period)
        mark_releases(figure, rows["time"], zone)
        draw_chart(
            figure,
            "captured",
            f"Invocations that should be captured and captures, by {period}",
        )


def _add_invocations(
    traffic: TrafficCounts,
    span: tuple[datetime, datetime] | None,
    period: Period,
    filters: InferenceFilters,
    connection: Connection,
) -> TrafficCounts:
    """Return the counts of a variant with what CloudWatch says of it."""
    if span is None:
        return replace(traffic, refusal="no record with a usable time tells from when to look.")
    who = (connection, traffic.endpoint, traffic.variant)

    def read() -> tuple[pl.DataFrame, float | None, datetime]:
        invocations = metrics.read_invocations(*who, *span, every=period.length)
        return invocations, metrics.disk_percent(*who, span[1]), span[1]

    # Not by the end of the span, which moves on: what was read before is shown when a read fails.
    key = (traffic.endpoint, traffic.variant, period, filters)
    title = f"the metrics of {traffic.endpoint}, {traffic.variant}"
    try:
        invocations, disk, until = components.read_cloud(
            "cloudwatch", key, title, read, fresh_s=FRESH_SECONDS
        )
    except WorkflowError as error:
        return replace(traffic, refusal=error.message)
    state = replace(traffic.state, disk_percent=disk)
    captured = traffic.captured.filter(pl.col("time") < until)
    return replace(traffic, state=state, invocations=invocations, captured=captured)


def _show_facts(traffic: list[TrafficCounts], delay: timedelta | None) -> None:
    shares = {one.endpoint: one.state.share for one in traffic}
    said = [
        f"Data capture of {endpoint} keeps {share:g} % of all invocations now."
        for endpoint, share in shares.items()
    ]
    if traffic:
        said.append(
            "Earlier ones are judged by the configuration that had been created last; whether an"
            " older one was used again meanwhile, AWS does not say."
        )
    if delay is not None:
        said.append(
            f"Objects arrive {inferences.format_span(delay)} after their last record, in "
            "the median."
        )
    st.caption(escape_text(" ".join(said)))


def _show_errors(errors: pl.DataFrame, noun: str) -> None:
    if errors.is_empty():
        return
    with st.expander(f"{reading_model.count_errors(errors)} that gave no {noun}, by reason"):
        st.dataframe(
            clean_cells(reading_model.by_reason(errors)),
            hide_index=True,
            alt=f"What gave no {noun}, by reason",
            column_config=_ERROR_COLUMNS,
        )
        st.dataframe(
            clean_cells(errors.select("reason", "detail", "key", "line", "event_id").head(ERRORS)),
            hide_index=True,
            alt=f"The newest {ERRORS} that gave no {noun}",
            column_config=_ERROR_COLUMNS,
        )
