"""A cloud in memory that can be cut off before any of its writes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.cloud import Observed
from deploy.promotion import SERVES
from deploy.resources import (
    BucketContents,
    CloudResource,
    EndpointConfig,
    ExistingEndpoint,
    Function,
    IamRole,
    Key,
    LogGroup,
    ModelArchive,
    Rule,
    SageMakerEndpoint,
    SageMakerModel,
    StateMachine,
    StorageBucket,
    Subscription,
    TrainingJob,
)
from deploy.versions import Version
from workflow.errors import WorkflowError

DAWN = datetime(2026, 11, 23, tzinfo=UTC)
UNTAGGED = {ModelArchive.KIND, Subscription.KIND, ExistingEndpoint.KIND}
IN_SEVERAL_CALLS = (StorageBucket, IamRole, LogGroup, Rule)
"""Kinds that AWS creates in more than one call, so that halves of them exist."""
PUBLISHED = {Function.KIND, StateMachine.KIND}


class CutOff(Exception):  # noqa: N818 - what happens to a process that is killed, not an error
    """The process ended here."""


@dataclass
class FakeCloud:
    """Resources by key.

    Attributes:
        store: What there is.
        cut_off_after: How many writes still succeed; None: all.
        log: Every write, as operation and key.
        reads: How many reads there were.
        held: Whether this deploy holds the lock.
        published: How many versions of a key were published.
        refuse: What writes to a kind fail with.
    """

    store: dict[Key, Observed] = field(default_factory=dict)
    cut_off_after: int | None = None
    log: list[tuple[str, Key]] = field(default_factory=list)
    reads: int = 0
    held: bool = False
    published: dict[Key, int] = field(default_factory=dict)
    refuse: Mapping[str, WorkflowError] = field(default_factory=dict)

    def read(self, key: Key) -> Observed | None:
        self.reads += 1
        return self.store.get(key)

    def find(self) -> Iterable[Key]:
        return [key for key in self.store if key.kind in {SageMakerModel.KIND, EndpointConfig.KIND}]

    def create(self, resource: CloudResource) -> Iterator[str]:
        assert resource.key not in self.store, f"{resource.key} was created twice"
        wanted = resource.wanted(None)
        if isinstance(resource, IN_SEVERAL_CALLS):
            self._write("create", resource.key)
            self._put(resource, dict(list(wanted.items())[: len(wanted) // 2]))
            yield "half of it"
        self._write("create", resource.key)
        self._put(resource, wanted)
        yield "all of it"

    def update(self, resource: CloudResource, observed: Observed) -> Iterator[str]:
        assert observed == self.store[resource.key]
        self._write("update", resource.key)
        self._put(resource, resource.wanted(observed.properties))
        yield "updated"

    def delete(self, key: Key) -> Iterator[str]:
        self._write("delete", key)
        del self.store[key]
        if key.kind == BucketContents.KIND:
            bucket = Key(StorageBucket.KIND, key.name)
            self.store[bucket] = Observed(
                properties=self.store[bucket].properties, tags=self.store[bucket].tags
            )
        yield "deleted"

    def hold(self) -> None:
        self.held = True

    def release(self) -> None:
        self.held = False

    def versions(self, machine: str, alias: str) -> tuple[Version, ...]:
        raise NotImplementedError

    def pause(self, seconds: float) -> None:
        assert seconds > 0

    def _write(self, operation: str, key: Key) -> None:
        assert self.held, "a write without the lock"
        if key.kind in self.refuse:
            raise self.refuse[key.kind]
        if self.cut_off_after is not None:
            if self.cut_off_after == 0:
                raise CutOff
            self.cut_off_after -= 1
        self.log.append((operation, key))

    def _put(self, resource: CloudResource, properties: dict[str, Any]) -> None:
        key = resource.key
        if key.kind in PUBLISHED:
            self.published[key] = self.published.get(key, 0) + 1
        self.store[key] = Observed(
            properties=properties,
            outputs=self._outputs(resource),
            tags=None if key.kind in UNTAGGED else dict(resource.tags),
            created=DAWN + timedelta(seconds=len(self.log))
            if key.kind == EndpointConfig.KIND
            else None,
        )

    def _outputs(self, resource: CloudResource) -> dict[str, str]:
        arn = f"arn:aws:{resource.KIND}:{resource.name}"
        outputs = {"arn": arn, "name": resource.name, "url": f"https://{resource.name}"}
        if resource.KIND in PUBLISHED:
            outputs["version_arn"] = f"{arn}:{self.published[resource.key]}"
        if isinstance(resource, SageMakerEndpoint):
            config = self.store[Key(EndpointConfig.KIND, resource.config)]
            outputs[SERVES] = str(config.properties["model"])
        if isinstance(resource, TrainingJob):
            outputs["model_data"] = f"s3://{resource.name}/model.tar.gz"
        return outputs


def existing_endpoint(name: str) -> dict[Key, Observed]:
    return {Key(ExistingEndpoint.KIND, name): Observed(properties={}, outputs={"name": name})}
