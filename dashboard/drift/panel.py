"""The drift panels of the Inferences page: choose a baseline, see what differs, say so to AWS.

A baseline of captures is a time of its own, counted to the moment, whatever the page's From and To
are; what is compared with it are the records selected that do not lie in it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl
import streamlit as st

from dashboard.aws import monitoring
from dashboard.aws.cloud import MANIFEST, Connection
from dashboard.captures import aggregates as tables
from dashboard.captures import record_filters
from dashboard.drift import model
from dashboard.drift.image_panel import show_images
from dashboard.drift.model import Side
from dashboard.drift.model_card import ModelCard, read_model_card
from dashboard.drift.monitor_panel import show_monitor_baseline, show_schedules
from dashboard.drift.report_panel import BARS, show_report, show_verdict, test_drift
from dashboard.inferences import charts
from dashboard.inferences import model as inferences
from dashboard.inferences.counted_selection import CountedSelection
from dashboard.shared import components, page_address, time_range_panel
from dashboard.shared.chart_panel import draw_chart
from dashboard.shared.escaping import escape_text
from dashboard.shared.numbers import format_interval, format_share
from dashboard.shared.time_range import DAY_AND_SECOND
from workflow.errors import WorkflowError
from workflow.feature_statistics import Baseline
from workflow.monitoring import DeployedVersion
from workflow.spans import Span

EARLIER: Final = "Earlier traffic"
RANGE: Final = "A time range"
VERSION: Final = "A version"
TRAINING: Final = "The model's training"
MONITOR: Final = "A Model Monitor baseline"
BASELINES: Final = (EARLIER, RANGE, VERSION, TRAINING, MONITOR)
_OTHERS: Final = "all other records selected"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_TIME: Final = "No selected record has a usable time, so there is no before and after."


@st.cache_data(show_spinner=False)
def model_card(modified: float) -> ModelCard | None:
    """Return what the manifest of the trained model says; None where there is no manifest."""
    return read_model_card(MANIFEST.read_bytes()) if modified else None


def known_model() -> ModelCard | None:
    """Return the card of the model in this checkout."""
    return model_card(MANIFEST.stat().st_mtime if MANIFEST.exists() else 0.0)


def show_comparison(selection: CountedSelection, connection: Connection) -> None:
    """Show two histograms side by side, before and after a moment."""
    at = choose_moment(selection, connection)
    if at is None:
        return
    before, after = _split_counts(selection, at)
    name = f"the records before {_format_moment(at)}"
    show_verdict(
        test_drift(
            selection, Baseline(name, inferences.statistics_of(before, selection.names)), after
        )
    )
    _show_overlay(selection, before, after, ("before", "after"))
    columns_ = st.columns(2)
    sides = model.side_by_side(before, after, selection.threshold, selection.names)
    for column, title, side in zip(columns_, ("Before", "After"), sides, strict=True):
        with column, st.container(border=True):
            st.markdown(f"**{title}** {_format_moment(at)}")
            _show_side(side, selection.threshold)


def _format_moment(at: datetime) -> str:
    return time_range_panel.format_in_zone(at, DAY_AND_SECOND)


def _show_side(side: Side, threshold: float) -> None:
    low, high = side.rejected.interval
    with st.container(horizontal=True):
        st.metric("Records", f"{side.total:,}", width="content")
        if threshold:
            st.metric(
                "Rejected",
                format_share(side.rejected.value),
                width="content",
                help=f"95 % interval {format_interval(low, high)}",
            )
        st.metric(
            "Median confidence",
            format_share(side.median),
            width="content",
            help="Accurate to a bin of 0.5 percentage points.",
        )
        for name, part in side.shares.items():
            low, high = part.interval
            st.metric(
                escape_text(name.capitalize()),
                format_share(part.value),
                width="content",
                help=(
                    f"Class share: {part.hits:,} records; 95 % interval "
                    f"{format_interval(low, high)}"
                ),
            )


def show_drift(selection: CountedSelection, connection: Connection) -> None:
    """Compare the selection with a baseline."""
    page_address.check_choice("baseline", BASELINES)
    chosen = st.segmented_control(
        "Compare with",
        BASELINES,
        default=EARLIER,
        key="baseline",
        required=True,
        bind="query-params",
    )
    views = {
        EARLIER: _compare_earlier,
        RANGE: _time_range,
        VERSION: _compare_version,
        TRAINING: _compare_training,
        MONITOR: show_monitor_baseline,
    }
    with components.show_errors():
        views[chosen or EARLIER](selection, connection)
    show_schedules(selection, connection)


def _compare_earlier(selection: CountedSelection, connection: Connection) -> None:
    at = choose_moment(selection, connection)
    if at is None:
        return
    before, after = _split_counts(selection, at)
    name = f"the traffic before {_format_moment(at)}"
    statistics = inferences.statistics_of(before, selection.names)
    show_report(selection, Baseline(name, statistics), after)
    selected = _selected_span(selection)
    show_images(
        selection,
        f"before {_format_moment(at)}",
        (Span(selected.start, at),),
        (Span(at, selected.end),),
    )


def _compare_training(selection: CountedSelection, _: Connection) -> None:
    card = known_model()
    if card is None:
        st.info("This checkout has no manifest of a trained model: `make model` writes one.")
    else:
        show_report(selection, card.baseline, selection.counts)


def _time_range(selection: CountedSelection, _: Connection) -> None:
    with st.container(horizontal=True):
        start, end = (
            st.datetime_input(
                title, None, key=key, bind="query-params", step=60, format="YYYY-MM-DD", width=230
            )
            for title, key in (
                ("Baseline from (UTC)", "baseline_from"),
                ("Baseline to (UTC)", "baseline_to"),
            )
        )
    if start is None or end is None:
        _say_when(selection)
        return
    span = Span(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    if span.is_empty:
        st.warning("The baseline ends before it begins: choose a later end.")
        return
    _compare_with_span(
        selection,
        f"the traffic of {span.words(selection.zone)}",
        span,
        _selected_span(selection).without(span),
    )


def _say_when(selection: CountedSelection) -> None:
    first, last = selection.counts["time"].min(), selection.counts["time"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        st.info(_NO_TIME)
        return
    st.caption(
        "Choose when the baseline began and when it ended. The records selected lie in"
        f" {Span(first, last + selection.period.length).words()}; those outside of the baseline are"
        " compared with it."
    )


def _compare_version(selection: CountedSelection, connection: Connection) -> None:
    """Show the traffic of a deployed version, from its start to that of the next."""
    endpoint = selection.filters.endpoint or connection.watched.endpoint
    known = {version.name: version for version in _listed_versions(connection, endpoint)}

    def words(name: str) -> str:
        # Not its time: the address holds these words, and the next deployment says more of that.
        return f"{name}, {known[name].made:%Y-%m-%d %H:%M} UTC" if name in known else name

    if not known:
        st.info("No version is deployed yet.")
        return
    default = model.version_before(list(known.values()))
    page_address.check_choice("baseline_version", [words(name) for name in known])
    chosen = st.selectbox(
        "Version",
        list(known),
        list(known).index(default.name),
        format_func=words,
        key="baseline_version",
        bind="query-params",
    )
    others = [_OTHERS, *(name for name in known if name != chosen)]
    page_address.check_choice("against", [words(name) for name in others])
    other = st.selectbox(
        "Compared with it", others, format_func=words, key="against", bind="query-params"
    )
    span, selected = known[chosen].span, _selected_span(selection)
    for version in (known[name] for name in (chosen, other) if name in known):
        st.caption(
            escape_text(f"{version.name}: {version.span.words(selection.zone)}. {version.unknown}")
        )
    wanted: tuple[Span, ...] = (selected,)
    if other in known:
        shared = known[other].span.meet(selected)
        wanted = (shared,) if shared else ()
    current = [rest for one in wanted for rest in one.without(span)]
    _compare_with_span(selection, f"{chosen}, {span.words(selection.zone)}", span, current)


def _compare_with_span(
    selection: CountedSelection, name: str, span: Span, current: Sequence[Span]
) -> None:
    """Compare the selection with another span of time."""
    before = selection.feed.counted(selection.filters, span, selection.now)
    # The empty frame gives ``concat`` its columns where there is no span at all.
    after = pl.concat([before.clear(), *(_count_span(selection, one) for one in current)])
    if before.is_empty():
        st.warning(f"No record lies in the time of the baseline, {span.words(selection.zone)}.")
        return
    if after.is_empty():
        st.warning("Every selected record lies inside the baseline: widen the filters above.")
        return
    statistics = inferences.statistics_of(before, selection.names)
    show_report(selection, Baseline(name, statistics), after)
    show_images(selection, f"of {span.words(selection.zone)}", (span,), tuple(current))


def _selected_span(selection: CountedSelection) -> Span:
    """Return the time of the records selected."""
    start, end = selection.filters.window()
    first = selection.counts["time"].min()
    return Span(start or (first if isinstance(first, datetime) else None), end)


def _count_span(selection: CountedSelection, span: Span) -> pl.DataFrame:
    """Return the records of a span of the selection, to the moment."""
    moments = [moment for moment in (span.start, span.end) if moment is not None]
    # What begins and ends with whole periods is in the counts at hand; else it is asked for.
    if all((moment - _EPOCH) % selection.period.length == timedelta() for moment in moments):
        return record_filters.filter_between(selection.counts, span.start, span.end)
    return selection.feed.counted(selection.filters, span, selection.now)


def choose_moment(selection: CountedSelection, connection: Connection) -> datetime | None:
    """Return the moment that parts before from after: the middle, a version, or one's own."""
    timed = selection.counts.drop_nulls("time")
    if timed.is_empty():
        st.info(_NO_TIME)
        return None
    versions = _read_versions(connection, selection.filters.endpoint)
    known = {version.at.isoformat(): version for version in versions}
    options = ["middle", *known, "own"]

    def words(option: str) -> str:
        if option in known:
            return f"{known[option].name}, {known[option].at:%Y-%m-%d %H:%M} UTC"
        return {"middle": "the middle of the records selected"}.get(option, "another moment")

    page_address.check_choice("moment", [words(option) for option in options])
    chosen = st.selectbox(
        "Before and after", options, format_func=words, key="moment", bind="query-params"
    )
    if chosen in known:
        return known[chosen].at.astimezone(UTC)
    if chosen == "own":
        own = st.datetime_input("Moment (UTC)", None, key="at", bind="query-params", step=60)
        if own is None:
            st.caption("Choose a moment.")
            return None
        return own.replace(tzinfo=UTC)
    return find_middle(timed)


def find_middle(timed: pl.DataFrame) -> datetime:
    """Return the start of the period before which about half of the records have come."""
    by_time = timed.group_by("time").agg(pl.col("count").sum()).sort("time")
    before = by_time["count"].cum_sum() - by_time["count"]
    # By records, not by time: halves of equal size make the sharpest test.
    uneven = (before - by_time["count"].sum() / 2).abs()
    return by_time["time"][int(uneven.arg_min() or 0)]  # type: ignore[no-any-return]


def _read_versions(connection: Connection, endpoint: str) -> tuple[DeployedVersion, ...]:
    try:
        return _listed_versions(connection, endpoint or connection.watched.endpoint)
    except WorkflowError:
        return ()  # a moment of one's own can still be chosen


def _listed_versions(connection: Connection, endpoint: str) -> tuple[DeployedVersion, ...]:
    return components.read_cloud(
        "versions",
        ("versions", endpoint),
        f"the versions deployed of {endpoint}",
        lambda: monitoring.deployed_versions(connection, endpoint),
        fresh_s=300.0,
    )


def _split_counts(selection: CountedSelection, at: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the records selected, before and after a moment."""
    selected = _selected_span(selection)
    halves = (Span(end=at), Span(at))
    shared = [selected.meet(half) for half in halves]
    before, after = (
        _count_span(selection, one) if one else selection.counts.clear() for one in shared
    )
    return before, after


def _show_overlay(
    selection: CountedSelection, before: pl.DataFrame, after: pl.DataFrame, names: tuple[str, str]
) -> None:
    both = pl.concat([before, after])
    if both.is_empty():
        return
    edges = [*tables.build_histogram(both, BARS)["low"].unique().sort().to_list(), 1.0]
    sides = [
        model.rebin_histogram(inferences.statistics_of(side, selection.names), edges)
        for side in (before, after)
    ]
    draw_chart(
        charts.draw_overlay(sides[0], sides[1], names, selection.threshold),
        "before-and-after",
        "Confidence before and after, as shares",
    )
