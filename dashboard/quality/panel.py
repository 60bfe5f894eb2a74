"""Parts of the Quality page: accuracy, confusion, calibration, threshold, and parts of traffic."""

import math
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.source import InferenceFeed
from dashboard.inferences import model as inferences
from dashboard.quality import charts, model
from dashboard.quality.model import Labels
from dashboard.review import desk_panel
from dashboard.review.client import ReviewClient
from dashboard.shared import components, page_address, time_range_panel
from dashboard.shared.chart_panel import draw_chart
from dashboard.shared.escaping import escape_text
from dashboard.shared.numbers import format_share
from workflow.class_names import ClassNames
from workflow.estimates import Estimate, labels_needed
from workflow.thresholds import lowest_threshold

if TYPE_CHECKING:
    from collections.abc import Callable

VIEWS: Final = ("Accuracy", "Confusion", "Calibration", "Threshold", "Parts", "Training set")
BEHIND: Final = 8
"""Photos behind a cell that are shown at a time."""


def nothing_yet() -> None:
    """Say where labels come from."""
    components.empty_state(
        "No photo has been labelled yet",
        "Accuracy is estimated from labels of photos that were drawn at random.",
        page="app_pages/review.py",
        label="Go to Review",
    )


def none_in_range(labels: Labels) -> None:
    """Say that the labels are of older photos."""
    at = labels.rows["time"].max()
    newest = (
        f"The newest is of {time_range_panel.format_in_zone(at)}. "
        if isinstance(at, datetime)
        else ""
    )
    components.empty_state("No photo of this time is labelled", f"{newest}Widen the time range.")


def choose_view() -> str:
    """Return the view that is chosen; in the address too."""
    page_address.check_choice("view", VIEWS)
    return components.choose_view(VIEWS)


def format_estimate(one: Estimate) -> str:
    """Return an estimate with its interval."""
    if math.isnan(one.value):
        return "not known: no label"
    return f"{one.value:.1%}, 95 % interval {one.low:.1%} to {one.high:.1%}, {one.labels} labels"


def _show_metric(title: str, one: Estimate, text: str) -> None:
    value = "-" if math.isnan(one.value) else f"{one.value:.1%}"
    with st.container(width="content", gap=None):
        st.metric(title, value, help=text)
        if one.labels:
            st.caption(f"{one.low:.1%} to {one.high:.1%}")


def show_summary(
    labels: Labels, threshold: float, feed: InferenceFeed, since: datetime | None
) -> None:
    """Show the measured accuracy beside that which confidence promises, since a moment."""
    now = datetime.now(UTC)
    filters = InferenceFilters(since=since)
    counts = feed.counts(filters, feed.period(filters, now), now)
    promised, accepted = (inferences.summarise_counts(counts, at) for at in (0.0, threshold))
    inside = pl.col("confidence") >= threshold
    with st.container(horizontal=True, gap="medium"):
        _show_metric(
            "Accuracy", labels.estimate_share(), "Of all photos, as if none were rejected."
        )
        if threshold:
            _show_metric(
                "Accuracy of the accepted",
                labels.estimate_share(inside),
                f"Of photos at or above {format_share(threshold)}, the threshold that is deployed.",
            )
        expected = {"Expected": promised, "Expected accuracy of the accepted": accepted}
        for title, said in expected.items() if threshold else [("Expected", promised)]:
            value = said.expected_accuracy
            st.metric(
                title,
                "-" if math.isnan(value) else f"{value:.1%}",
                width="content",
                help="Mean confidence of all captures, without labels: the accuracy of a"
                " calibrated model.",
            )
        st.metric("Labels", f"{labels.rows.height:,}", width="content")
    st.caption(
        "Every label is weighted by the number of photos it stands for; intervals are at 95 %."
        ' Photos marked "can\'t tell" are left out.'
    )
    if labels.undrawn:
        st.caption(
            f"{labels.undrawn:,} labels belong to photos that no draw chose: what they stand for is"
            " not known, so they are not counted here."
        )


def show_accuracy(labels: Labels, classes: ClassNames) -> None:
    """Show precision and recall by class, and how many labels are still needed."""
    rows = model.by_class(labels)
    named = rows.with_columns(name=pl.Series([classes.name(one) for one in rows["class"]]))
    names = list(dict.fromkeys(named["name"]))
    shown = names[:40]
    st.markdown("**Precision and recall by class**")
    series = [
        (title, named.filter(pl.col("measure") == measure, pl.col("name").is_in(shown)))
        for title, measure in (
            ("precision: right among those it calls this class", "precision"),
            ("recall: found among those that are this class", "recall"),
        )
    ]
    draw_chart(
        charts.draw_intervals(shown, series), "precision-recall", "Precision and recall by class"
    )
    if len(names) > len(shown):
        st.caption(f"The first {len(shown)} of {len(names)} classes; the table holds all.")
    with st.expander("As a table"):
        st.dataframe(
            named.select("name", "measure", pl.col("value", "low", "high") * 100, "labels"),
            hide_index=True,
            alt="Precision and recall of every class",
            column_config={
                "name": "Class",
                "measure": "Measure",
                "value": st.column_config.NumberColumn("Estimate", format="%.1f%%"),
                "low": st.column_config.NumberColumn("95 % interval from", format="%.1f%%"),
                "high": st.column_config.NumberColumn("to", format="%.1f%%"),
                "labels": "Labels",
            },
        )
    width = st.slider(
        "Wanted width of the interval, in percentage points",
        1,
        20,
        5,
        key="width",
        bind="query-params",
    )
    more = labels_needed(labels.count_strata(), width / 100)
    st.caption(
        f"About {more:,} more labels, drawn as before, make the interval of the accuracy"
        f" {width} points wide."
        if more
        else f"The interval of the accuracy is no wider than {width} points already."
    )


def show_confusion(labels: Labels, found: ReviewClient, classes: ClassNames) -> None:
    """Show the confusion matrix, and the photos behind the cell that is chosen."""
    cells = model.count_confusion(labels)
    shown = model.readable_classes(cells, labels)
    figure = charts.draw_confusion(
        cells.select("said", "truth", "share", "labels"), shown, classes.name
    )
    draw_chart(figure, "confusion", "The model's answer by true class")
    wrong = cells.filter(pl.col("said") != pl.col("truth"))
    if wrong.is_empty():
        components.empty_state("No mistake found", "Every label agrees with the model.")
        return
    options = wrong.select("said", "truth").rows()
    said = {(row["said"], row["truth"]): row for row in wrong.iter_rows(named=True)}
    chosen = st.selectbox(
        "Photos behind",
        options,
        format_func=lambda cell: (
            f"said {classes.name(cell[0])}, is {classes.name(cell[1])}:"
            f" {said[cell]['share']:.2%} of all photos, {said[cell]['labels']} labels"
        ),
        key="cell",
    )
    photos = {photo.id: photo for draw in found.list_draws() for photo in draw.photos}
    ids = model.photos_behind(labels, *chosen)
    columns = st.columns(4)
    for place, id_ in enumerate(ids[:BEHIND]):
        photo = photos[id_]
        with columns[place % 4], st.container(border=True):
            desk_panel.show_photo(photo)
            st.caption(f"{escape_text(classes.name(photo.label))} {photo.confidence:.3f}")
    if len(ids) > BEHIND:
        st.caption(f"The {BEHIND} of {len(ids)} with the highest confidence.")


def show_calibration(labels: Labels) -> None:
    """Show accuracy by confidence, and the expected calibration error."""
    error = model.calibration_error(labels)
    draw_chart(
        charts.draw_reliability(model.compute_reliability(labels)),
        "reliability",
        "Accuracy by confidence",
    )
    st.caption(
        f"Expected calibration error {format_estimate(error)} (bootstrap). With few "
        "labels, chance makes"
        " it large."
    )


def show_threshold(labels: Labels, deployed: float, names: ClassNames) -> None:
    """Show what each threshold accepts, and the one that reaches a wanted accuracy."""
    percent = st.number_input(
        "Wanted accuracy of the accepted, in percent",
        50.0,
        99.9,
        97.0,
        step=0.5,
        format="%.1f",
        key="wanted",
        bind="query-params",
        width=320,
    )
    lowest = lowest_threshold(len(names.names))
    rows = model.by_threshold(labels, lowest)
    if rows.is_empty():
        st.caption(f"No labelled photo has a confidence of {lowest:g} or more.")
        return
    choice = model.choose_threshold(rows, percent / 100)
    draw_chart(
        charts.draw_thresholds(rows, percent / 100, choice.threshold),
        "quality-thresholds",
        "Coverage and accuracy by threshold",
    )
    if choice.threshold is None or choice.accuracy is None:
        st.info(f"No threshold reaches {percent:g} %: the model has to improve.")
        return
    certain = (
        "The labels show it"
        if choice.sure
        else "The estimate reaches it, but the interval does not: more labels of accepted photos"
        " are needed"
    )
    st.markdown(
        f"**{format_share(choice.threshold)}** leaves the least to review:"
        f" {1 - choice.coverage:.1%} of all photos. {certain}."
    )
    st.caption(f"Accuracy of the accepted: {format_estimate(choice.accuracy)}.")
    if deployed and choice.threshold != deployed:
        st.page_link(
            "app_pages/deployment.py",
            label=f"Apply {format_share(choice.threshold)}: see the deployment plan",
            icon=":material/rocket_launch:",
            query_params={"threshold": f"{choice.threshold:g}"},
        )


def show_parts(labels: Labels, zone: ZoneInfo) -> None:
    """Show accuracy by variant, day and property of the photo."""
    ways: dict[str, Callable[[Labels], pl.DataFrame]] = {
        "Variant": model.by_variant,
        "Day": partial(model.by_day, zone=zone),
        **{name.capitalize(): partial(model.by_property, name=name) for name in model.PROPERTIES},
    }
    way = st.segmented_control(
        "Accuracy by",
        list(ways),
        default="Variant",
        key="by",
        required=True,
        bind="query-params",
    )
    rows = ways[str(way or "Variant")](labels)
    if rows.is_empty():
        st.caption("No labelled photo has this property.")
        return
    rows = rows.rename({"part": "name"})
    draw_chart(
        charts.draw_intervals(rows["name"].to_list(), [("accuracy", rows)]), "parts", f"By {way}"
    )
    if (low := rows["labels"].min()) is not None and int(str(low)) < 30:  # noqa: PLR2004 - a rule of thumb
        st.caption(
            "Segments with few labels have wide intervals; those that overlap may not differ."
        )
