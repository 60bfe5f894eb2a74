"""A drift report drawn: the verdict, the charts behind it, every test, the violations to write."""

from datetime import datetime
from typing import Final

import polars as pl
import streamlit as st

from dashboard.aws import monitoring
from dashboard.drift import model
from dashboard.drift.model import DriftReport
from dashboard.inferences import charts
from dashboard.inferences import model as inferences
from dashboard.inferences.counted_selection import CountedSelection
from dashboard.shared import components
from dashboard.shared.chart_panel import draw_chart
from dashboard.shared.escaping import escape_text, inline_code
from workflow import drift
from workflow.access import Privilege
from workflow.baselines import encode_violations
from workflow.drift import DriftVerdict
from workflow.errors import WorkflowError
from workflow.feature_statistics import Baseline

BARS: Final = 25
_MARKS: Final = {
    DriftVerdict.DRIFT: ("red", ":material/trending_down:"),
    DriftVerdict.SMALL: ("blue", ":material/trending_flat:"),
    DriftVerdict.STABLE: ("green", ":material/check_circle:"),
    DriftVerdict.NOT_ENOUGH_DATA: ("gray", ":material/hourglass_empty:"),
}
_INCOMPARABLE: Final = ("gray", ":material/link_off:", "no common feature")


def show_report(selection: CountedSelection, baseline: Baseline, counts: pl.DataFrame) -> None:
    """Show the verdict, its charts, every test, and the violations to write."""
    found = test_drift(selection, baseline, counts)
    show_verdict(found)
    feature = model.numerical_feature(baseline.statistics)
    if feature is not None and feature.histogram.counts:
        edges = model.shown_edges(baseline.statistics, found.current, BARS)
        before = model.rebin_histogram(baseline.statistics, edges)
        after = model.rebin_histogram(found.current, edges)
        draw_chart(
            charts.draw_overlay(before, after, ("baseline", "current"), selection.threshold),
            "drift",
            "Confidence of the baseline and of the current records, as shares",
        )
    _show_tests(found)
    _show_violations(found, selection.now)


def show_verdict(found: DriftReport) -> None:
    """Draw the verdict in a sentence, and what the baseline cannot tell."""
    color, icon = _MARKS[found.verdict]
    word = found.verdict.value
    if not found.comparable:
        color, icon, word = _INCOMPARABLE
    st.markdown(f":{color}-badge[{icon} {word}] {escape_text(found.format_sentence())}")
    for caption in (found.describe_lacking(), found.describe_reach()):
        if caption:
            st.caption(escape_text(caption))


def test_drift(
    selection: CountedSelection, baseline: Baseline, counts: pl.DataFrame
) -> DriftReport:
    """Hold the current counts against a baseline, in its own bins where it has such."""
    current = inferences.statistics_of(counts, selection.names)
    try:
        return model.build_report(baseline, current)
    except WorkflowError as error:
        # The records' own confidences are many: read only where the counts' bins do not fit.
        if error.code != "BinsDoNotAlign":
            raise
    values = selection.feed.confidences(selection.filters)
    return model.build_report(baseline, model.in_bins_of(baseline, current, values))


def _show_tests(found: DriftReport) -> None:
    rows = model.verdicts_table(found)
    if rows.is_empty():
        return
    st.dataframe(
        rows,
        hide_index=True,
        alt="Every test of the comparison",
        column_config={name: name.capitalize() for name in rows.columns},
    )
    st.caption(
        f"In {drift.FALSE_ALARM_RATE:.0%} of comparisons without drift something is detected by"
        " chance, in all tests shown together (one joint permutation test, exact at these sample"
        " sizes). It is drift if it is also large enough to matter: "
        + ", ".join(
            f"{statistic} {drift.in_units(statistic, least)}"
            for statistic, least in drift.MATTERS.items()
        )
        + "; otherwise it is detected but small."
    )


def _show_violations(found: DriftReport, now: datetime) -> None:
    violations = found.violations
    if not violations:
        return
    with st.expander(f"{len(violations)} constraint violations"):
        st.dataframe(
            pl.DataFrame(
                [
                    (one.feature_name, str(one.constraint_check_type), one.description)
                    for one in violations
                ],
                schema=["Feature", "Constraint", "Description"],
                orient="row",
            ),
            hide_index=True,
            alt="Constraint violations as Model Monitor words them",
        )
        if st.button("Write constraint_violations.json to S3", icon=":material/upload_file:"):
            address = components.run_action(
                "writing constraint_violations.json",
                Privilege.EXPORT,
                lambda cloud: monitoring.write_violations(
                    cloud, encode_violations(violations), now
                ),
            )
            st.success(f"Written to {inline_code(address)}")
