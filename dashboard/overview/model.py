"""What the Overview says: is it healthy, what changed, what needs somebody."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import polars as pl

from dashboard.executions import model as executions
from dashboard.executions.model import ExecutionFilters, Rates
from dashboard.failures import model as failures
from dashboard.failures.model import FailureFilters
from dashboard.failures.repair_plan import RepairRun
from dashboard.overview.checks_model import DAY, USUAL, Check, CheckLevel, needs_somebody
from dashboard.shared import numbers
from dashboard.shared.query import write_filters
from workflow.executions import Kind, Outcome
from workflow.intervals import Share
from workflow.triage import FailureGroup, GroupStatus

MOST_NEEDS = 6


_LINKS = {
    "Executions": "Executions",
    "Succeeded": "Succeeded",
    "Rejected": "Rejected",
    "Faults": "Faults",
    "Silently wrong": "Silent failures",
    "Median duration": "Durations",
}


class OverallHealth(StrEnum):
    """The verdict."""

    HEALTHY = "healthy"
    NEEDS_ATTENTION = "needs attention"
    UNDER_WAY = "under way"
    NOT_KNOWN = "not known"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One sentence with the page that it leads to, and what more there is to say."""

    text: str
    icon: str
    page: str
    params: Mapping[str, list[str]]
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number of the last 24 hours, beside the week before.

    Attributes:
        change: The difference in words, empty where there is nothing to compare with.
        worse: Whether the change is for the worse, None where it is neither.
        link: What the link to the executions that it counts says.
    """

    label: str
    link: str
    value: str
    change: str
    worse: bool | None
    page: str
    params: Mapping[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One screen."""

    health: OverallHealth
    sentence: str
    checks: tuple[Check, ...]
    tiles: tuple[Tile, ...]
    changes: tuple[Line, ...]
    needs: tuple[Line, ...]


def build_overview(
    listing: pl.DataFrame,
    groups: Sequence[FailureGroup],
    runs: Sequence[RepairRun],
    checks: Sequence[Check],
    *,
    now: datetime,
) -> Overview:
    """Look at the last 24 hours, and at the week before for comparison, as the checks do.

    Args:
        listing: ``execution_tables.listing``.
        groups: The inbox, the most urgent first.
        runs: Bulk repairs, the newest first.
        checks: What was looked at; the verdict is theirs.
        now: Aware.
    """
    today = listing.filter(pl.col("started_at") > now - DAY)
    before = listing.filter(pl.col("started_at").is_between(now - DAY - USUAL, now - DAY))
    known = max(executions.selection_span(before, now=now - DAY), DAY)
    open_groups = [group for group in groups if needs_somebody(group)]
    waiting = [run for run in runs if run.pending]
    health, sentence = _judge_health(today, checks)
    return Overview(
        health=health,
        sentence=sentence,
        checks=tuple(checks),
        tiles=_build_tiles(
            executions.compute_rates(today, DAY), executions.compute_rates(before, known)
        ),
        changes=(
            *_changed_shares(today, before),
            *_new_versions(listing, now),
            *_list_news(groups, now),
        ),
        needs=(*map(_unfinished_repair_line, waiting), *map(_open_group_line, open_groups))[
            :MOST_NEEDS
        ],
    )


def _judge_health(today: pl.DataFrame, checks: Sequence[Check]) -> tuple[OverallHealth, str]:
    """Return the worst of the checks; healthy is claimed only where every one was made."""
    of = {level: [one for one in checks if one.level is level] for level in CheckLevel}
    if of[CheckLevel.NEEDS_ATTENTION]:
        return OverallHealth.NEEDS_ATTENTION, " ".join(
            one.sentence for one in of[CheckLevel.NEEDS_ATTENTION]
        )
    if of[CheckLevel.UNDER_WAY]:
        return OverallHealth.UNDER_WAY, " ".join(one.sentence for one in of[CheckLevel.UNDER_WAY])
    if today.is_empty():
        return OverallHealth.QUIET, "Nothing has run for 24 hours, and nothing needs attention."
    if of[CheckLevel.UNKNOWN]:
        names = ", ".join(one.name.lower() for one in of[CheckLevel.UNKNOWN])
        return OverallHealth.NOT_KNOWN, f"Nothing known needs attention; not known: {names}."
    return (
        OverallHealth.HEALTHY,
        f"{today.height:,} executions in 24 hours; nothing needs attention.",
    )


def _build_tiles(today: Rates, before: Rates) -> tuple[Tile, ...]:
    day = ExecutionFilters()
    rejected = replace(day, outcome=(Outcome.REJECTED,))
    faults = replace(day, outcome=(Outcome.FAULTED,))
    silent = replace(day, outcome=(Outcome.SILENT,))
    usual = before.per_hour * (DAY / timedelta(hours=1))
    more = f"{today.count - usual:+,.0f} a day" if before.count else ""
    return (
        _build_tile("Executions", f"{today.count:,}", more, day),
        _build_share_tile("Succeeded", today.accepted, before.accepted, day, more_is_worse=False),
        _build_share_tile(
            "Rejected", today.rejected, before.rejected, rejected, more_is_worse=None
        ),
        _build_share_tile("Faults", today.faulted, before.faulted, faults, more_is_worse=True),
        _build_share_tile(
            "Silently wrong", today.silent, before.silent, silent, more_is_worse=True
        ),
        _build_tile(
            "Median duration",
            numbers.format_duration(today.p50),
            _describe_slowdown(today.p50, before.p50),
            day,
        ),
    )


def _build_share_tile(
    label: str, now: float, before: float, filters: ExecutionFilters, *, more_is_worse: bool | None
) -> Tile:
    value = numbers.format_share(now)
    if math.isnan(now) or math.isnan(before) or round(now - before, 3) == 0:
        return _build_tile(label, value, "", filters)
    worse = None if more_is_worse is None else (now > before) == more_is_worse
    return _build_tile(label, value, numbers.format_points(now - before), filters, worse=worse)


def _build_tile(
    label: str, value: str, change: str, filters: ExecutionFilters, *, worse: bool | None = None
) -> Tile:
    return Tile(
        label=label,
        link=_LINKS[label],
        value=value,
        change=change,
        worse=worse,
        page="app_pages/executions.py",
        params={**write_filters(filters), "range": ["24h"]},
    )


def _describe_slowdown(now: float, before: float) -> str:
    if math.isnan(now) or math.isnan(before) or not before:
        return ""
    return f"{now / before - 1:+.0%}"


def _changed_shares(today: pl.DataFrame, before: pl.DataFrame) -> tuple[Line, ...]:
    """List shares whose 95 % intervals no longer touch: chance does not explain that."""
    lines = []
    for outcome, word in ((Outcome.REJECTED, "Rejections"), (Outcome.FAULTED, "Faults")):
        now, then = _share_of(today, outcome), _share_of(before, outcome)
        if not now.count or not then.count:
            continue
        rose = now.interval[0] > then.interval[1]
        if rose or now.interval[1] < then.interval[0]:
            between = numbers.format_interval(then.value, now.value)
            text = f"{word} {'rose' if rose else 'fell'} from {between}"
            filters = ExecutionFilters(outcome=(outcome,))
            icon = ":material/trending_up:" if rose else ":material/trending_down:"
            lines.append(_build_line(text, icon, "executions", write_filters(filters)))
    return tuple(lines)


def _share_of(rows: pl.DataFrame, outcome: Outcome) -> Share:
    ended = rows.filter(pl.col("outcome") != Outcome.RUNNING.value)
    return Share(int((ended["outcome"] == outcome.value).sum()), ended.height)


def _new_versions(listing: pl.DataFrame, now: datetime) -> tuple[Line, ...]:
    first = listing.drop_nulls("version").group_by("version").agg(at=pl.col("started_at").min())
    fresh = first.filter(pl.col("at") > now - DAY).sort("at", descending=True)
    return tuple(
        _build_line(
            f"Version {version} has run for {numbers.format_age(at, now)}",
            ":material/rocket_launch:",
            "executions",
            write_filters(ExecutionFilters(version=version)),
        )
        for version, at in fresh.iter_rows()
    )


def _list_news(groups: Sequence[FailureGroup], now: datetime) -> tuple[Line, ...]:
    return tuple(
        _build_line(
            f"{'Back again' if group.status is GroupStatus.REGRESSED else 'New'}: "
            f"{failures.group_title(group)}, for {numbers.format_age(group.first_seen, now)}",
            ":material/replay:"
            if group.status is GroupStatus.REGRESSED
            else ":material/fiber_new:",
            "failures",
            write_filters(FailureFilters(group=group.fingerprint.digest)),
        )
        for group in groups
        if group.kind is not Kind.REJECTION
        and (group.status is GroupStatus.REGRESSED or group.first_seen > now - DAY)
    )[:MOST_NEEDS]


def _open_group_line(group: FailureGroup) -> Line:
    line = _build_line(
        f"{failures.group_title(group)} ({group.count:,})",
        failures.KIND_ICONS[group.kind],
        "failures",
        write_filters(FailureFilters(group=group.fingerprint.digest)),
    )
    return replace(line, detail=group.diagnosis.cause)


def _unfinished_repair_line(run: RepairRun) -> Line:
    return _build_line(
        f"A repair stopped: {len(run.pending):,} of {len(run.plan.items):,} were not reached",
        ":material/build:",
        "failures",
        write_filters(FailureFilters(group=run.plan.fingerprint)),
    )


def _build_line(text: str, icon: str, page: str, params: Mapping[str, list[str]]) -> Line:
    return Line(text=text, icon=icon, page=f"app_pages/{page}.py", params=params)
