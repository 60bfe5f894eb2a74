"""What the Deployment page shows: the plan as rows and diffs, and a run step by step.

Plans and outputs come as the JSON that ``python -m deploy plan --json`` prints, so that the page
and the command line say the same.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from dashboard.shared.time_range import CLOCK, DAY_AND_SECOND, format_moment
from workflow.errors import WorkflowError

_PLAIN = frozenset({"CREATE", "KEEP"})
_VERBS = {
    "CREATE": "to create",
    "UPDATE": "to change",
    "REPLACE": "to replace",
    "DELETE": "to delete",
    "BLOCKED": "blocked",
    "KEEP": "to keep",
}
_DONE = {
    "CREATE": "✓ created",
    "UPDATE": "✓ changed",
    "REPLACE": "✓ replaced",
    "DELETE": "✓ deleted",
    "KEEP": "✓ up to date",
}
_ICONS = {
    "CREATE": "+ create",
    "UPDATE": "~ change",
    "REPLACE": "± replace",
    "DELETE": "- delete",
    "KEEP": "= keep",
    "BLOCKED": "! blocked",
}
_LEVELS = {
    "PROBLEM": "blocking",
    "WARNING": "for information",
    "UNKNOWN": "could not be looked up",
}
_MARKS = {"PROBLEM": "✗", "WARNING": "!", "UNKNOWN": "?", "OK": "✓"}
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class DeploymentAddress:
    """The parameters in the address of the page.

    Attributes:
        threshold: Confidence to demand; None for what is deployed or set.
        share: Percentage of new executions for a new version, 1 to 100.
    """

    threshold: float | None = None
    share: int = 100

    def __post_init__(self) -> None:
        if not 1 <= self.share <= 100:  # noqa: PLR2004 - percent
            raise ValueError(self.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """One resource whose change has details worth reading.

    Attributes:
        title: What happens to what, such as ``~ change Lambda function scones-filter``.
        reason: One sentence, with its remedy where something is in the way.
        diffs: Property, before and after.
    """

    title: str
    reason: str
    diffs: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan for people.

    Attributes:
        summary: What applying it would do, in one sentence.
        rows: Each resource with what happens to it.
        changes: Those with details: all but creations and what is kept.
        retained: What stays though it is no longer wanted, in a sentence; else empty.
        kept: What of a rollout stays though the settings differ, in a sentence; else empty.
        price: What a month costs once it is applied, with what that leaves out; else empty.
        settled: Nothing is to be done.
        fresh: Nothing is there yet.
        blocked: Something is in the way that only a person may move.
        shifts: It gives a version a share of new executions that others have now.
    """

    summary: str
    rows: pd.DataFrame
    changes: tuple[ResourceChange, ...]
    retained: str
    kept: str
    price: str
    settled: bool
    fresh: bool
    blocked: bool
    shifts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """What was looked at before a deployment.

    Attributes:
        summary: How it went, in one sentence.
        lines: Each finding, and what to do about it or nothing; what stands in the way first.
        problem: Whether something would end the deployment.
        calm: Whether nothing is to be done.
    """

    summary: str
    lines: tuple[tuple[str, str], ...]
    problem: bool
    calm: bool


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One thing that a run has said.

    Attributes:
        resource: Key of the resource it is about.
        kind: What people call its kind, where a step begins; else empty.
        total: How many resources the run has, where a step begins; else 0.
        message: What it does or waits for.
        done: What was done to the resource in the end, such as ``CREATE``; else empty.
        error: What ended the run.
    """

    resource: str
    kind: str = ""
    total: int = 0
    message: str = ""
    done: str = ""
    error: WorkflowError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run so far.

    Attributes:
        share: 0 to 1 of its resources are done.
        done: How many that is.
        says: What it is doing, or has done, in one line.
        rows: Each resource it has come to, newest first.
        error: What ended it early, or None.
    """

    share: float
    done: int
    says: str
    rows: pd.DataFrame
    error: WorkflowError | None


def plan_view(plan: Mapping[str, Any]) -> PlanView:
    """Return a plan for people.

    Args:
        plan: ``Plan.to_json()``: ``counts`` by operation, ``actions``, the keys ``retained``,
            what of a rollout is ``kept``, and the ``price``.
    """
    actions, counts = plan["actions"], plan["counts"]
    said = [f"{counts[op]} {verb}" for op, verb in _VERBS.items() if counts[op]]
    changes = len(actions) - counts["KEEP"]
    return PlanView(
        summary=f"{len(actions)} resources: {', '.join(said)}."
        if changes
        else f"Everything is up to date: {len(actions)} resources, nothing to do.",
        rows=_build_rows(actions),
        changes=tuple(_build_change(action) for action in actions if action["op"] not in _PLAIN),
        retained=_describe_retained(plan["retained"]),
        kept=plan["kept"],
        price=plan["price"]["says"] if plan["price"] else "",
        settled=not changes,
        fresh=counts["CREATE"] == len(actions),
        blocked=bool(counts["BLOCKED"]),
        shifts=any(
            action["op"] == "UPDATE" and action["resource"].startswith("states.alias/")
            for action in actions
        ),
    )


def check_view(findings: Sequence[Mapping[str, str]]) -> CheckView:
    """Return the checks for people.

    Args:
        findings: What ``python -m deploy check --json`` prints: ``level``, ``topic``, ``says`` and
            ``remedy`` of each.
    """
    levels = [finding["level"] for finding in findings]
    counts = [
        f"{levels.count(level)} {words}" for level, words in _LEVELS.items() if levels.count(level)
    ]
    return CheckView(
        summary=f"Checks: {', '.join(counts)}." if counts else "Checks: all passed.",
        lines=tuple(
            (f"{_MARKS[one['level']]} {one['topic']}: {one['says']}", one["remedy"])
            for one in findings
        ),
        problem="PROBLEM" in levels,
        calm=not counts,
    )


def run_view(
    steps: Iterable[PlanStep], *, running: bool, title: str, at: datetime, zone: ZoneInfo
) -> RunView:
    """Fold what a run has said so far.

    Args:
        steps: What it has said.
        running: Whether it is still under way.
        title: What it does, such as ``Deploy``.
        at: When it began; what it left may have changed since.
        zone: Where the reader's clock is.
    """
    kinds: dict[str, str] = {}
    states: dict[str, str] = {}
    total, error, done, says = 0, None, 0, f"{title}: reading what is deployed"
    for step in steps:
        total, done, error = step.total or total, done + bool(step.done), step.error
        kinds[step.resource] = step.kind or kinds.get(step.resource, "")
        states[step.resource] = _describe_state(step)
        says = f"{kinds[step.resource]} {_resource_name(step.resource)}: {states[step.resource]}"
    if not running:
        began = format_moment(at, zone, CLOCK)
        says = f"{title} of {began} left {done} of {total} resources up to date."
    return RunView(
        share=done / total if total else 0.0,
        done=done,
        says=says,
        rows=pd.DataFrame(
            [(kinds[key], _resource_name(key), state) for key, state in reversed(states.items())],
            columns=["Kind", "Name", "Progress"],
        ),
        error=error,
    )


def versions_table(outputs: Mapping[str, Any], zone: ZoneInfo) -> pd.DataFrame:
    """List versions of the state machine, newest first, with their share of new executions."""
    return pd.DataFrame(
        [
            (
                version["number"],
                f"{datetime.fromisoformat(version['created']).astimezone(zone):{DAY_AND_SECOND}}",
                f"{version['weight']} %",
            )
            for version in outputs["versions"]
        ],
        columns=["Version", f"Published ({zone.key})", "New executions"],
    )


def deployment_facts(outputs: Mapping[str, Any]) -> dict[str, str]:
    """Return what the deployment offers, by name; what is not there is left out."""
    status = outputs["endpoint_status"]
    found = {
        "Bucket": outputs["bucket"],
        "State machine alias": outputs["alias_arn"],
        "Endpoint": status and f"{outputs['endpoint']} ({status})",
        "Queue of status changes": outputs["queue_url"],
    }
    return {name: value for name, value in found.items() if value}


def _build_rows(actions: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    order = {op: place for place, op in enumerate(_ICONS)}
    return pd.DataFrame(
        [
            (_ICONS[action["op"]], action["kind"], action["name"], action["reason"])
            for action in sorted(actions, key=lambda action: order[action["op"]] == order["KEEP"])
        ],
        columns=["Action", "Kind", "Name", "Why"],
    )


def _describe_retained(keys: Sequence[str]) -> str:
    earlier = sum(key.startswith("sagemaker.endpoint-config/") for key in keys)
    return (
        f"Earlier endpoint configurations retained, with their models: {earlier}. Inferences"
        " compares by the time in which they served."
        if earlier
        else ""
    )


def _build_change(action: Mapping[str, Any]) -> ResourceChange:
    diffs = pd.DataFrame(
        [
            (diff["path"], _format_value(diff["before"]), _format_value(diff["after"]))
            for diff in action["diffs"]
        ],
        columns=["Property", "Before", "After"],
    )
    return ResourceChange(
        title=f"{_ICONS[action['op']]} {action['kind']} {action['name']}",
        reason=f"{action['reason']} {action['remedy']}".strip(),
        diffs=diffs,
    )


def _format_value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "—" if value is None else text[:_LONGEST] + "…" * (len(text) > _LONGEST)


def _describe_state(step: PlanStep) -> str:
    if step.error is not None:
        return "✗ failed"
    if step.done:
        return step.message or _DONE[step.done]
    return step.message or "looking"


def _resource_name(resource: str) -> str:
    return resource.partition("/")[2]
