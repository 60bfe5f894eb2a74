"""Automatic rollback: look at both variants again and again, and end a rollout that goes wrong.

SageMaker's own rollback on alarms ends with the update of an endpoint; a rollout by weights begins
where that ends. It lasts as long as this process, and looks at the endpoint before it acts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dashboard.aws.cloud import Connection
from dashboard.captures.feed import CaptureFeed
from dashboard.data_health.metrics import invocations, kept
from dashboard.rollout import client, model
from dashboard.rollout.client import IN_SERVICE, Endpoint
from workflow.errors import WorkflowError
from workflow.intervals import Share
from workflow.sequential import Comparison

EVERY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Said:
    """What one look found.

    Attributes:
        text: A sentence.
        rolled_back: Whether the new model was rolled back.
    """

    text: str
    rolled_back: bool = False


def watch(
    look: Callable[[], str | None],
    roll_back: Callable[[], None],
    report: Callable[[Any], None],
    wait: Callable[[float], object],
) -> None:
    """Look until the rollout has ended or is rolled back.

    A look that fails ends nothing: it is reported, and the next one follows.

    Args:
        look: Returns why to roll back, empty where there is no reason, None where the rollout
            has ended.
        roll_back: Gives the new model no traffic.
        report: Takes what was ``Said``.
        wait: Waits for so many seconds.
    """
    while True:
        try:
            reason = look()
            if reason is None:
                report(Said("The rollout has ended, so nothing is watched any more."))
                return
            if reason:
                roll_back()
                report(Said(f"Rolled back: {reason}", rolled_back=True))
                return
            report(Said("Nothing speaks against the new model so far."))
        except WorkflowError as error:
            report(Said(f"The last look failed: {error.message}"))
        wait(EVERY_S)


def reason(cloud: Connection, feed: CaptureFeed, threshold: float) -> str | None:
    """Return why to roll back now, as ``watch`` takes it.

    Raises:
        WorkflowError: Under AWS's code.
    """
    found = client.describe(cloud)
    if found.status != IN_SERVICE:
        return ""
    if len(found.variants) != 2 or not 0 < found.variants[1].weight < 1:  # noqa: PLR2004 - two models
        return None
    feed.watch()
    old, new = (one.name for one in found.variants)
    rejected = model.rejections(
        client.captured(feed), old, new, since=found.since, threshold=threshold
    )
    return model.reason_to_roll_back(rejected, Comparison(*_failures(cloud, found)))


def _failures(cloud: Connection, found: Endpoint) -> tuple[Share, Share]:
    """Return how many invocations of each variant failed since the rollout began."""
    now = datetime.now(UTC)
    every = kept(timedelta(minutes=1), now - found.since)
    old, new = (
        invocations(cloud, found.name, one.name, found.since, now, every=every)
        for one in found.variants
    )
    return (
        Share(int(old["failed"].sum()), int(old["count"].sum())),
        Share(int(new["failed"].sum()), int(new["count"].sum())),
    )
