"""A deployment's whole life in a local cloud that is as unkind as a new AWS account."""

import time
from collections.abc import Iterator
from functools import partial

import boto3
import pytest

from deploy import deployment
from deploy.apply import Failed, StepProgress
from deploy.plan import Op
from deploy.providers.aws import AwsCloud
from tests.conftest import LocalCloud, start_local_cloud, stop_local_cloud
from workflow.settings import Settings

pytestmark = pytest.mark.cloud
SPEED = 30


@pytest.fixture(scope="module")
def unkind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    cloud = start_local_cloud(tmp_path_factory.mktemp("unkind"), "--aws-like", str(SPEED))
    yield cloud
    stop_local_cloud(cloud)


@pytest.fixture
def there(unkind: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, boto3.Session]:
    """A deployment there, whose waits are as much shorter as its time is faster."""
    for name, value in unkind.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        deployment, "AwsCloud", partial(AwsCloud, pause=lambda seconds: time.sleep(seconds / SPEED))
    )
    session = boto3.Session(region_name=unkind.region)
    return Settings(account=unkind.account, region=unkind.region, project="unkind"), session


def failures(events: list[deployment.Event]) -> list[str]:
    return [f"{one.key}: {one.error}" for one in events if isinstance(one, Failed)]


def test_it_is_made_kept_unmade_and_made_again(there: tuple[Settings, boto3.Session]) -> None:
    owner, session = there
    events = list(deployment.apply(deployment.observe_and_plan(owner, session), owner, session))
    assert failures(events) == []
    said = {one.message for one in events if isinstance(one, StepProgress)}
    assert len([text for text in said if text.startswith("Waiting until ")]) > 5
    again = deployment.observe_and_plan(owner, session)
    assert {action.op for action in again.actions} == {Op.KEEP}

    assert failures(list(deployment.destroy(owner, session, empty_bucket=owner.bucket))) == []
    events = list(deployment.apply(deployment.observe_and_plan(owner, session), owner, session))
    assert failures(events) == []
    assert deployment.read_status(owner, session).endpoint_status == "InService"
