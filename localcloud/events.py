"""EventBridge: rules, targets and events."""

from localcloud.service import Service
from localcloud.wire import Params


class Events(Service):
    """The ``events`` service."""

    name = "events"

    def put(self, source: str, detail_type: str, resources: list[str], detail: Params) -> None:
        """Publish an event of an AWS service on the default bus."""
