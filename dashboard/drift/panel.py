"""The drift panels of the Inferences page: choose a baseline, see what differs, say so to AWS.

A baseline of captures is a time of its own, counted to the moment, whatever the page's From and To
are; what is held against it are the records selected that do not lie in it.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl
import streamlit as st

from dashboard.aws import monitoring
from dashboard.aws.captured_images import CaptureLine, sample_statistics
from dashboard.aws.cloud import Connection
from dashboard.captures import aggregates as tables
from dashboard.captures import record_filters
from dashboard.captures.panel import Feed
from dashboard.captures.record_filters import InferenceFilters
from dashboard.drift import model
from dashboard.drift.model import DriftReport, ModelCard, Side
from dashboard.inferences import charts
from dashboard.inferences import model as inferences
from dashboard.inferences.panel import Look, chart
from dashboard.shared import components
from dashboard.shared.escaping import code, plain
from workflow import drift
from workflow.baselines import Baseline, encode_violations
from workflow.drift import Statistic, Verdict
from workflow.errors import WorkflowError
from workflow.image_statistics import columns
from workflow.monitoring import DeployedVersion, Schedule
from workflow.spans import Span

MANIFEST: Final = Path(__file__).resolve().parents[2] / "deploy/model/artifacts/manifest.json"
"""Written by the training run; read as a file, since the dashboard imports nothing of deploy."""

BARS: Final = 25
SAMPLE: Final = 650
"""Images of each side that are measured: as many as a Kolmogorov-Smirnov distance of 0.1 takes to
be told from chance over six features."""

EARLIER: Final = "Earlier traffic"
RANGE: Final = "A time range"
VERSION: Final = "A version"
TRAINING: Final = "The model's training"
MONITOR: Final = "A Model Monitor baseline"
_MARKS: Final = {
    Verdict.DRIFT: ("red", ":material/trending_down:"),
    Verdict.STABLE: ("green", ":material/check_circle:"),
    Verdict.NOT_ENOUGH_DATA: ("gray", ":material/hourglass_empty:"),
}
_INCOMPARABLE: Final = ("gray", ":material/link_off:", "nothing in common")
_OTHERS: Final = "all other records selected"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_TIME: Final = "No record of the selection has a usable time, so there is no before and after."


@st.cache_data(show_spinner=False)
def model_card(modified: float) -> ModelCard | None:
    """What the manifest of the trained model says; None where there is no manifest."""
    return model.read_model_card(MANIFEST.read_bytes()) if modified else None


def known_model() -> ModelCard | None:
    """The card of the model in this checkout."""
    return model_card(MANIFEST.stat().st_mtime if MANIFEST.exists() else 0.0)


def compare(look: Look, connection: Connection) -> None:
    """Two histograms side by side, before and after a moment."""
    at = moment(look, connection)
    if at is None:
        return
    before, after = _sides(look, at)
    name = f"the records before {at:%Y-%m-%d %H:%M:%S} UTC"
    _verdict(_tested(look, Baseline(name, inferences.statistics_of(before)), after))
    _overlay(look, before, after, ("before", "after"))
    columns_ = st.columns(2)
    sides = model.side_by_side(before, after, look.threshold)
    for column, title, side in zip(columns_, ("Before", "After"), sides, strict=True):
        with column, st.container(border=True):
            st.markdown(f"**{title}** {at:%Y-%m-%d %H:%M:%S} UTC")
            _side(side)


def _side(side: Side) -> None:
    low, high = side.rejected.interval
    with st.container(horizontal=True):
        st.metric("Records", f"{side.total:,}", width="content")
        st.metric(
            "Rejected",
            f"{side.rejected.value:.1%}" if side.total else "-",
            width="content",
            help=f"95 % interval {low:.1%} to {high:.1%}",
        )
        st.metric(
            "Median confidence",
            "-" if math.isnan(side.median) else f"{side.median:.3f}",
            width="content",
            help="Known to a bin of 0.005.",
        )
        for name, share in side.shares.items():
            low, high = share.interval
            st.metric(
                plain(name.capitalize()),
                f"{share.value:.1%}" if side.total else "-",
                width="content",
                help=f"Class share: {share.hits:,} records; 95 % interval {low:.1%} to {high:.1%}",
            )


def show(look: Look, connection: Connection) -> None:
    """The selection against a baseline."""
    chosen = st.segmented_control(
        "Compare with",
        [EARLIER, RANGE, VERSION, TRAINING, MONITOR],
        default=EARLIER,
        key="baseline",
        required=True,
        bind="query-params",
    )
    views = {
        EARLIER: _earlier,
        RANGE: _time_range,
        VERSION: _version,
        TRAINING: _training,
        MONITOR: _monitor_baseline,
    }
    with components.explained():
        views[chosen or EARLIER](look, connection)
    _schedules(look, connection)


def _earlier(look: Look, connection: Connection) -> None:
    at = moment(look, connection)
    if at is None:
        return
    before, after = _sides(look, at)
    name = f"the traffic before {at:%Y-%m-%d %H:%M:%S} UTC"
    _report(look, Baseline(name, inferences.statistics_of(before)), after, connection)
    selected = _selected(look)
    _images(
        look,
        f"before {at:%Y-%m-%d %H:%M:%S} UTC",
        (Span(selected.start, at),),
        (Span(at, selected.end),),
    )


def _training(look: Look, connection: Connection) -> None:
    card = known_model()
    if card is None:
        st.info("There is no manifest of a trained model here: `make model` writes one.")
    else:
        _report(look, card.baseline, look.counts, connection)


def _time_range(look: Look, connection: Connection) -> None:
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
        _say_when(look)
        return
    span = Span(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    if span.is_empty:
        st.warning("The baseline ends before it begins: choose a later end.")
        return
    _against(
        look, connection, f"the traffic of {span.words()}", span, _selected(look).without(span)
    )


def _say_when(look: Look) -> None:
    first, last = look.counts["time"].min(), look.counts["time"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        st.info(_NO_TIME)
        return
    st.caption(
        "Choose when the baseline began and when it ended. The records selected lie in"
        f" {Span(first, last + look.period.length).words()}; those outside of the baseline are"
        " held against it."
    )


def _version(look: Look, connection: Connection) -> None:
    """The traffic of a deployed version, from its start to the next one's."""
    endpoint = look.filters.endpoint or connection.settings.endpoint
    known = {version.name: version for version in _listed_versions(connection, endpoint)}

    def words(name: str) -> str:
        # Not its time: the address holds these words, and the next deployment says more of that.
        return f"{name}, {known[name].made:%Y-%m-%d %H:%M} UTC" if name in known else name

    if not known:
        st.info("No version is deployed yet.")
        return
    chosen = st.selectbox(
        "Version", list(known), format_func=words, key="baseline_version", bind="query-params"
    )
    others = [_OTHERS, *(name for name in known if name != chosen)]
    other = st.selectbox(
        "Held against it", others, format_func=words, key="against", bind="query-params"
    )
    span, selected = known[chosen].span, _selected(look)
    for version in (known[name] for name in (chosen, other) if name in known):
        st.caption(plain(f"{version.name}: {version.span.words()}. {version.unknown}"))
    wanted: tuple[Span, ...] = (selected,)
    if other in known:
        shared = known[other].span.meet(selected)
        wanted = (shared,) if shared else ()
    current = [rest for one in wanted for rest in one.without(span)]
    _against(look, connection, f"{chosen}, {span.words()}", span, current)


def _against(
    look: Look, connection: Connection, name: str, span: Span, current: Sequence[Span]
) -> None:
    """Spans of the selection against a time of its own."""
    before = look.feed.counted(look.filters, span, look.now)
    after = pl.concat([before.clear(), *(_counted(look, one) for one in current)])
    if before.is_empty():
        st.warning(f"No record lies in the time of the baseline, {span.words()}.")
        return
    if after.is_empty():
        st.warning("No record selected lies outside of the baseline: widen the filters above.")
        return
    _report(look, Baseline(name, inferences.statistics_of(before)), after, connection)
    _images(look, f"of {span.words()}", (span,), tuple(current))


def _selected(look: Look) -> Span:
    """The time of the records selected."""
    start, end = look.filters.window()
    first = look.counts["time"].min()
    return Span(start or (first if isinstance(first, datetime) else None), end)


def _counted(look: Look, span: Span) -> pl.DataFrame:
    """The records of a span of the selection, to the moment."""
    moments = [moment for moment in (span.start, span.end) if moment is not None]
    if all((moment - _EPOCH) % look.period.length == timedelta() for moment in moments):
        return record_filters.between(look.counts, span.start, span.end)
    return look.feed.counted(look.filters, span, look.now)


def moment(look: Look, connection: Connection) -> datetime | None:
    """The moment that parts before from after: the middle, a version, or one's own."""
    timed = look.counts.drop_nulls("time")
    if timed.is_empty():
        st.info(_NO_TIME)
        return None
    versions = _versions(connection, look.filters.endpoint)
    known = {version.at.isoformat(): version for version in versions}
    options = ["middle", *known, "own"]

    def words(option: str) -> str:
        if option in known:
            return f"{known[option].name}, {known[option].at:%Y-%m-%d %H:%M} UTC"
        return {"middle": "the middle of the records selected"}.get(option, "another moment")

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
    return middle(timed)


def middle(timed: pl.DataFrame) -> datetime:
    """The start of the period before which about half of the records have come."""
    by_time = timed.group_by("time").agg(pl.col("count").sum()).sort("time")
    before = by_time["count"].cum_sum() - by_time["count"]
    uneven = (before - by_time["count"].sum() / 2).abs()
    return by_time["time"][int(uneven.arg_min() or 0)]  # type: ignore[no-any-return]


def _versions(connection: Connection, endpoint: str) -> tuple[DeployedVersion, ...]:
    try:
        return _listed_versions(connection, endpoint or connection.settings.endpoint)
    except WorkflowError:
        return ()  # a moment of one's own can still be chosen


def _listed_versions(connection: Connection, endpoint: str) -> tuple[DeployedVersion, ...]:
    return components.read(
        "versions",
        ("versions", endpoint),
        f"the versions deployed of {endpoint}",
        lambda: monitoring.deployed_versions(connection, endpoint),
        fresh_s=300.0,
    )


def _sides(look: Look, at: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The records selected, before and after a moment."""
    selected = _selected(look)
    halves = (Span(end=at), Span(at))
    shared = [selected.meet(half) for half in halves]
    before, after = (_counted(look, one) if one else look.counts.clear() for one in shared)
    return before, after


def _overlay(look: Look, before: pl.DataFrame, after: pl.DataFrame, names: tuple[str, str]) -> None:
    both = pl.concat([before, after])
    if both.is_empty():
        return
    edges = [*tables.histogram(both, BARS)["low"].unique().sort().to_list(), 1.0]
    sides = [model.bars(inferences.statistics_of(side), edges) for side in (before, after)]
    chart(
        charts.overlay(sides[0], sides[1], names, look.threshold),
        "before-and-after",
        "Confidence before and after, as shares",
    )


def _report(look: Look, baseline: Baseline, counts: pl.DataFrame, connection: Connection) -> None:
    """The verdict, the charts behind it, every test, and the violations to write."""
    found = _tested(look, baseline, counts)
    _verdict(found)
    feature = model.numerical_feature(baseline.statistics)
    if feature is not None and feature.histogram.counts:
        edges = model.shown_edges(baseline.statistics, found.current, BARS)
        before = model.bars(baseline.statistics, edges)
        after = model.bars(found.current, edges)
        chart(
            charts.overlay(before, after, ("baseline", "current"), look.threshold),
            "drift",
            "Confidence of the baseline and of the current records, as shares",
        )
    _tests(found)
    _violations(found, connection, look.now)


def _verdict(found: DriftReport) -> None:
    color, icon = _MARKS[found.verdict]
    word = found.verdict.value
    if not found.comparable:
        color, icon, word = _INCOMPARABLE
    st.markdown(f":{color}-badge[{icon} {word}] {plain(found.sentence())}")
    if found.lacking():
        st.caption(plain(found.lacking()))


def _tested(look: Look, baseline: Baseline, counts: pl.DataFrame) -> DriftReport:
    current = inferences.statistics_of(counts)
    try:
        return model.report(baseline, current)
    except WorkflowError as error:
        if error.code != "BinsDoNotAlign":
            raise
    values = look.feed.confidences(look.filters)
    return model.report(baseline, model.in_bins_of(baseline, current, values))


def _tests(found: DriftReport) -> None:
    rows = model.verdicts(found)
    if rows.is_empty():
        return
    st.dataframe(
        rows,
        hide_index=True,
        alt="Every test of the comparison",
        column_config={
            name: st.column_config.NumberColumn(format="%.3f") for name in ("distance", "threshold")
        },
    )
    st.caption(
        f"Thresholds are what chance alone exceeds in {drift.FALSE_ALARM_RATE:.0%} of comparisons"
        " without drift, at these sample sizes and over all tests shown (permutation null), and"
        " never below what matters: PSI 0.1, Jensen-Shannon 0.13, Kolmogorov-Smirnov 0.1."
    )


def _violations(found: DriftReport, connection: Connection, now: datetime) -> None:
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
                schema=["feature_name", "constraint_check_type", "description"],
                orient="row",
            ),
            hide_index=True,
            alt="Constraint violations in Model Monitor's words",
        )
        if st.button("Write constraint_violations.json to S3", icon=":material/upload_file:"):
            address = components.act(
                "writing constraint_violations.json",
                lambda: monitoring.write_violations(connection, encode_violations(violations), now),
            )
            st.success(f"Written to {code(address)}")


def _images(look: Look, name: str, before: tuple[Span, ...], after: tuple[Span, ...]) -> None:
    """Whether the images themselves have changed, by a sample of each side."""
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
        found, unreadable = components.read(
            "images",
            (look.feed.version, look.filters, name, before, after),
            "the captured images to measure",
            lambda: _measured(look.feed, look.filters, name, before, after),
            fresh_s=float("inf"),
        )
        _verdict(found)
        if unreadable:
            st.caption(f"{unreadable:,} of the sample are no image that can be read.")
        _means(found)


def _measured(
    feed: Feed, filters: InferenceFilters, name: str, *times: tuple[Span, ...]
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
    return model.report(Baseline(f"images {name}", before), after, numerical=ks), unreadable


def _means(found: DriftReport) -> None:
    st.dataframe(
        model.means(found),
        hide_index=True,
        alt="Image statistics before and after",
        column_config={
            name: st.column_config.NumberColumn(format="%.3f")
            for name in ("before", "after", "distance", "threshold")
        },
    )


def _monitor_baseline(look: Look, connection: Connection) -> None:
    address = st.text_input(
        "Folder of statistics.json, as s3://bucket/prefix",
        key="monitor",
        bind="query-params",
        placeholder=f"s3://{connection.settings.bucket}/monitoring/baseline",
    )
    with st.container(horizontal=True):
        if st.button("Save the selection as a baseline", icon=":material/save:"):
            current = inferences.statistics_of(look.counts)
            folder = components.act(
                "saving the baseline",
                lambda: monitoring.write_baseline(connection, current, look.now),
            )
            st.success(f"Saved to {code(folder)}: give that address above to compare with it.")
    if address:
        baseline = components.read(
            "s3",
            ("baseline", address),
            f"the baseline in {address}",
            lambda: monitoring.read_baseline(connection, address),
        )
        _report(look, baseline, look.counts, connection)


def _schedules(look: Look, connection: Connection) -> None:
    """Monitoring schedules of accounts that have them; a sentence for all others."""
    endpoint = look.filters.endpoint or connection.settings.endpoint
    with st.expander("Model Monitor schedules of this endpoint"):
        try:
            found = _listed(connection, endpoint)
        except WorkflowError as error:
            st.caption(
                "This account cannot list monitoring schedules; Model Monitor is closed to new"
                f" customers, and nothing here needs it. {plain(error.message)}"
            )
            return
        if not found:
            st.caption("There are none. Nothing here needs them.")
        for schedule in found:
            last = f"{schedule.last_run:%Y-%m-%d %H:%M} UTC" if schedule.last_run else "never"
            st.markdown(
                f"**{plain(schedule.name)}** "
                + plain(
                    f"{schedule.kind}, {schedule.status}; last run {last} {schedule.last_status}"
                )
            )
            for problem in schedule.problems:
                st.warning(plain(problem), icon=":material/warning:")
            for one in schedule.violations:
                said = plain(f"{one.constraint_check_type}: {one.description}")
                st.markdown(f"- {code(one.feature_name)} {said}")


def _listed(connection: Connection, endpoint: str) -> Sequence[Schedule]:
    return components.read(
        "sagemaker",
        ("schedules", endpoint),
        f"the monitoring schedules of {endpoint}",
        lambda: monitoring.schedules(connection, endpoint),
        fresh_s=300.0,
    )
