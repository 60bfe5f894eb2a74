"""CloudWatch metrics: data points in SQLite, as the services publish them."""

import json
import time
from collections.abc import Mapping

from localcloud.cloud import Cloud
from localcloud.service import Service

_TABLE = """
CREATE TABLE IF NOT EXISTS metric_data (
    namespace TEXT, name TEXT, dimensions TEXT, time REAL, value REAL, unit TEXT
);
CREATE INDEX IF NOT EXISTS metric_data_by_time ON metric_data (namespace, name, dimensions, time);
"""


class Metrics(Service):
    """The ``cloudwatch`` service."""

    name = "cloudwatch"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        cloud.store.script(_TABLE)

    def count(self, namespace: str, name: str, dimensions: Mapping[str, str]) -> None:
        """Record one of something."""
        self.record(namespace, name, dimensions, 1.0, "Count")

    def record(
        self, namespace: str, name: str, dimensions: Mapping[str, str], value: float, unit: str
    ) -> None:
        """Record a value now."""
        self.cloud.store.execute(
            "INSERT INTO metric_data VALUES (?, ?, ?, ?, ?, ?)",
            (namespace, name, json.dumps(dict(dimensions), sort_keys=True), time.time(), value,
             unit),
        )  # fmt: skip
