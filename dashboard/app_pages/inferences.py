"""Inferences: what the model has been saying, how sure it was, and whether that has changed."""

import streamlit as st

from dashboard.captures import panel as captures
from dashboard.data_health import panel as capture_health
from dashboard.drift import panel as inference_drift
from dashboard.inferences import model, panel
from dashboard.inferences import traffic_panel as traffic
from dashboard.inferences.address import InferencesAddress
from dashboard.inferences.confidence_panel import show_confidence
from dashboard.inferences.records_panel import show_records
from dashboard.inferences.threshold_panel import show_threshold
from dashboard.inferences.time_panel import over_time
from dashboard.shared import chart_panel, components, page_address
from dashboard.thresholds import panel as thresholds

components.page_header(
    "Inferences", "Every captured inference: the model's answer and its confidence."
)
page_address.read_parameters(InferencesAddress)
connection, feed = components.connection(), captures.running_feed()
standing = thresholds.read_standing()
if standing.absent and feed.names().is_empty():
    components.not_deployed()
    st.stop()
captures.show_status(feed)
if feed.names().is_empty():
    panel.nothing_yet(feed, connection)
    st.stop()
names = connection.watched.class_names
selection = panel.count_selection(feed, standing.now, names)
said = model.summarise_counts(selection.counts, selection.threshold)
card = inference_drift.known_model()
with st.container():  # a caption more in it moves nothing below: an open list would close
    panel.show_summary(said, selection.threshold, card.calibration_error if card else None, names)
chosen = panel.choose_view()
if not said.total and chosen != "Data health":  # which tells why there is none
    components.empty_state("No record matches", "Widen the time range, or the filters above.")
else:
    with components.show_errors():
        match chosen:
            case "Confidence":
                show_confidence(selection)
            case "Over time":
                over_time(selection)
            case "Before and after":
                inference_drift.show_comparison(selection, connection)
            case "Threshold":
                show_threshold(selection, standing)
            case "Drift":
                inference_drift.show_drift(selection, connection)
            case "Data health":
                capture_health.show_health(selection, connection)
            case "Records":
                show_records(selection)
with st.container(horizontal=True):
    chart_panel.chart_exports()
    if not standing.absent:
        traffic.show_button(connection.cloud)
