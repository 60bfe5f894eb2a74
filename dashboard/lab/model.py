"""Conditions of the lab: what each breaks, and which page shows it how soon."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that can be broken and mended by a click.

    Attributes:
        name: As the endpoint calls it; for a camera, as the traffic does.
        title: What is broken.
        says: What happens then, in one sentence.
        page: Page that shows it.
        params: Query parameters of that page.
        shows: What to look for there, and how soon.
        camera: Whether it changes the photos that are sent, and nothing of the cloud.
    """

    name: str
    title: str
    icon: str
    says: str
    page: str
    shows: str
    params: tuple[tuple[str, str], ...] = ()
    camera: bool = False


CONDITIONS: Final = (
    Condition(
        name="endpoint-down",
        title="Endpoint down",
        icon=":material/cloud_off:",
        says="The endpoint refuses every call.",
        page="failures",
        shows="*Failures* has EndpointUnavailable within 40 s: it is retried first.",
    ),
    Condition(
        name="throttling",
        title="Throttling",
        icon=":material/speed:",
        says="Lambda refuses six of ten invocations, as where the concurrency is used up.",
        page="executions",
        shows="*Executions* has longer durations and retries within 20 s, and a few faults.",
        params=(("range", "1h"),),
    ),
    Condition(
        name="bad-version",
        title="A bad version",
        icon=":material/rocket_launch:",
        says="A version of the state machine that loses half of its input gets all executions.",
        page="failures",
        shows="*Failures* has InvalidInput within 15 s; *Overview* marks the release.",
    ),
    Condition(
        name="missing-permission",
        title="Missing permission",
        icon=":material/lock:",
        says="The role of ClassifyImage may no longer invoke the endpoint.",
        page="failures",
        shows="*Failures* has EndpointAccessDenied within 15 s.",
    ),
    Condition(
        name="dark",
        title="Darker camera",
        icon=":material/brightness_4:",
        says="Every photo that is sent has half of its light.",
        page="inferences",
        shows="*Inferences*, Drift: image brightness and confidence differ within a minute.",
        params=(("view", "Drift"),),
        camera=True,
    ),
    Condition(
        name="blurred",
        title="Blurred lens",
        icon=":material/blur_on:",
        says="Every photo that is sent is out of focus.",
        page="inferences",
        shows="*Inferences*, Drift: image sharpness and confidence differ within a minute.",
        params=(("view", "Drift"),),
        camera=True,
    ),
)
"""What can be broken."""


def traffic_arguments(condition: Condition) -> tuple[str, ...]:
    """Return the arguments of the traffic that makes a condition visible."""
    steady = ("--count", "600", "--rate", "3", "--no-drift")
    return (*steady, "--camera", condition.name) if condition.camera else steady
