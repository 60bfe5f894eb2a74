"""Applying a plan: re-read each resource, act, wait, and say so as events.

Nothing is remembered between runs. What a plan said is a promise to people; what is done is decided
again from what is there, so that a run that was cut off at any step is finished by the next.
"""

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from deploy.cloud import DeploymentTarget, Observed, RefusedError
from deploy.plan import Action, Op, Plan, deletion_actions, plan_resource
from deploy.resources import CloudResource, IamRole, Key
from deploy.transient_errors import PATIENCE, waiting_message
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
class StepProgress:
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


Event: TypeAlias = Started | StepProgress | Applied | Failed


_Patience: TypeAlias = defaultdict[tuple[str, str], Iterator[int]]
"""What is left of the patience with each operation and code: each is another thing to wait for."""


@dataclass(frozen=True, slots=True)
class _Run:
    """What one run knows.

    Attributes:
        outputs: Attributes of the resources that it has come to.
        desired: What is wanted, by key.
        created: What it has created, or has begun to.
    """

    plan: Plan
    cloud: DeploymentTarget
    desired: Mapping[Key, CloudResource]
    outputs: dict[Key, Mapping[str, str]] = field(default_factory=dict)
    created: set[Key] = field(default_factory=set)

    def new_dependencies(self, resource: CloudResource) -> list[CloudResource]:
        """Return what a resource refers to and AWS may not know everywhere yet.

        A role counts whoever created it: an earlier run that was cut off may have, seconds ago.
        """
        needed = dict.fromkeys(key for key, _ in resource.refs() if key in self.desired)
        return [
            self.desired[key] for key in needed if key in self.created or key.kind == IamRole.KIND
        ]


def apply(plan: Plan, cloud: DeploymentTarget) -> Iterator[Event]:
    """Do what a plan says, after reading each resource again.

    Yields:
        For each action ``Started``, any number of ``StepProgress``, then ``Applied``; or
        ``Failed``, which is the last event. Nothing is touched while anything in the plan is
        BLOCKED.
    """
    if plan.blocked:
        first = plan.blocked[0]
        yield Failed(first.key, _blocked_error(first))
        return
    desired = {one.key: one.resource for one in plan.actions if one.resource is not None}
    run = _Run(plan, cloud, desired)
    try:
        for index, action in enumerate(plan.actions, start=1):
            yield Started(action, index, len(plan.actions))
            try:
                yield from _do_action(action, run)
            except WorkflowError as error:
                yield Failed(action.key, error)
                return
    finally:
        # A lock that cannot be given back is a lease and ends by itself.
        with suppress(WorkflowError):
            cloud.release()


def _do_action(action: Action, run: _Run) -> Iterator[Event]:
    # Read again: minutes may lie between the plan and this step.
    seen = run.cloud.read(action.key)
    if action.resource is None:
        yield from _remove_resource(action, seen, run.plan, run.cloud)
        return
    # The planner decides again: another person or an earlier run may have done the step already.
    now = plan_resource(action.resource, seen, run.outputs, owner=run.plan.owner)
    if now.op is Op.BLOCKED:
        raise _blocked_error(now)
    resource = action.resource.resolved(run.outputs)
    if unknown := resource.refs():
        raise _unknown_reference(resource, *unknown[0])
    if now.op is not Op.KEEP:
        seen = yield from _write_and_settle(now.op, resource, seen, run)
    # Later resources resolve their references from these.
    run.outputs[action.key] = {} if seen is None else seen.outputs
    yield Applied(action.key, now.op)


def _write_and_settle(
    op: Op, resource: CloudResource, seen: Observed | None, run: _Run
) -> Generator[Event, None, Observed | None]:
    """Write, and look until it shows; after an error that passes by itself, look and go on.

    This is the one place that knows of AWS's eventual consistency: what was refused is not
    repeated blindly, but decided again from what is there by then.
    """
    # Noted before the write: one that is refused may have created it all the same.
    if op is not Op.UPDATE:
        run.created.add(resource.key)
    # For each operation and code: two things to wait for are two waits, not one that runs out.
    patience: _Patience = defaultdict(lambda: iter(PATIENCE))
    while True:
        try:
            if op is not Op.KEEP:
                for message in _write_resource(op, resource, seen, run.cloud):
                    yield StepProgress(resource.key, message)
            return (yield from _wait_until_settled(resource, run.plan, run.cloud))
        except RefusedError as error:
            yield from _wait_to_pass(error, resource, run, patience)
        op, seen = yield from _look_again(resource, run, patience)


def _look_again(
    resource: CloudResource, run: _Run, patience: _Patience
) -> Generator[Event, None, tuple[Op, Observed | None]]:
    """Return what is there by now, and what is still to be done."""
    while True:
        try:
            seen = run.cloud.read(resource.key)
        except RefusedError as error:
            yield from _wait_to_pass(error, resource, run, patience)
            continue
        if seen is not None and not seen.tags and resource.key in run.created:
            # There was none when this run began: it is ours, and its tags are still to come.
            seen = replace(seen, tags=None)
        now = plan_resource(resource, seen, {}, owner=run.plan.owner)
        if now.op is Op.BLOCKED:
            raise _blocked_error(now)
        return now.op, seen


def _wait_to_pass(
    error: RefusedError, resource: CloudResource, run: _Run, patience: _Patience
) -> Iterator[Event]:
    """Wait for an error to pass, in its own words; raise it where it will not, or has not."""
    # Only errors that the two sides of a new dependency explain are waited for; others end the run.
    words = waiting_message(
        error.code,
        error.said,
        writing=resource,
        made=resource.key in run.created,
        needs=run.new_dependencies(run.desired[resource.key]),
    )
    seconds = next(patience[error.operation, error.code], None)
    if not words or seconds is None:
        raise error
    yield StepProgress(resource.key, words)
    run.cloud.pause(seconds)


def _remove_resource(
    action: Action, seen: Observed | None, plan: Plan, cloud: DeploymentTarget
) -> Iterator[Event]:
    if action.op is Op.KEEP or seen is None:
        yield Applied(action.key, Op.KEEP, action.reason if seen else "It is already gone.")
        return
    if not deletion_actions({action.key: seen}, owner=plan.owner):
        yield Applied(action.key, Op.KEEP, "It is not owned by this deployment.")
        return
    # Before the first write, and at each sign of life: waiting may outlast the lease of the lock.
    cloud.hold()
    for message in cloud.delete(action.key):
        cloud.hold()
        yield StepProgress(action.key, message)
    yield Applied(action.key, Op.DELETE)


def _write_resource(
    op: Op, resource: CloudResource, seen: Observed | None, cloud: DeploymentTarget
) -> Iterator[str]:
    cloud.hold()
    if seen is None:
        steps = cloud.create(resource)
    elif op is Op.UPDATE:
        steps = cloud.update(resource, seen)
    else:
        steps = _replace_resource(resource, cloud)
    for message in steps:
        cloud.hold()
        yield message


def _replace_resource(resource: CloudResource, cloud: DeploymentTarget) -> Iterator[str]:
    # What cannot be changed is deleted first: two resources cannot share a name.
    yield from cloud.delete(resource.key)
    yield from cloud.create(resource)


def _wait_until_settled(
    resource: CloudResource, plan: Plan, cloud: DeploymentTarget
) -> Generator[Event, None, Observed | None]:
    """Look until what was written shows.

    Raises:
        WorkflowError: ``NotConverged`` where it still differs after about half a minute.
    """
    # None is the last look, after which nobody waits.
    for seconds in (*SETTLING_SECONDS, None):
        seen = cloud.read(resource.key)
        # The planner compares, so "shows" means the same as "up to date" in the next plan.
        left = plan_resource(resource, seen, {}, owner=plan.owner)
        if left.op is Op.KEEP:
            return seen
        if seconds is not None:
            yield StepProgress(resource.key, f"Waiting until the change shows: {left.reason}")
            cloud.pause(seconds)
    raise WorkflowError(
        "NotConverged",
        f"The {resource.TITLE} {resource.name} was written, but still reads otherwise:"
        f" {left.reason}",
        "Look whether somebody else is changing it, then apply again.",
    )


def _unknown_reference(resource: CloudResource, key: Key, attribute: str) -> WorkflowError:
    return WorkflowError(
        "ReferenceUnknown",
        f"The {resource.TITLE} {resource.name} needs the {attribute} of {key}, which has none yet.",
        "Wait until it is ready, then apply again.",
    )


def _blocked_error(action: Action) -> WorkflowError:
    code = "ResourceMissing" if action.resource and action.resource.EXTERNAL else "ResourceNotOwned"
    return WorkflowError(code, action.reason, action.remedy)
