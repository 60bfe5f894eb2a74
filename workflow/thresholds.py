"""Thresholds: the confidence that a deployed workflow demands, and what a plan makes of it."""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from workflow.errors import WorkflowError

VARIABLE: Final = "SCONES_THRESHOLD"
"""The variable of the function that decides; also the one a deployment reads its wish from."""

LOWEST: Final = 0.5
"""Of two classes the more likely one has at least this probability: a lower threshold is none."""

STEPS: Final = 200
"""Thresholds are chosen in half percentage points."""


def lowest_threshold(classes: int) -> float:
    """Return the lowest threshold that makes sense: the best of ``n`` classes has at least 1/n.

    Args:
        classes: How many there are, at least one.

    Returns:
        1/n rounded down to half a percentage point, at least that.
    """
    return max(STEPS // classes, 1) / STEPS


def check_threshold(threshold: float, classes: int) -> None:
    """Check a threshold against the number of classes.

    Raises:
        WorkflowError: ``SettingInvalid`` where it is outside ``lowest_threshold`` to 1.
    """
    lowest = lowest_threshold(classes)
    if not lowest <= threshold <= 1:
        raise WorkflowError(
            "SettingInvalid",
            f"The threshold {threshold} is outside {lowest:g} to 1, with {classes} classes.",
            f"Choose a confidence between {lowest:g} and 1; 0.93 is the default.",
        )


@dataclass(frozen=True, slots=True)
class DeployedThreshold:
    """What new executions are measured against.

    Attributes:
        value: Confidence at or above which an inference is accepted, above 0, at most 1.
        weight: Percentage of the new executions it holds for; below 100 while a version is shifted.
    """

    value: float
    weight: int


def weighed(
    routes: Iterable[tuple[str, int]], threshold_of: Callable[[str], float]
) -> tuple[DeployedThreshold, ...]:
    """Return what new executions are measured against, the one for most of them first.

    Args:
        routes: Versions of the state machine that the alias routes to, and their weights.
        threshold_of: Reads the threshold of a version; not asked for one without weight.

    Returns:
        One, or two while a version is shifted by weight; none where there is no route.
    """
    weights: dict[float, int] = defaultdict(int)
    for version, weight in routes:
        if weight:
            # Two versions may demand the same threshold: their weights belong together.
            weights[threshold_of(version)] += weight
    heaviest = sorted(weights.items(), key=lambda item: -item[1])
    return tuple(DeployedThreshold(value, weight) for value, weight in heaviest)


def deciding_function(definition: str, function: str) -> str:
    """Return the ARN by which a definition names the function that decides, with its version.

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
            "Open the Deployment page: its plan shows what was changed, and deploys it again.",
        )
    return found[0]


def read_threshold(text: str | None, function: str) -> float:
    """Return the threshold in a function's environment.

    Raises:
        WorkflowError: ``ThresholdUnknown`` where it is absent or no confidence.
    """
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise WorkflowError(
            "ThresholdUnknown",
            f"{VARIABLE} of the function {function} is {text!r}, no number above 0 and at most 1.",
            "Open the Deployment page: its plan shows what was changed, and deploys it again.",
        )
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which threshold holds now.

    Attributes:
        now: Parts accepted from rejected: the one that most new executions are measured against;
            that of the settings where nothing is deployed or it cannot be read; 0 where a watched
            workflow states none, so that nothing is rejected.
        wanted: What a deployment asks for as long as nobody chooses another: ``SCONES_THRESHOLD``
            where it is set, else what is now.
        known: What is deployed was read.
        absent: Nothing is deployed.
        says: What is deployed, in a sentence.
        wish: What ``SCONES_THRESHOLD`` asks for, where that is another one; else empty.
    """

    now: float
    wanted: float
    known: bool
    absent: bool
    says: str
    wish: str


def standing(
    deployed: tuple[DeployedThreshold, ...] | WorkflowError, settings: float, *, explicit: bool
) -> Standing:
    """Put what is deployed beside what the settings say.

    Args:
        deployed: What was read, heaviest first, or why it could not be.
        settings: The threshold of the settings.
        explicit: Whether it was set, so that it is a wish and no default.
    """
    routes = deployed if isinstance(deployed, tuple) else ()
    now = routes[0].value if routes else settings
    return Standing(
        now=now,
        wanted=settings if explicit else now,
        known=bool(routes),
        absent=deployed == (),
        says=_describe_deployed(deployed, settings),
        wish=f"{VARIABLE} asks for {settings:g}: the deployment plan would change it."
        if explicit and routes and settings != now
        else "",
    )


def of_watched(threshold: float, source: str) -> Standing:
    """Return what holds for a workflow that somebody else made.

    Args:
        threshold: 0 where none was found.
        source: Where it is known from, or that it is not.
    """
    says = f"{threshold:g}: {source}." if threshold else f"{source.capitalize()}."
    return Standing(now=threshold, wanted=threshold, known=False, absent=False, says=says, wish="")


def _describe_deployed(
    deployed: tuple[DeployedThreshold, ...] | WorkflowError, settings: float
) -> str:
    fallback = f"{settings:g} is the threshold of the settings."
    if isinstance(deployed, WorkflowError):
        return f"What is deployed cannot be read ({deployed.message}) {fallback}"
    if not deployed:
        return f"Nothing is deployed; {fallback}"
    first, *rest = deployed
    if not rest:
        return f"{first.value:g} is what is deployed."
    others = ", ".join(f"{one.value:g} for {one.weight} %" for one in rest)
    return f"{first.value:g} is what is deployed for {first.weight} % of new executions, {others}."


def of_plan(standing: Standing, asked: float) -> str:
    """Return what a plan that asks for a threshold makes of the one that is deployed."""
    change = " The plan would change it." if standing.known and asked != standing.now else ""
    return f"Threshold of the plan: {asked:g}. {standing.says}{change}"
