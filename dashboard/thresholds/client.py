"""The edge to the threshold that is deployed: it is in the environment of a function."""

from dashboard.aws.cloud import Connection
from dashboard.aws.deciding_functions import deciding_variables, list_routes
from workflow.thresholds import VARIABLE, DeployedThreshold, read_threshold, weighed


def deployed_thresholds(cloud: Connection) -> tuple[DeployedThreshold, ...]:
    """Return what new executions are measured against, the one for most of them first.

    Returns:
        One, or two while a version is shifted by weight; none where nothing is deployed.

    Raises:
        WorkflowError: Under AWS's code, or ``ThresholdUnknown``.
    """
    return weighed(list_routes(cloud), lambda version: _read_threshold(cloud, version))


def _read_threshold(cloud: Connection, version: str) -> float:
    variables = deciding_variables(cloud, version)
    return read_threshold(variables.get(VARIABLE), cloud.watched.deciding_function)
