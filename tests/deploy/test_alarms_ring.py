"""The alarms on the local cloud: what rings there, and what does not."""

import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from deploy import deployment
from deploy.apply import Failed
from tests.builders import PNG
from workflow.settings import Settings

pytestmark = pytest.mark.cloud


class Workflow:
    """A deployment of its own on the shared local cloud, and what is done to it."""

    def __init__(self, cloud: Any, settings: Settings) -> None:
        self.cloud, self.settings = cloud, settings

    def run(self, key: str) -> str:
        """Run an execution to its end; gives its error, or its status where it has none."""
        states = self.cloud.client("stepfunctions")
        given = {"s3_bucket": self.settings.bucket, "s3_key": key}
        arn = states.start_execution(
            stateMachineArn=self.settings.alias_arn, input=json.dumps(given)
        )["executionArn"]
        ended = wait_for(
            lambda: (
                (found := states.describe_execution(executionArn=arn))["status"] != "RUNNING"
                and found
            )
        )
        return str(ended.get("error", ended["status"]))

    def matched(self, rule: str) -> float:
        """How many events a rule has matched."""
        now = datetime.now(UTC)
        points = self.cloud.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Events",
            MetricName="MatchedEvents",
            Dimensions=[{"Name": "RuleName", "Value": f"{self.settings.prefix}-{rule}"}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    def ringing(self) -> set[str]:
        """Names of the alarms that have ever gone off, without the prefix of the deployment."""
        items = self.cloud.client("cloudwatch").describe_alarm_history(
            HistoryItemType="StateUpdate"
        )["AlarmHistoryItems"]
        prefix = f"{self.settings.prefix}-"
        return {
            item["AlarmName"].removeprefix(prefix)
            for item in items
            if item["AlarmName"].startswith(prefix) and "to ALARM" in item["HistorySummary"]
        }

    def fail_once(self) -> None:
        """Let the next InvokeEndpoint fail, so that the state machine tries again."""
        fault = {
            "service": "sagemaker-runtime",
            "operation": "InvokeEndpoint",
            "error": "ServiceUnavailable",
            "status": 503,
            "count": 1,
        }
        self.cloud.admin("POST", "faults", fault)


def wait_for(look: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < end, "It did not come."
        time.sleep(0.1)
    return found


@pytest.fixture
def workflow(local_cloud: Any, monkeypatch: pytest.MonkeyPatch) -> Workflow:
    for name, value in local_cloud.environ.items():
        monkeypatch.setenv(name, value)
    session = boto3.Session(region_name=local_cloud.region)
    settings = Settings(
        account=local_cloud.account,
        region=local_cloud.region,
        project=f"rings-{uuid.uuid4().hex[:6]}",
        threshold=0.5,
    )
    plan = deployment.observe_and_plan(settings, session)
    assert not [e for e in deployment.apply(plan, settings, session) if isinstance(e, Failed)]
    local_cloud.client("s3").put_object(Bucket=settings.bucket, Key="images/a.png", Body=PNG)
    return Workflow(local_cloud, settings)


def test_faults_ring_and_nothing_else_does(workflow: Workflow) -> None:
    cloud, settings = workflow.cloud, workflow.settings

    assert workflow.run("images/a.png") == "SUCCEEDED"
    assert workflow.run("images/mistyped.png") == "ImageNotFound"
    workflow.fail_once()
    assert workflow.run("images/a.png") == "SUCCEEDED"
    assert (workflow.matched("faults"), workflow.matched("input-errors")) == (0, 1)
    assert workflow.matched("executions") == 6

    iam, role = cloud.client("iam"), f"{settings.prefix}-states-{settings.region}"
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=policy)
    assert workflow.run("images/a.png") == "Lambda.AWSLambdaException"
    assert workflow.matched("faults") == 1
    wait_for(lambda: workflow.ringing() == {"faults"})

    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
    cloud.client("lambda").put_function_concurrency(
        FunctionName=settings.serialize_function, ReservedConcurrentExecutions=0
    )
    assert "TooManyRequests" in workflow.run("images/a.png")
    assert (workflow.matched("faults"), workflow.matched("input-errors")) == (2, 1)
    assert workflow.ringing() == {"faults"}
