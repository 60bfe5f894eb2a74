"""Whether the captured images themselves have changed, by a sample of each side."""

from typing import Final

import streamlit as st

from dashboard.aws.captured_images import CaptureLine, sample_statistics
from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.source import InferenceFeed
from dashboard.drift import model
from dashboard.drift.model import DriftReport
from dashboard.drift.report_panel import show_verdict
from dashboard.inferences.counted_selection import CountedSelection
from dashboard.shared import components
from workflow import drift
from workflow.drift import Statistic
from workflow.feature_statistics import Baseline
from workflow.image_statistics import columns
from workflow.spans import Span

SAMPLE: Final = 650
"""Images of each side that are measured: as many as a Kolmogorov-Smirnov distance of 0.1 takes to
be told from chance over six features."""


def show_images(
    selection: CountedSelection, name: str, before: tuple[Span, ...], after: tuple[Span, ...]
) -> None:
    """Show whether the images themselves have changed, by a sample of each side."""
    with st.container(border=True):
        st.markdown("**Image input**")
        wanted = st.toggle(
            f"Measure up to {SAMPLE} captured images of each side",
            key="measure",
            bind="query-params",
            help="Brightness, contrast, sharpness, colour and size, of images fetched by Range.",
        )
        if not wanted:
            return
        found, unreadable = components.read_cloud(
            "images",
            (selection.feed.version, selection.filters, name, before, after),
            "the captured images to measure",
            lambda: _measure_drift(selection.feed, selection.filters, name, before, after),
            fresh_s=float("inf"),
        )
        show_verdict(found)
        if unreadable:
            st.caption(f"{unreadable:,} of the sampled images cannot be read.")
        _show_means(found)


def _measure_drift(
    feed: InferenceFeed, filters: InferenceFilters, name: str, *times: tuple[Span, ...]
) -> tuple[DriftReport, int]:
    sides, unreadable = [], 0
    for spans in times:
        rows = feed.sample(filters, spans, SAMPLE)
        lines = [CaptureLine.of(row) for row in rows.iter_rows(named=True)]
        measured, failed = sample_statistics(feed.bucket, lines)
        sides.append(columns(measured))
        unreadable += failed
    before, after = drift.paired_statistics(*sides)
    ks = (Statistic.KOLMOGOROV_SMIRNOV,)
    return model.build_report(Baseline(f"images {name}", before), after, numerical=ks), unreadable


def _show_means(found: DriftReport) -> None:
    st.dataframe(
        model.means_table(found),
        hide_index=True,
        alt="Image statistics before and after",
        column_config={
            "feature": "Property",
            "verdict": "Verdict",
            **{
                name: st.column_config.NumberColumn(title, format="%.3f")
                for name, title in (
                    ("before", "Mean before"),
                    ("after", "Mean after"),
                    ("distance", "Distance"),
                    ("threshold", "Threshold"),
                )
            },
        },
    )
