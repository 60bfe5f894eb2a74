"""Overview: is it healthy, what changed, what needs me."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.executions import freshness_panel as feeds
from dashboard.overview import model, panel
from dashboard.shared import components


@components.explained()
def screen() -> None:
    """The whole page, as of now."""
    feeds.fresh(feed)
    if not feeds.ready(feed):
        return
    now = datetime.now(UTC)
    shown = model.overview(feed.listing(), feed.inbox(now), feed.repair_runs(), now=now)
    panel.verdict(shown)
    panel.tiles(shown)
    left, right = st.columns(2)
    with left:
        panel.lines("What needs you", shown.needs, "Nothing waits for anybody.")
    with right:
        panel.lines("What changed in 24 hours", shown.changes, "Nothing beyond chance.")


components.page_header("Overview", "Is it healthy, what changed, what needs you.")
if components.deployed():
    feed = feeds.feed()
    st.fragment(screen, run_every=feeds.REFRESH_SECONDS)()
else:
    components.not_deployed()
