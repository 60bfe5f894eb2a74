"""Applying a plan: re-read each resource, act, wait, and say so as events.

Nothing is remembered between runs. What a plan said is a promise to people; what is done is decided
anew from what is there, so that a run that was cut off at any step is finished by the next.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from deploy.cloud import Cloud, Observed
from deploy.plan import Action, Op, Plan, deletions, plan_resource
from deploy.resources import Key, Resource
from workflow.errors import WorkflowError

SETTLING_SECONDS = (1, 2, 4, 8, 15)
"""How long to wait between looks until a change shows: AWS's reads lag behind its writes."""


@dataclass(frozen=True, slots=True)
class Started:
    """An action begins; ``index`` counts from 1 to ``total``."""

    action: Action
    index: int
    total: int


@dataclass(frozen=True, slots=True)
class Progress:
    """An action says what it does or waits for."""

    key: Key
    message: str


@dataclass(frozen=True, slots=True)
class Applied:
    """An action is done; ``op`` is what was done in the end, KEEP where nothing was needed."""

    key: Key
    op: Op
    message: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """An action failed and the run ends; what was done before it stays done."""

    key: Key
    error: WorkflowError


Event: TypeAlias = Started | Progress | Applied | Failed


def apply(plan: Plan, cloud: Cloud) -> Iterator[Event]:
    """Make it so.

    Yields:
        For each action ``Started``, any number of ``Progress``, then ``Applied``; or ``Failed``,
        which is the last event. Nothing is touched while anything in the plan is BLOCKED.
    """
    if plan.blocked:
        first = plan.blocked[0]
        yield Failed(first.key, _blocked(first))
        return
    outputs: dict[Key, Mapping[str, str]] = {}
    try:
        for index, action in enumerate(plan.actions, start=1):
            yield Started(action, index, len(plan.actions))
            try:
                yield from _act(action, plan, cloud, outputs)
            except WorkflowError as error:
                yield Failed(action.key, error)
                return
    finally:
        # A lock that cannot be given back is a lease and ends by itself.
        with suppress(WorkflowError):
            cloud.release()


def _act(
    action: Action, plan: Plan, cloud: Cloud, outputs: dict[Key, Mapping[str, str]]
) -> Iterator[Event]:
    seen = cloud.read(action.key)
    if action.resource is None:
        yield from _remove(action, seen, plan, cloud)
        return
    now = plan_resource(action.resource, seen, outputs, owner=plan.owner)
    if now.op is Op.BLOCKED:
        raise _blocked(now)
    resource = action.resource.resolved(outputs)
    if unknown := resource.refs():
        raise _unknown(resource, *unknown[0])
    if now.op is not Op.KEEP:
        for message in _write(now.op, resource, seen, cloud):
            yield Progress(action.key, message)
        seen = yield from _settled(resource, plan, cloud)
    outputs[action.key] = {} if seen is None else seen.outputs
    yield Applied(action.key, now.op)


def _remove(action: Action, seen: Observed | None, plan: Plan, cloud: Cloud) -> Iterator[Event]:
    if action.op is Op.KEEP or seen is None:
        yield Applied(action.key, Op.KEEP, action.reason if seen else "It is already gone.")
        return
    if not deletions({action.key: seen}, owner=plan.owner):
        yield Applied(action.key, Op.KEEP, "It is not owned by this deployment.")
        return
    cloud.hold()
    for message in cloud.delete(action.key):
        cloud.hold()
        yield Progress(action.key, message)
    yield Applied(action.key, Op.DELETE)


def _write(op: Op, resource: Resource, seen: Observed | None, cloud: Cloud) -> Iterator[str]:
    cloud.hold()
    if seen is None:
        steps = cloud.create(resource)
    elif op is Op.UPDATE:
        steps = cloud.update(resource, seen)
    else:
        steps = _replace(resource, cloud)
    for message in steps:
        cloud.hold()
        yield message


def _replace(resource: Resource, cloud: Cloud) -> Iterator[str]:
    yield from cloud.delete(resource.key)
    yield from cloud.create(resource)


def _settled(
    resource: Resource, plan: Plan, cloud: Cloud
) -> Generator[Event, None, Observed | None]:
    """Look until what was written shows.

    Raises:
        WorkflowError: ``NotConverged`` where it still differs after about half a minute.
    """
    for seconds in (*SETTLING_SECONDS, None):
        seen = cloud.read(resource.key)
        left = plan_resource(resource, seen, {}, owner=plan.owner)
        if left.op is Op.KEEP:
            return seen
        if seconds is not None:
            yield Progress(resource.key, f"Waiting until the change shows: {left.reason}")
            cloud.pause(seconds)
    raise WorkflowError(
        "NotConverged",
        f"The {resource.TITLE} {resource.name} was written, but still reads otherwise:"
        f" {left.reason}",
        "Look whether somebody else is changing it, then apply again.",
    )


def _unknown(resource: Resource, key: Key, attribute: str) -> WorkflowError:
    return WorkflowError(
        "ReferenceUnknown",
        f"The {resource.TITLE} {resource.name} needs the {attribute} of {key}, which has none yet.",
        "Wait until it is ready, then apply again.",
    )


def _blocked(action: Action) -> WorkflowError:
    code = "ResourceMissing" if action.resource and action.resource.EXTERNAL else "ResourceNotOwned"
    return WorkflowError(code, action.reason, action.remedy)
