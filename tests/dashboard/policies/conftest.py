"""A visitor of pages whose every call is checked against a generated policy.

Calls of boto3 are checked at the client. Reads of objects that do not go by boto3 are checked by
the local cloud: they are signed with the key of a role that has the policy.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import streamlit as st
from botocore.configloader import load_config
from botocore.exceptions import ClientError
from botocore.model import OperationModel
from streamlit.testing.v1 import AppTest

from dashboard.aws import cloud as aws_cloud
from dashboard.aws.cloud import Connection
from dashboard.batch import client
from deploy.user_policies import User, user_policy
from localcloud.credentials import Credentials
from tests.builders import capture_lines, captured, png
from tests.dashboard.batch.conftest import batches
from tests.dashboard.workflows.conftest import APP, SECONDS
from workflow.aws_errors import permission
from workflow.batches import BatchOptions, read_source

__all__ = ["batches"]
"""A fixture of another folder."""

Open = Callable[..., AppTest]
Answers = Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]
"""Answers that the local cloud does not give, by operation, from the parameters of the call."""


def allowed(user: User, connection: Connection) -> set[str]:
    """Actions that a policy grants."""
    listed = [one["Action"] for one in user_policy(user, connection.settings)["Statement"]]
    return {action for one in listed for action in ([one] if isinstance(one, str) else one)}


@pytest.fixture
def owner(deployed: Connection) -> Connection:
    """Whose deployment the policies are about."""
    return deployed


@pytest.fixture
def visit(
    environ: dict[str, str],
    owner: Connection,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Open]:
    """Open a page as somebody with a policy, of which some actions are taken out."""
    make = aws_cloud._make_session

    def run(
        page: str,
        user: User,
        *without: str,
        query: Mapping[str, str] | None = None,
        tab: str = "",
        answers: Answers | None = None,
        **variables: str,
    ) -> AppTest:
        for name, value in {**environ, **variables}.items():
            monkeypatch.setenv(name, value)
        granted = allowed(user, owner) - set(without)
        key = _key(owner, user, set(without))

        def check(model: OperationModel, params: dict[str, Any], **_: object) -> Any:
            action = permission(f"{model.service_model.service_name}:{model.name}")
            if action not in granted:
                raise refusal(action, model.name)
            if answers and model.name in answers:
                body = params.get("body") or b"{}"
                asked = body if isinstance(body, dict) else json.loads(body)
                return SimpleNamespace(status_code=200), answers[model.name](asked)
            return None

        def hide_tags(parsed: dict[str, Any], **_: object) -> None:
            # Lambda then answers without them, and says so (API reference, GetFunction).
            if "lambda:ListTags" not in granted:
                parsed.pop("Tags", None)
                parsed["TagsError"] = refusal("lambda:ListTags", "").response["Error"]
                parsed["TagsError"]["ErrorCode"] = parsed["TagsError"]["Code"]

        def session(core: Any, region: str) -> boto3.Session:
            # Connected by now: records of this visitor lie apart from those of others.
            monkeypatch.setenv("SCONES_LOCALCLOUD_DIR", str(tmp_path))
            core.set_credentials(key.access_key_id, key.secret_access_key)
            made = make(core, region)
            made.events.register("before-call", check)
            made.events.register("after-call.lambda.GetFunction", hide_tags)
            return made

        monkeypatch.setattr(aws_cloud, "_make_session", session)
        st.cache_resource.clear()
        st.cache_data.clear()
        test = AppTest.from_file(str(APP), default_timeout=SECONDS)
        test.switch_page(f"app_pages/{page}.py")
        test.query_params.update(query or {})
        if tab:
            test.session_state["view"] = tab
        return test.run()

    yield run
    st.cache_resource.clear()


def _key(cloud: Connection, user: User, without: set[str]) -> Credentials:
    """Return the access key of a new role of the local cloud that has the policy."""
    name = f"{user}-{uuid.uuid4().hex[:8]}"
    policy = user_policy(user, cloud.settings)
    for statement in policy["Statement"]:
        given = statement["Action"]
        left = {given} if isinstance(given, str) else set(given)
        statement["Action"] = sorted(left - without) or ["none:None"]
    iam = cloud.client("iam")
    trust = '{"Version": "2012-10-17", "Statement": []}'
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName=name, PolicyName="of", PolicyDocument=json.dumps(policy))
    keys = load_config(str(cloud.cloud.credentials_file))["profiles"]["default"]
    own = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
    return own.of_role(name)


def refusal(action: str, operation: str) -> ClientError:
    message = f"User: arn:aws:iam::123456789012:user/ana is not authorized to perform: {action}"
    answer: Any = {"Error": {"Code": "AccessDeniedException", "Message": message}}
    return ClientError(answer, operation)


@pytest.fixture(scope="session")
def executions(deployed: Connection) -> dict[str, str]:
    """ARNs of an execution of the deployed workflow that ``failed`` and of one that went well."""
    states, settings = deployed.client("stepfunctions"), deployed.settings
    key = f"{settings.upload_prefix.rstrip('/')}/policies-{uuid.uuid4().hex[:8]}.png"
    deployed.client("s3").put_object(Bucket=settings.bucket, Key=key, Body=png())
    deployed.client("s3").put_object(
        Bucket=settings.bucket, Key="training/train.lst", Body=b"0\t0\ta.png\n"
    )
    found = {}
    for name, given in {"well": key, "failed": f"{key}-is-missing"}.items():
        place = {"s3_bucket": settings.bucket, "s3_key": given, "image_data": "", "inferences": []}
        found[name] = states.start_execution(
            stateMachineArn=settings.alias_arn, input=json.dumps(place)
        )["executionArn"]
    deadline = time.monotonic() + SECONDS
    for arn in found.values():
        while states.describe_execution(executionArn=arn)["status"] == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    return found


@pytest.fixture(scope="session")
def captures(deployed: Connection) -> None:
    """A capture of the deployed endpoint, of this hour."""
    settings = deployed.settings
    hour = f"{datetime.now(UTC):%Y/%m/%d/%H}"
    key = f"{settings.capture_prefix}/{settings.endpoint}/AllTraffic/{hour}/policies.jsonl"
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    line = captured("[0.9, 0.1]", event_id=uuid.uuid4().hex, inferenceTime=now)
    deployed.client("s3").put_object(Bucket=settings.bucket, Key=key, Body=capture_lines(line))


@pytest.fixture(scope="module")
def batch(batches: Connection, executions: dict[str, str]) -> None:
    """A batch of one photo."""
    settings = batches.settings
    source = read_source(f"s3://{settings.bucket}/{settings.upload_prefix}")
    client.start_batch(batches, source, BatchOptions(), client.new_name())
