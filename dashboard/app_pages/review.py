"""Review: label photos drawn at random, alone or together, and settle disagreements."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.captures import panel as captures
from dashboard.review import desk_panel, panel
from dashboard.shared import components

components.page_header("Review", "Label doubtful photos, and random ones to judge the rest by.")
feed, found = captures.feed(), panel.client()
draws, verdicts = found.draws(), found.verdicts()
with st.container(horizontal=True, vertical_alignment="bottom"):
    who = panel.reviewer()
    with st.popover("Draw photos", icon=":material/casino:"), components.explained():
        panel.new_draw(found, who)
if not draws:
    if feed.names().is_empty():
        components.empty_state(
            "No photo has been captured yet",
            "Photos that the model has classified can be drawn for review.",
            page="app_pages/classify.py",
            label="Go to Classify",
        )
    else:
        components.empty_state(
            "Nothing has been drawn yet", "Draw photos above; everybody reviews the same draw."
        )
    st.stop()
match panel.view(verdicts):
    case "Label":
        desk_panel.label(found, panel.which(draws), who)
    case "Disagreements":
        panel.disagreements(found, draws, who)
    case _:
        panel.draws_table(found)
if found.as_of:
    components.as_of(found.as_of, datetime.now(UTC))
