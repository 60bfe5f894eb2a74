"""Lab: break something on purpose, watch it on the pages, and undo it."""

import streamlit as st

from dashboard.demonstration import panel as demonstration
from dashboard.lab import panel
from dashboard.shared import components

components.page_header("Lab", "Break something on purpose, watch it on the pages, and undo it.")
controls = demonstration.find_controls()
if controls is None:
    components.empty_state("This cloud has no lab", "Nothing can be broken from here.")
elif not components.is_workflow_deployed():
    components.not_deployed()
else:
    st.caption(
        "Each sends three drawn photos a second through the workflow, so that the effect shows."
    )
    with components.show_errors():
        panel.show_cards(controls)
