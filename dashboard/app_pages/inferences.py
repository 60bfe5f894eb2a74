"""Inferences: what the model has been saying, how sure it was, and whether that has changed."""

import streamlit as st

from dashboard.captures import panel as captures
from dashboard.data_health import panel as capture_health
from dashboard.drift import panel as inference_drift
from dashboard.inferences import model, panel
from dashboard.inferences import traffic_panel as traffic
from dashboard.inferences.address import InferencesAddress
from dashboard.inferences.confidence_panel import confidence
from dashboard.inferences.records_panel import records
from dashboard.inferences.threshold_panel import threshold
from dashboard.inferences.time_panel import over_time
from dashboard.shared import chart_panel, components, page_address
from dashboard.thresholds import panel as thresholds

components.page_header(
    "Inferences", "Every captured inference: the model's answer and its confidence."
)
page_address.read(InferencesAddress)
connection, feed = components.connection(), captures.feed()
standing = thresholds.standing()
if standing.absent and feed.names().is_empty():
    components.not_deployed()
    st.stop()
captures.status(feed)
if feed.names().is_empty():
    panel.nothing_yet(feed, connection)
    st.stop()
names = connection.watched.class_names
look = panel.look(feed, standing.now, names)
said = model.summarise(look.counts, look.threshold)
card = inference_drift.known_model()
with st.container():  # a caption more in it moves nothing below: an open list would close
    panel.summary(said, look.threshold, card.calibration_error if card else None, names)
chosen = panel.view()
if not said.total and chosen != "Data health":  # which tells why there is none
    components.empty_state("No record matches", "Widen the time range, or the filters above.")
else:
    with components.explained():
        match chosen:
            case "Confidence":
                confidence(look)
            case "Over time":
                over_time(look)
            case "Before and after":
                inference_drift.compare(look, connection)
            case "Threshold":
                threshold(look, standing)
            case "Drift":
                inference_drift.show(look, connection)
            case "Data health":
                capture_health.show(look, connection)
            case "Records":
                records(look)
with st.container(horizontal=True):
    chart_panel.chart_exports()
    if not standing.absent:
        traffic.button(connection.cloud)
