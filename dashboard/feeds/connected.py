"""The feeds of one workflow, connected: after a pass over executions, due alerts are sent."""

from dataclasses import dataclass

from dashboard.alerts.outbox import AlertOutbox
from dashboard.alerts.sender import AlertSender
from dashboard.aws.cloud import Connection
from dashboard.executions.events import EventQueue
from dashboard.executions.feed import ExecutionFeed
from dashboard.failures.feed import FailureFeed
from dashboard.shared.store_root import store_root


@dataclass(frozen=True, slots=True)
class WorkflowFeeds:
    """What pages read executions, failures and alerts of one workflow from.

    Attributes:
        alerts: None where nothing is published: the workflow has no topic, or the dashboard may
            only read.
    """

    executions: ExecutionFeed
    failures: FailureFeed
    alerts: AlertSender | None

    def close(self) -> None:
        """End their thread; other feeds take over the store."""
        self.executions.close()


def connect_feeds(connection: Connection, *, read_only: bool) -> WorkflowFeeds:
    """Make the feeds of the watched workflow.

    All that the thread of a feed changes in AWS is handed to it here: the queue, whose messages it
    deletes, and the sender of alerts.

    Args:
        connection: The cloud.
        read_only: Whether the thread changes nothing: executions are then found by listing alone,
            and somebody else's dashboard sends the alerts.
    """
    watched = connection.watched
    may_take = bool(watched.queue) and not read_only
    queue = EventQueue(connection.client("sqs"), watched.queue) if may_take else None
    executions = ExecutionFeed(connection, store_root(connection), queue)
    failures = FailureFeed(connection, executions, store_root(connection, kind="notes"))
    if read_only or not watched.topic_arn:
        return WorkflowFeeds(executions, failures, None)
    s3, sns = connection.client("s3"), connection.client("sns")
    alerts = AlertSender(failures, AlertOutbox(s3, sns, watched.bucket, watched.topic_arn))
    executions.after_pass = alerts.send
    return WorkflowFeeds(executions, failures, alerts)
