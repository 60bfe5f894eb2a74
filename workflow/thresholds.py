"""Thresholds: the confidence that a deployed workflow demands, by its definition and function."""

import math
import re
from dataclasses import dataclass
from typing import Final

from workflow.errors import WorkflowError

LOWEST: Final = 0.5
"""Of two classes the more likely one has at least this probability: a lower threshold is none."""


@dataclass(frozen=True, slots=True)
class DeployedThreshold:
    """What new executions are measured against.

    Attributes:
        value: Confidence at or above which an inference is accepted, 0.5 to 1.
        weight: Percentage of the new executions it holds for; below 100 while a version is shifted.
    """

    value: float
    weight: int


def deciding_function(definition: str, function: str) -> str:
    """The ARN by which a definition names the function that decides, with its version.

    Args:
        definition: Of the state machine, as JSON text.
        function: Name of the function.

    Raises:
        WorkflowError: ``ThresholdUnknown`` where the definition does not name it.
    """
    name = re.escape(function)
    found = re.search(
        rf'arn:[a-z-]+:lambda:[a-z0-9-]+:\d+:function:{name}(:[^"]+)?(?=")', definition
    )
    if found is None:
        raise WorkflowError(
            "ThresholdUnknown",
            f"The deployed state machine does not call {function}, which knows the threshold.",
            "Open the Deployment page: its plan shows what was changed, and deploys it anew.",
        )
    return found[0]


def read_threshold(text: str | None, function: str) -> float:
    """The threshold in a function's environment.

    Raises:
        WorkflowError: ``ThresholdUnknown`` where it is absent or no confidence.
    """
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not LOWEST <= value <= 1:
        raise WorkflowError(
            "ThresholdUnknown",
            f"SCONES_THRESHOLD of the function {function} is {text!r}, no number from 0.5 to 1.",
            "Open the Deployment page: its plan shows what was changed, and deploys it anew.",
        )
    return value
