"""Panels of the Inferences page that all its views share: filters, views and summary."""

from dataclasses import fields
from datetime import UTC, date, datetime

import polars as pl
import streamlit as st

from dashboard.aws.cloud import Connection
from dashboard.captures import panel as captures
from dashboard.captures.record_filters import InferenceFilters, begin_of
from dashboard.captures.source import InferenceFeed
from dashboard.inferences import model
from dashboard.inferences import traffic_panel as traffic
from dashboard.inferences.confidence_panel import redraw_chart
from dashboard.inferences.counted_selection import CountedSelection
from dashboard.inferences.model import Summary
from dashboard.shared import components, page_address, time_range_panel
from dashboard.shared.escaping import escape_text
from dashboard.shared.numbers import format_interval, format_share
from dashboard.shared.time_range import TimeRange
from workflow.class_names import ClassNames

VIEWS = (
    "Confidence",
    "Over time",
    "Before and after",
    "Threshold",
    "Drift",
    "Data health",
    "Records",
)
"""What can be looked at, one at a time: so that a rerun sends little."""


def count_selection(feed: InferenceFeed, threshold: float, names: ClassNames) -> CountedSelection:
    """Return what the controls select, counted."""
    picked, now = time_range_panel.pick_time_range(), datetime.now(UTC)
    selected = choose_filters(feed, names, picked, now)
    return CountedSelection.of(feed, selected, threshold, now, names=names, zone=picked.zone)


def choose_filters(
    feed: InferenceFeed, names: ClassNames, picked: TimeRange, now: datetime
) -> InferenceFilters:
    """Return the controls of the filters, each bound to its query parameter.

    The time range that is picked ends now, or with the last day that is chosen here.
    """
    known = feed.names()
    narrowed = any(st.query_params.get(field.name) for field in fields(InferenceFilters))
    with (
        st.expander("Filters", icon=":material/filter_list:", expanded=narrowed),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        endpoint = _choose_name("Endpoint", "endpoint", known["endpoint"])
        variant = _choose_name("Variant", "variant", known["variant"])
        labels = [names.name(label) for label in known["label"].unique().sort()]
        page_address.check_choice("label", ["All", *labels])
        label = st.selectbox(
            "Class", ["", *labels], key="label", bind="query-params", format_func=_or_all, width=130
        )
        last_day = _choose_day("Last day", "until")
    until = picked.day_end(last_day) if last_day else None
    since = None if picked.everything else begin_of(picked.span, until or now)
    return InferenceFilters(
        endpoint,
        variant,
        names.index(label) if label else None,
        since,
        until,
    )


def _choose_name(title: str, key: str, names: pl.Series) -> str:
    asked = st.query_params.get(key, "All")
    # A link may name what is still to be read: it is offered too, lest the filter is dropped.
    options = ["", *names.unique().sort(), *([asked] if asked != "All" else [])]
    chosen = st.selectbox(
        title,
        list(dict.fromkeys(options)),
        key=key,
        bind="query-params",
        format_func=_or_all,
        width=190 if key == "endpoint" else 140,
    )
    return chosen or ""


def _or_all(name: str) -> str:
    return name or "All"


def _choose_day(title: str, key: str) -> date | None:
    day = st.date_input(title, None, key=key, bind="query-params", format="YYYY-MM-DD", width=160)
    return day if isinstance(day, date) else None


def choose_view() -> str:
    """Return which view is chosen; in the address too."""
    page_address.check_choice("view", VIEWS)
    return components.choose_view(VIEWS, on_change=redraw_chart)


def nothing_yet(feed: InferenceFeed, connection: Connection) -> None:
    """Explain what to do before the first capture, and offer traffic where the cloud is local."""
    if feed.as_of is None:
        if feed.problem is None:
            _until_it_fails(feed)
        return
    if traffic.is_running(connection.cloud):
        st.info(
            "Traffic is on its way: images are uploaded and classified, and SageMaker delivers"
            " what it captured in a few seconds. This page then updates by itself.",
            icon=":material/progress_activity:",
        )
    elif not (errors := feed.errors()).is_empty():
        st.warning(
            f"Captures were found, but none could be read. The newest of {errors.height:,} errors:"
            f" {escape_text(errors['detail'][0])}",
            icon=":material/warning:",
        )
    else:
        components.empty_state(
            "No inferences captured yet",
            f"Data capture writes every inference to {escape_text(str(feed.place))}; "
            "classify a photo, or"
            " send some traffic.",
            page="app_pages/classify.py",
            label="Classify a photo",
        )
    traffic.show_button(connection.cloud)


def _until_it_fails(feed: InferenceFeed) -> None:
    """Wait for the first pass; the status above says what went wrong with it."""

    def tick() -> None:
        if feed.problem is not None:
            st.rerun()
        st.skeleton(300)

    st.fragment(tick, run_every=captures.TICK_SECONDS)()


def show_summary(said: Summary, threshold: float, ece: float | None, names: ClassNames) -> None:
    """Show the selection in a few numbers, and what they rest on."""
    with st.container(horizontal=True, gap="medium"):
        st.metric("Records", f"{said.total:,}", width="content")
        if threshold:
            low, high = said.rejected.interval
            st.metric(
                "Rejected",
                format_share(said.rejected.value),
                width="content",
                help=f"{said.rejected.hits:,} below the threshold;"
                f" 95 % interval {format_interval(low, high)}",
            )
        st.metric("Expected accuracy", format_share(said.expected_accuracy), width="content")
        for label, count in list(said.by_label.items())[:4]:
            st.metric(
                escape_text(names.name(label).capitalize()),
                format_share(count / said.total),
                width="content",
            )
    demanded = (
        f"Rejected: below today's threshold of {format_share(threshold)}, whatever was "
        "deployed when a"
        " record was made."
        if threshold
        else "No threshold was found, so no record counts as rejected."
    )
    st.caption(f"{demanded} Expected accuracy: {describe_assumption(ece)}")
    if said.untimed:
        verb, they = ("has", "it counts") if said.untimed == 1 else ("have", "they count")
        st.caption(
            f"{model.count_records(said.untimed)} {verb} no usable time (absent, before "
            "2017 or in the"
            f" future): {they} everywhere but over time."
        )


def describe_assumption(ece: float | None) -> str:
    """Say on what the expected accuracy rests."""
    said = (
        "the mean confidence of the accepted records, which is their accuracy only if confidence is"
        " calibrated and the images are like those the model knows."
    )
    if ece is None:
        return said
    return (
        f"{said} On the test images of the training it was wrong by {format_share(ece)} on average."
    )
