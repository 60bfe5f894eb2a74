"""The threshold as pages use it: read from AWS, remembered as long as nothing changes it."""

import os

from dashboard.shared import components
from dashboard.thresholds.client import deployed_thresholds
from workflow import thresholds
from workflow.errors import WorkflowError
from workflow.thresholds import VARIABLE, DeployedThreshold, Standing

SECONDS = 30
"""A deployment from elsewhere is seen after so long; one of this process at once."""


def read_standing() -> Standing:
    """Return which threshold is deployed now, beside that of the settings."""
    connection = components.connection()
    watched = connection.watched
    if not watched.deployed:
        return thresholds.of_watched(watched.stated_threshold, watched.threshold_source)
    deployed: tuple[DeployedThreshold, ...] | WorkflowError
    try:
        deployed = components.read_cloud(
            "states",
            ("thresholds", watched.started_through),
            "the threshold that is deployed",
            lambda: deployed_thresholds(connection),
            fresh_s=SECONDS,
        )
    except WorkflowError as error:
        deployed = error
    explicit = bool(os.environ.get(VARIABLE))
    return thresholds.standing(deployed, watched.threshold, explicit=explicit)
