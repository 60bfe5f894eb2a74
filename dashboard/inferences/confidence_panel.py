"""The confidence histogram, and the images behind the bars that are selected."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import streamlit as st

from dashboard.aws.captured_images import CaptureLine
from dashboard.captures import aggregates as tables
from dashboard.captures import panel as captures
from dashboard.captures import record_filters
from dashboard.captures.selection import Selection, combine_bars
from dashboard.captures.source import InferenceFeed
from dashboard.feeds import panel as feeds
from dashboard.inferences import charts, model
from dashboard.inferences.counted_selection import CountedSelection
from dashboard.shared import page_address, time_range_panel
from dashboard.shared.chart_panel import draw_chart
from dashboard.shared.escaping import clean_block, escape_text, inline_code
from dashboard.shared.numbers import format_share
from dashboard.shared.time_range import DAY_AND_SECOND
from workflow.class_names import ClassNames
from workflow.contract import inference_id
from workflow.errors import WorkflowError

BARS = 50
HISTOGRAM = "confidence-histogram"
DRAWN = "confidence-histogram-drawn"
REDRAWN = "confidence-histogram-redrawn"

SELECTED = "bars"
"""Query parameter of the bars that were clicked or boxed."""

PAGE = 12

NEAR = timedelta(minutes=15)
"""An execution that invoked the endpoint was started within so long before."""


def show_confidence(counted: CountedSelection) -> None:
    """Show the confidence histogram, and the images behind the selected bar."""
    log = st.toggle("Logarithmic counts", key="log", bind="query-params")
    bars = tables.build_histogram(counted.counts, BARS)
    selection = Selection.of_text(st.query_params.get(SELECTED, ""))
    if selection is None:
        page_address.check_choice(SELECTED, ())
    redrawn = st.session_state.get(REDRAWN, 0)
    shown = _selected_at_first((redrawn, log, counted.threshold, bars.rows()), selection)
    figure = charts.draw_confidence(
        bars, counted.threshold, counted.names.name, log=log, selection=shown
    )
    figure.update_layout(meta=redrawn)
    draw_chart(
        figure,
        HISTOGRAM,
        "Histogram of confidence by class"
        + (f", threshold {format_share(counted.threshold)}" if counted.threshold else ""),
        on_select=_keep_selected,
        selection_mode=("points", "box"),
    )
    show_gallery(counted, selection)


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
    chosen = selected_bars(st.session_state[HISTOGRAM]["selection"]["points"])
    if chosen is None:
        _select_all()
    else:
        st.query_params[SELECTED] = chosen.format_text()


def _select_all() -> None:
    st.query_params.pop(SELECTED, None)


def _show_all() -> None:
    _select_all()
    redraw_chart()


def redraw_chart() -> None:
    """Have the browser redraw the chart, as it does where anything in it has changed."""
    st.session_state[REDRAWN] = st.session_state.get(REDRAWN, 0) + 1


def selected_bars(points: list[dict[str, Any]]) -> Selection | None:
    """Return the bars that were clicked or boxed as a selection; None where none was."""
    bars = [
        Selection(low, high, tuple(labels), others=others)
        for low, high, others, *labels in (point["customdata"] for point in points)
    ]
    return combine_bars(bars) if bars else None


def show_gallery(counted: CountedSelection, selection: Selection | None) -> None:
    """Show the images behind a selection, newest first, a page at a time."""
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
            classes = selection.describe_classes(
                counted.counts["label"].unique(), counted.names.name
            )
            left_out = selection.left_out(counted.names.name)
            but = f" :gray[all but {escape_text(left_out)}]" if left_out else ""
            st.markdown(
                f"**{escape_text(classes.capitalize())}, confidence {selection.low:.3f} to"
                f" {selection.high:.3f}**{but}",
                width="content",
            )
            st.button("Show all", on_click=_show_all, icon=":material/close:")
    total = model.count_behind(counted.counts, selection)
    if not total:
        st.caption("No record has a confidence in this range.")
        return
    pages = min(-(-total // PAGE), 1000)
    page = st.pagination(pages, key=f"page-{selection}") if pages > 1 else 1
    rows = counted.feed.records(counted.filters, selection, limit=PAGE, offset=(page - 1) * PAGE)
    st.caption(f"{model.count_records(total)}, newest first")
    records_ = rows.rows(named=True)
    lines = [CaptureLine.of(row) for row in records_]
    for line in lines:  # all at once, before any is waited for: cards then change together
        captures.start_picture(counted.feed, line)
    pictures = [_find_picture(counted.feed, line) for line in lines]
    with st.container(horizontal=True, gap="small"):
        for row, picture in zip(records_, pictures, strict=True):
            _show_card(counted, row, picture)


def _find_picture(feed: InferenceFeed, line: CaptureLine) -> bytes | str:
    """Return the captured image as a small JPEG, or why there is none to show."""
    try:
        return captures.load_picture(feed, line)
    except WorkflowError as error:
        return error.message


def _show_card(counted: CountedSelection, row: dict[str, Any], picture: bytes | str) -> None:
    # Its key makes a card a new one when its record is: no picture is seen with another's label.
    key = f"card-{row['event_id']}-{row['row']}"
    with st.container(border=True, width=172, gap="xsmall", key=key):
        name = counted.names.name(row["label"])
        if isinstance(picture, str):
            st.caption(escape_text(picture))
        else:
            st.image(picture, width="stretch", alt=f"Captured image, classified as {name}")
        mark = "" if row["confidence"] >= counted.threshold else " :orange[rejected]"
        st.markdown(f"**{escape_text(name)}** {format_share(row['confidence'])}{mark}")
        st.caption(_format_when(row["inference_time"], counted.now))
        with st.popover("Details", width="stretch"):
            _show_details(row, counted.names)


def _format_when(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "no usable time"
    said = time_range_panel.format_in_zone(moment, DAY_AND_SECOND)
    return said if record_filters.has_usable_time(moment, now) else f"no usable time: {said}"


def _show_details(row: dict[str, Any], names: ClassNames) -> None:
    st.markdown(f"Probabilities {inline_code(model.format_likeliest(row['probabilities'], names))}")
    st.markdown(f"Event {inline_code(row['event_id'])}")
    st.markdown(f"Inference {inline_code(row['inference_id'] or 'none given')}")
    st.markdown("Object, line")
    st.code(clean_block(f"{row['key']}\n{row['line']}"), language=None, wrap_lines=True)
    arn = _find_execution(row["inference_id"], row["inference_time"])
    if arn:
        st.page_link(
            "app_pages/executions.py",
            label="Open the execution",
            icon=":material/timeline:",
            query_params={"execution": arn},
        )
    else:
        st.caption("No known execution of this workflow made it.")


def _find_execution(wanted: str | None, moment: datetime | None) -> str | None:
    """Return the execution whose ARN gives an inference id, among those started shortly before."""
    if wanted is None or moment is None:
        return None
    listing = feeds.running_feeds().executions.listing()
    near = listing.filter(pl.col("started_at").is_between(moment - NEAR, moment + NEAR))
    return next((arn for arn in near["arn"] if inference_id(arn) == wanted), None)
