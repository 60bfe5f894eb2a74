"""Parts of the Rollout page: what the endpoint serves, the comparison, and what can be done."""

import uuid
from collections.abc import Callable

import polars as pl
import streamlit as st

from dashboard.aws.cloud import Connection
from dashboard.captures.feed import CaptureFeed
from dashboard.captures.source import CaptureSource
from dashboard.quality import charts
from dashboard.rollout import client, model
from dashboard.rollout.client import IN_SERVICE, Endpoint
from dashboard.shared import components
from dashboard.shared.chart_panel import chart
from dashboard.shared.escaping import code, plain
from dashboard.shared.numbers import share
from workflow.access import Privilege
from workflow.errors import WorkflowError

FRESH_S = 5.0


def endpoint(connection: Connection) -> Endpoint:
    """Return what the endpoint serves, as of a few seconds ago."""
    return components.read(
        "sagemaker",
        ("rollout", connection.settings.endpoint),
        "what the endpoint serves",
        lambda: client.describe(connection),
        fresh_s=FRESH_S,
    )


def served(found: Endpoint) -> None:
    """Show the variants with their models and shares of the traffic."""
    rows = [
        {"Variant": one.name, "Model": one.model, "Share of the traffic": f"{one.weight:.0%}"}
        for one in found.variants
    ]
    st.dataframe(pl.DataFrame(rows), hide_index=True, alt="Variants, models and traffic")
    if found.failure:
        st.warning(
            f"The last update failed, and what was served before goes on: {plain(found.failure)}",
            icon=":material/warning:",
        )
    if found.status != IN_SERVICE:
        st.info(f"The endpoint is {plain(found.status)}: that takes minutes on AWS.")


def begin(connection: Connection, found: Endpoint) -> None:
    """Offer to serve another model beside the one in use."""
    names = components.read(
        "sagemaker",
        ("candidates", found.config),
        "the models of this deployment",
        lambda: client.candidates(connection, found),
        fresh_s=FRESH_S,
    )
    if not names:
        components.empty_state(
            "There is no other model",
            "A deployment with another model or training set makes one; earlier ones are kept.",
            page="app_pages/deployment.py",
            label="Go to Deployment",
        )
        return
    with st.form("rollout", border=True):
        name = st.selectbox("New model", names)
        percent = st.slider("Share of the traffic that it gets", 1, 50, 10, format="%d %%")
        st.caption("A second instance is started for it, at the price of the first.")
        if not st.form_submit_button("Start the rollout", type="primary"):
            return
    _do(
        f"starting the rollout of {name} with {percent} % of the traffic",
        lambda cloud: client.start(cloud, found, name, percent / 100, uuid.uuid4().hex[:12]),
    )


def compare(found: Endpoint, feed: CaptureSource, threshold: float) -> None:
    """Compare the two variants on live captures."""
    if not isinstance(feed, CaptureFeed):
        raise WorkflowError(
            "RolloutNeedsStore",
            "Variants cannot be compared while captures are read through Athena.",
            "Unset SCONES_CAPTURES for this dashboard.",
        )
    columns = ("inference_time", "variant", "confidence")
    old, new = found.variants
    said = model.compare(
        feed.store.scan("captures").select(columns).collect(),
        old.name,
        new.name,
        since=found.since,
        threshold=threshold,
    )
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
    chart(
        charts.intervals(rows["name"].to_list(), [("rejected", rows.fill_nan(None))], "records"),
        "rollout",
        "Share of rejected photos by variant",
    )
    (st.success if said.decided else st.info)(said.says)
    st.caption(
        f"Photos below {share(threshold)} since {found.since:%d %b %H:%M} UTC. Intervals and"
        " verdict hold at 95 % however often you look. Whether the new model is right more often,"
        " labels tell: Quality, Parts, Variant."
    )


def act(found: Endpoint) -> None:
    """Promote the new model, roll it back, or change its share."""
    new = found.variants[1]
    busy = found.status != IN_SERVICE
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("Promote", type="primary", disabled=busy or new.weight >= 1):
            _do("promoting the new model", lambda cloud: client.give_share(cloud, found, 1.0))
        if st.button("Roll back", disabled=busy or new.weight <= 0):
            _do("rolling back", lambda cloud: client.give_share(cloud, found, 0.0))
        percent = st.number_input("Or give it, in percent", 1, 99, 50, width=180)
        if st.button("Set", disabled=busy):
            share = int(percent) / 100
            _do(
                f"giving the new model {percent} %",
                lambda cloud: client.give_share(cloud, found, share),
            )
    st.caption(
        "Both models keep their instances, so going back takes seconds. The deployment plan has one"
        f" variant: {code('python -m deploy apply')} ends the rollout with the model of the plan."
    )


def _do(title: str, work: Callable[[Connection], None]) -> None:
    components.act(title, Privilege.ROLLOUT, work)
    components.reads().expire("sagemaker")
    st.rerun()
