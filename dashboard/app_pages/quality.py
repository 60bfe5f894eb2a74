"""Quality: what labels of drawn photos say about the model on all traffic."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.captures import panel as captures
from dashboard.captures.record_filters import begin_of
from dashboard.quality import model, panel
from dashboard.quality.address import QualityAddress
from dashboard.review import panel as review
from dashboard.shared import components, page_address, time_range_panel
from dashboard.thresholds import panel as thresholds
from dashboard.training import panel as training

components.page_header(
    "Quality", "How often the model is right over all traffic, estimated from labels."
)
page_address.read_parameters(QualityAddress)
feed = captures.running_feed()
if feed.names().is_empty() and not components.check_deployed():
    st.stop()
found = review.open_reviews()
every = model.labels_of(found.list_draws(), found.read_verdicts())
if every.rows.is_empty():
    panel.nothing_yet()
    st.stop()
picked = time_range_panel.pick_time_range()
since = None if picked.everything else begin_of(picked.span, datetime.now(UTC))
labels = every.filter_since(since)
if labels.rows.is_empty():
    panel.none_in_range(every)
    st.stop()
standing, classes = thresholds.read_standing(), components.connection().watched.class_names
panel.show_summary(labels, standing.now, feed, since)
with components.show_errors():
    match panel.choose_view():
        case "Accuracy":
            panel.show_accuracy(labels, classes)
        case "Confusion":
            panel.show_confusion(labels, found, classes)
        case "Calibration":
            panel.show_calibration(labels)
        case "Threshold":
            panel.show_threshold(labels, standing.now, classes)
        case "Parts":
            panel.show_parts(labels, picked.zone)
        case _:
            training.show_training_set(found)
if found.as_of:
    components.as_of(found.as_of, datetime.now(UTC))
