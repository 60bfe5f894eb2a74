"""How complete and how old what is shown of executions is, in words."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dashboard.executions.sync_progress import SyncProgress
from dashboard.shared.time_range import CLOCK, format_moment

NOT_DEPLOYED = "StateMachineDoesNotExist"
"""No warning of a deployment: pages lead to the Deployment page instead."""

_GONE = "The state machine no longer exists; its stored executions are shown."


@dataclass(frozen=True, slots=True)
class Freshness:
    """One line for every panel that shows executions.

    Attributes:
        text: Completeness and age.
        warnings: What AWS refused, a sentence each.
        share: Work done, 0 to 1; None where everything is read.
    """

    text: str
    warnings: tuple[str, ...]
    share: float | None


def describe_freshness(
    progress: SyncProgress | None, *, now: datetime, zone: ZoneInfo, deployed: bool = True
) -> Freshness:
    """Say how far the sync has come.

    Args:
        progress: Of the sync; None before its first pass.
        now: Aware.
        zone: Of the reader.
        deployed: Whether ``deploy`` makes the workflow.
    """
    if progress is None:
        return Freshness("Reading executions …", (), None)
    parts = [
        f"{progress.executions:,} executions{'' if progress.listed else ' so far'}",
        f"{progress.histories:,} of {progress.wanted:,} histories of failures",
    ]
    if progress.succeeded:
        share = progress.examined / progress.succeeded
        parts.append(
            f"{progress.examined:,} of {progress.succeeded:,} successes ({share:.0%}) examined"
        )
    age = max(0, int((now - progress.as_of).total_seconds()))
    as_of = format_moment(progress.as_of, zone, CLOCK)
    text = f"{', '.join(parts)}, as of {as_of}, {age} s ago"
    warnings = tuple(
        f"{error.message} {error.remedy}" if error.code != NOT_DEPLOYED else _GONE
        for error in progress.problems.values()
        if error.code != NOT_DEPLOYED or not deployed
    )
    unread = progress.wanted - progress.histories
    done = progress.histories / progress.wanted if unread else None
    return Freshness(text, warnings, done)
