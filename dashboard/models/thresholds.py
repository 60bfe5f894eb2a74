"""What pages say of the threshold: the one that is deployed, beside the one that is asked for."""

from dataclasses import dataclass

from workflow.errors import WorkflowError
from workflow.thresholds import DeployedThreshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which threshold holds now.

    Attributes:
        now: Parts accepted from rejected: the one that most new executions are measured against;
            that of the settings where nothing is deployed or it cannot be read.
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
        says=_says(deployed, settings),
        wish=f"SCONES_THRESHOLD asks for {settings:g}: the deployment plan would change it."
        if explicit and routes and settings != now
        else "",
    )


def _says(deployed: tuple[DeployedThreshold, ...] | WorkflowError, settings: float) -> str:
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
    """What a plan that asks for a threshold makes of the one that is deployed."""
    change = " The plan would change it." if standing.known and asked != standing.now else ""
    return f"Threshold of the plan: {asked:g}. {standing.says}{change}"
