"""Refusals of AWS over every command: exit code 1, and what happened with a remedy on stderr.

All calls fail but the one that asks whose account it is, so that each command gets to its own.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from dashboard.aws import cloud as clouds
from dashboard.aws.cloud import Cloud, Connection
from dashboard.aws.quotas import Pacer
from dashboard.batch import __main__ as batch_command
from deploy import __main__ as deploy_command
from deploy import deployment
from deploy.providers import clients, session
from deploy.providers.errors import explain_error
from tests.deploy.cases import artifacts
from tests.faulty_cloud import Fault, FaultyCloud
from workflow.regions import Region
from workflow.settings import Settings

pytestmark = pytest.mark.cloud

ACCOUNT, REGION = "123456789012", "us-east-1"
DEPLOY = (
    ["plan"],
    ["apply", "--yes"],
    ["rollback", "--yes"],
    ["batch", "--yes"],
    ["status"],
    ["destroy", "--confirm", "faults-dev"],
)
BATCH = (["list"], ["start", "s3://photos/in/", "--yes"], ["pause", "b"], ["resume", "b"])
FAULTS = [
    pytest.param(Fault.DENIED, id=Fault.DENIED.value),
    pytest.param(Fault.THROTTLED, id=Fault.THROTTLED.value, marks=pytest.mark.nightly),
]
IMPATIENT = Config(
    connect_timeout=2, read_timeout=0.2, retries={"mode": "standard", "total_max_attempts": 1}
)


@pytest.fixture(scope="module")
def faulty() -> Iterator[FaultyCloud]:
    with FaultyCloud({}) as cloud:
        yield cloud


@pytest.fixture
def connected(
    faulty: FaultyCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Connect the commands to the faulty cloud, in a directory of their own."""
    for name, value in {
        "AWS_ENDPOINT_URL": faulty.url,
        "AWS_ACCESS_KEY_ID": "AKIAFAULTY",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": REGION,
        "SCONES_CLOUD": "aws",
        "SCONES_PROJECT": "faults",
        "SCONES_HOME": str(tmp_path),
        "SCONES_LOCALCLOUD_DIR": str(tmp_path / "cloud"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(clients, "CONFIG", IMPATIENT)
    monkeypatch.setattr(session, "CONFIG", IMPATIENT)
    monkeypatch.setattr(clouds, "_CLIENTS", IMPATIENT)
    monkeypatch.setattr(deployment, "account_of", lambda _: ACCOUNT)
    monkeypatch.setattr(deployment, "collect_artifacts", lambda *_, **__: artifacts())
    monkeypatch.setattr(deploy_command, "DATA_DIRECTORY", tmp_path)
    settings = Settings.from_env(
        {"SCONES_PROJECT": "faults"}, account=ACCOUNT, region=Region(REGION, "test")
    )
    cloud = Cloud(name="AWS", account=ACCOUNT, region=REGION, endpoint_url=faulty.url)
    connection = Connection(cloud, settings, boto3.Session(region_name=REGION), Pacer(REGION))
    monkeypatch.setattr("dashboard.shared.command_line.connect", lambda _: connection)
    clients.account_of.cache_clear()
    yield
    clients.account_of.cache_clear()
    faulty.heal()


def fails_with_a_remedy(
    command: Callable[[list[str]], int], arguments: list[str], said: pytest.CaptureFixture[str]
) -> None:
    assert command(arguments) == 1, arguments
    problem, _, remedy = said.readouterr().err.strip().partition("\n")
    assert re.match(r"[A-Z]\w+: \S", problem), (arguments, problem)
    assert len(remedy.split()) >= 3, (arguments, problem, remedy)


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_command_under_a_fault_ends_with_1_and_a_remedy(
    faulty: FaultyCloud, fault: Fault, capsys: pytest.CaptureFixture[str]
) -> None:
    faulty.fail(fault)
    for arguments in DEPLOY:
        fails_with_a_remedy(deploy_command.main, arguments, capsys)
    for arguments in BATCH:
        fails_with_a_remedy(batch_command.main, arguments, capsys)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "BadRequest"), (403, "AccessDenied"), (500, "InternalError"), (503, "SlowDown")],
)
def test_a_status_without_a_body_has_the_name_of_its_error(status: int, code: str) -> None:
    answer = ClientError({"Error": {"Code": str(status), "Message": ""}}, "HeadBucket")

    said = explain_error(answer, "s3", "photos")

    assert said.code == code
    assert len(said.remedy.split()) >= 3
