"""The port between the pure planner and a cloud: what it can be asked, and what it tells."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from deploy.resources import CloudResource, Key, Properties
from deploy.versions import Version
from workflow.errors import WorkflowError


class RefusedError(WorkflowError):
    """A cloud's refusal of a call.

    Attributes:
        operation: The call, such as ``iam:CreateRole``.
        said: The cloud's own message.
    """

    def __init__(
        self, code: str, message: str, remedy: str, *, operation: str = "", said: str = ""
    ) -> None:
        super().__init__(code, message, remedy)
        self.operation = operation
        self.said = said


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a cloud has under a key.

    Attributes:
        properties: The same names and forms as ``CloudResource.properties``.
        outputs: Attributes that other resources refer to.
        tags: Its tags, or those of what it is part of; None for what lies in something of ours.
        failure: Why it is beyond repair and has to be replaced, else empty.
        created: When it was made; None where a plan does not ask.
    """

    properties: Properties
    outputs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] | None = None
    failure: str = ""
    created: datetime | None = None


class DeploymentTarget(Protocol):
    """A place to deploy to.

    Every method raises ``WorkflowError`` where a call fails: ``RefusedError`` where the cloud
    itself refused it.

    The writing methods are generators: they say what they wait for, and are done when exhausted.
    """

    def read(self, key: Key) -> Observed | None:
        """Return what is there under the key, or None."""

    def find(self) -> Iterable[Key]:
        """Return the keys of immutable resources that this deployment made, by their names."""

    def create(self, resource: CloudResource) -> Iterator[str]:
        """Create a resource whose references are resolved, and wait until it can be used.

        A refusal that passes by itself is the caller's to wait for: ``deploy.transient_errors``.
        """

    def update(self, resource: CloudResource, observed: Observed) -> Iterator[str]:
        """Change what is there into what is wanted, and wait until it can be used."""

    def delete(self, key: Key) -> Iterator[str]:
        """Delete what is there and wait until it is gone."""

    def hold(self) -> None:
        """Take the deployment's lock, or renew it: only one deploy at a time may write."""

    def release(self) -> None:
        """Give the lock back, if it is held."""

    def versions(self, machine: str, alias: str) -> tuple[Version, ...]:
        """Return versions of a state machine with the weights of an alias, the newest first."""

    def pause(self, seconds: float) -> None:
        """Wait for the cloud to settle."""
