"""The threshold that is deployed: it is in the environment of the function that decides."""

from collections.abc import Sequence

from dashboard.aws.deciding_functions import DecidingFunction
from workflow.thresholds import VARIABLE, DeployedThreshold, read_threshold, weighed


def deployed_thresholds(
    deciding: Sequence[DecidingFunction], name: str
) -> tuple[DeployedThreshold, ...]:
    """Return what new executions are measured against, the one for most of them first.

    Args:
        deciding: What decides on them.
        name: Of the function.

    Raises:
        WorkflowError: ``ThresholdUnknown``.
    """
    by_version = {one.version: one.variables for one in deciding}
    return weighed(
        ((one.version, one.weight) for one in deciding),
        lambda version: read_threshold(by_version[version].get(VARIABLE), name),
    )
