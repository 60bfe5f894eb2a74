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
from dashboard.data_health.metrics import read_invocations, shortest_kept
from dashboard.rollout import client, model
from dashboard.rollout.client import IN_SERVICE, ServedEndpoint
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


def watch_rollout(
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
            report(Said("No reason against the new model so far."))
        except WorkflowError as error:
            report(Said(f"The last look failed: {error.message}"))
        # After failures too: one bad look must not end the watch over a rollout.
        wait(EVERY_S)


def find_reason(cloud: Connection, feed: CaptureFeed, threshold: float) -> str | None:
    """Return why to roll back now, as ``watch_rollout`` takes it.

    Raises:
        WorkflowError: Under AWS's code.
    """
    found = client.describe_endpoint(cloud)
    # During an update weights cannot be changed: look again later.
    if found.status != IN_SERVICE:
        return ""
    if len(found.variants) != 2 or not 0 < found.variants[1].weight < 1:  # noqa: PLR2004 - two models
        return None
    # No page may be looking: unwatched, the feed rests and its captures grow old.
    feed.watch()
    old, new = (one.name for one in found.variants)
    rejected = model.compare_rejections(
        client.read_captured(feed), old, new, since=found.since, threshold=threshold
    )
    failed = Comparison(*(count_failures(cloud, found, one) for one in (old, new)))
    return model.reason_to_roll_back(rejected, failed)


def count_failures(cloud: Connection, found: ServedEndpoint, variant: str) -> Share:
    """Return how many invocations of a variant failed since the rollout began.

    Only whole periods count: that in which it began may hold invocations of a rollout before it,
    whose variant had the same name.

    Raises:
        WorkflowError: Under AWS's code.
    """
    now = datetime.now(UTC)
    every = shortest_kept(timedelta(minutes=1), now - found.since)
    start = next_period(found.since, every)
    if start >= now:
        return Share(0, 0)
    seen = read_invocations(cloud, found.name, variant, start, now, every=every)
    return Share(int(seen["failed"].sum()), int(seen["count"].sum()))


def next_period(moment: datetime, every: timedelta) -> datetime:
    """Return when the first period of CloudWatch begins that is not before a moment."""
    return moment + (datetime.min.replace(tzinfo=UTC) - moment) % every
