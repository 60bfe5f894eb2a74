"""The data health panel of the Inferences page: is every inference captured, soon, and once?"""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from dashboard.aws import monitoring
from dashboard.aws.cloud import Connection
from dashboard.aws.configurations import configurations, sampling_percentage
from dashboard.captures.periods import Period
from dashboard.data_health import metrics, model, reading_model, volume_model
from dashboard.data_health.model import Health
from dashboard.data_health.volume_model import TrafficCounts
from dashboard.feeds.releases_panel import mark_releases
from dashboard.inferences import charts
from dashboard.inferences import model as inferences
from dashboard.inferences.counted_selection import CountedSelection
from dashboard.shared import components
from dashboard.shared.chart_panel import chart
from dashboard.shared.escaping import plain
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


def show(look: CountedSelection, connection: Connection) -> None:
    """Findings, invocations against captures, and every line that could not be read."""
    if look.filters.label is not None:
        st.caption(
            "The class filter does not apply here: neither invocations nor unreadable lines have a"
            " class."
        )
        look = _of_all_classes(look)
    known = look.feed.reads_objects
    errors = reading_model.shown(look.feed.errors(), look.filters)
    unlabelled = look.feed.truth_errors()
    delay, delivery = reading_model.deliveries(
        look.feed.deliveries(look.filters, OBJECTS), known=known
    )
    records, untimed = int(look.counts["count"].sum()), _untimed(look)
    read = reading_model.lines(errors, records, untimed, known=known)
    traffic, period, refused = _traffic(look, connection)
    volume = volume_model.volumes(traffic, period, read_at=_read_at(look))
    nameless = volume_model.nameless(look.counts)
    _verdict(
        model.together(
            (volume, refused, nameless, read, delivery, reading_model.truths(unlabelled))
        )
    )
    _coverage(traffic, period, look.zone)
    _facts(traffic, delay)
    _errors(errors, "record")
    _errors(unlabelled, "ground truth")
    if st.button(
        "Check all objects again",
        icon=":material/refresh:",
        help="Lists the whole prefix and reads what is new or has changed, however old.",
    ):
        look.feed.resume(full=True)
        st.toast("All objects are being checked.", icon=":material/refresh:")


def _of_all_classes(look: CountedSelection) -> CountedSelection:
    """Return the same without its class filter."""
    filters = replace(look.filters, label=None)
    counts = look.feed.counts(filters, look.period, look.now)
    return replace(look, filters=filters, counts=counts)


def _untimed(look: CountedSelection) -> int:
    """Return how many records have no usable time, and so are in no time range."""
    if not look.feed.reads_objects:
        return 0
    of_any_time = replace(look.filters, since=None, until=None)
    counts = look.feed.counts(of_any_time, Period.HOUR, look.now)
    return inferences.summarise(counts, look.threshold).untimed


def _read_at(look: CountedSelection) -> datetime | None:
    """Up to when all captures have been read: a sync may be stopped, or fail."""
    as_of = look.feed.as_of
    return None if as_of is None else min(as_of, look.now)


def _verdict(health: Health) -> None:
    """Show what is wrong, what was judged, and what could not be judged."""
    for finding in health.findings:
        where = f" {plain(finding.subject)}:" if finding.subject else ""
        st.warning(
            f"**{finding.kind.capitalize()}.**{where} {plain(finding.sentence)}",
            icon=":material/warning:",
        )
    if health.judged:
        if health.findings:
            st.info(f"Checked:{_listed(health.judged)}", icon=":material/fact_check:")
        else:
            st.success(
                f"Everything that was checked is fine:{_listed(health.judged)}",
                icon=":material/check_circle:",
            )
    if health.unjudged:
        st.info(f"Not checked:{_listed(health.unjudged)}", icon=":material/help:")


def _listed(sentences: tuple[str, ...]) -> str:
    return "".join(f"\n- {plain(sentence)}" for sentence in sentences)


def _traffic(
    look: CountedSelection, connection: Connection
) -> tuple[list[TrafficCounts], Period, Health]:
    """Every variant that is shown, by what period, and the endpoints that cannot be asked."""
    names, own = look.feed.names(), connection.watched.endpoint
    window = volume_model.window(look.filters, look.counts, look.now)
    age = look.now - window[0] if window else timedelta(0)
    period = volume_model.metric_period(look.period, metrics.kept(Period.MINUTE.length, age))
    counts = look.feed.counts(look.filters, period, look.now)
    found: list[TrafficCounts] = []
    refused: list[Health] = []
    for endpoint in volume_model.endpoints(names, look.filters, own):
        try:
            state = _state(connection, endpoint)
            samplings = _samplings(connection, endpoint, state)
        except WorkflowError as error:
            refused.append(volume_model.unasked(endpoint, error.message))
            continue
        for variant in volume_model.variants(names, look.filters, endpoint, state):
            captured = volume_model.captured_by_time(counts, endpoint, variant)
            span = volume_model.window(
                look.filters, captured if captured.height else counts, look.now
            )
            one = TrafficCounts(
                endpoint=endpoint,
                variant=variant,
                state=state,
                captured=captured,
                samplings=samplings,
            )
            found.append(_invoked(one, span, period, connection))
    return found, period, model.together(refused)


def _samplings(connection: Connection, endpoint: str, state: CaptureState) -> tuple[Sampling, ...]:
    """When which share of the endpoint's invocations was captured, as far as that is known."""
    known = components.read(
        "sagemaker",
        ("configurations", endpoint, state.configuration),
        f"the configurations of {endpoint}",
        lambda: configurations(connection, endpoint),
        fresh_s=300.0,
    )
    earlier = {name: _percentage(connection, name) for name in known.made if name != known.present}
    return known.samplings({**earlier, known.present: state.share})


def _state(connection: Connection, endpoint: str) -> CaptureState:
    return components.read(
        "sagemaker",
        ("capture state", endpoint),
        f"the data capture of {endpoint}",
        lambda: monitoring.capture_state(connection, endpoint),
        fresh_s=FRESH_SECONDS,
    )


def _percentage(connection: Connection, name: str) -> float:
    """Return the share that a configuration captures; it never changes."""
    return components.read(
        "sagemaker",
        ("sampling", name),
        f"the sampling of {name}",
        lambda: sampling_percentage(connection, name),
        fresh_s=float("inf"),
    )


def _coverage(traffic: list[TrafficCounts], period: Period, zone: ZoneInfo) -> None:
    rows = volume_model.summed(traffic, period) if traffic else None
    if rows is not None and not rows.is_empty():
        rows = wall_clock(rows, zone)
        figure = charts.coverage_of_capture(rows, period)
        mark_releases(figure, rows["time"], zone)
        chart(
            figure,
            "captured",
            f"Invocations that should be captured and captures, by {period}",
        )


def _invoked(
    traffic: TrafficCounts,
    span: tuple[datetime, datetime] | None,
    period: Period,
    connection: Connection,
) -> TrafficCounts:
    """Return the same with what CloudWatch says of it."""
    if span is None:
        return replace(traffic, refusal="no record with a usable time tells from when to look.")
    who = (connection, traffic.endpoint, traffic.variant)

    def read() -> tuple[pl.DataFrame, float | None]:
        invocations = metrics.invocations(*who, *span, every=period.length)
        return invocations, metrics.disk_percent(*who, span[1])

    key = (traffic.endpoint, traffic.variant, period, *(f"{end:%Y%m%d%H%M}" for end in span))
    title = f"the metrics of {traffic.endpoint}, {traffic.variant}"
    try:
        invocations, disk = components.read("cloudwatch", key, title, read, fresh_s=FRESH_SECONDS)
    except WorkflowError as error:
        return replace(traffic, refusal=error.message)
    state = replace(traffic.state, disk_percent=disk)
    return replace(traffic, state=state, invocations=invocations)


def _facts(traffic: list[TrafficCounts], delay: timedelta | None) -> None:
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
            f"Objects arrive {inferences.duration(delay)} after their last record, in the median."
        )
    st.caption(plain(" ".join(said)))


def _errors(errors: pl.DataFrame, noun: str) -> None:
    if errors.is_empty():
        return
    with st.expander(f"{reading_model.counted(errors)} that gave no {noun}, by reason"):
        st.dataframe(
            reading_model.by_reason(errors),
            hide_index=True,
            alt=f"What gave no {noun}, by reason",
            column_config=_ERROR_COLUMNS,
        )
        st.dataframe(
            errors.select("reason", "detail", "key", "line", "event_id").head(ERRORS),
            hide_index=True,
            alt=f"The newest {ERRORS} that gave no {noun}",
            column_config=_ERROR_COLUMNS,
        )
