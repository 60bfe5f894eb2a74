"""The class names as pages use them: those of the deployed functions, as long as they are known."""

import streamlit as st

from dashboard.class_names.client import deployed_classes
from dashboard.shared import components
from dashboard.shared.cloud_reads import STILL_WAITING
from dashboard.shared.connections import name_classes
from dashboard.shared.deployed_functions import TITLE, known_deciding_functions
from dashboard.shared.escaping import escape_text
from workflow.errors import WorkflowError


def follow_deployed() -> None:
    """Have all pages use the class names of the deployed functions.

    Where they cannot be read, pages go on with those that were read before, else with those of
    ``SCONES_CLASSES`` or the model's manifest; the sidebar says so.
    """
    connection = components.connection()
    watched = connection.watched
    if not watched.deployed:
        return
    try:
        names = deployed_classes(known_deciding_functions(), watched.deciding_function)
    except WorkflowError as error:
        if error.code != STILL_WAITING:  # that is said at the top of the page
            st.sidebar.caption(escape_text(f"Not read: {TITLE}. {error.message}"))
        return
    name_classes(connection.cloud, names)
