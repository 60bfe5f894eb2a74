"""Parts of the Rollout page: what the endpoint serves, the comparison, and what can be done."""

from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import streamlit as st

from dashboard.aws.cloud import Connection
from dashboard.captures.feed import CaptureFeed
from dashboard.captures.periods import Period
from dashboard.captures.record_filters import InferenceFilters, begin_of
from dashboard.captures.source import InferenceFeed
from dashboard.feeds import panel as feeds
from dashboard.feeds.releases_panel import mark_releases
from dashboard.inferences import model as inferences
from dashboard.inferences.time_panel import BY_DAY
from dashboard.quality import charts as quality_charts
from dashboard.rollout import automatic_rollback as rollback
from dashboard.rollout import charts, client, model
from dashboard.rollout.client import IN_SERVICE, ServedEndpoint
from dashboard.shared import components, permits, time_range_panel
from dashboard.shared.chart_panel import draw_chart
from dashboard.shared.escaping import escape_text, inline_code
from dashboard.shared.jobs import Job
from dashboard.shared.numbers import format_share
from dashboard.shared.time_range import TimeRange, wall_clock
from dashboard.training import comparison_panel
from workflow.access import Privilege
from workflow.errors import WorkflowError

FRESH_S = 5.0
_BY_ITSELF = (
    "While this dashboard runs, it checks twice a minute and takes all traffic from the new model"
    " once it fails or rejects more than the one in use (at 95 % over all checks together)."
)

_AS_SHADOW = (
    "It gets copies of requests and nobody sees what it answers; both models are compared on the"
    " same photos, which takes fewer of them."
)


def read_endpoint(connection: Connection) -> ServedEndpoint:
    """Return what the endpoint serves, as of a few seconds ago."""
    return components.read_cloud(
        "sagemaker",
        ("rollout", connection.watched.endpoint),
        "what the endpoint serves",
        lambda: client.describe_endpoint(connection),
        fresh_s=FRESH_S,
    )


def show_served(found: ServedEndpoint) -> None:
    """Show the variants with their models and shares of the traffic."""
    rows = [
        {"Variant": one.name, "Share of the traffic": f"{one.weight:.0%}", "Model": one.model}
        for one in found.variants
    ]
    if shadow := found.shadow:
        rows.append(
            {
                "Variant": shadow.name,
                "Share of the traffic": f"shadow: a copy of {shadow.weight:.0%}",
                "Model": shadow.model,
            }
        )
    st.dataframe(pl.DataFrame(rows), hide_index=True, alt="Variants, models and traffic")
    if found.failure:
        st.warning(
            "The last update failed, and what was served before goes on: "
            f"{escape_text(found.failure)}",
            icon=":material/warning:",
        )
    if found.status != IN_SERVICE:
        st.info(f"The endpoint is {escape_text(found.status)}: that takes minutes on AWS.")


def follow_update() -> None:
    """Follow an update until it ends."""
    st.caption("What is served now goes on until then; the page looks again by itself.")
    st.fragment(_look_again, run_every=FRESH_S)()


def _look_again() -> None:
    if st.session_state.pop("rollout-looked", False):
        components.shared_reads().expire("sagemaker")
        st.rerun()
    st.session_state["rollout-looked"] = True


def show_begin(connection: Connection, found: ServedEndpoint) -> None:
    """Show how the new model compares on held-out photos, and offer to serve another model."""
    comparison_panel.show_comparison()
    names = components.read_cloud(
        "sagemaker",
        ("candidates", found.config),
        "the models of this deployment",
        lambda: client.list_candidates(connection, found),
        fresh_s=FRESH_S,
    )
    if not names:
        components.empty_state(
            "There is no other model yet",
            "A deployment with another model or training set creates one; earlier ones are kept.",
            page="app_pages/deployment.py",
            label="Go to Deployment",
        )
        return
    with st.container(border=True):
        name = st.selectbox("New model", names)
        shadow = st.checkbox("As a shadow", help=_AS_SHADOW)
        label = "Share of the requests that it gets a copy of" if shadow else "Share of the traffic"
        most, usual = (100, 100) if shadow else (50, 10)
        percent = st.slider(label, 1, most, usual, format="%d %%")
        st.caption("A second instance is started for it, at the price of the first.")
        if not st.button("Start the rollout", type="primary"):
            return
    how = f"with a copy of {percent} %" if shadow else f"with {percent} %"
    run_and_redraw(
        f"starting the rollout of {name} {how} of the traffic",
        lambda cloud: client.start_rollout(
            cloud, found, name, percent / 100, client.new_token(), shadow=shadow
        ),
    )


def show_comparison(found: ServedEndpoint, feed: InferenceFeed, threshold: float) -> None:
    """Compare the two variants on live captures."""
    old, new = found.variants
    said = model.compare_variants(
        client.read_captured(stored_feed(feed)),
        old.name,
        new.name,
        since=found.since,
        threshold=threshold,
    )
    if not any(row.records for row in said.rows):
        st.info("No photo has been classified since the rollout began.")
        return
    show_rejected(said, "rollout")
    st.caption(
        f"Photos below {format_share(threshold)} since "
        f"{time_range_panel.format_in_zone(found.since)}. Intervals and"
        " verdict hold at 95 % however often you look. Whether the new model is right more often,"
        " labels tell: Quality, Parts, Variant."
    )


def stored_feed(feed: InferenceFeed) -> CaptureFeed:
    """Return the feed that keeps captures in a store.

    Raises:
        WorkflowError: ``RolloutNeedsStore`` where they are read through Athena.
    """
    if isinstance(feed, CaptureFeed):
        return feed
    raise WorkflowError(
        "RolloutNeedsStore",
        "Variants cannot be compared while captures are read through Athena.",
        "Unset SCONES_CAPTURES for this dashboard.",
    )


def show_rejected(said: model.Compared, key: str) -> None:
    """Show how often both variants reject, and the verdict."""
    rows = pl.DataFrame(
        [
            {
                "name": f"{row.variant} ({row.records:,})",
                "value": row.rejected,
                "low": row.low,
                "high": row.high,
                "labels": row.records,
            }
            for row in said.rows
        ]
    )
    draw_chart(
        quality_charts.draw_intervals(
            rows["name"].to_list(), [("rejected", rows.fill_nan(None))], "records"
        ),
        key,
        "Share of rejected photos by variant",
    )
    (st.success if said.decided else st.info)(said.says)


def over_time(
    found: ServedEndpoint, feed: InferenceFeed, threshold: float, picked: TimeRange
) -> None:
    """Show what share of photos each variant rejects over the time range that is picked."""
    now = datetime.now(UTC)
    since = None if picked.everything else begin_of(picked.span, now)
    filters = InferenceFilters(endpoint=found.name, since=since)
    period = feed.period(filters, now)
    counts = wall_clock(feed.counts(filters, period, now), picked.zone)
    names = [one.name for one in found.variants]
    if inferences.time_spanned(counts) > BY_DAY:
        period = Period.DAY
    rows = model.rejected_by_time(counts, names, period, threshold)
    st.markdown("**Rejected photos over time**")
    if rows.is_empty():
        st.caption("No capture of these variants lies in the time range.")
        return
    figure = charts.draw_rejected(rows, names, period)
    mark_releases(figure, rows["time"], picked.zone)
    draw_chart(figure, "rollout-time", f"Share of rejected photos by variant, every {period}")


def show_automatic(found: ServedEndpoint, feed: InferenceFeed, threshold: float) -> None:
    """Offer to roll back by itself what goes wrong, and say how that stands."""
    job = components.watch_job(rollback.ROLLBACK, _show_last_look)
    if (job and job.running) or not 0 < found.variants[1].weight < 1:
        return
    if not isinstance(feed, CaptureFeed):
        return
    if st.button("Roll back automatically", icon=":material/shield:", help=_BY_ITSELF):
        permit, alerts = permits.require_permit(Privilege.ROLLOUT), feeds.running_feeds().alerts
        rollback.start_watch(
            components.background_jobs(),
            permit,
            permit.connect,
            found,
            lambda current: rollback.find_reason(current, feed, threshold),
            alerts.add if alerts else lambda _: None,
        )
        st.rerun()


def _show_last_look(job: Job) -> None:
    last = job.events[-1] if job.events else None
    if last is not None and last.rolled_back:
        st.warning(escape_text(last.text), icon=":material/undo:")
    elif job.running:
        since = time_range_panel.format_clock(job.started_at)
        st.caption(
            f"Watched since {since}. {escape_text(last.text) if last else ''}"
            " It ends when the dashboard stops."
        )


def show_actions(found: ServedEndpoint) -> None:
    """Promote the new model, roll it back, or change its share."""
    new = found.variants[1]
    busy = found.status != IN_SERVICE
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("Promote", type="primary", disabled=busy or new.weight >= 1):
            run_and_redraw(
                "promoting the new model", lambda cloud: client.give_share(cloud, found, 1.0)
            )
        if st.button("Roll back", disabled=busy or new.weight <= 0):
            run_and_redraw("rolling back", lambda cloud: client.give_share(cloud, found, 0.0))
        usual = round(100 * new.weight) if 0 < new.weight < 1 else 10
        percent = st.number_input("Or change its share, in percent", 1, 99, usual, width=180)
        if st.button("Set", disabled=busy):
            share = int(percent) / 100
            run_and_redraw(
                f"giving the new model {percent} %",
                lambda cloud: client.give_share(cloud, found, share),
            )
    st.caption(
        "Both models keep their instances, so going back takes seconds. After that"
        f" {inline_code('python -m deploy apply')} keeps the model with the traffic and "
        "ends the other."
    )


def run_and_redraw(title: str, work: Callable[[Connection], None]) -> None:
    """Do what a button asks for, recorded under the person's name, and draw the page again."""
    components.run_action(title, Privilege.ROLLOUT, work)
    components.shared_reads().expire("sagemaker")
    st.rerun()
