"""Checks: what the verdict of the Overview rests on, one sentence for each thing looked at."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import polars as pl

from dashboard.drift.model import FEATURE_WORDS
from dashboard.failures.repair_plan import RepairRun
from dashboard.inferences.model import statistics_of
from dashboard.shared import numbers
from workflow import drift
from workflow.class_names import ClassNames
from workflow.drift import DriftVerdict
from workflow.executions import Kind, Outcome
from workflow.triage import FailureGroup, GroupStatus

DAY: Final = timedelta(days=1)
USUAL: Final = timedelta(days=7)
"""The last day is held against the days before it, this many."""

BAND_DEVIATIONS: Final = 4.0
"""Share of rejections: standard deviations of chance, about one false alarm in 16,000 looks."""

LEAST: Final = 50
"""Executions of a day that a share can be judged by."""

FALSE_ALARM_RATE: Final = 0.001
"""Of the drift check: it is looked at all day, so it is ten times as careful as the Drift view."""

LATE: Final = timedelta(minutes=15)
"""Captures are delivered minutes late; younger executions may not have theirs yet."""

_UNDECIDED: Final = (GroupStatus.NEW, GroupStatus.REGRESSED)


class CheckLevel(StrEnum):
    """What a check says."""

    FINE = "fine"
    NEEDS_ATTENTION = "needs attention"
    UNDER_WAY = "under way"
    UNKNOWN = "not known"

    def counted(self, number: int) -> str:
        """Return how many checks say it: ``3 need attention``, ``1 needs attention``."""
        several = self is CheckLevel.NEEDS_ATTENTION and number > 1
        return f"{number} {'need attention' if several else self}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What, such as ``Drift``.
        level: What it says.
        sentence: The same in words.
        as_of: As of when; None where it was never read.
        page: The page that shows more, such as ``failures``.
        params: Query parameters of that page.
    """

    name: str
    level: CheckLevel
    sentence: str
    as_of: datetime | None
    page: str
    params: Mapping[str, list[str]] = field(default_factory=dict)


def needs_somebody(group: FailureGroup) -> bool:
    """Return whether nobody has looked at a group of failures yet."""
    quiet = group.silenced_until is not None or group.kind is Kind.REJECTION
    return group.status in _UNDECIDED and not quiet


def check_failures(groups: Sequence[FailureGroup], as_of: datetime | None) -> Check:
    """Judge the inbox.

    Args:
        groups: The inbox.
        as_of: As of when executions are known.
    """
    undecided = [group for group in groups if needs_somebody(group)]
    if not undecided:
        level, text = CheckLevel.FINE, "Every problem has been looked at."
    else:
        hurt = sum(group.count for group in undecided)
        problems = "1 problem" if len(undecided) == 1 else f"{len(undecided)} problems"
        level = CheckLevel.NEEDS_ATTENTION
        text = f"{problems} not looked at yet, in {hurt:,} executions."
    return Check(name="Failures", level=level, sentence=text, as_of=as_of, page="failures")


def check_rejections(listing: pl.DataFrame, as_of: datetime | None, *, now: datetime) -> Check:
    """Judge whether the share of rejections of the last day is that of the week before.

    Args:
        listing: ``started_at`` and ``outcome`` of executions.
        as_of: As of when executions are known.
        now: Aware.
    """
    ended = listing.filter(pl.col("outcome") != Outcome.RUNNING.value)
    last = ended.filter(pl.col("started_at") > now - DAY)
    before = ended.filter(pl.col("started_at").is_between(now - DAY - USUAL, now - DAY))
    count, rejected = last.height, _count_rejected(last)
    usual = (_count_rejected(before) + 1) / (before.height + 2)
    level, text = CheckLevel.FINE, ""
    if min(count, before.height) < LEAST:
        level = CheckLevel.UNKNOWN
        text = f"Too few executions to tell: {LEAST} a day are needed, {count:,} ran."
    else:
        spread = math.sqrt(usual * (1 - usual) * (1 / count + 1 / before.height))
        seen = _count_rejected(before) / before.height  # what the other panels show of that week
        text = (
            f"{numbers.format_share(rejected / count)} rejected in 24 hours, "
            f"{numbers.format_share(seen)} before."
        )
        if abs(rejected / count - usual) > BAND_DEVIATIONS * spread:
            level = CheckLevel.NEEDS_ATTENTION
    params = {"outcome": [Outcome.REJECTED.value]}
    return Check(
        name="Rejections", level=level, sentence=text, as_of=as_of, page="executions", params=params
    )


def check_drift(before: pl.DataFrame, last: pl.DataFrame, as_of: datetime | None) -> Check:
    """Judge whether confidence and classes of the last day are those of the week before.

    Args:
        before: Counts of the week, a frame of ``aggregates.COUNTS``.
        last: Counts of the last day.
        as_of: As of when captures are known.
    """
    classes = ClassNames()  # both sides are named alike, so any names do
    found = drift.compare(
        statistics_of(before, classes),
        statistics_of(last, classes),
        false_alarm_rate=FALSE_ALARM_RATE,
    )
    match drift.overall(found):
        case DriftVerdict.DRIFT:
            names = dict.fromkeys(
                FEATURE_WORDS.get(one.feature, one.feature).lower()
                for one in found
                if one.verdict is DriftVerdict.DRIFT
            )
            level = CheckLevel.NEEDS_ATTENTION
            text = f"The last 24 hours differ from the week before in {' and '.join(names)}."
        case DriftVerdict.STABLE:
            level, text = CheckLevel.FINE, "Confidence and classes are those of the week before."
        case DriftVerdict.NOT_ENOUGH_DATA:
            level, text = CheckLevel.UNKNOWN, "Too few captures to tell the last 24 hours apart."
    return Check(
        name="Drift",
        level=level,
        sentence=text,
        as_of=as_of,
        page="inferences",
        params={"view": ["Drift"]},
    )


def drift_unknown(why: str) -> Check:
    """Say that drift was not judged, and why."""
    return Check(
        name="Drift",
        level=CheckLevel.UNKNOWN,
        sentence=why,
        as_of=None,
        page="inferences",
        params={"view": ["Drift"]},
    )


def data_health(
    listing: pl.DataFrame,
    captured: int,
    unreadable: int,
    problem: str,
    as_of: datetime | None,
    *,
    now: datetime,
) -> Check:
    """Judge whether data capture keeps up with the executions of the last day.

    Args:
        listing: ``started_at`` and ``outcome`` of executions.
        captured: Captures of the last day.
        unreadable: Lines and objects found in the last day that gave no capture.
        problem: What ended the last pass early, empty where nothing did.
        as_of: When the last complete pass ended.
        now: Aware.
    """
    classified = listing.filter(
        pl.col("started_at").is_between(now - DAY, now - LATE),
        pl.col("outcome").is_in([Outcome.ACCEPTED.value, Outcome.REJECTED.value]),
    ).height
    if problem:
        level, text = CheckLevel.NEEDS_ATTENTION, f"Captures could not be read: {problem}"
    elif as_of is None:
        level, text = CheckLevel.UNKNOWN, "Captures have not been read yet."
    elif classified >= LEAST and not captured:
        level = CheckLevel.NEEDS_ATTENTION
        text = f"Nothing was captured of {classified:,} classified photos."
    elif unreadable:
        level = CheckLevel.NEEDS_ATTENTION
        text = f"{unreadable:,} captured lines of the last 24 hours cannot be read."
    else:
        level, text = CheckLevel.FINE, f"{captured:,} captures in 24 hours, all of them read."
    return Check(
        name="Data health",
        level=level,
        sentence=text,
        as_of=as_of,
        page="inferences",
        params={"view": ["Data health"]},
    )


def check_alarms(
    ringing: Sequence[str] | None, total: int, as_of: datetime | None, problem: str = ""
) -> Check:
    """Judge the alarms of CloudWatch.

    Args:
        ringing: Names of those in state ALARM; None where they could not be read.
        total: How many alarms there are.
        as_of: When they were read.
        problem: Why they could not be read; empty where that is not known.
    """
    if ringing is None:
        level, text = CheckLevel.UNKNOWN, f"The alarms of CloudWatch could not be read. {problem}"
    elif ringing:
        level, text = CheckLevel.NEEDS_ATTENTION, f"In alarm: {', '.join(ringing)}."
    else:
        level, text = CheckLevel.FINE, f"None of {total} alarms is ringing."
    return Check(name="Alarms", level=level, sentence=text, as_of=as_of, page="alerts")


def check_alerts(
    unread: int | None, unsent: int, as_of: datetime | None, problem: str = ""
) -> Check:
    """Judge the alerts that were published.

    Args:
        unread: Those that nobody has marked as read; None where they could not be listed.
        unsent: Those that wait to be sent.
        as_of: When they were listed.
        problem: Why they could not be listed; empty where that is not known.
    """
    if unread is None:
        level, text = CheckLevel.UNKNOWN, f"The alerts could not be listed. {problem}"
    elif unsent:
        level, text = CheckLevel.NEEDS_ATTENTION, f"{unsent:,} alerts could not be sent yet."
    elif unread:
        noun = "alert was" if unread == 1 else "alerts were"
        level, text = (
            CheckLevel.NEEDS_ATTENTION,
            f"{unread:,} {noun} sent that nobody has marked as read.",
        )
    else:
        level, text = CheckLevel.FINE, "No alert is unread."
    return Check(name="Alerts", level=level, sentence=text, as_of=as_of, page="alerts")


def changes_under_way(
    deploying: str,
    runs: Sequence[RepairRun],
    *,
    repairing: bool,
    as_of: datetime,
) -> Check:
    """Say what is being changed, and which repair stopped half-way.

    Args:
        deploying: Title of the deployment under way, empty for none.
        runs: Bulk repairs, the newest first.
        repairing: Whether this dashboard is at one of them now.
        as_of: Now.
    """
    stopped = [run for run in runs if run.pending]
    page = "failures"
    if deploying:
        level, text, page = CheckLevel.UNDER_WAY, f"{deploying} is under way.", "deployment"
    elif repairing:
        level, text = CheckLevel.UNDER_WAY, "A repair is under way."
    elif stopped:
        left = sum(len(run.pending) for run in stopped)
        level, text = (
            CheckLevel.NEEDS_ATTENTION,
            f"A repair stopped: {left:,} executions were not reached.",
        )
    else:
        level, text = CheckLevel.FINE, "No deployment or repair is under way."
    return Check(name="Changes", level=level, sentence=text, as_of=as_of, page=page)


def _count_rejected(rows: pl.DataFrame) -> int:
    return int((rows["outcome"] == Outcome.REJECTED.value).sum())
