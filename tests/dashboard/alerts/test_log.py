"""The log of alerts: what was sent and read, what waits, and a test that is no alert."""

from datetime import UTC, datetime

import pytest

from dashboard.alerts import log
from dashboard.alerts.client import Alert
from dashboard.alerts.outbox import AlertOutbox
from dashboard.aws.cloud import Connection

pytestmark = pytest.mark.cloud
NOW = datetime.now(UTC)


def outbox(connection: Connection) -> AlertOutbox:
    watched = connection.watched
    clients = (connection.client("s3"), connection.client("sns"))
    return AlertOutbox(*clients, watched.bucket, watched.topic_arn)


def test_an_alert_waits_is_sent_and_is_read_once_somebody_says_so(deployed: Connection) -> None:
    box = outbox(deployed)
    box.add(Alert("new-log", "New failure: Boom", "It broke."))
    assert "new-log" in [key for key, _ in log.read_alerts(deployed, now=NOW).waiting]

    box.deliver(now=NOW)

    found = log.read_alerts(deployed, now=NOW)
    (sent,) = [one for one in found.sent if one.key == "new-log"]
    assert (sent.subject, sent.body, sent.read) == ("New failure: Boom", "It broke.", False)
    assert sent in found.unread
    assert "new-log" not in [key for key, _ in found.waiting]

    log.mark_read(deployed, (sent,))

    assert "new-log" not in [one.key for one in log.read_alerts(deployed, now=NOW).unread]


def test_the_alarms_of_the_deployment_are_listed_and_a_test_message_is_no_alert(
    deployed: Connection,
) -> None:
    before = len(log.read_alerts(deployed, now=NOW).sent)

    log.send_test(deployed, now=NOW)

    found = log.read_alerts(deployed, now=NOW)
    assert len(found.sent) == before
    assert f"{deployed.settings.prefix}-faults" in [alarm.name for alarm in found.alarms]
    assert found.subscribers == ()
