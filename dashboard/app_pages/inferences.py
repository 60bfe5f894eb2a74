"""Inferences: what the model has been saying, how sure it was, and whether that has changed."""

from datetime import UTC, datetime

import streamlit as st

from dashboard import components
from dashboard.models import inferences as model
from dashboard.panels import capture_health, captures, inference_drift
from dashboard.panels import inferences as panel

components.page_header("Inferences", "Every captured inference: what the model said, how sure.")
connection, feed = components.connection(), captures.feed()
captures.status(feed)
if feed.names().is_empty():
    panel.nothing_yet(feed, connection)
    st.stop()
filters, now = panel.filters(feed), datetime.now(UTC)
period = feed.period(filters, now)
look = panel.Look(
    feed, filters, feed.counts(filters, period, now), period, connection.settings.threshold, now
)
said = model.summarise(look.counts, look.threshold)
card = inference_drift.known_model()
ece = card.calibration_error if card else None
panel.summary(said, ece)
chosen = panel.view()
if not said.total:
    components.empty_state("No record is left", "Widen the filters above.")
else:
    with components.explained():
        match chosen:
            case "Confidence":
                panel.confidence(look)
            case "Over time":
                panel.over_time(look)
            case "Before and after":
                inference_drift.compare(look, connection)
            case "Threshold":
                panel.threshold(look, feed.judged(), ece)
            case "Drift":
                inference_drift.show(look, connection)
            case "Data health":
                capture_health.show(look, connection, said.untimed)
            case "Records":
                panel.records(look)
with st.container(horizontal=True):
    panel.chart_exports()
    panel.send_traffic(connection)
