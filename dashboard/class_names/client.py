"""The edge to the class names that are deployed: they are in the environment of a function."""

from typing import Final

from dashboard.aws.cloud import Connection
from dashboard.aws.deciding_functions import deciding_variables, list_routes
from workflow.contract import read_classes
from workflow.errors import WorkflowError

VARIABLE: Final = "SCONES_CLASSES"


def deployed_classes(cloud: Connection) -> tuple[str, ...]:
    """Return the classes between which most new executions decide, in the order of the answer.

    Returns:
        None of them where nothing is deployed.

    Raises:
        WorkflowError: Under AWS's code; ``ThresholdUnknown`` where the deployed state machine does
            not call the function that decides; ``ClassesUnknown`` where that names no classes.
    """
    weighted = list_routes(cloud)
    if not weighted:
        return ()
    version, _ = max(weighted, key=lambda route: route[1])
    text = deciding_variables(cloud, version).get(VARIABLE)
    try:
        return read_classes(text)
    except (ValueError, RecursionError) as error:
        function = cloud.watched.deciding_function
        raise WorkflowError(
            "ClassesUnknown",
            f"{VARIABLE} of the function {function} cannot be used: {error}.",
            "Open the Deployment page: its plan shows what was changed, and deploys it again.",
        ) from None
