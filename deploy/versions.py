"""Versions of the state machine, and which one a rollback goes back to. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from workflow.errors import WorkflowError


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


def rollback_target(versions: Sequence[Version]) -> Version:
    """The version that a rollback gives all executions to.

    While traffic is shifting that is the version it is shifting away from; else it is the one
    published before the version in use.

    Raises:
        WorkflowError: ``NothingToRollBackTo`` where there is no such version.
    """
    routed = sorted((one for one in versions if one.weight), key=lambda one: -one.number)
    if not routed:
        raise WorkflowError(
            "NothingToRollBackTo",
            "No version of the state machine is in use.",
            "Deploy first: `python -m deploy apply`.",
        )
    older = [one for one in versions if one.number < routed[0].number]
    candidates = routed[1:] or sorted(older, key=lambda one: -one.number)
    if not candidates:
        raise WorkflowError(
            "NothingToRollBackTo",
            f"Version {routed[0].number} is the only one that was published before now.",
            "Correct the cause and deploy again; the next deploy can be rolled back.",
        )
    return candidates[0]
