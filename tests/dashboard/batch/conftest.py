"""The session's cloud with the state machine of batches."""

import pytest

from dashboard.aws.cloud import Connection
from deploy import deployment
from deploy.apply import Failed


@pytest.fixture(scope="module")
def batches(deployed: Connection) -> Connection:
    settings, session = deployed.settings, deployed.session
    for event in deployment.apply(deployment.plan_batch(settings, session), settings, session):
        assert not isinstance(event, Failed), event
    return deployed
