"""The feeds against a local cloud: one thread syncs, groups and alerts; or it only reads."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import botocore.session
import pytest

from dashboard.alerts import sender
from dashboard.aws.cloud import Cloud, Connection
from dashboard.aws.quotas import Pacer
from dashboard.feeds.connected import WorkflowFeeds, connect_feeds
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
def workflow(connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """A state machine with six executions, three of which failed, and a store of its own."""
    monkeypatch.setenv("SCONES_LOCALCLOUD_DIR", str(tmp_path))
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
    return connection


def until(said: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < deadline, "It took too long."
        time.sleep(0.1)


def alerts_recorded(connection: Connection) -> int:
    found = connection.client("s3").list_objects_v2(
        Bucket=connection.settings.bucket, Prefix="triage/alerts/"
    )
    return int(found["KeyCount"])


@pytest.fixture
def feeds(workflow: Connection) -> Iterator[WorkflowFeeds]:
    made = connect_feeds(workflow, read_only=False)
    yield made
    made.close()


def test_the_feeds_read_group_and_alert(connection: Connection, feeds: WorkflowFeeds) -> None:
    feed = feeds.executions
    feed.watch()
    until(lambda: feed.progress is not None and feed.progress.histories == 3)
    until(lambda: feed.listing()["outcome"].to_list().count(Outcome.ACCEPTED.value) == 3)

    (group,) = feeds.failures.read_inbox(datetime.now(UTC))
    assert (group.sample.error, group.sample.state, group.count) == ("Boom", "Broken", 3)
    assert set(feed.visits()["state"]) >= {"Sort", "Broken"}
    assert set(feed.failures()) == set(group.executions)
    assert json.loads(feed.definition())["StartAt"] == "Sort"
    assert feed.current_version() is None

    until(lambda: alerts_recorded(connection) == 1)
    assert feeds.alerts is not None
    assert feeds.alerts.problem is None

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
    connection: Connection, feeds: WorkflowFeeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "ALERT_EVERY_S", 0.0)
    monkeypatch.setattr(sender, "ALERT_RETRY_S", 0.0)
    sns, topic = connection.client("sns"), connection.settings.topic
    arn = sns.create_topic(Name=topic)["TopicArn"]
    sns.delete_topic(TopicArn=arn)
    alerts = feeds.alerts
    assert alerts is not None
    feeds.executions.watch()
    until(lambda: alerts.problem is not None)

    sns.create_topic(Name=topic)

    until(lambda: alerts.problem is None)
    until(lambda: alerts_recorded(connection) > 0)


@pytest.mark.parametrize("connection", ["looks"], indirect=True)
def test_read_only_feeds_leave_the_queue_and_the_topic_alone(workflow: Connection) -> None:
    sqs = workflow.client("sqs")
    queue = sqs.create_queue(QueueName=workflow.settings.executions_queue)["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="a status change")
    feeds, passes = connect_feeds(workflow, read_only=True), threading.Event()
    feeds.executions.after_pass = lambda _: passes.set()
    feeds.executions.watch()

    until(passes.is_set)
    until(lambda: len(feeds.failures.read_inbox(datetime.now(UTC))) == 1)
    feeds.close()

    assert feeds.alerts is None
    assert [one["Body"] for one in sqs.receive_message(QueueUrl=queue)["Messages"]] == [
        "a status change"
    ]
    assert alerts_recorded(workflow) == 0
