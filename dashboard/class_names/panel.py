"""The class names as pages use them: those of the deployed functions, as long as they are known."""

import streamlit as st

from dashboard.class_names.client import deployed_classes
from dashboard.shared import components
from dashboard.shared.cloud_reads import STILL_WAITING
from dashboard.shared.connections import name_classes
from dashboard.shared.escaping import escape_text
from workflow.errors import WorkflowError

SECONDS = 30
"""A deployment from elsewhere is seen after so long; one of this process at once."""


def follow_deployed() -> None:
    """Have all pages use the class names of the deployed functions.

    Where they cannot be read, pages go on with those that were read before, else with those of
    ``SCONES_CLASSES`` or the model's manifest; the sidebar says so.
    """
    connection = components.connection()
    arn = connection.watched.started_through
    if not connection.watched.deployed:
        return
    title = "the class names that are deployed"
    try:
        names = components.read_cloud(
            "states",
            ("classes", arn),
            title,
            lambda: deployed_classes(connection),
            fresh_s=SECONDS,
        )
    except WorkflowError as error:
        if error.code != STILL_WAITING:  # that is said at the top of the page
            st.sidebar.caption(escape_text(f"Not read: {title}. {error.message}"))
        return
    name_classes(connection.cloud, names)
