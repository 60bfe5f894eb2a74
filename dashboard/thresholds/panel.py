"""The threshold as pages use it: read from AWS, remembered as long as nothing changes it."""

import os

from dashboard.shared import components
from dashboard.shared.deployed_functions import known_deciding_functions
from dashboard.thresholds.client import deployed_thresholds
from workflow import thresholds
from workflow.errors import WorkflowError
from workflow.thresholds import VARIABLE, DeployedThreshold, Standing


def read_standing() -> Standing:
    """Return which threshold is deployed now, beside that of the settings."""
    watched = components.connection().watched
    if not watched.deployed:
        return thresholds.of_watched(watched.stated_threshold, watched.threshold_source)
    deployed: tuple[DeployedThreshold, ...] | WorkflowError
    try:
        deployed = deployed_thresholds(known_deciding_functions(), watched.deciding_function)
    except WorkflowError as error:
        deployed = error
    explicit = bool(os.environ.get(VARIABLE))
    return thresholds.standing(deployed, watched.threshold, explicit=explicit)
