"""Panels of the Executions page."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from dashboard.executions import charts as execution_charts
from dashboard.executions import model as many
from dashboard.executions.feed import ExecutionFeed
from dashboard.executions.freshness_panel import check_ready
from dashboard.executions.releases_model import release_markers
from dashboard.executions.state_graph_model import state_graph
from dashboard.shared import components, numbers, page_address, time_range_panel
from dashboard.shared.escaping import escape_text
from dashboard.shared.marker_charts import draw_markers
from dashboard.shared.palette import STYLES
from dashboard.shared.plots import draw_figure, draw_plot, make_readable
from dashboard.shared.tables import clean_cells
from dashboard.shared.time_range import LONGEST, TimeRange
from dashboard.shared.version_cache import VersionCache
from workflow.definitions import read_definition
from workflow.executions import Outcome

MOST_DRAWN = 500
"""States of a graph; laying out and drawing more takes longer than anybody waits."""

_COLUMNS = ("started_at", "outcome", "name", "seconds", "label", "confidence", "error", "image")


def choose_filters(current: many.ExecutionFilters, versions: list[str]) -> many.ExecutionFilters:
    """Return the controls of the filters, as they are set now."""
    if current.group and st.button(
        "Only executions of one problem", icon=":material/close:", help="Show all."
    ):
        current = replace(current, group="")
    narrowed = replace(current, execution="", compare="") != many.ExecutionFilters()
    with st.expander("Filters", icon=":material/filter_list:", expanded=narrowed):
        outcome = st.pills(
            "Outcome",
            list(Outcome),
            default=list(current.outcome),
            selection_mode="multi",
            format_func=lambda outcome: STYLES[outcome].word,
        )
        columns = st.columns(4)
        # A link may name a version that has no execution any more.
        options = ["", *dict.fromkeys([*versions, *([current.version] if current.version else [])])]
        version = columns[0].selectbox(
            "Version",
            options,
            index=options.index(current.version),
            format_func=lambda number: number or "All",
        )
        texts = {
            "error": columns[1].text_input("Error contains", current.error),
            "image": columns[2].text_input("Image contains", current.image),
            "name": columns[3].text_input("Name contains", current.name),
        }
    return replace(
        current,
        outcome=tuple(outcome),
        version=version or "",
        **{name: (text or "").strip() for name, text in texts.items()},
    )


def rate_tiles(rates: many.Rates) -> None:
    """Show throughput, shares and durations of a selection."""
    shown = (
        ("Executions", f"{rates.count:,}", numbers.per_hour(rates.per_hour)),
        ("Succeeded", numbers.format_share(rates.accepted), "of those ended"),
        ("Rejected", numbers.format_share(rates.rejected), "below threshold"),
        ("Faults", numbers.format_share(rates.faulted), "or timed out"),
        ("Silently wrong", numbers.format_share(rates.silent), "of those examined"),
        ("Median", numbers.format_duration(rates.p50), f"p95 {numbers.format_duration(rates.p95)}"),
    )
    with st.container(horizontal=True, gap="small"):
        for label, value, said in shown:
            with st.container(border=True, width=126, height="stretch", gap=None):
                st.metric(label, value)
                st.caption(said)


@st.cache_resource(show_spinner=False)
def _figure_cache() -> VersionCache:
    """Return the figures drawn last: to make one takes longer than all else on the page."""
    return VersionCache(kept=16)


def show_charts(
    feed: ExecutionFeed, rows: pl.DataFrame, chosen: many.ExecutionFilters, picked: TimeRange
) -> None:
    """Show outcomes and durations over time, with releases and rollbacks on their axes."""
    # Axes end with the minute, so that its figures are the same.
    now = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    # The theme too: texts are coloured when a figure is made.
    key, version = (chosen, picked, st.context.theme.type), (feed, feed.version, now)
    outcomes, durations, read = _figure_cache().get(
        key, version, lambda: _draw_figures(feed, rows, picked, now)
    )
    left, right = st.columns(2)
    with left:
        st.markdown("**Outcomes**")
        draw_figure(
            outcomes, alt="Executions by start, stacked by outcome, with releases and rollbacks"
        )
    with right:
        st.markdown(f"**Durations by state** (from the {read:,} histories read)")
        st.caption("Solid: median. Dotted: 95th percentile.")
        draw_figure(durations, alt="Median and 95th percentile of each state's duration by time")


def _draw_figures(
    feed: ExecutionFeed, rows: pl.DataFrame, picked: TimeRange, now: datetime
) -> tuple[go.Figure, go.Figure, int]:
    """Return outcomes and durations up to a moment, and how many histories tell of the latter."""
    span, visits, between = picked.span, feed.visits(), picked.axis_limits(now)
    bins = picked.to_local(many.outcomes_over_time(rows, span))
    outcomes = execution_charts.draw_outcomes(bins, many.bar_width(span), between)
    bins = picked.to_local(many.durations_over_time(rows, visits, span))
    durations = execution_charts.draw_durations(bins, between)
    marked = release_markers(feed.listing())
    for figure in (outcomes, durations):
        draw_markers(figure, marked, between)
    return make_readable(outcomes), make_readable(durations), many.read_histories(rows, visits)


def show_graph(definition: str, states: pl.DataFrame | None, said: str) -> None:
    """Draw a state machine with the outcomes of its states, or say why it cannot be drawn."""
    with components.show_errors():
        found = read_definition(definition)
        st.caption(said)
        if len(found.nodes) > MOST_DRAWN:
            st.info(
                f"It has {len(found.nodes):,} states; more than {MOST_DRAWN} are not drawn.",
                icon=":material/account_tree:",
            )
            return
        drawn = state_graph(found, states)
        draw_plot(
            execution_charts.draw_graph(drawn),
            alt="The state machine as a graph, coloured by outcome",
        )
        for problem in drawn.problems:
            st.warning(escape_text(problem), icon=":material/warning:")


def show_listing(rows: pl.DataFrame) -> str | None:
    """Return the list, newest first; the ARN of the row that was chosen."""
    shown = rows.head(many.LISTED)
    more = f", the newest {many.LISTED:,} of {rows.height:,}" if rows.height > many.LISTED else ""
    st.markdown(f"**Executions**{more}")
    table = shown.select(*_COLUMNS, "version", "redrive_count").to_pandas()
    table["image"] = table["image"].str.replace(r"^s3://[^/]*/", "", regex=True)
    table["confidence"] *= 100  # shown in percent
    table["outcome"] = [STYLES[Outcome(value)].word for value in table["outcome"]]
    chosen = st.dataframe(
        clean_cells(table),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="executions",
        placeholder="",
        alt="The list of executions; choose a row to open it",
        column_config={
            "started_at": time_range_panel.time_column("Started"),
            "outcome": "Outcome",
            "name": "Name",
            "seconds": st.column_config.NumberColumn("Took", format="%.2f s"),
            "label": "Label",
            "confidence": st.column_config.NumberColumn("Confidence", format="%.1f%%"),
            "error": st.column_config.TextColumn("Error", width="medium"),
            "image": st.column_config.TextColumn("Image", width="medium"),
            "version": "Version",
            "redrive_count": "Redrives",
        },
    )
    opened = chosen["selection"]["rows"]
    return str(shown["arn"][opened[0]]) if opened else None


def nothing_yet(source: ExecutionFeed) -> None:
    """Explain what to do where no execution is known."""
    if check_ready(source):
        components.empty_state(
            "No executions yet",
            "Classify a photo: each one is an execution of the workflow.",
            page="app_pages/classify.py",
            label="Go to Classify",
        )


def nothing_found(listing: pl.DataFrame, shown: TimeRange) -> None:
    """Say that no execution matches the filters, and offer to show all."""
    newest = shown.format_moment(listing["started_at"][0])  # it comes first
    body = f"The newest one started {newest}. Widen the time range or remove a filter."
    components.empty_state("No execution matches", body)
    st.page_link(
        "app_pages/executions.py",
        label="Show all executions",
        icon=":material/filter_alt_off:",
        query_params={"range": LONGEST},
    )


def show_machine(feed: ExecutionFeed, rows: pl.DataFrame) -> None:
    """Draw the state machine as deployed now, and what the selection did in it."""
    with st.expander("State machine", icon=":material/account_tree:"), components.show_errors():
        visits = feed.visits()
        said = many.drawn_from(rows, visits)
        show_graph(feed.definition(), many.summarize_states(rows, visits), said)


def link_back(current: many.ExecutionFilters) -> None:
    """Link back to the list as it was filtered."""
    if st.button("All executions", icon=":material/arrow_back:", type="tertiary"):
        page_address.go_to(replace(current, execution="", compare=""))
