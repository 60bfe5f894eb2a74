"""The class names that are deployed: they are in the environment of the function that decides."""

from collections.abc import Sequence
from typing import Final

from dashboard.aws.deciding_functions import DecidingFunction
from workflow.contract import read_classes
from workflow.errors import WorkflowError

VARIABLE: Final = "SCONES_CLASSES"


def deployed_classes(deciding: Sequence[DecidingFunction], name: str) -> tuple[str, ...]:
    """Return the classes between which most new executions decide, in the order of the answer.

    Args:
        deciding: What decides on them.
        name: Of the function.

    Returns:
        None of them where nothing is deployed.

    Raises:
        WorkflowError: ``ClassesUnknown`` where the function names no classes.
    """
    if not deciding:
        return ()
    text = max(deciding, key=lambda one: one.weight).variables.get(VARIABLE)
    try:
        return read_classes(text)
    except (ValueError, RecursionError) as error:
        raise WorkflowError(
            "ClassesUnknown",
            f"{VARIABLE} of the function {name} cannot be used: {error}.",
            "Open the Deployment page: its plan shows what was changed, and deploys it again.",
        ) from None
