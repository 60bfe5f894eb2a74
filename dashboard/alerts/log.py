"""The log of alerts: what was sent to whom, what waits to be sent, and which alarms ring."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

import msgspec

from dashboard.alerts.client import Alert
from dashboard.alerts.objects import list_keys
from dashboard.alerts.outbox import ALERTS_PREFIX, OUTBOX_PREFIX
from dashboard.alerts.silences import SILENCES_PREFIX, silence_check, silenced_checks
from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from dashboard.aws.write_once import create_once
from dashboard.failures.notes import TRIAGE_PREFIX
from workflow.errors import WorkflowError
from workflow.known_errors import is_denial

T = TypeVar("T")

READ_PREFIX: Final = f"{TRIAGE_PREFIX}read/"
LISTED: Final = 50
"""So many alerts are read, the newest."""


class AlertPart(StrEnum):
    """A part of what there is to say about alerts, which a permission may be missing for."""

    SENT = "sent"
    SUBSCRIBERS = "subscribers"
    ALARMS = "alarms"


@dataclass(frozen=True, slots=True)
class SentAlert:
    """An alert that went out.

    Attributes:
        key: Names what happened.
        subject: As published; the key for alerts that were sent before subjects were kept.
        body: Plain text; empty for those.
        at: When SNS took it.
        read: Whether somebody has marked it as read.
    """

    key: str
    subject: str
    body: str
    at: datetime
    read: bool


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody who gets the alerts.

    Attributes:
        protocol: ``email``, ``https`` and so on.
        endpoint: The address.
        confirmed: Whether it has been confirmed: SNS sends nothing before.
    """

    protocol: str
    endpoint: str
    confirmed: bool


@dataclass(frozen=True, slots=True)
class AlarmState:
    """An alarm of CloudWatch; ``state`` is OK, ALARM or INSUFFICIENT_DATA."""

    name: str
    state: str
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """All there is to say about alerts.

    Attributes:
        sent: The newest first, at most ``LISTED``.
        waiting: Key and time of those that could not be sent yet.
        silences: The silenced checks and the end of each silence.
        subscribers: Who gets them.
        alarms: The deployment's alarms.
        read_at: When this was read.
        refused: Why a part is empty that may not be read.
    """

    sent: tuple[SentAlert, ...]
    waiting: tuple[tuple[str, datetime], ...]
    silences: Mapping[str, datetime]
    subscribers: tuple[Subscriber, ...]
    alarms: tuple[AlarmState, ...]
    read_at: datetime
    refused: Mapping[AlertPart, WorkflowError] = field(default_factory=dict)

    @property
    def unread(self) -> tuple[SentAlert, ...]:
        """Those that nobody has marked as read."""
        return tuple(alert for alert in self.sent if not alert.read)

    @property
    def ringing(self) -> tuple[str, ...]:
        """Names of the alarms in state ALARM."""
        return tuple(alarm.name for alarm in self.alarms if alarm.state == "ALARM")


class PartReader(Protocol):
    """How a part is read; pages keep what was read before."""

    def __call__(self, part: AlertPart, read: Callable[[], T], /) -> T:
        """Return what ``read`` returns."""
        ...


def read_now(_: AlertPart, read: Callable[[], T]) -> T:
    """Read a part, whatever was read before."""
    return read()


def read_alerts(
    connection: Connection, *, now: datetime, read_part: PartReader = read_now
) -> AlertState:
    """Read what was sent, to whom, what waits and which alarms are ringing.

    Raises:
        WorkflowError: AWS's own code, but for a missing permission.
    """
    refused: dict[AlertPart, WorkflowError] = {}
    read_at: list[datetime] = [now]
    no_sent: tuple[SentAlert, ...] = ()
    no_keys: tuple[tuple[str, datetime], ...] = ()

    def unless_refused(part: AlertPart, read: Callable[[], T], nothing: T) -> T:
        try:
            found, at = read_part(part, lambda: (read(), now))
        except WorkflowError as error:
            if not is_denial(error.code):
                raise
            refused[part] = error
            return nothing
        read_at.append(at)
        return found

    sent, waiting, silences = unless_refused(
        AlertPart.SENT,
        lambda: (
            _all_sent(connection),
            _list_all(connection, OUTBOX_PREFIX),
            _list_all(connection, SILENCES_PREFIX),
        ),
        (no_sent, no_keys, no_keys),
    )
    return AlertState(
        sent=sent,
        waiting=waiting,
        silences=silenced_checks((key for key, _ in silences), now=now),
        subscribers=unless_refused(
            AlertPart.SUBSCRIBERS, lambda: _list_subscribers(connection), ()
        ),
        alarms=unless_refused(AlertPart.ALARMS, lambda: _describe_alarms(connection), ()),
        read_at=min(read_at),
        refused=refused,
    )


def mark_read(connection: Connection, alerts: tuple[SentAlert, ...]) -> None:
    """Mark alerts as read, for the whole team.

    Raises:
        WorkflowError: AWS's own code.
    """
    for alert in alerts:
        create_once(
            connection.client("s3"),
            connection.watched.bucket,
            f"{READ_PREFIX}{alert.key}.json",
            b"{}",
        )


def silence(connection: Connection, slug: str, until: datetime, *, now: datetime) -> None:
    """Have a check send no alert until a time; ``now`` ends an earlier silence.

    Raises:
        WorkflowError: AWS's own code.
    """
    silence_check(connection.client("s3"), connection.watched.bucket, slug, until, now=now)


def send_test(connection: Connection, *, now: datetime) -> None:
    """Publish a message that says it is a test; it is no alert and is not listed.

    Raises:
        WorkflowError: AWS's own code.
    """
    topic = connection.watched.topic_arn
    with explained("sns:Publish", topic):
        connection.client("sns").publish(
            TopicArn=topic,
            Subject=f"Test of the alerts of {topic.rpartition(':')[2]}",
            Message=f"Sent from the Alerts page at {now:%Y-%m-%d %H:%M} UTC. Nothing is wrong.",
        )


def _all_sent(connection: Connection) -> tuple[SentAlert, ...]:
    marked = {key for key, _ in _list_all(connection, READ_PREFIX)}
    sent = _list_all(connection, ALERTS_PREFIX)
    # Only these are read: each is an object, and a year of alerts is not looked at.
    newest = sorted(sent, key=lambda one: one[1], reverse=True)[:LISTED]
    return tuple(_read_sent(connection, key, at, read=key in marked) for key, at in newest)


def _list_all(connection: Connection, prefix: str) -> tuple[tuple[str, datetime], ...]:
    bucket = connection.watched.bucket
    return tuple(list_keys(connection.client("s3"), bucket, prefix)) if bucket else ()


def _read_sent(connection: Connection, key: str, at: datetime, *, read: bool) -> SentAlert:
    bucket, name = connection.watched.bucket, f"{ALERTS_PREFIX}{key}.json"
    with explained("s3:GetObject", f"s3://{bucket}/{name}"):
        body = connection.client("s3").get_object(Bucket=bucket, Key=name)["Body"].read()
    try:
        alert = msgspec.json.decode(body, type=Alert)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Earlier versions kept no more than that it was sent.
        return SentAlert(key, key, "", at, read)
    return SentAlert(key, alert.subject, alert.body, at, read)


def _list_subscribers(connection: Connection) -> tuple[Subscriber, ...]:
    topic = connection.watched.topic_arn
    if not topic:
        return ()
    with explained("sns:ListSubscriptionsByTopic", topic):
        pages = connection.client("sns").get_paginator("list_subscriptions_by_topic")
        found: list[dict[str, Any]] = [
            one for page in pages.paginate(TopicArn=topic) for one in page["Subscriptions"]
        ]
    # SNS gives a word in the place of an ARN until the address is confirmed.
    return tuple(
        Subscriber(
            one["Protocol"], one["Endpoint"], one["SubscriptionArn"] != "PendingConfirmation"
        )
        for one in found
    )


def _describe_alarms(connection: Connection) -> tuple[AlarmState, ...]:
    prefix = connection.watched.resource_prefix
    if not prefix:  # alarms of others have names that nobody knows
        return ()
    with explained("cloudwatch:DescribeAlarms", prefix):
        pages = connection.client("cloudwatch").get_paginator("describe_alarms")
        return tuple(
            AlarmState(
                one["AlarmName"],
                one["StateValue"],
                one["StateUpdatedTimestamp"],
                one.get("StateReason", ""),
            )
            for page in pages.paginate(AlarmNamePrefix=f"{prefix}-")
            for one in page["MetricAlarms"]
        )
