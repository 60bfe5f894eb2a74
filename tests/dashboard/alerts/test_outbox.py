"""The outbox of alerts: each goes out at least once, whatever fails or is killed in between."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from moto import mock_aws

from dashboard.alerts.client import Alert
from dashboard.alerts.outbox import ALERTS_PREFIX, OUTBOX_PREFIX, TAKEN_OVER, AlertOutbox
from workflow.errors import WorkflowError

BUCKET = "scones-unlimited-dev-123456789012-us-east-1"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
ALERT = Alert("new-1", "Subject with ü\nand a break", "Body")


class Topic:
    """SNS, which keeps what it was given and refuses what it is told to."""

    def __init__(self) -> None:
        self.published: list[str] = []
        self.refuses: set[str] = set()

    def publish(self, **request: str) -> None:
        subject = request["Subject"]
        if subject in self.refuses:
            raise ClientError(
                {"Error": {"Code": "AuthorizationError", "Message": "No."}}, "Publish"
            )
        self.published.append(subject)


class Cloud:
    """S3 of moto and a topic, for any number of dashboards."""

    def __init__(self) -> None:
        keys = {"aws_access_key_id": "t", "aws_secret_access_key": "t", "region_name": "us-east-1"}
        self.s3: Any = boto3.client("s3", **keys)  # type: ignore[call-overload]
        self.s3.create_bucket(Bucket=BUCKET)
        self.topic: Any = Topic()

    def dashboard(self) -> AlertOutbox:
        return AlertOutbox(self.s3, self.topic, BUCKET, TOPIC)

    def keys(self, prefix: str) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [item["Key"] for item in listed]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with mock_aws():
        yield Cloud()


def now(*, later: timedelta = timedelta(0)) -> datetime:
    return datetime.now(UTC) + later


LATER = TAKEN_OVER + timedelta(seconds=5)


def test_of_two_dashboards_one_publishes(cloud: Cloud) -> None:
    one, other = cloud.dashboard(), cloud.dashboard()
    for _ in range(2):
        for dashboard in (one, other):
            dashboard.add(ALERT)
            assert dashboard.deliver(now=now()) == ()

    assert cloud.topic.published == ["Subject with ? and a break"]
    assert cloud.keys(OUTBOX_PREFIX) == []
    assert cloud.keys(ALERTS_PREFIX) == [f"{ALERTS_PREFIX}new-1.json"]


def test_an_alert_that_is_refused_is_tried_until_it_goes_out_and_stops_no_other(
    cloud: Cloud,
) -> None:
    dashboard = cloud.dashboard()
    for number in range(3):
        dashboard.add(Alert(f"new-{number}", f"Subject {number}", "Body"))
    cloud.topic.refuses = {"Subject 0"}

    for _ in range(2):
        (problem,) = dashboard.deliver(now=now())
        assert problem.code == "AuthorizationError"
    assert cloud.topic.published == ["Subject 1", "Subject 2"]

    cloud.topic.refuses = set()
    assert dashboard.deliver(now=now()) == ()
    assert cloud.topic.published == ["Subject 1", "Subject 2", "Subject 0"]


def test_what_a_killed_dashboard_left_is_taken_over_though_it_is_due_no_longer(
    cloud: Cloud,
) -> None:
    cloud.dashboard().add(ALERT)
    other = cloud.dashboard()

    other.deliver(now=now())
    assert cloud.topic.published == []

    other.deliver(now=now(later=LATER))
    assert len(cloud.topic.published) == 1


@pytest.mark.parametrize("stopped", ["put_object", "delete_object"])
def test_a_dashboard_that_ends_after_the_publication_loses_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, stopped: str
) -> None:
    first = cloud.dashboard()
    first.add(ALERT)
    with monkeypatch.context() as patch:
        patch.setattr(cloud.s3, stopped, refused)
        assert len(first.deliver(now=now())) == 1
    assert len(cloud.topic.published) == 1

    assert first.deliver(now=now()) == ()
    assert len(cloud.topic.published) == 1, "the same dashboard knows that it went out"
    assert cloud.keys(OUTBOX_PREFIX) == []
    assert len(cloud.keys(ALERTS_PREFIX)) == 1


def test_an_alert_that_cannot_be_written_is_due_still(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard = cloud.dashboard()
    with monkeypatch.context() as patch:
        patch.setattr(cloud.s3, "put_object", refused)
        with pytest.raises(WorkflowError):
            dashboard.add(ALERT)

    dashboard.add(ALERT)
    dashboard.deliver(now=now())
    assert len(cloud.topic.published) == 1


def test_an_alert_that_was_written_though_its_answer_was_lost_goes_out_at_once(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard, put = cloud.dashboard(), cloud.s3.put_object

    def lose(**request: Any) -> None:
        put(**request)
        raise ConnectionClosedError(endpoint_url="https://s3")

    with monkeypatch.context() as patch:
        patch.setattr(cloud.s3, "put_object", lose)
        with pytest.raises(WorkflowError):
            dashboard.add(ALERT)

    dashboard.add(ALERT)
    dashboard.deliver(now=now())
    assert len(cloud.topic.published) == 1


def test_an_alert_that_went_out_before_is_not_written_again(cloud: Cloud) -> None:
    cloud.s3.put_object(Bucket=BUCKET, Key=f"{ALERTS_PREFIX}new-1.json", Body=b"Subject")
    dashboard = cloud.dashboard()

    dashboard.add(ALERT)
    dashboard.deliver(now=now(later=LATER))

    assert cloud.topic.published == []
    assert cloud.keys(OUTBOX_PREFIX) == []


def test_an_object_that_is_no_alert_is_named_and_stops_no_other(cloud: Cloud) -> None:
    cloud.s3.put_object(Bucket=BUCKET, Key=f"{OUTBOX_PREFIX}broken.json", Body=b"{")
    dashboard = cloud.dashboard()
    dashboard.add(ALERT)

    (problem,) = dashboard.deliver(now=now(later=LATER))

    assert problem.code == "AlertUnreadable"
    assert "broken.json" in problem.message
    assert len(cloud.topic.published) == 1


def refused(**_: object) -> None:
    raise ClientError({"Error": {"Code": "SlowDown", "Message": "Later."}}, "Any")
