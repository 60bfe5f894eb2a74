"""Alerts: new groups, regressions, and rejections out of their usual band.

They are found where groups are known: by the dashboard that syncs, so some dashboard must run.
Faults alone are told by CloudWatch alarms that ``deploy`` makes, which need no dashboard. How they
go out is the matter of ``alert_outbox``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import pstdev

import polars as pl

from workflow.executions import Kind, Outcome
from workflow.triage import FailureGroup, GroupStatus
from workflow.triage_notes import TriageAction

NEW_FOR = timedelta(hours=24)
"""A group first seen longer ago is no news, as when a dashboard meets an old account."""

USUAL_HOURS = 7 * 24
LEAST_HOURS = 24
LEAST_EXECUTIONS = 20
"""Hours with fewer executions say nothing about a rate."""

BAND_DEVIATIONS = 4.0
"""Half width of the band, in standard deviations of an hour: about one false alarm in 3 years."""

_SUBJECT_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Alert:
    """What is published.

    Attributes:
        key: Names what happened: the same key is never published twice.
        subject: Up to 100 characters, as SNS's e-mails take.
        body: Plain text.
    """

    key: str
    subject: str
    body: str


def group_alerts(groups: Iterable[FailureGroup], *, now: datetime) -> tuple[Alert, ...]:
    """Return an alert for each group that is new or has come back, and that nobody has silenced."""
    alerts = []
    for group in groups:
        if group.kind is Kind.REJECTION or group.silenced_until is not None:
            continue
        digest = group.fingerprint.digest
        if group.status is GroupStatus.NEW and now - group.first_seen < NEW_FOR:
            alerts.append(_build_alert(f"new-{digest}", "New failure", group))
        if group.status is GroupStatus.REGRESSED:
            resolved = [note.id for note in group.notes if note.action is TriageAction.RESOLVE]
            alerts.append(_build_alert(f"regressed-{digest}-{resolved[-1]}", "It is back", group))
    return tuple(alerts)


def rejection_alert(listing: pl.DataFrame, *, now: datetime) -> Alert | None:
    """Return an alert when the last full hour's share of rejections leaves its usual band.

    The band is the share of the past seven days plus and minus four standard deviations, of the
    binomial at that hour's count or of the hours among themselves, whichever is wider.

    Args:
        listing: ``started_at`` and ``outcome`` of executions.
        now: Aware.
    """
    hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    ended = listing.filter(
        pl.col("started_at").is_between(hour - timedelta(hours=USUAL_HOURS), now),
        pl.col("outcome") != Outcome.RUNNING.value,
    )
    hours = (
        ended.group_by(pl.col("started_at").dt.truncate("1h").alias("hour"))
        .agg(count=pl.len(), rejected=(pl.col("outcome") == Outcome.REJECTED.value).sum())
        .filter(pl.col("count") >= LEAST_EXECUTIONS)
    )
    usual, last = hours.filter(pl.col("hour") < hour), hours.filter(pl.col("hour") == hour)
    if usual.height < LEAST_HOURS or not last.height:
        return None
    share = int(usual["rejected"].sum()) / int(usual["count"].sum())
    count, rejected = int(last["count"][0]), int(last["rejected"][0])
    # Never zero: beside a share of 0 or 1 a single execution would be outside of the band.
    binomial = (max(share * (1 - share), 1 / count) / count) ** 0.5
    spread = pstdev((usual["rejected"] / usual["count"]).to_list())
    width = BAND_DEVIATIONS * max(binomial, spread)
    if abs(rejected / count - share) <= width:
        return None
    low, high = max(0.0, share - width), min(1.0, share + width)
    return Alert(
        f"rejections-{hour:%Y%m%dT%H}",
        f"Rejections at {rejected / count:.0%}, usually {low:.0%} to {high:.0%}",
        f"From {hour:%H:%M} UTC, {rejected:,} of {count:,} executions were rejected. Look at the "
        "drift of the inputs on the Inferences page.",
    )


def _build_alert(key: str, what: str, group: FailureGroup) -> Alert:
    where = group.sample.state or "an execution"
    subject = f"{what}: {group.sample.error or 'error'} in {where}"
    return Alert(
        key,
        subject[:_SUBJECT_CHARACTERS],
        f"{group.diagnosis.cause}\n\n{group.diagnosis.remedy}\n\n{group.count:,} executions, first "
        f"{group.first_seen:%Y-%m-%d %H:%M} UTC, last {group.last_seen:%H:%M} UTC.\n"
        f"Example: {group.examples[0]}\nGroup {group.fingerprint.digest} on the Failures page.",
    )
