"""Looking: gathers what the Overview's verdict rests on from the feeds and the cloud."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from dashboard.alerts.log import AlertPart, AlertState
from dashboard.alerts.model import CheckFinding
from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.source import InferenceFeed
from dashboard.failures.feed import FailureFeed
from dashboard.failures.repairs import job_key
from dashboard.overview import checks_model as checks
from dashboard.overview.checks_model import Check, CheckLevel
from dashboard.shared.cloud_reads import CloudReads
from dashboard.shared.jobs import DEPLOYMENT, Jobs
from workflow.spans import Span

DRIFT_EVERY_S: Final = 120.0

READ_ON: Final = timedelta(minutes=10)
"""Captures this old are read on though no page is looking: listing S3 all the time would cost."""


@dataclass(frozen=True, slots=True)
class Background:
    """Where what takes seconds is done.

    Attributes:
        reads: Does it in threads, once for all sessions.
        key: Names the cloud and the workflow that are looked at.
    """

    reads: CloudReads
    key: Hashable


def make_checks(
    feed: FailureFeed,
    captures: InferenceFeed | None,
    alerts: AlertState | None,
    jobs: Jobs,
    background: Background,
    *,
    now: datetime,
) -> tuple[Check, ...]:
    """Make every check.

    Args:
        feed: Failures and executions.
        captures: Captures; None where no endpoint is known, so that there is nothing to check.
        alerts: Alerts and alarms; None where they could not be read.
        jobs: The jobs of this process.
        background: Where what takes seconds is done.
        now: Aware.

    Raises:
        WorkflowError: AWS's own code, where notes, repairs or captures cannot be read.
    """
    listing, runs = feed.executions.listing(), feed.repair_runs()
    progress = feed.executions.progress
    listed_at = progress.as_of if progress else None
    deploying = jobs.get(DEPLOYMENT)
    repairs = [jobs.get(job_key(run.plan)) for run in runs]
    return (
        checks.check_failures(feed.read_inbox(now), listed_at),
        checks.check_rejections(listing, listed_at, now=now),
        *_of_captures(captures, background, listing, now),
        *_of_alerts(alerts),
        checks.changes_under_way(
            deploying.title if deploying and deploying.running else "",
            runs,
            repairing=any(job is not None and job.running for job in repairs),
            as_of=now,
        ),
    )


def check_captures(
    feed: FailureFeed,
    find_captures: Callable[[], InferenceFeed],
    background: Background,
    now: datetime,
) -> tuple[CheckFinding, ...]:
    """Return what the checks of captures say, for alerts; old captures are read on for it.

    Raises:
        WorkflowError: AWS's own code, where captures cannot be read.
    """
    captures = find_captures()
    # No page may be looking: an alert must not rest on captures of yesterday.
    if captures.as_of is None or now - captures.as_of > READ_ON:
        captures.watch()
    wrong = {CheckLevel.FINE: False, CheckLevel.NEEDS_ATTENTION: True}
    made = _of_captures(captures, background, feed.executions.listing(), now)
    return tuple(CheckFinding(one.name, wrong.get(one.level), one.sentence) for one in made)


def _of_alerts(found: AlertState | None) -> tuple[Check, Check]:
    if found is None:
        return checks.check_alarms(None, 0, None), checks.check_alerts(None, 0, None)
    why = {part: error.message for part, error in found.refused.items()}
    ringing = None if AlertPart.ALARMS in why else found.ringing
    unread = None if AlertPart.SENT in why else len(found.unread)
    return (
        checks.check_alarms(
            ringing, len(found.alarms), found.read_at, why.get(AlertPart.ALARMS, "")
        ),
        checks.check_alerts(unread, len(found.waiting), found.read_at, why.get(AlertPart.SENT, "")),
    )


def _of_captures(
    captures: InferenceFeed | None, background: Background, listing: pl.DataFrame, now: datetime
) -> tuple[Check, ...]:
    if captures is None:
        return ()
    # The same all minute long, so that the feed need not count again at each refresh.
    minute = now.replace(second=0, microsecond=0)
    return _latest_drift(captures, background, now), _data_health(captures, listing, minute)


def _latest_drift(captures: InferenceFeed, background: Background, now: datetime) -> Check:
    """Return the latest answer: the test's permutations take a second, so no page waits."""
    if captures.as_of is None:
        return checks.drift_unknown("Captures have not been read yet.")

    def test() -> Check:
        day = now - checks.DAY
        return checks.check_drift(
            captures.counted(InferenceFilters(), Span(day - checks.USUAL, day), now),
            captures.counted(InferenceFilters(), Span(day, now), now),
            now,
        )

    known = background.reads.start(
        "overview", background.key, "the drift check", test, fresh_s=DRIFT_EVERY_S
    )
    return known.value or checks.drift_unknown("The last day is being compared with the week.")


def _data_health(captures: InferenceFeed, listing: pl.DataFrame, now: datetime) -> Check:
    counts = captures.counted(InferenceFilters(), Span(now - checks.DAY, now), now)
    errors = captures.errors()
    recent = 0
    if not errors.is_empty():
        recent = errors.filter(pl.col("found_at") > now - checks.DAY).height
    problem = captures.problem.message if captures.problem else ""
    return checks.data_health(
        listing, int(counts["count"].sum()), recent, problem, captures.as_of, now=now
    )
