"""Audit: who did what, when, on which request, and with which result."""

from datetime import UTC, datetime

from dashboard.audit import model, panel
from dashboard.feeds import panel as feeds
from dashboard.shared import components, page_address, time_range_panel


@components.show_errors()
def draw_screen() -> None:
    """Draw the records as of now."""
    found, read_at = panel.read_audit()
    components.as_of(read_at, datetime.now(UTC))
    panel.show_records(
        found, model.select_records(found.records, chosen, time_range_panel.picked_zone())
    )


components.page_header("Audit", "Who did what and when, with the request and its result.")
chosen = page_address.read_parameters(model.AuditFilters)
if (asked := panel.choose_filters(chosen)) != chosen:
    page_address.go_to(asked)
feeds.draw_refreshing(draw_screen)
