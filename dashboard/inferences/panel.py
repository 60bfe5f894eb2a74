"""Panels of the Inferences page: filters, summary, charts, and the images behind a bar."""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from dashboard.aws.captured_images import CaptureLine
from dashboard.aws.cloud import Connection
from dashboard.aws.ground_truth import GROUND_TRUTH_PREFIX
from dashboard.captures import aggregates as tables
from dashboard.captures import panel as captures
from dashboard.captures import record_filters
from dashboard.captures.aggregates import Period
from dashboard.captures.record_filters import InferenceFilters, label_name
from dashboard.captures.selection import Selection, together
from dashboard.captures.source import CaptureSource
from dashboard.executions.releases_model import markers
from dashboard.feeds import panel as feeds
from dashboard.inferences import charts, model
from dashboard.inferences import traffic_panel as traffic
from dashboard.inferences.model import Summary, WhatIf
from dashboard.shared import components, page_address
from dashboard.shared.csv_files import csv_file
from dashboard.shared.escaping import code, plain
from dashboard.shared.marker_charts import mark
from dashboard.shared.numbers import interval, points, share
from dashboard.shared.plots import plot
from workflow.contract import inference_id
from workflow.errors import WorkflowError
from workflow.intervals import Share
from workflow.thresholds import Standing

BARS = 50
HEAT_BARS = 20
MOST_STEPS = 240
HISTOGRAM = "confidence-histogram"
DRAWN = "confidence-histogram-drawn"
REDRAWN = "confidence-histogram-redrawn"
SELECTED = "bars"
"""Query parameter of the bars that were clicked or boxed."""

PAGE = 12
TABLE_ROWS = 250
EXPORT_ROWS = 1_000_000
NEAR = timedelta(minutes=15)
"""An execution that invoked the endpoint was started within so long before."""

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


@dataclass(frozen=True, slots=True)
class Look:
    """What one is looking at: the selection, counted.

    Attributes:
        feed: Where single records come from.
        filters: What was selected.
        counts: The selection's counts.
        period: By which they were counted.
        threshold: Where records part into accepted and rejected.
        now: The moment of looking.
    """

    feed: CaptureSource
    filters: InferenceFilters
    counts: pl.DataFrame
    period: Period
    threshold: float
    now: datetime


def filters(feed: CaptureSource) -> InferenceFilters:
    """Return the controls of the filters, each bound to its query parameter."""
    names = feed.names()
    narrowed = any(st.query_params.get(field.name) for field in fields(InferenceFilters))
    with (
        st.expander("Filters", icon=":material/filter_list:", expanded=narrowed),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        endpoint = _choice("Endpoint", "endpoint", names["endpoint"])
        variant = _choice("Variant", "variant", names["variant"])
        labels = [label_name(label) for label in names["label"].unique().sort()]
        page_address.check_choice("label", ["All", *labels])
        label = st.selectbox(
            "Class", ["", *labels], key="label", bind="query-params", format_func=_or_all, width=130
        )
        since = _day("From", "since")
        until = _day("To (UTC)", "until")
    return InferenceFilters(endpoint, variant, label or "", since, until)


def _choice(title: str, key: str, names: pl.Series) -> str:
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


def _day(title: str, key: str) -> date | None:
    day = st.date_input(title, None, key=key, bind="query-params", format="YYYY-MM-DD", width=160)
    return day if isinstance(day, date) else None


def view() -> str:
    """Return which view is chosen; in the address too."""
    page_address.check_choice("view", VIEWS)
    return components.choose_view(VIEWS, on_change=_draw_anew)


def nothing_yet(feed: CaptureSource, connection: Connection) -> None:
    """What to say before the first capture, and traffic at one click where the cloud is local."""
    if feed.as_of is None:
        if feed.problem is None:
            _until_it_fails(feed)
        return
    if traffic.running(connection.cloud):
        st.info(
            "Traffic is on its way: images are uploaded and classified, and SageMaker delivers"
            " what it captured in a few seconds. This page shows it by itself.",
            icon=":material/progress_activity:",
        )
    else:
        components.empty_state(
            "No inferences captured yet",
            f"Data capture writes every inference to {plain(str(feed.place))}; classify a photo, or"
            " send some traffic.",
            page="app_pages/classify.py",
            label="Classify a photo",
        )
    traffic.button(connection.cloud)


def _until_it_fails(feed: CaptureSource) -> None:
    """Wait for the first pass; the status above says what went wrong with it."""

    def tick() -> None:
        if feed.problem is not None:
            st.rerun()
        st.skeleton(300)

    st.fragment(tick, run_every=captures.TICK_SECONDS)()


def summary(said: Summary, threshold: float, ece: float | None) -> None:
    """The selection in a few numbers, and what they rest on."""
    with st.container(horizontal=True, gap="medium"):
        st.metric("Records", f"{said.total:,}", width="content")
        low, high = said.rejected.interval
        st.metric(
            "Rejected",
            share(said.rejected.value),
            width="content",
            help=f"{said.rejected.hits:,} below the threshold; 95 % interval {interval(low, high)}",
        )
        st.metric("Accuracy to expect", share(said.expected_accuracy), width="content")
        for label, count in list(said.by_label.items())[:4]:
            st.metric(
                plain(label_name(label).capitalize()), share(count / said.total), width="content"
            )
    st.caption(
        f"Rejected: below today's threshold of {threshold:g}, whichever was deployed when a record"
        f" was made. Accuracy to expect: {assumption(ece)}"
    )
    if said.untimed:
        verb, they = ("has", "it counts") if said.untimed == 1 else ("have", "they count")
        st.caption(
            f"{model.records(said.untimed)} {verb} no usable time (absent, before 2017 or in the"
            f" future): {they} everywhere but over time."
        )


def assumption(ece: float | None) -> str:
    """On what the expected accuracy rests."""
    said = (
        "the mean confidence of the accepted records, which is their accuracy only if confidence is"
        " calibrated and the images are like those the model knows."
    )
    if ece is None:
        return said
    return f"{said} On the test images of the training it was off by {share(ece)} on average."


def chart(figure: go.Figure, key: str, alt: str, **options: Any) -> None:  # noqa: ANN401 - Streamlit's
    """A chart with its exports: PNG by its tool bar, HTML beside it."""
    plot(
        figure,
        key=key,
        alt=alt,
        config={
            "displaylogo": False,
            "modeBarButtonsToRemove": ["lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
            "toImageButtonOptions": {
                "format": st.session_state.get("image_format", "png"),
                "filename": key,
                "scale": 2,
            },
        },
        **options,
    )
    st.session_state.setdefault("figures", {})[key] = figure


def confidence(look: Look) -> None:
    """The confidence histogram, and the images behind the bar that is selected."""
    log = st.toggle("Logarithmic counts", key="log", bind="query-params")
    bars = tables.histogram(look.counts, BARS)
    selection = Selection.of_text(st.query_params.get(SELECTED, ""))
    if selection is None:
        page_address.check_choice(SELECTED, ())
    redrawn = st.session_state.get(REDRAWN, 0)
    shown = _selected_at_first((redrawn, log, look.threshold, bars.rows()), selection)
    figure = charts.confidence(bars, look.threshold, label_name, log=log, selection=shown)
    figure.update_layout(meta=redrawn)
    chart(
        figure,
        HISTOGRAM,
        f"Histogram of confidence by class, threshold {look.threshold:g}",
        on_select=_keep_selected,
        selection_mode=("points", "box"),
    )
    gallery(look, selection)


def _selected_at_first(chart: tuple[Any, ...], selection: Selection | None) -> Selection | None:
    """Return what was selected when a chart was first drawn, which is what is drawn as selected.

    A later click changes nothing in it: the browser shows the click by itself, in the same chart.
    """
    if HISTOGRAM not in st.session_state or st.session_state[DRAWN][0] != chart:
        st.session_state[DRAWN] = (chart, selection)
    at_first: Selection | None = st.session_state[DRAWN][1]
    return at_first


def _keep_selected() -> None:
    """Put what was clicked into the address: so that a chart of newer records shows it too."""
    chosen = selected(st.session_state[HISTOGRAM]["selection"]["points"])
    if chosen is None:
        _select_all()
    else:
        st.query_params[SELECTED] = chosen.text()


def _select_all() -> None:
    st.query_params.pop(SELECTED, None)


def _show_all() -> None:
    _select_all()
    _draw_anew()


def _draw_anew() -> None:
    """Have the browser redraw the chart, as it does where anything in it has changed."""
    st.session_state[REDRAWN] = st.session_state.get(REDRAWN, 0) + 1


def selected(points: list[dict[str, Any]]) -> Selection | None:
    """The confidence and class of the bars that were clicked or boxed; None where none was."""
    bars = [
        Selection(low, high, tuple(labels), others=others)
        for low, high, others, *labels in (point["customdata"] for point in points)
    ]
    return together(bars) if bars else None


def gallery(look: Look, selection: Selection | None) -> None:
    """The images behind a selection, newest first, a page at a time."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if selection is None:
            low, high = st.slider(
                "Images with a confidence of",
                0.0,
                1.0,
                (0.0, 1.0),
                step=0.005,
                key="images",
                bind="query-params",
                help="Or click a bar of the histogram; its tool bar has a box for several.",
                width=420,
            )
            selection = Selection(low, high)
        else:
            classes = selection.words(look.counts["label"].unique(), label_name)
            left_out = selection.left_out(label_name)
            but = f" :gray[all but {left_out}]" if left_out else ""
            st.markdown(
                f"**{classes.capitalize()}, confidence {selection.low:.3f} to"
                f" {selection.high:.3f}**{but}",
                width="content",
            )
            st.button("Show all", on_click=_show_all, icon=":material/close:")
    total = model.count_behind(look.counts, selection)
    if not total:
        st.caption("No record has such a confidence.")
        return
    pages = min(-(-total // PAGE), 1000)
    page = st.pagination(pages, key=f"page-{selection}") if pages > 1 else 1
    rows = look.feed.records(look.filters, selection, limit=PAGE, offset=(page - 1) * PAGE)
    st.caption(f"{model.records(total)}, newest first")
    records_ = rows.rows(named=True)
    lines = [CaptureLine.of(row) for row in records_]
    for line in lines:  # all at once, before any is waited for: cards then change together
        captures.start_picture(look.feed, line)
    pictures = [_picture(look.feed, line) for line in lines]
    with st.container(horizontal=True, gap="small"):
        for row, picture in zip(records_, pictures, strict=True):
            _card(look, row, picture)


def _picture(feed: CaptureSource, line: CaptureLine) -> bytes | str:
    """Return the captured image as a small JPEG, or why there is none to show."""
    try:
        return captures.picture(feed, line)
    except WorkflowError as error:
        return error.message


def _card(look: Look, row: dict[str, Any], picture: bytes | str) -> None:
    # Its key makes a card a new one when its record is: no picture is seen with another's label.
    key = f"card-{row['event_id']}-{row['row']}"
    with st.container(border=True, width=172, gap="xsmall", key=key):
        name = label_name(row["label"])
        if isinstance(picture, str):
            st.caption(plain(picture))
        else:
            st.image(picture, width="stretch", alt=f"Captured image, classified as {name}")
        mark = "" if row["confidence"] >= look.threshold else " :orange[rejected]"
        st.markdown(f"**{plain(name)}** {share(row['confidence'])}{mark}")
        st.caption(_when(row["inference_time"], look.now))
        with st.popover("Details", width="stretch"):
            _details(row)


def _when(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "no usable time"
    said = f"{moment:%Y-%m-%d %H:%M:%S}"
    return said if record_filters.has_usable_time(moment, now) else f"no usable time: {said}"


def _details(row: dict[str, Any]) -> None:
    st.markdown(f"Probabilities {code(model.likeliest(row['probabilities']))}")
    st.markdown(f"Event {code(row['event_id'])}")
    st.markdown(f"Inference {code(row['inference_id'] or 'none given')}")
    st.markdown("Object, line")
    st.code(f"{row['key']}\n{row['line']}", language=None, wrap_lines=True)
    arn = _execution(row["inference_id"], row["inference_time"])
    if arn:
        st.page_link(
            "app_pages/executions.py",
            label="Open the execution",
            icon=":material/timeline:",
            query_params={"execution": arn},
        )
    else:
        st.caption("No execution of this workflow is known for it.")


def _execution(wanted: str | None, moment: datetime | None) -> str | None:
    """Return the execution whose ARN gives an inference id, among those started shortly before."""
    if wanted is None or moment is None:
        return None
    listing = feeds.running().executions.listing()
    near = listing.filter(pl.col("started_at").is_between(moment - NEAR, moment + NEAR))
    return next((arn for arn in near["arn"] if inference_id(arn) == wanted), None)


def over_time(look: Look) -> None:
    """Volume, shares, quantiles and spread of confidence by time."""
    period = _period(look.period)
    rows = tables.volume(look.counts, period, look.threshold)
    if rows.is_empty():
        st.info("No record of the selection has a usable time.", icon=":material/schedule:")
        return
    steps = rows["time"].n_unique()
    left, right = st.columns(2)
    with left:
        st.markdown("**Volume**")
        figure = charts.volume(rows, period, label_name)
        _mark_releases(figure, rows["time"])
        chart(figure, "volume", f"Records by class, every {period}")
        st.markdown("**Quantiles of confidence**")
        figure = charts.quantiles(tables.quantiles(look.counts, period), period, look.threshold)
        _mark_releases(figure, rows["time"])
        chart(figure, "quantiles", f"Median, 25 % and 5 % quantile of confidence by {period}")
    with right:
        st.markdown("**Share of each class, and of rejections**")
        figure = charts.shares(rows, period, label_name)
        _mark_releases(figure, rows["time"])
        chart(figure, "shares", f"Class and rejected share by {period}")
        st.markdown("**Spread of confidence**")
        coarse = period if steps <= MOST_STEPS else Period.DAY
        chart(
            charts.heat(tables.heat(look.counts, coarse, HEAT_BARS), coarse, look.threshold),
            "spread",
            f"Share of records by confidence and {coarse}",
        )


def _mark_releases(figure: go.Figure, times: pl.Series) -> None:
    """Mark releases and rollbacks, where executions tell of them; the axis is in UTC."""
    first, last = times.min(), times.max()
    if not components.connection().watched.state_machine_arn:
        return
    if isinstance(first, datetime) and isinstance(last, datetime):
        mark(figure, markers(feeds.running().executions.listing()), (first, last))


def _period(finest: Period) -> Period:
    options = list(Period)[list(Period).index(finest) :]
    if len(options) == 1:
        return finest
    chosen = st.segmented_control(
        "By", options, default=finest, required=True, format_func=str, key=f"by-{finest}"
    )
    return Period(chosen or finest)


def threshold(look: Look, standing: Standing) -> None:
    """What another threshold would do, and the way to make it so."""
    tried = st.slider(
        "Threshold to try",
        0.5,
        1.0,
        look.threshold,
        step=0.005,
        format="%.3f",
        key="try",
        bind="query-params",
    )
    judged = look.feed.judged(look.filters)
    said = model.what_if(look.counts, judged, tried, look.period)
    now = model.what_if(look.counts, judged, look.threshold, look.period)
    _what_if_numbers(said, now)
    _measured(said.measured)
    rows = tables.sweep(look.counts)
    chart(
        charts.sweep(rows, model.measured_sweep(judged), tried),
        "threshold-sweep",
        "Coverage and accuracy by threshold",
    )
    if tried != look.threshold:
        st.page_link(
            "app_pages/deployment.py",
            label=f"Apply {tried:g}: see the deployment plan",
            icon=":material/rocket_launch:",
            query_params={"threshold": f"{tried:g}"},
        )
    st.caption(plain(f"{standing.says} {standing.wish}".rstrip()))


def _what_if_numbers(said: WhatIf, now: WhatIf) -> None:
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            "Coverage",
            share(said.coverage.value),
            _points(said.coverage.value - now.coverage.value),
            width="content",
            help="Share of the records that are accepted.",
        )
        if said.spans_days:
            st.metric(
                "Rejected a day",
                f"{said.rejected_per_day:,.0f}",
                _more(said.rejected_per_day - now.rejected_per_day),
                delta_color="inverse",
                width="content",
                help="On average over the records selected.",
            )
        elif said.span is not None:
            st.metric(
                f"Rejected in {model.duration(said.span)}",
                f"{said.rejected:,}",
                _more(said.rejected - now.rejected),
                delta_color="inverse",
                width="content",
                help="From the first to the last of the records selected.",
            )
        st.metric(
            "Accuracy to expect",
            share(said.expected_accuracy),
            _points(said.expected_accuracy - now.expected_accuracy),
            width="content",
        )
        if said.measured.count:
            st.metric("Accuracy measured", share(said.measured.value), width="content")


def _measured(measured: Share) -> None:
    """On how many labels the measured accuracy rests, or where labels are looked for."""
    if measured.count:
        low, high = measured.interval
        st.caption(
            f"Accuracy measured: {measured.hits:,} of {model.records(measured.count)} that were"
            f" accepted and have a ground truth are right; 95 % interval {interval(low, high)}."
        )
    else:
        st.caption(
            "Accuracy measured: no accepted record of this selection has a ground truth yet. A"
            f" label under `{GROUND_TRUTH_PREFIX}/` in the bucket, in Model Monitor's JSON Lines,"
            " joins by its event id; then the accuracy appears here with its interval."
        )


def _points(difference: float) -> str | None:
    """A change of a share; None, which draws no arrow, where it rounds to nothing or is of none."""
    if math.isnan(difference) or abs(difference) < 5e-4:  # noqa: PLR2004 - rounds to 0.0
        return None
    return points(difference)


def _more(difference: float) -> str | None:
    """Return a change of a number; None where it rounds to nothing."""
    return f"{difference:+,.0f}" if round(difference) else None


def records(look: Look) -> None:
    """The records themselves, and every way to take them along."""
    total = int(look.counts["count"].sum())
    rows = look.feed.records(look.filters, None, limit=TABLE_ROWS)
    shown = model.listed(rows)
    st.caption(
        f"The newest {rows.height:,} of {model.records(total)}; those without a usable time last"
    )
    st.dataframe(shown, hide_index=True, alt="The newest records", height=420)
    with st.container(horizontal=True):
        for kind, write in (("CSV", as_csv), ("Parquet", as_parquet)):
            st.download_button(
                f"Download as {kind}",
                partial(_export, look.feed, look.filters, write),
                f"inferences.{kind.lower()}",
                on_click="ignore",
                icon=":material/download:",
                help=f"All {min(total, EXPORT_ROWS):,} records of the selection",
            )


def _export(
    feed: CaptureSource, filters: InferenceFilters, write: Callable[[pl.DataFrame], bytes]
) -> bytes:
    return write(feed.records(filters, None, limit=EXPORT_ROWS))


def as_csv(rows: pl.DataFrame) -> bytes:
    """Records as CSV."""
    return csv_file(rows)


def as_parquet(rows: pl.DataFrame) -> bytes:
    """Records as Parquet."""
    out = io.BytesIO()
    rows.write_parquet(out, compression="zstd")
    return out.getvalue()


def chart_exports() -> None:
    """Charts as files: the format of their tool bar's camera, and each as a page of its own."""
    with st.popover("Export charts", icon=":material/image:"):
        st.segmented_control(
            "The camera in a chart's tool bar saves",
            ["png", "svg"],
            default="png",
            required=True,
            format_func=str.upper,
            key="image_format",
        )
        for key, figure in st.session_state.pop("figures", {}).items():
            st.download_button(
                f"{key} as HTML",
                partial(_html, figure),
                f"{key}.html",
                "text/html",
                on_click="ignore",
                key=f"html-{key}",
            )


def _html(figure: go.Figure) -> bytes:
    """Return a page that needs no network: the chart and all it takes to draw it."""
    return str(figure.to_html(include_plotlyjs=True)).encode()
