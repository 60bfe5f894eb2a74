"""What the endpoint of a test's cloud serves."""

import time
import uuid

from dashboard.aws.cloud import Connection
from dashboard.rollout import client
from dashboard.rollout.client import IN_SERVICE, ServedEndpoint

SECONDS = 60


def token() -> str:
    return uuid.uuid4().hex[:12]


def settled(cloud: Connection) -> ServedEndpoint:
    deadline = time.monotonic() + SECONDS
    while (found := client.describe_endpoint(cloud)).status != IN_SERVICE:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def weights(cloud: Connection) -> dict[str, float]:
    return {one.name: one.weight for one in client.describe_endpoint(cloud).variants}
