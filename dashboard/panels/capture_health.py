"""The data health panel of the Inferences page: is every inference captured, soon, and once?"""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import streamlit as st

from dashboard import charts, components, tables
from dashboard.aws import metrics, monitoring
from dashboard.aws.cloud import Connection
from dashboard.models import capture_health as model
from dashboard.models.capture_health import HealthFinding
from dashboard.panels.inferences import Look, chart
from dashboard.tables import Period
from workflow.errors import WorkflowError
from workflow.monitoring import CaptureState

_METRIC_PERIODS = {Period.TEN_SECONDS: Period.MINUTE, Period.DAY: Period.HOUR}
"""CloudWatch counts by the minute at the finest; a day is too long to find a gap in."""

OBJECTS = 1_000
ERRORS = 200


def show(look: Look, connection: Connection, untimed: int) -> None:
    """Findings, invocations against captures, and every line that could not be read."""
    found: list[HealthFinding] = []
    state = _state(look, connection)
    if state is not None:
        found += _volume(look, connection, state)
    errors = look.feed.errors()
    found += model.reading_findings(errors, untimed)
    delay, late = model.lateness(look.feed.deliveries(OBJECTS))
    found += late
    for finding in found:
        st.warning(
            f"**{finding.kind.capitalize()}.** {finding.sentence}", icon=":material/warning:"
        )
    if not found:
        st.success("Nothing is wrong with the captures.", icon=":material/check_circle:")
    _facts(state, delay)
    _errors(errors)
    if st.button(
        "Check all objects again",
        icon=":material/refresh:",
        help="Lists the whole prefix and reads what is new or has changed, however old.",
    ):
        look.feed.resume(full=True)
        st.toast("All objects are being checked.", icon=":material/refresh:")


def _endpoint(look: Look, connection: Connection) -> tuple[str, str]:
    names = look.feed.names()
    endpoint = look.filters.endpoint or connection.settings.endpoint
    variants = names.filter(pl.col("endpoint") == endpoint)["variant"].unique().sort()
    return endpoint, look.filters.variant or (variants[0] if len(variants) else "AllTraffic")


def _state(look: Look, connection: Connection) -> CaptureState | None:
    endpoint, variant = _endpoint(look, connection)
    try:
        state = monitoring.capture_state(connection, endpoint)
        disk = metrics.disk_percent(connection, endpoint, variant, look.now)
        return replace(state, disk_percent=disk)
    except WorkflowError as error:
        st.caption(f"The endpoint cannot be asked: {components.plain(error.message)}")
        return None


def _volume(look: Look, connection: Connection, state: CaptureState) -> list[HealthFinding]:
    """Invocations of CloudWatch against captures, by time."""
    endpoint, variant = _endpoint(look, connection)
    start = look.counts["time"].min()
    if start is None:
        return []
    period = _METRIC_PERIODS.get(look.period, look.period)
    try:
        invocations = metrics.invocations(
            connection,
            endpoint,
            variant,
            start,  # type: ignore[arg-type]
            look.now + timedelta(minutes=1),
            every=period.length,
        )
    except WorkflowError as error:
        st.caption(f"CloudWatch cannot be asked: {components.plain(error.message)}")
        return []
    if invocations.is_empty():
        st.caption("CloudWatch has no invocation of this endpoint in that time.")
        return []
    counts = look.feed.counts(look.filters, period, look.now)
    captured = (
        tables.volume(counts, period, look.threshold).group_by("time").agg(pl.col("count").sum())
    )
    rows = model.expected_and_captured(invocations, captured, state.sampling_percentage)
    chart(
        charts.coverage_of_capture(rows, period),
        "captured",
        f"Invocations that should be captured and captures, by {period}",
    )
    return list(model.health(rows, state, period, now=look.now))


def _facts(state: CaptureState | None, delay: timedelta | None) -> None:
    said = []
    if state is not None:
        said.append(f"Data capture keeps {state.sampling_percentage:g} % of all invocations.")
    if delay is not None:
        said.append(
            f"Objects arrive {delay / timedelta(seconds=1):,.0f} s after their last record, in the"
            " median."
        )
    st.caption(" ".join(said))


def _errors(errors: pl.DataFrame) -> None:
    if errors.is_empty():
        return
    with st.expander(f"{errors['lines'].sum():,} lines that gave no record, by reason"):
        st.dataframe(
            errors.group_by("reason").agg(pl.col("lines").sum()).sort("lines", descending=True),
            hide_index=True,
            alt="Unreadable lines by reason",
        )
        st.dataframe(
            errors.select("key", "line", "reason", "detail", "event_id").head(ERRORS),
            hide_index=True,
            alt=f"The newest {ERRORS} of them",
        )
