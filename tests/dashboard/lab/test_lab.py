"""The lab: each condition breaks what it says, and ends as it was begun."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from dashboard.aws.cloud import Connection
from dashboard.demonstration import control
from dashboard.lab.model import CONDITIONS, traffic_arguments
from localcloud.lab import CONDITIONS as OFFERED
from localcloud.traffic import CAMERAS
from tests.builders import png
from tests.localcloud.conftest import wait_for
from workflow.errors import WorkflowError

pytestmark = pytest.mark.cloud
ONCE = Config(retries={"total_max_attempts": 1})
"""Throttling is by chance: without retries, each of many calls may show it."""


def photo_in(connection: Connection) -> str:
    """The key of a photo that is there."""
    key = f"{connection.settings.upload_prefix}lab.png"
    connection.client("s3").put_object(Bucket=connection.settings.bucket, Key=key, Body=png())
    return key


def execution(connection: Connection) -> dict[str, str]:
    """One execution of a photo that is there."""
    states = connection.client("stepfunctions")
    started = states.start_execution(
        stateMachineArn=connection.settings.alias_arn,
        name=f"lab-{uuid.uuid4()}",
        input=json.dumps({"s3_bucket": connection.settings.bucket, "s3_key": photo_in(connection)}),
    )

    def ended() -> dict[str, str] | None:
        found: dict[str, str] = states.describe_execution(executionArn=started["executionArn"])
        return found if found["status"] != "RUNNING" else None

    result: dict[str, str] = wait_for(ended)
    return result


def is_on(connection: Connection, name: str) -> bool:
    found = control.read_controls(connection)
    assert found is not None
    return found.lab[name]


def begin(connection: Connection, name: str) -> None:
    control.begin_condition(connection, f"lab/{name}", datetime.now(UTC))
    assert is_on(connection, name)


def end(connection: Connection, name: str) -> None:
    control.end_condition(connection, f"lab/{name}")
    assert not is_on(connection, name)


def test_the_page_has_every_condition_that_the_cloud_offers() -> None:
    assert {one.name for one in CONDITIONS if not one.camera} == set(OFFERED)
    assert {one.name for one in CONDITIONS if one.camera} == set(CAMERAS)
    assert all(("--camera" in traffic_arguments(one)) is one.camera for one in CONDITIONS)


@pytest.mark.parametrize(
    ("name", "error"),
    [("bad-version", "InvalidInput"), ("missing-permission", "EndpointAccessDenied")],
)
def test_a_condition_fails_executions_until_it_is_ended(
    deployed: Connection, name: str, error: str
) -> None:
    begin(deployed, name)
    try:
        assert execution(deployed)["error"] == error
    finally:
        end(deployed, name)
    assert execution(deployed).get("error") not in (error, "States.Runtime")


@pytest.mark.parametrize(
    ("name", "service", "code"),
    [
        ("endpoint-down", "sagemaker-runtime", "ServiceUnavailable"),
        ("throttling", "lambda", "TooManyRequestsException"),
    ],
)
def test_a_condition_refuses_calls_until_it_is_ended(
    deployed: Connection, name: str, service: str, code: str
) -> None:
    settings = deployed.settings

    def codes() -> set[str]:
        client: Any = deployed.session.client(service, config=ONCE)  # type: ignore[call-overload]
        found = set()
        for _ in range(16):
            try:
                if service == "lambda":
                    client.invoke(FunctionName=settings.filter_function, Payload=b"{}")
                else:
                    client.invoke_endpoint(EndpointName=settings.endpoint, Body=b"no image")
            except ClientError as raised:
                found.add(raised.response["Error"]["Code"])
        return found

    begin(deployed, name)
    try:
        assert code in codes()
    finally:
        end(deployed, name)
    assert code not in codes()


def test_a_condition_that_is_not_offered_is_refused_in_words(deployed: Connection) -> None:
    with pytest.raises(WorkflowError, match="no condition"):
        control.begin_condition(deployed, "lab/flood", datetime.now(UTC))
