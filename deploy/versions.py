"""Versions of the state machine, and which one a rollback goes back to. Pure."""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from workflow.errors import WorkflowError

NOTHING_TO_PROMOTE = "NothingToPromote"
"""Code of the error that says that no traffic is shifting."""

NOTHING_TO_ROLL_BACK_TO = "NothingToRollBackTo"
"""Code of the error that says that no version was published before the one in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A published version of the state machine.

    Attributes:
        arn: ARN of the version.
        number: Its number, counted from 1.
        created: When it was published, in UTC.
        weight: Percentage of new executions that the alias sends to it.
    """

    arn: str
    number: int
    created: datetime
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """What a rollback would do.

    Attributes:
        live: Number of the version in use; while traffic is shifting, of the one it shifts to.
        target: Number of the version that all of them would run on.
        diff: Both definitions as a unified diff of indented JSON; empty where they are the same.
    """

    live: int
    target: int
    diff: str


def compare_versions(live: Version, target: Version, definitions: tuple[str, str]) -> Rollback:
    """Return what a rollback from one version to another would change.

    Args:
        live: The version in use.
        target: The version to go back to.
        definitions: Of both, as JSON.
    """
    before, after = (
        json.dumps(json.loads(text), indent=2, sort_keys=True).splitlines() for text in definitions
    )
    names = (f"version {live.number}", f"version {target.number}")
    lines = difflib.unified_diff(before, after, *names, n=2, lineterm="")
    return Rollback(live=live.number, target=target.number, diff="\n".join(lines))


def newest_routed(versions: Sequence[Version]) -> Version:
    """Return the newest version that gets executions; at least one of them does."""
    return max((one for one in versions if one.weight), key=lambda one: one.number)


def promotion_target(versions: Sequence[Version]) -> Version:
    """Return the version that traffic is shifting to.

    Raises:
        WorkflowError: ``NothingToPromote`` where one version gets all executions, or none does.
    """
    if sum(one.weight > 0 for one in versions) < 2:  # noqa: PLR2004 - the old and the new one
        raise WorkflowError(
            NOTHING_TO_PROMOTE,
            "No two versions of the state machine share new executions.",
            "Deploy a new version with a share below 100 % first.",
        )
    return newest_routed(versions)


def rollback_target(versions: Sequence[Version], before: int | None = None) -> Version:
    """Return the version that a rollback gives all executions to.

    While traffic is shifting that is the version it is shifting away from; else it is the one
    that was live before, or, where that is not known, the one published before the version in use.

    Args:
        versions: All versions.
        before: Number of the version that was live before.

    Raises:
        WorkflowError: ``NothingToRollBackTo`` where there is no such version.
    """
    routed = sorted((one for one in versions if one.weight), key=lambda one: -one.number)
    if not routed:
        raise WorkflowError(
            NOTHING_TO_ROLL_BACK_TO,
            "No version of the state machine is in use.",
            "Deploy first: `python -m deploy apply`.",
        )
    older = [one for one in versions if one.number < routed[0].number]
    recorded = [one for one in versions if one.number == before and one is not routed[0]]
    # The version that traffic is shifting away from, else what was live before, else the next
    # older.
    candidates = routed[1:] or recorded or sorted(older, key=lambda one: -one.number)
    if not candidates:
        raise WorkflowError(
            NOTHING_TO_ROLL_BACK_TO,
            f"Version {routed[0].number} is the only one that was published before now.",
            "Correct the cause and deploy again; the next deploy can be rolled back.",
        )
    return candidates[0]
