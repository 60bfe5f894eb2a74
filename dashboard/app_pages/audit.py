"""Audit: who did what, when, on which request, and with which result."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.audit import model, panel
from dashboard.feeds import panel as feeds
from dashboard.shared import components, page_address, time_range_panel


@components.explained()
def screen() -> None:
    """Draw the records as of now."""
    found, read_at = panel.state()
    components.as_of(read_at, datetime.now(UTC))
    panel.records(found, model.select(found.records, chosen, time_range_panel.zone()))


components.page_header("Audit", "Who did what and when, with the request and its result.")
chosen = page_address.read(model.AuditFilters)
if (asked := panel.filters(chosen)) != chosen:
    page_address.go(asked)
st.fragment(screen, run_every=feeds.REFRESH_SECONDS)()
