"""A workflow deployed to the session's local cloud, and the dashboard's connection to it."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
import streamlit as st
from moto import mock_aws
from streamlit.components.v2 import manifest_scanner

from dashboard.access import session as access
from dashboard.aws import cloud as clouds
from dashboard.aws.cloud import Cloud, Connection, connect
from dashboard.aws.quotas import Pacer
from dashboard.shared import cloud_reads, connections
from deploy import deployment
from deploy.apply import Failed
from deploy.providers import clients
from tests.desk import Desk
from tests.faulty_cloud import FaultyCloud
from workflow.access import Actor, Role
from workflow.settings import Settings


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have pages wait for what they read: a busy machine is no cloud that hangs."""
    monkeypatch.setattr(cloud_reads, "PATIENCE_S", 60.0)
    poll_often(monkeypatch)


def poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a deployment look at what becomes ready without long pauses."""
    monkeypatch.setattr(clients, "POLLING", ())
    monkeypatch.setattr(clients, "LONGEST_POLL", 0.1)


@pytest.fixture(scope="session", autouse=True)
def scanned_once() -> Iterator[None]:
    """Have Streamlit look for components in the installed packages once, not in each ``AppTest``.

    That takes a third of the time of a page.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        once = cache(manifest_scanner.scan_component_manifests)
        monkeypatch.setattr(manifest_scanner, "scan_component_manifests", once)
        yield


@pytest.fixture(scope="session")
def environ(local_cloud) -> Iterator[dict[str, str]]:  # noqa: ANN001 - of the folder above
    """The environment in which the dashboard finds the session's local cloud.

    A process finds the cloud once: the search starts an interpreter, and most tests connect again.
    """
    found = {
        "SCONES_LOCALCLOUD_DIR": str(local_cloud.directory),
        "SCONES_LOCALCLOUD_PORT": local_cloud.endpoint_url.rpartition(":")[2],
        "SCONES_PROJECT": "pages",
        "SCONES_THRESHOLD": "0.5",
    }
    start, ready = clouds._start_local_cloud, clouds._start_local_cloud(found)

    def start_once(asked: Mapping[str, str]) -> dict[str, Any]:
        here = asked.get("SCONES_LOCALCLOUD_DIR") == str(local_cloud.directory)
        return ready if here else start(asked)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(clouds, "_start_local_cloud", start_once)
        yield found


@pytest.fixture(scope="session")
def empty(environ: dict[str, str]) -> Connection:
    """A connection to a cloud in which nothing of this project is deployed."""
    return connect({**environ, "SCONES_PROJECT": "nothing"})


@pytest.fixture(scope="session")
def deployed(environ: dict[str, str]) -> Connection:
    """A connection to a cloud in which the workflow is deployed, with a threshold of 0.5."""
    connection = connect(environ)
    deploy(connection)
    return connection


def deploy(connection: Connection) -> None:
    settings, session = connection.settings, connection.session
    plan = deployment.observe_and_plan(settings, session)
    with pytest.MonkeyPatch.context() as monkeypatch:
        poll_often(monkeypatch)
        for event in deployment.apply(plan, settings, session):
            assert not isinstance(event, Failed), event


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """The connection of pages to an account in moto with the workflow's bucket; Ana is at them."""
    monkeypatch.setenv("SCONES_STORE", str(tmp_path))
    ana = Actor("ana@example.com", Role.ADMIN)
    monkeypatch.setattr(access, "current_actor", lambda: ana)
    cloud = Cloud(name="AWS", account="123456789012", region="us-east-1")
    with mock_aws():
        found = Connection(
            cloud,
            Settings(account=cloud.account, region=cloud.region),
            boto3.Session("test", "test", region_name=cloud.region),
            Pacer(cloud.region),
        )
        found.client("s3").create_bucket(Bucket=found.settings.bucket)
        monkeypatch.setattr(connections, "_connect_unlimited", lambda: found)
        st.cache_resource.clear()
        yield found
        st.cache_resource.clear()


@pytest.fixture
def desk(deployed: Connection, tmp_path: Path) -> Iterator[Desk]:
    assert deployed.cloud.endpoint_url is not None
    with FaultyCloud({}, behind=deployed.cloud.endpoint_url) as faulty:
        yield Desk(deployed, faulty, tmp_path / "audit")
