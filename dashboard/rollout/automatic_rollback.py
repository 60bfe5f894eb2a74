"""Automatic rollback: look at both variants again and again, and end a rollout that goes wrong.

SageMaker's own rollback on alarms ends with the update of an endpoint; a rollout by weights begins
where that ends. It lasts as long as this process, and looks at the endpoint before it acts.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dashboard.alerts.client import Alert
from dashboard.aws.cloud import Connection
from dashboard.captures.feed import CaptureFeed
from dashboard.data_health.metrics import read_invocations, shortest_kept
from dashboard.rollout import client, model
from dashboard.rollout.client import IN_SERVICE, ServedEndpoint
from dashboard.shared.jobs import Jobs
from dashboard.shared.permits import Permit
from workflow.audit import DONE, AuditResult
from workflow.errors import WorkflowError
from workflow.intervals import Share
from workflow.sequential import Comparison

ROLLBACK: Final = "automatic-rollback"
"""Key of the job that watches: there is one at a time."""

EVERY_S: Final = 30.0
RETRY_S: Final = 5.0
"""A rollback that failed is tried again so soon: callers get the answers of a worse model."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one look found.

    Attributes:
        text: A sentence.
        rolled_back: Whether the new model was rolled back.
    """

    text: str
    rolled_back: bool = False


def start_watch(  # noqa: PLR0917 - each is another part of the page
    jobs: Jobs,
    permit: Permit,
    connect: Callable[[], Connection],
    watched: ServedEndpoint,
    look: Callable[[Connection], str | None],
    alert: Callable[[Alert], None],
    *,
    wait: Callable[[float], object] = time.sleep,
) -> None:
    """Watch a rollout in the background, and roll it back once there is a reason.

    Args:
        jobs: The jobs of this process.
        permit: Of the person who asks for it.
        connect: Returns the connection of now: credentials may be replaced while it watches.
        watched: The endpoint during the rollout.
        look: As ``watch_rollout`` takes it, given that connection.
        alert: Has an alert sent; may raise ``WorkflowError``.
        wait: Waits for so many seconds.

    Raises:
        WorkflowError: ``AlreadyRunning``.
    """

    def work(report: Callable[[Any], None]) -> None:
        def roll_back(reason: str) -> None:
            failing, done = make_alerts(watched, reason)

            def fail(error: WorkflowError) -> None:
                report(Said(f"Not rolled back yet: {error.message} It is tried again."))
                # Tried again with the next failure, and less urgent than the rollback.
                with suppress(WorkflowError):
                    alert(failing)

            def fail_alert(error: WorkflowError) -> None:
                told = f"The alert waits: {error.message}"
                report(Said(f"Rolled back: {reason} {told}", rolled_back=True))

            def act() -> None:
                # One action however often it is tried: the audit is not flooded.
                with permit.record_action(f"rolling back automatically: {reason}") as result:
                    insist(lambda: take_traffic(connect(), watched, result), fail, wait)

            insist(act, fail, wait)
            insist(lambda: alert(done), fail_alert, wait)

        watch_rollout(lambda: look(connect()), roll_back, report, wait)

    jobs.start(ROLLBACK, "Watch the rollout", work)


def watch_rollout(
    look: Callable[[], str | None],
    roll_back: Callable[[str], None],
    report: Callable[[Any], None],
    wait: Callable[[float], object],
) -> None:
    """Look until the rollout has ended or is rolled back.

    A look that fails ends nothing: it is reported, and the next one follows.

    Args:
        look: Returns why to roll back, empty where there is no reason, None where the rollout
            has ended.
        roll_back: Gives the new model no traffic, for a reason.
        report: Takes what was ``Said``.
        wait: Waits for so many seconds.
    """
    while True:
        try:
            reason = look()
        except WorkflowError as error:
            report(Said(f"The last look failed: {error.message}"))
        else:
            if reason is None:
                report(Said("The rollout has ended, so nothing is watched any more."))
                return
            if reason:
                break
            report(Said("No reason against the new model so far."))
        wait(EVERY_S)
    # Not looked at again: the next look may meet a fault, or find the rollback done.
    roll_back(reason)
    report(Said(f"Rolled back: {reason}", rolled_back=True))


def insist(
    step: Callable[[], None],
    fail: Callable[[WorkflowError], None],
    wait: Callable[[float], object],
) -> None:
    """Repeat a step until it does not fail; ``fail`` is told of each failure."""
    while True:
        try:
            step()
        except WorkflowError as error:
            fail(error)
            wait(RETRY_S)
        else:
            return


def take_traffic(cloud: Connection, watched: ServedEndpoint, result: AuditResult) -> None:
    """Give the new model no traffic, unless it has none or somebody has ended the rollout since.

    Raises:
        WorkflowError: ``EndpointUpdating``; AWS's own code.
    """
    now = client.describe_endpoint(cloud)
    if now.status != IN_SERVICE:
        raise WorkflowError(
            "EndpointUpdating",
            f"The endpoint {now.name} is {now.status}.",
            "Wait until it is in service: its traffic cannot be changed before.",
        )
    weight = now.variants[-1].weight
    if now.config != watched.config or weight == 1:
        result.text = f"{DONE}: somebody else has ended the rollout"
    # It has none where an earlier try was done and only its answer was lost.
    elif weight > 0:
        client.give_share(cloud, now, 0.0)


def make_alerts(watched: ServedEndpoint, reason: str) -> tuple[Alert, Alert]:
    """Return the alert of a rollback that fails so far, and that of one that is done."""
    model_name = watched.variants[-1].model
    return (
        Alert(
            f"rollback-failing-{watched.config}",
            "A rollout cannot be rolled back yet",
            f"{model_name} is to get no traffic: {reason}\n\nAWS does not take it so far. The"
            " dashboard tries again until it does; the Rollout page shows what AWS says.",
        ),
        Alert(
            f"rollback-{watched.config}",
            "A rollout was rolled back by itself",
            f"{model_name} gets no traffic any more: {reason}",
        ),
    )


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
