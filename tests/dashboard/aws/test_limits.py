"""A limited connection refuses each call that changes something before anything is sent."""

from collections.abc import Iterator

import boto3
import pytest
from botocore.stub import Stubber

from dashboard.aws.cloud import Cloud, Connection
from dashboard.aws.quotas import Pacer
from workflow.access import ANY_CALL, CALLS, OWN_CALLS, READS_ONLY, Calls, Privilege
from workflow.errors import WorkflowError
from workflow.settings import Settings

ACCOUNT, REGION = "123456789012", "us-east-1"


@pytest.fixture
def connection() -> Connection:
    session = boto3.Session("test", "test", region_name=REGION)
    cloud = Cloud(name="AWS", account=ACCOUNT, region=REGION)
    return Connection(cloud, Settings(account=ACCOUNT, region=REGION), session, Pacer(REGION))


def put(connection: Connection) -> str:
    """Whether an object was put: what was said."""
    client = connection.client("s3")
    with Stubber(client) as stubber:
        stubber.add_response("put_object", {})
        try:
            client.put_object(Bucket="bucket", Key="key", Body=b"")
        except WorkflowError as error:
            return error.code
    return "put"


def limits() -> Iterator[tuple[Calls, str]]:
    yield READS_ONLY, "NotPermitted"
    yield ANY_CALL, "put"
    yield OWN_CALLS, "put"
    yield CALLS[Privilege.TRIAGE], "put"
    yield frozenset({"s3:DeleteObject"}), "NotPermitted"


@pytest.mark.parametrize(("calls", "said"), list(limits()))
def test_a_call_that_changes_something_needs_to_be_allowed(
    connection: Connection, calls: Calls, said: str
) -> None:
    assert put(connection.limited(calls)) == said


def test_a_call_that_reads_is_always_allowed(connection: Connection) -> None:
    client = connection.limited(READS_ONLY).client("sts")

    with Stubber(client) as stubber:
        stubber.add_response("get_caller_identity", {"Account": ACCOUNT})
        assert client.get_caller_identity()["Account"] == ACCOUNT


def test_an_action_may_not_make_the_calls_of_another(connection: Connection) -> None:
    client = connection.limited(CALLS[Privilege.TRIAGE]).client("stepfunctions")

    with pytest.raises(WorkflowError, match="stepfunctions:StartExecution changes something"):
        client.start_execution(stateMachineArn=connection.settings.alias_arn)


def test_the_connection_that_is_limited_stays_as_it_was(connection: Connection) -> None:
    connection.limited(READS_ONLY)

    assert put(connection) == "put"


def test_clients_of_a_limited_session_reach_the_same_place(connection: Connection) -> None:
    limited = connection.limited(READS_ONLY)

    assert limited.cloud == connection.cloud
    assert limited.session.region_name == REGION
    assert limited.session.get_credentials() is connection.session.get_credentials()
