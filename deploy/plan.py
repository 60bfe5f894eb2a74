"""The planner: what is wanted beside what is there, as actions with reasons. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from deploy.cloud import Observed
from deploy.prices import Price
from deploy.resources import (
    CREATION_ORDER,
    Alias,
    BucketContents,
    CloudResource,
    EndpointConfig,
    Json,
    Key,
    SageMakerEndpoint,
    SageMakerModel,
    StorageBucket,
    TrainingJob,
    redact_refs,
)
from workflow.errors import WorkflowError
from workflow.thresholds import VARIABLE

EARLIER_CONFIGS = 10
"""Endpoint configurations of before that are retained: they cost nothing, and tell what served."""

KNOWN_AFTER_APPLY = "(known after apply)"

Outputs = Mapping[Key, Mapping[str, str]]
"""Attributes of resources as far as they are known."""


class Op(StrEnum):
    """What happens to a resource; BLOCKED: something is in the way that only a person may move."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    REPLACE = "REPLACE"
    DELETE = "DELETE"
    KEEP = "KEEP"
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, slots=True)
class Diff:
    """One property that differs: its dotted path, and its value before and after (None: absent)."""

    path: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is to be done with one resource, and why.

    Attributes:
        op: What is to be done.
        key: Which resource.
        title: What people call its kind.
        diffs: What changes; of a creation, all it will have.
        reason: One sentence.
        remedy: What to do about a BLOCKED one, else empty.
        resource: What is wanted; None where it is to be deleted.
    """

    op: Op
    key: Key
    title: str
    diffs: tuple[Diff, ...]
    reason: str
    remedy: str = ""
    resource: CloudResource | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the action without the record behind it, for ``--json`` and for pages."""
        return {
            "op": self.op.value,
            "resource": str(self.key),
            "kind": self.title,
            "name": self.key.name,
            "reason": self.reason,
            "remedy": self.remedy,
            "diffs": [
                {"path": diff.path, "before": diff.before, "after": diff.after}
                for diff in self.diffs
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All actions, in the order in which they are to be done.

    Attributes:
        actions: One for each resource.
        owner: The tags that mark a resource as owned by this deployment.
        retained: What is no longer wanted and stays nevertheless: earlier endpoint configurations,
            the newest first, and their models. Nothing is done with it.
        price: What a month costs once it is applied; None where nothing is left that costs.
        kept: What of a rollout stays though the settings differ, in a sentence; else empty.
    """

    actions: tuple[Action, ...]
    owner: Mapping[str, str]
    retained: tuple[Key, ...] = ()
    price: Price | None = None
    kept: str = ""

    @property
    def changes(self) -> tuple[Action, ...]:
        """The actions that would change something."""
        return tuple(a for a in self.actions if a.op not in {Op.KEEP, Op.BLOCKED})

    @property
    def blocked(self) -> tuple[Action, ...]:
        """The actions that stand in the way of applying the plan."""
        return tuple(a for a in self.actions if a.op is Op.BLOCKED)

    @property
    def request(self) -> str:
        """What it asks to be changed, as JSON for the audit."""
        return json.dumps([action.to_json() for action in self.changes])

    @property
    def sets_threshold(self) -> bool:
        """Whether it changes the threshold of what is deployed: a decision of its own."""
        updates = (action for action in self.changes if action.op is Op.UPDATE)
        paths = (diff.path for action in updates for diff in action.diffs)
        return any(path == f"environment.{VARIABLE}" for path in paths)

    def to_json(self) -> dict[str, Json]:
        """Return the plan as JSON: counts by operation, actions, what is kept, and the price."""
        counts = {op.value: sum(a.op is op for a in self.actions) for op in Op}
        return {
            "counts": counts,
            "actions": [action.to_json() for action in self.actions],
            "retained": [str(key) for key in self.retained],
            "kept": self.kept,
            "price": None if self.price is None else self.price.to_json(),
        }


def make_plan(
    desired: Sequence[CloudResource], observed: Mapping[Key, Observed], *, owner: Mapping[str, str]
) -> Plan:
    """Compare what is wanted with what is there.

    Args:
        desired: Resources, each after those it refers to.
        observed: What is there, at least under every desired key; owned resources that are no
            longer desired are deleted but for those ``retained``, those of others are left out.
        owner: The tags that mark a resource as owned by this deployment.

    Returns:
        Creations and updates in the order of ``desired``, then deletions in reverse of creation.
    """
    outputs: dict[Key, Mapping[str, str]] = {}
    actions = []
    for resource in desired:
        seen = observed.get(resource.key)
        action = plan_resource(resource, seen, outputs, owner=owner)
        # What is created or replaced has no outputs yet: whatever refers to it shows as changed.
        outputs[resource.key] = _known_outputs(resource, seen, action.op)
        actions.append(action)
    actions = _endpoint_before_alias(actions)
    wanted = {resource.key for resource in desired}
    # Owned, but not wanted any more: deleted last, after nothing refers to it.
    obsolete = {key: seen for key, seen in observed.items() if key not in wanted}
    serves = any(resource.KIND == EndpointConfig.KIND for resource in desired)
    stays = find_retained(obsolete, owner=owner) if serves else ()
    gone = {key: seen for key, seen in obsolete.items() if key not in stays}
    return Plan(
        actions=(*actions, *deletion_actions(gone, owner=owner)), owner=owner, retained=stays
    )


def keep_endpoint(plan: Plan) -> Plan:
    """Leave an endpoint that serves as it is, so that a new model can be rolled out by weight.

    The new model and its configuration are made nevertheless. None of before is deleted: the
    endpoint goes on serving one of them.
    """

    def kept(action: Action) -> bool:
        kind = action.key.kind
        updated = kind == SageMakerEndpoint.KIND and action.op is Op.UPDATE
        deleted = kind in (EndpointConfig.KIND, SageMakerModel.KIND) and action.op is Op.DELETE
        return not (updated or deleted)

    return replace(plan, actions=tuple(filter(kept, plan.actions)))


def only_training(plan: Plan) -> tuple[Plan, TrainingJob]:
    """Leave of a plan what trains its model: the training job, which is there, and its role."""
    job = next(one.resource for one in plan.actions if isinstance(one.resource, TrainingJob))
    kept = {job.key, *(key for key, _ in job.refs())}
    actions = tuple(one for one in plan.actions if one.key in kept)
    return replace(plan, actions=actions, price=None), job


def _endpoint_before_alias(actions: list[Action]) -> list[Action]:
    """Move an alias behind an endpoint that is created, where executions reach it already.

    In a first deployment the endpoint is last: what fails before it costs nothing. Where an alias
    routes executions already, they must not be shifted to an endpoint that does not serve yet.
    """
    if not any(one.key.kind == SageMakerEndpoint.KIND and one.op is Op.CREATE for one in actions):
        return actions
    later = [one for one in actions if one.key.kind == Alias.KIND and one.op is Op.UPDATE]
    return [*(one for one in actions if one not in later), *later]


def plan_resource(
    resource: CloudResource, seen: Observed | None, outputs: Outputs, *, owner: Mapping[str, str]
) -> Action:
    """Return the action for one resource, given what is known of those it refers to."""
    resolved = resource.resolved(outputs)
    before = None if seen is None else seen.properties
    diffs = tuple(_find_differences(before or {}, resolved.wanted(before)))
    op, reason, remedy = _decide_op(resource, seen, diffs, owner)
    return Action(
        op=op,
        key=resource.key,
        title=resource.TITLE,
        diffs=diffs if op in {Op.CREATE, Op.UPDATE, Op.REPLACE} else (),
        reason=reason,
        remedy=remedy,
        resource=resource,
    )


def find_retained(obsolete: Mapping[Key, Observed], *, owner: Mapping[str, str]) -> tuple[Key, ...]:
    """Return the newest earlier endpoint configurations, and the models that they serve."""
    ours = {key: seen for key, seen in obsolete.items() if is_owned(seen, owner)}
    dated = [
        (seen.created, key)
        for key, seen in ours.items()
        if key.kind == EndpointConfig.KIND and seen.created is not None
    ]
    configs = [key for _, key in sorted(dated, reverse=True)[:EARLIER_CONFIGS]]
    # A configuration without its model cannot serve: they stay together.
    models = (Key(SageMakerModel.KIND, str(ours[key].properties["model"])) for key in configs)
    return (*configs, *(key for key in dict.fromkeys(models) if key in ours))


def deletion_actions(
    observed: Mapping[Key, Observed], *, owner: Mapping[str, str]
) -> tuple[Action, ...]:
    """Return deletions of what is owned, in the reverse order of creation."""
    rank = {kind.KIND: place for place, kind in enumerate(CREATION_ORDER)}
    titles = {kind.KIND: kind.TITLE for kind in CREATION_ORDER}
    keys = [key for key, seen in observed.items() if is_owned(seen, owner)]
    return tuple(
        Action(
            op=Op.DELETE,
            key=key,
            title=titles[key.kind],
            diffs=(),
            reason="It is no longer wanted.",
        )
        # What refers to others goes before them; by name among equals, so that plans are the same.
        for key in sorted(keys, key=lambda key: (-rank[key.kind], key.name))
    )


def plan_deletion(
    observed: Mapping[Key, Observed],
    *,
    owner: Mapping[str, str],
    bucket: str,
    empty_bucket: str | None,
) -> Plan:
    """Return the plan that leaves nothing but, unless it is named, a bucket with data.

    Args:
        observed: What is there.
        owner: The tags that mark a resource as owned by this deployment.
        bucket: Name of the deployment's bucket.
        empty_bucket: The bucket whose objects may be deleted too, or None.

    Raises:
        WorkflowError: ``BucketNameWrong`` where ``empty_bucket`` is another bucket.
    """
    if empty_bucket not in {None, bucket}:
        raise WorkflowError(
            "BucketNameWrong",
            f"The bucket of this deployment is {bucket}, not {empty_bucket}.",
            f"Name {bucket} to have everything in it deleted, or leave the option out.",
        )
    return Plan(
        actions=tuple(
            step
            for action in deletion_actions(observed, owner=owner)
            for step in _bucket_steps(action, observed[action.key], empty_bucket)
        ),
        owner=owner,
    )


def _bucket_steps(action: Action, seen: Observed, empty_bucket: str | None) -> tuple[Action, ...]:
    contents = seen.outputs.get("contents", "")
    if action.key.kind != StorageBucket.KIND or not contents:
        return (action,)
    if empty_bucket is None:
        reason = f"It holds {contents}: a bucket with data is deleted only when asked by name."
        return (replace(action, op=Op.KEEP, reason=reason),)
    emptied = replace(
        action,
        key=Key(BucketContents.KIND, action.key.name),
        title=BucketContents.TITLE,
        reason=f"Everything in it is deleted: {contents}.",
    )
    return (emptied, action)


def _decide_op(
    resource: CloudResource,
    seen: Observed | None,
    diffs: tuple[Diff, ...],
    owner: Mapping[str, str],
) -> tuple[Op, str, str]:
    if seen is None and resource.EXTERNAL:
        return (
            Op.BLOCKED,
            f"There is no {resource.TITLE} called {resource.name} in this account and region.",
            "Correct the name, or leave it out so that one is created.",
        )
    if seen is None:
        return Op.CREATE, "There is none yet.", ""
    if not resource.EXTERNAL and not is_owned(seen, owner):
        tags = ", ".join(f"{name}={value}" for name, value in owner.items())
        return (
            Op.BLOCKED,
            f"The {resource.TITLE} {resource.name} exists but was made by others (no tags {tags}).",
            "Choose another project or stage name, or delete it, or tag it to hand it over.",
        )
    # Before the differences: what has failed cannot be updated, only made again.
    if seen.failure:
        return Op.REPLACE, seen.failure, ""
    if diffs:
        # AWS has no call that changes these, so the resource is made again.
        fixed = any(one.path in resource.FIXED for one in diffs)
        return Op.REPLACE if fixed else Op.UPDATE, f"Differs in {_list_paths(diffs)}.", ""
    return Op.KEEP, "It is up to date.", ""


def is_owned(seen: Observed, owner: Mapping[str, str]) -> bool:
    """Return whether what is there has the tags of this deployment, or lies in what has them."""
    tags = seen.tags
    return tags is None or all(tags.get(name) == value for name, value in owner.items())


def _known_outputs(resource: CloudResource, seen: Observed | None, op: Op) -> Mapping[str, str]:
    # What is made again has other attributes, so what refers to it must change too.
    if seen is None or op is Op.REPLACE:
        return {}
    if op is Op.UPDATE:
        return {k: v for k, v in seen.outputs.items() if k not in resource.VOLATILE}
    return seen.outputs


def _list_paths(diffs: tuple[Diff, ...]) -> str:
    shown = [diff.path for diff in diffs[:3]]
    more = f" and {len(diffs) - 3} more" if len(diffs) > 3 else ""  # noqa: PLR2004 - a sentence
    return ", ".join(shown) + more


def _find_differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[Diff]:
    # Flattened, so that a difference names the one nested property and not the whole document.
    flat_before, flat_after = dict(_flatten_json(before, "")), dict(_flatten_json(after, ""))
    for path in dict.fromkeys((*flat_before, *flat_after)):
        old, new = flat_before.get(path), flat_after.get(path)
        # None is a value as well: absent and null differ.
        if old != new or (path in flat_before) != (path in flat_after):
            yield Diff(
                path, old, redact_refs(new, KNOWN_AFTER_APPLY) if isinstance(new, str) else new
            )


def _flatten_json(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    # An empty object is a value of its own: flattened, it would vanish from the comparison.
    if isinstance(value, Mapping) and (value or not path):
        for key, item in value.items():
            yield from _flatten_json(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from _flatten_json(item, f"{path}[{index}]")
    else:
        # JSON gives lists, and a tuple never equals one.
        yield path, list(value) if isinstance(value, tuple) else value
