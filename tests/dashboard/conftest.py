"""A workflow deployed to the session's local cloud, and the dashboard's connection to it."""

import pytest

from dashboard.aws.cloud import Connection, connect
from dashboard.shared import cloud_reads
from deploy import deployment
from deploy.apply import Failed


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have pages wait for what they read: a busy machine is no cloud that hangs."""
    monkeypatch.setattr(cloud_reads, "PATIENCE_S", 60.0)


@pytest.fixture(scope="session")
def environ(local_cloud) -> dict[str, str]:  # noqa: ANN001 - a fixture of the folder above
    """The environment in which the dashboard finds the session's local cloud."""
    return {
        "SCONES_LOCALCLOUD_DIR": str(local_cloud.directory),
        "SCONES_LOCALCLOUD_PORT": local_cloud.endpoint_url.rpartition(":")[2],
        "SCONES_PROJECT": "pages",
        "SCONES_THRESHOLD": "0.5",
    }


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
    for event in deployment.apply(plan, settings, session):
        assert not isinstance(event, Failed), event
