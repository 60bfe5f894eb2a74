"""Redrive or restart: which of them repairs a failed execution, and why.

A redrive continues from the failed state with the definition and input that the execution started
with, and keeps what earlier states did; it is possible for 14 days and under 24,999 events (Step
Functions developer guide, redrive-executions). A restart is a new execution of today's version with
the same input.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from workflow.executions import Execution, Failure, Status
from workflow.known_errors import Repair
from workflow.remedies import diagnose

REDRIVABLE_FOR: Final = timedelta(days=14)
MAX_EVENTS: Final = 24_999
_REDRIVABLE: Final = (Status.FAILED, Status.TIMED_OUT, Status.ABORTED)


class RedriveAction(StrEnum):
    """What to do with a failed execution."""

    REDRIVE = "redrive"
    RESTART = "restart"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveAdvice:
    """What to do, and the sentence that says why."""

    action: RedriveAction
    reason: str


def advise(
    execution: Execution,
    failure: Failure,
    *,
    now: datetime,
    current_version: str | None,
    state_type: str | None = None,
    events: int | None = None,
) -> RedriveAdvice:
    """Return which of redrive and restart repairs one execution.

    Args:
        execution: As it stands now.
        failure: Why it failed.
        now: Aware.
        current_version: State machine version that a restart would run, None when unknown.
        state_type: Type of the failed state, such as ``Fail``; None when unknown.
        events: Length of its history, None when unknown.
    """
    repair = diagnose(failure).repair
    changed = None not in (current_version, execution.version) and (
        current_version != execution.version
    )
    barrier = _find_barrier(execution, now, "Fail" if failure.ended_in else state_type, events)
    rules = (
        (
            not execution.status.ended,
            _advise_neither("It is running again: wait for its end."),
        ),
        (
            repair is Repair.NOTHING,
            _advise_neither(
                "A rejection is an answer: the same image gets the same confidence again."
            ),
        ),
        (
            repair is Repair.LOOK,
            _advise_neither(
                "Nobody knows this error yet, so nobody knows whether it passes: look at an "
                "example, ask who knows the function, and then choose."
            ),
        ),
        (
            repair is Repair.INPUT,
            _advise_neither("The input is at fault and both keep it: submit a corrected one."),
        ),
        (
            repair is Repair.CODE and current_version is not None and not changed,
            _advise_neither(
                f"It is deterministic, and version {current_version} is still what runs: it would "
                "fail again. Deploy the repair first."
            ),
        ),
        (
            repair is not Repair.WAIT and changed,
            _advise_restart(
                f"The definition has changed: a redrive would run version {execution.version} "
                f"again, a restart runs version {current_version}."
            ),
        ),
        (
            repair is Repair.CODE,
            _advise_restart("Once the repair is deployed: a redrive would run the old definition."),
        ),
        (barrier is not None, _advise_restart(barrier or "")),
        (
            repair is Repair.WAIT,
            _advise_redrive("The cause passes by itself, and what earlier states did is kept."),
        ),
    )
    otherwise = _advise_redrive(
        f"Once the {repair} is put right: the definition is unchanged, and what earlier states did "
        "is kept."
    )
    return next((advice for holds, advice in rules if holds), otherwise)


def summarise(advice: Iterable[RedriveAdvice]) -> RedriveAdvice:
    """Return the advice for a group: the most frequent, and how many executions differ from it.

    Raises:
        ValueError: There is none.
    """
    counts = Counter(advice)
    if not counts:
        raise ValueError("no advice to summarise")
    # Ties are broken by name, so that the same failures always get the same advice.
    common = max(counts, key=lambda one: (counts[one], one.action, one.reason))
    total = counts.total()
    others = Counter({one.action: 0 for one in counts})
    for one, count in counts.items():
        others[one.action] += count
    others.pop(common.action)
    if not others:
        return common
    rest = ", ".join(f"{count:,} {action}" for action, count in sorted(others.items()))
    return RedriveAdvice(
        action=common.action,
        reason=f"{total - others.total():,} of {total:,}: {common.reason} The others: {rest}.",
    )


def _find_barrier(
    execution: Execution, now: datetime, state_type: str | None, events: int | None
) -> str | None:
    """Return why AWS would refuse a redrive, or why it could not help; None if unknown."""
    age = now - (execution.stopped_at or execution.started_at)
    barriers = (
        (
            execution.status not in _REDRIVABLE,
            f"An execution that {execution.status} cannot be redriven.",
        ),
        (
            state_type == "Fail",
            "It ended in a Fail state, which a redrive would only run again.",
        ),
        (
            events is not None and events >= MAX_EVENTS,
            f"Its history has {events or 0:,} events: AWS redrives under {MAX_EVENTS:,} only.",
        ),
        (
            age >= REDRIVABLE_FOR,
            f"It ended {age.days} days ago: AWS redrives for {REDRIVABLE_FOR.days} days only.",
        ),
        (
            execution.redrive_status == "REDRIVABLE_BY_MAP_RUN",
            "It belongs to a Map Run: redrive that, or restart this one alone.",
        ),
        (
            execution.redrive_status == "NOT_REDRIVABLE",
            f"AWS says that it cannot be redriven: {execution.redrive_reason or 'no reason'}.",
        ),
    )
    return next((reason for holds, reason in barriers if holds), None)


def _advise_redrive(reason: str) -> RedriveAdvice:
    return RedriveAdvice(action=RedriveAction.REDRIVE, reason=reason)


def _advise_restart(reason: str) -> RedriveAdvice:
    return RedriveAdvice(action=RedriveAction.RESTART, reason=reason)


def _advise_neither(reason: str) -> RedriveAdvice:
    return RedriveAdvice(action=RedriveAction.NEITHER, reason=reason)
