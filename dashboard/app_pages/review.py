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
page_address.read_parameters(ReviewAddress)
feed = captures.running_feed()
if feed.names().is_empty() and not components.check_deployed():
    st.stop()
found = panel.open_reviews()
draws = found.list_draws()
desk = st.container()  # first: on a phone the photo and its buttons fit on one screen
with st.container(horizontal=True, vertical_alignment="bottom"):
    draw = panel.choose_draw(draws) if draws else None
    who = panel.ask_reviewer()
    form = st.popover("Draw photos", icon=":material/casino:", key=f"new-draw-{len(draws)}")
    with form, components.show_errors():
        panel.new_draw(found, who)
if found.as_of:
    components.as_of(found.as_of, datetime.now(UTC))
with desk, components.show_errors():
    if draw is None:
        captures.show_status(feed)
        panel.nothing_yet(feed)
        st.stop()
    match panel.choose_view():
        case "Label":
            desk_panel.label_photos(found, draw, who)
        case "Disagreements":
            panel.show_disagreements(found, draws, who)
        case _:
            panel.draws_table(found)
