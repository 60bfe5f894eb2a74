"""The endpoint of the session's cloud, and another model for it."""

from collections.abc import Iterator

import pytest

from dashboard.aws.cloud import Connection
from dashboard.rollout import client
from dashboard.rollout.client import ServedEndpoint
from tests.served import settled, token


@pytest.fixture
def endpoint(deployed: Connection) -> Iterator[ServedEndpoint]:
    """What the endpoint serves before; it serves it again afterwards."""
    before = client.describe_endpoint(deployed)
    yield before
    sagemaker = deployed.client("sagemaker")
    settled(deployed)
    sagemaker.update_endpoint(EndpointName=before.name, EndpointConfigName=before.config)
    settled(deployed)


@pytest.fixture
def model(deployed: Connection, endpoint: ServedEndpoint) -> Iterator[str]:
    """Another model of the deployment: the one in use under another name."""
    sagemaker, name = deployed.client("sagemaker"), f"{deployed.settings.prefix}-{token()}"
    described = sagemaker.describe_model(ModelName=endpoint.variants[0].model)
    sagemaker.create_model(
        ModelName=name,
        PrimaryContainer=described["PrimaryContainer"],
        ExecutionRoleArn=described["ExecutionRoleArn"],
    )
    yield name
    sagemaker.delete_model(ModelName=name)
