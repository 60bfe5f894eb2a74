"""What another threshold would do to the selection."""

import math

import streamlit as st

from dashboard.aws.ground_truth import GROUND_TRUTH_PREFIX
from dashboard.captures import aggregates as tables
from dashboard.inferences import charts, model
from dashboard.inferences.counted_selection import CountedSelection
from dashboard.inferences.model import WhatIf
from dashboard.shared.chart_panel import draw_chart
from dashboard.shared.escaping import escape_text
from dashboard.shared.numbers import format_interval, format_points, format_share
from workflow.intervals import Share
from workflow.thresholds import Standing, lowest_threshold


def show_threshold(selection: CountedSelection, standing: Standing) -> None:
    """Show what another threshold would do, and how to apply it."""
    lowest = lowest_threshold(len(selection.names.names))
    tried = st.slider(
        "Threshold to try",
        min(lowest, selection.threshold or lowest),
        1.0,
        selection.threshold or lowest,
        step=0.005,
        format="%.3f",
        key="try",
        bind="query-params",
    )
    judged = selection.feed.judged(selection.filters)
    said = model.what_if(selection.counts, judged, tried, selection.period)
    now = model.what_if(selection.counts, judged, selection.threshold, selection.period)
    _what_if_numbers(said, now)
    _show_measured(said.measured)
    rows = tables.sweep_thresholds(selection.counts, lowest)
    draw_chart(
        charts.draw_sweep(rows, model.measured_sweep(judged, lowest), tried),
        "threshold-sweep",
        "Coverage and accuracy by threshold",
    )
    if tried != selection.threshold:
        st.page_link(
            "app_pages/deployment.py",
            label=f"Apply {tried:g}: see the deployment plan",
            icon=":material/rocket_launch:",
            query_params={"threshold": f"{tried:g}"},
        )
    st.caption(escape_text(f"{standing.says} {standing.wish}".rstrip()))


def _what_if_numbers(said: WhatIf, now: WhatIf) -> None:
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            "Coverage",
            format_share(said.coverage.value),
            _format_points(said.coverage.value - now.coverage.value),
            width="content",
            help="Share of the records that are accepted.",
        )
        if said.spans_days:
            st.metric(
                "Rejected a day",
                f"{said.rejected_per_day:,.0f}",
                _format_change(said.rejected_per_day - now.rejected_per_day),
                delta_color="inverse",
                width="content",
                help="On average over the records selected.",
            )
        elif said.span is not None:
            st.metric(
                f"Rejected in {model.format_span(said.span)}",
                f"{said.rejected:,}",
                _format_change(said.rejected - now.rejected),
                delta_color="inverse",
                width="content",
                help="From the first to the last of the records selected.",
            )
        st.metric(
            "Expected accuracy",
            format_share(said.expected_accuracy),
            _format_points(said.expected_accuracy - now.expected_accuracy),
            width="content",
        )
        if said.measured.count:
            st.metric("Measured accuracy", format_share(said.measured.value), width="content")


def _show_measured(measured: Share) -> None:
    """Show on how many labels measured accuracy rests, or where labels are looked for."""
    if measured.count:
        low, high = measured.interval
        st.caption(
            f"Measured accuracy: {measured.hits:,} of "
            f"{model.count_records(measured.count)} that were"
            " accepted and have a ground truth are right; 95 % interval "
            f"{format_interval(low, high)}."
        )
    else:
        st.caption(
            "Measured accuracy: no accepted record of this selection has a ground truth yet. A"
            f" label under `{GROUND_TRUTH_PREFIX}/` in the bucket, in Model Monitor's JSON Lines,"
            " joins by its event id; then the accuracy appears here with its interval."
        )


def _format_points(difference: float) -> str | None:
    """Format a change of a share; None, which draws no arrow, where it rounds to nothing."""
    if math.isnan(difference) or abs(difference) < 5e-4:  # noqa: PLR2004 - rounds to 0.0
        return None
    return format_points(difference)


def _format_change(difference: float) -> str | None:
    """Return a change of a number; None where it rounds to nothing."""
    return f"{difference:+,.0f}" if round(difference) else None
