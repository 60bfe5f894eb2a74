"""The feed against a local cloud: one thread syncs, groups and alerts; others may only read."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import boto3
import botocore.session
import pytest

from dashboard.aws.cloud import Cloud, Connection
from dashboard.aws.quotas import Pacer
from dashboard.executions import feed as execution_feed
from dashboard.executions.feed import ExecutionFeed, alert_pause
from dashboard.shared.store_root import store_root
from tests.conftest import LocalCloud
from workflow.executions import Outcome
from workflow.settings import Settings

pytestmark = pytest.mark.cloud
DEFINITION = {
    "StartAt": "Sort",
    "States": {
        "Sort": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.ok", "BooleanEquals": True, "Next": "Fine"}],
            "Default": "Broken",
        },
        "Fine": {
            "Type": "Pass",
            "Result": {"inferences": [0.98, 0.02]},
            "End": True,
        },
        "Broken": {"Type": "Fail", "Error": "Boom", "Cause": "It broke."},
    },
}


class _Session(boto3.Session):
    """A session of the local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        core = botocore.session.Session()
        core.set_credentials(*cloud.keys.values())
        super().__init__(botocore_session=core, region_name=cloud.region)
        self._endpoint_url = cloud.endpoint_url

    def client(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        return super().client(*args, **kwargs | {"endpoint_url": self._endpoint_url})  # type: ignore[call-overload]


@pytest.fixture
def connection(local_cloud: LocalCloud, request: pytest.FixtureRequest) -> Connection:
    project = getattr(request, "param", "feed")
    settings = Settings(account=local_cloud.account, region=local_cloud.region, project=project)
    cloud = Cloud(
        name="Local cloud",
        account=local_cloud.account,
        region=local_cloud.region,
        endpoint_url=local_cloud.endpoint_url,
    )
    session = _Session(local_cloud)
    return Connection(cloud, settings, session, Pacer(local_cloud.region))


@pytest.fixture
def feed(connection: Connection, tmp_path: Path) -> ExecutionFeed:
    settings, states = connection.settings, connection.client("stepfunctions")
    connection.client("s3").create_bucket(Bucket=settings.bucket)
    connection.client("sns").create_topic(Name=settings.topic)
    states.create_state_machine(
        name=settings.state_machine,
        definition=json.dumps(DEFINITION),
        roleArn=f"arn:aws:iam::{settings.account}:role/states",
    )
    for number in range(6):
        states.start_execution(
            stateMachineArn=settings.state_machine_arn,
            name=f"run-{number}",
            input=json.dumps({"ok": number % 2 == 0}),
        )
    return ExecutionFeed(connection, tmp_path)


def until(said: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < deadline, "It took too long."
        time.sleep(0.1)


def test_the_feed_reads_groups_and_alerts(connection: Connection, feed: ExecutionFeed) -> None:
    feed.watch()
    until(lambda: feed.progress is not None and feed.progress.histories == 3)
    until(lambda: feed.listing()["outcome"].to_list().count(Outcome.ACCEPTED.value) == 3)

    (group,) = feed.inbox(datetime.now(UTC))
    assert (group.sample.error, group.sample.state, group.count) == ("Boom", "Broken", 3)
    assert set(feed.visits()["state"]) >= {"Sort", "Broken"}
    assert set(feed.failures()) == set(group.executions)
    assert json.loads(feed.definition(datetime.now(UTC)))["StartAt"] == "Sort"
    assert feed.current_version(datetime.now(UTC)) is None

    s3, bucket = connection.client("s3"), connection.settings.bucket
    until(lambda: s3.list_objects_v2(Bucket=bucket, Prefix="triage/alerts/")["KeyCount"] == 1)
    assert feed.alert_problem is None

    started = connection.client("stepfunctions").start_execution(
        stateMachineArn=connection.settings.state_machine_arn, name="late", input='{"ok": true}'
    )
    feed.refresh()
    until(lambda: started["executionArn"] in feed.listing()["arn"].to_list())


def test_a_local_clouds_store_goes_with_it_and_aws_has_one_for_each_deployment(
    connection: Connection, tmp_path: Path
) -> None:
    local = store_root(connection, {"SCONES_LOCALCLOUD_DIR": str(tmp_path)})
    assert local.is_relative_to(tmp_path)
    aws = Cloud(name="AWS", account="123456789012", region="eu-west-1")
    real = Connection(aws, connection.settings, connection.session, connection.pacer)
    kept = store_root(real, {"SCONES_STORE": str(tmp_path / "store")})
    assert kept == tmp_path / "store" / "executions-123456789012-eu-west-1-feed-dev"


@pytest.mark.parametrize("connection", ["refused"], indirect=True)
def test_an_alert_that_is_refused_is_said_and_goes_out_when_it_is_taken(
    connection: Connection, feed: ExecutionFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution_feed, "ALERT_EVERY_S", 0.0)
    monkeypatch.setattr(execution_feed, "ALERT_RETRY_S", 0.0)
    sns, topic = connection.client("sns"), connection.settings.topic
    arn = sns.create_topic(Name=topic)["TopicArn"]
    sns.delete_topic(TopicArn=arn)
    feed.watch()
    until(lambda: feed.alert_problem is not None)

    sns.create_topic(Name=topic)

    until(lambda: feed.alert_problem is None)
    s3, bucket = connection.client("s3"), connection.settings.bucket
    until(lambda: s3.list_objects_v2(Bucket=bucket, Prefix="triage/alerts/")["KeyCount"] > 0)


def test_alerts_that_are_refused_are_tried_ever_less_often() -> None:
    pauses = [alert_pause(failed) for failed in range(10)]

    assert pauses[:4] == [60, 5, 10, 20]
    assert pauses[-1] == 300
