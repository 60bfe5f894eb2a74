"""Parts of the Rollout page about a shadow: the paired comparison, and how it ends."""

import streamlit as st

from dashboard.aws.cloud import Connection
from dashboard.captures.source import InferenceFeed
from dashboard.rollout import client, panel, shadow_model
from dashboard.rollout.automatic_rollback import count_failures
from dashboard.rollout.client import IN_SERVICE, ServedEndpoint, Variant
from dashboard.shared import components, time_range_panel
from dashboard.shared.numbers import format_share


def show_comparison(
    connection: Connection,
    found: ServedEndpoint,
    shadow: Variant,
    feed: InferenceFeed,
    threshold: float,
) -> None:
    """Compare the shadow with the variant in use on the requests that both answered."""
    pairs = client.read_pairs(panel.stored_feed(feed), found.since)
    _show_failures(connection, found, shadow)
    if pairs.is_empty():
        st.info("No request that both models answered is captured yet.")
        return
    said = shadow_model.compare_shadow(pairs, found.variants[0].name, shadow.name, threshold)
    low, high = said.interval
    with st.container(horizontal=True):
        st.metric("Requests that both answered", f"{said.agreement.count:,}", border=True)
        st.metric(
            "Same class",
            format_share(said.agreement.value),
            help=f"{low:.1%} to {high:.1%}, at 95 % however often you look.",
            border=True,
        )
        st.metric("Only the one in use rejects", f"{said.only_old:,}", border=True)
        st.metric("Only the shadow rejects", f"{said.only_new:,}", border=True)
    panel.show_rejected(said.rejected, "shadow")
    st.caption(
        f"Photos below {format_share(threshold)} since "
        f"{time_range_panel.format_in_zone(found.since)}, the same for"
        " both models; the verdict holds at 95 % however often you look. Nobody saw what the"
        " shadow answered, and no other page counts it."
    )


def _show_failures(connection: Connection, found: ServedEndpoint, shadow: Variant) -> None:
    """Say how many invocations of the shadow failed: those are not captured."""
    seen = components.read_cloud(
        "cloudwatch",
        ("shadow failures", found.config),
        "the failures of the shadow",
        lambda: count_failures(connection, found, shadow.name),
        fresh_s=30.0,
    )
    if seen.hits:
        st.warning(
            f"The shadow failed in {seen.hits:,} of its {seen.count:,} invocations, which have no"
            " pair.",
            icon=":material/warning:",
        )


def show_actions(found: ServedEndpoint) -> None:
    """Promote the shadow's model, or stop the shadow."""
    busy = found.status != IN_SERVICE
    with st.container(horizontal=True):
        if st.button("Promote", type="primary", disabled=busy):
            _end_shadow(found, "promoting the model of the shadow", promote=True)
        if st.button("Stop", disabled=busy):
            _end_shadow(found, "stopping the shadow", promote=False)
    st.caption("Either updates the endpoint and ends the shadow's instance: minutes on AWS.")


def _end_shadow(found: ServedEndpoint, title: str, *, promote: bool) -> None:
    token = client.new_token()
    panel.run_and_redraw(
        title, lambda cloud: client.end_shadow(cloud, found, token, promote=promote)
    )
