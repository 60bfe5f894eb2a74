"""What decides on new executions, read once for the thresholds and the class names of all pages."""

from typing import Final

from dashboard.aws.deciding_functions import DecidingFunction, read_deciding_functions
from dashboard.shared import components

TITLE: Final = "the threshold and the class names that are deployed"

_SECONDS: Final = 30
"""A deployment from elsewhere is seen after so long; one of this process at once."""


def known_deciding_functions() -> tuple[DecidingFunction, ...]:
    """Return what decides on new executions of the deployed workflow.

    Raises:
        WorkflowError: As ``read_deciding_functions``; ``StillWaiting`` where AWS has not answered.
    """
    connection = components.connection()
    return components.read_cloud(
        "states",
        ("deciding functions", connection.watched.started_through),
        TITLE,
        lambda: read_deciding_functions(connection),
        fresh_s=_SECONDS,
    )
