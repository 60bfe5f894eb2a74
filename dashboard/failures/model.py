"""What the Failures page shows: the inbox, one group, and the dry run of a repair."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl

from dashboard.shared.escaping import escape_text
from dashboard.shared.numbers import format_age, format_count
from dashboard.shared.palette import STYLES
from dashboard.shared.time_range import format_moment
from workflow.executions import Execution, Failure, Kind, Outcome, Status
from workflow.fingerprints import explain, fingerprint
from workflow.redrive import RedriveAction, RedriveAdvice, advise, summarise
from workflow.triage import FailureGroup, GroupStatus

AT_REST = (GroupStatus.RESOLVED,)
SILENCES: Mapping[int, str] = {1: "1 hour", 8: "8 hours", 24: "1 day", 168: "1 week"}
"""Hours for which alerts can be silenced, and their labels."""
ACTION: Final = "Action"
FAILED_AT: Final = "Failed"
"""Columns of the dry run that the panel changes, or shows in a zone."""

STATUS_BADGES: Mapping[GroupStatus, tuple[str, str]] = {
    GroupStatus.NEW: ("red", ":material/fiber_new:"),
    GroupStatus.REGRESSED: ("red", ":material/replay:"),
    GroupStatus.ACKNOWLEDGED: ("blue", ":material/visibility:"),
    GroupStatus.RESOLVED: ("green", ":material/check:"),
}

KIND_ICONS: Mapping[Kind, str] = {
    Kind.REJECTION: ":material/do_not_disturb_on:",
    Kind.FAULT: ":material/error:",
    Kind.THROTTLING: ":material/speed:",
    Kind.TIMEOUT: ":material/timer_off:",
    Kind.PERMISSION: ":material/lock:",
    Kind.CODE: ":material/bug_report:",
    Kind.BAD_INPUT: ":material/broken_image:",
    Kind.SILENT: ":material/warning:",
}


@dataclass(frozen=True, slots=True)
class FailureFilters:
    """What the inbox is narrowed to, and which group is open.

    Attributes:
        show: ``open`` hides what is resolved or silenced.
        kind: Kinds of failures; none means all.
        group: Digest of the open group.
        repair: Digests of groups to repair in one run.
    """

    show: Literal["open", "all"] = "open"
    kind: tuple[Kind, ...] = ()
    group: str = ""
    repair: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCard:
    """One group as a line of the inbox.

    Attributes:
        title: Error and state.
        badges: Markdown badges: status, kind, silence.
        facts: Count, first and last seen, versions, in words.
    """

    group: FailureGroup
    title: str
    badges: str
    facts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a bulk repair would do, before anything is done.

    Attributes:
        table: One row an execution: name, action, version, time of failure, reason.
        advice: For the group as a whole, None where it has no execution.
        actions: Action of each execution, by ARN.
    """

    table: pd.DataFrame
    advice: RedriveAdvice | None
    actions: Mapping[str, RedriveAction]

    @property
    def counts(self) -> Mapping[RedriveAction, int]:
        """Executions by action."""
        return Counter(self.actions.values())


def build_cards(
    groups: Iterable[FailureGroup], filters: FailureFilters, *, now: datetime, zone: ZoneInfo
) -> tuple[GroupCard, ...]:
    """Return the inbox as filtered, in the order of the groups; times in a zone."""
    return tuple(
        build_card(group, now=now, zone=zone)
        for group in groups
        if (filters.show == "all" or not _at_rest(group))
        and (not filters.kind or group.kind in filters.kind)
    )


def build_card(group: FailureGroup, *, now: datetime, zone: ZoneInfo) -> GroupCard:
    """Return one group as a line of the inbox; times in a zone."""
    return GroupCard(
        group=group,
        title=group_title(group),
        badges=_format_badges(group, zone),
        facts=_format_facts(group, now),
    )


def group_title(group: FailureGroup) -> str:
    """Return what a group is called: the error and where it is raised."""
    if group.kind is Kind.REJECTION:
        return "Confidence below the threshold"
    where = f" in {group.sample.state}" if group.sample.state else ""
    return f"{group.sample.error or 'Error without name'}{where}"


def find_group(groups: Sequence[FailureGroup], digest: str) -> FailureGroup | None:
    """Return the group that a digest is of, also after a merge, or a split that took all of it.

    None where it hurts no more, or there is no such group.
    """
    of_members = ((one, {member.digest for member in one.members}) for one in groups)
    of_notes = ((one, {note.fingerprint for note in one.notes}) for one in groups)
    places = (*of_members, *of_notes)
    return next((group for group, digests in places if digest in digests), None)


def is_known(failures: Iterable[Failure], digest: str) -> bool:
    """Return whether any failure, repaired or not, has this fingerprint."""
    return any(fingerprint(failure).digest == digest for failure in failures)


def explain_grouping(group: FailureGroup) -> str:
    """Return why its failures are one group, and of how many fingerprints it is made."""
    texts = [explain(member) for member in group.members]
    merged = f"Merged of {len(texts)} fingerprints. " if len(texts) > 1 else ""
    return merged + " ".join(texts)


def count_totals(groups: Iterable[FailureGroup]) -> Mapping[str, int]:
    """Count groups by status (new, regressed, acknowledged, resolved, silenced) and executions."""
    counts: Counter[str] = Counter()
    for group in groups:
        counts["silenced" if group.silenced_until else group.status.value] += 1
        counts["executions"] += group.count
    return counts


def dry_run(
    group: FailureGroup,
    rows: pl.DataFrame,
    failures: Mapping[str, Failure],
    *,
    now: datetime,
    current_version: str | None,
    state_types: Mapping[str, str],
) -> DryRun:
    """Return what the adviser says for each execution of a group.

    Args:
        group: The group to repair.
        rows: ``execution_tables.listing``.
        failures: The latest failure of each execution, by ARN.
        now: Aware.
        current_version: State machine version that a restart would run, None when unknown.
        state_types: Type of each state of the current definition, by name.
    """
    mine = rows.filter(pl.col("arn").is_in(group.executions))
    advice: dict[str, RedriveAdvice] = {}
    for row in mine.iter_rows(named=True):
        failure = failures[row["arn"]]
        advice[row["arn"]] = advise(
            _rebuild_execution(row),
            failure,
            now=now,
            current_version=current_version,
            state_type=state_types.get(failure.state),
        )
    arns = mine["arn"].to_list()
    table = pd.DataFrame(
        {
            "Execution": mine["name"].to_list(),
            ACTION: [advice[arn].action.value for arn in arns],
            "Version": mine["version"].to_list(),
            FAILED_AT: mine["stopped_at"].to_pandas(),
            "Why": [advice[arn].reason for arn in arns],
        }
    )
    return DryRun(
        table=table,
        advice=summarise(advice.values()) if advice else None,
        actions={arn: one.action for arn, one in advice.items()},
    )


def combine_runs(runs: Sequence[DryRun]) -> DryRun:
    """Return the dry runs of several groups as one; the advice is that of each."""
    return DryRun(
        table=pd.concat([run.table for run in runs]) if runs else pd.DataFrame(),
        advice=next((run.advice for run in runs if run.advice is not None), None),
        actions={arn: action for run in runs for arn, action in run.actions.items()},
    )


def override_actions(actions: Mapping[str, RedriveAction], choice: str) -> dict[str, RedriveAction]:
    """Return the actions with the user's choice for all that the adviser would repair.

    Args:
        actions: As advised.
        choice: ``advised``, or a value of ``RedriveAction`` for every execution.
    """
    if choice == "advised":
        return dict(actions)
    return dict.fromkeys(actions, RedriveAction(choice))


def planned_table(dry: DryRun, actions: Mapping[str, RedriveAction]) -> pd.DataFrame:
    """Return the dry run's table with the chosen actions, in the same order of executions."""
    return dry.table.assign(**{ACTION: [actions[arn].value for arn in dry.actions]})


def repair_table(
    results: Iterable[tuple[str, str, str]], outcomes: Mapping[str, Outcome]
) -> pd.DataFrame:
    """Return what became of each item of a run, followed to its end.

    Args:
        results: ``(arn, status, message)``; the ARN is that of the execution to follow.
        outcomes: How executions stand by now, by ARN.
    """
    rows = [
        {
            "Execution": arn.rpartition(":")[2],
            "Repair": status,
            "Outcome now": outcomes[arn].value if arn in outcomes else "not listed yet",
            "Message": message,
        }
        for arn, status, message in results
    ]
    return pd.DataFrame(rows, columns=["Execution", "Repair", "Outcome now", "Message"])


def silence_end(hours: int, *, now: datetime) -> datetime:
    """Return when a silence of so many hours ends."""
    return now + timedelta(hours=hours)


def _rebuild_execution(row: Mapping[str, Any]) -> Execution:
    names = ("arn", "name", "version", "alias", "started_at", "stopped_at", "redrive_count")
    known = {name: row[name] for name in names}
    return Execution(**known, status=Status(row["status"]), state_machine_arn="")


def _at_rest(group: FailureGroup) -> bool:
    return group.status in AT_REST or group.silenced_until is not None


def _format_badges(group: FailureGroup, zone: ZoneInfo) -> str:
    color, icon = STATUS_BADGES[group.status]
    text = group.status.value
    if group.kind is Kind.REJECTION and color == "red":
        color = STYLES[Outcome.REJECTED].badge  # an answer, not a failure
    if group.status is GroupStatus.RESOLVED and group.resolved_in:
        text = f"resolved in version {escape_text(group.resolved_in)}"
    badges = [f":{color}-badge[{icon} {text}]"]
    badges.append(f":gray-badge[{KIND_ICONS[group.kind]} {group.kind.value}]")
    if group.silenced_until:
        until = format_moment(group.silenced_until, zone)
        badges.append(f":gray-badge[:material/notifications_off: silent until {until}]")
    if group.repairing:
        badges.append(f":blue-badge[:material/build: {group.repairing:,} running again]")
    return " ".join(badges)


def _format_facts(group: FailureGroup, now: datetime) -> str:
    parts = [
        f"**{format_count(group.count, 'execution')}**",
        f"last {format_age(group.last_seen, now)} ago",
        f"first {format_age(group.first_seen, now)} ago",
    ]
    if group.versions:
        parts.append(f"version {escape_text(', '.join(group.versions[-3:]))}")
    if group.images:
        parts.append(format_count(len(group.images), "image"))
    if group.fixed:
        parts.append(f"{group.fixed:,} repaired")
    return " · ".join(parts)
