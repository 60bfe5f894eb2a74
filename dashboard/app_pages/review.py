"""Review: label photos drawn at random, alone or together, and settle disagreements."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.captures import panel as captures
from dashboard.review import desk_panel, panel
from dashboard.review.address import ReviewAddress
from dashboard.shared import components, page_address

components.page_header(
    "Review", "Label doubtful photos, and random ones to estimate accuracy over all."
)
page_address.read(ReviewAddress)
feed = captures.feed()
if feed.names().is_empty() and not components.check_deployed():
    st.stop()
found = panel.client()
draws = found.draws()
desk = st.container()  # first: on a phone the photo and its buttons fit on one screen
with st.container(horizontal=True, vertical_alignment="bottom"):
    draw = panel.which(draws) if draws else None
    who = panel.reviewer()
    form = st.popover("Draw photos", icon=":material/casino:", key=f"new-draw-{len(draws)}")
    with form, components.explained():
        panel.new_draw(found, who)
if found.as_of:
    components.as_of(found.as_of, datetime.now(UTC))
with desk, components.explained():
    if draw is None:
        captures.status(feed)
        panel.nothing_yet(feed)
        st.stop()
    match panel.view():
        case "Label":
            desk_panel.label(found, draw, who)
        case "Disagreements":
            panel.disagreements(found, draws, who)
        case _:
            panel.draws_table(found)
