"""Alerts: for what is new or back, once, never for a silence or a usual rejection."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from dashboard.alerts import client as alerts
from workflow.executions import Failure
from workflow.fingerprints import fingerprint
from workflow.triage import group
from workflow.triage_notes import TriageAction, TriageEvent

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def failed(minutes_ago: float, error: str = "Boom", cause: str = "It broke.") -> Failure:
    return Failure(
        execution_arn=f"arn:{minutes_ago}",
        state="Classify",
        error=error,
        cause=cause,
        failed_at=NOW - timedelta(minutes=minutes_ago),
    )


def note(action: TriageAction, failure: Failure, minutes_ago: float, **said: Any) -> TriageEvent:
    return TriageEvent(
        id=f"{action}-{minutes_ago}",
        at=NOW - timedelta(minutes=minutes_ago),
        author="ada",
        fingerprint=fingerprint(failure).digest,
        action=action,
        **said,
    )


def due(failures: list[Failure], *notes: TriageEvent) -> list[str]:
    groups = group(failures, notes, now=NOW)
    return [alert.key.partition("-")[0] for alert in alerts.group_alerts(groups, now=NOW)]


def test_a_new_group_is_told_with_cause_remedy_and_example() -> None:
    groups = group([failed(5)], (), now=NOW)
    (alert,) = alerts.group_alerts(groups, now=NOW)
    assert alert.key == f"new-{groups[0].fingerprint.digest}"
    assert alert.subject == "New failure: Boom in Classify"
    assert "arn:5" in alert.body
    assert groups[0].diagnosis.remedy in alert.body


def test_an_old_group_is_no_news() -> None:
    assert due([failed(3000)]) == []


def test_what_is_acknowledged_or_silenced_is_not_told_again() -> None:
    boom = failed(5)
    assert due([boom], note(TriageAction.ACKNOWLEDGE, boom, 1)) == []
    until = NOW + timedelta(hours=1)
    assert due([boom], note(TriageAction.SILENCE, boom, 1, until=until)) == []
    over = NOW - timedelta(minutes=1)
    assert due([boom], note(TriageAction.SILENCE, boom, 9, until=over)) == ["new"]


def test_a_regression_is_told_once_for_each_resolution() -> None:
    boom = failed(5)
    assert due([boom], note(TriageAction.RESOLVE, boom, 10)) == ["regressed"]
    assert due([boom], note(TriageAction.RESOLVE, boom, 1)) == []


def test_rejections_are_never_a_group_alert() -> None:
    assert due([failed(5, "Exception", "THRESHOLD_CONFIDENCE_NOT_MET")]) == []


def hours(shares: list[float], count: int = 100) -> pl.DataFrame:
    """Hours of executions, the last of which is the last full hour."""
    rows: list[tuple[datetime, str]] = []
    for back, share in enumerate(reversed(shares), start=1):
        at = NOW.replace(minute=0) - timedelta(hours=back) + timedelta(minutes=1)
        rejected = round(share * count)
        rows += [(at, "rejected")] * rejected + [(at, "accepted")] * (count - rejected)
    return pl.DataFrame(
        rows, {"started_at": pl.Datetime("us", "UTC"), "outcome": pl.String}, orient="row"
    )


def test_a_usual_share_of_rejections_is_quiet() -> None:
    assert alerts.rejection_alert(hours([0.16, 0.14, 0.18] * 20), now=NOW) is None


@pytest.mark.parametrize("share", [0.6, 0.0])
def test_a_share_out_of_its_band_is_told(share: float) -> None:
    found = alerts.rejection_alert(hours([*([0.30, 0.26, 0.34] * 20), share]), now=NOW)
    assert found is not None
    assert found.key == "rejections-20261123T11"


def test_too_little_history_says_nothing() -> None:
    assert alerts.rejection_alert(hours([0.1] * 10 + [0.9]), now=NOW) is None
    assert alerts.rejection_alert(hours([0.1] * 60 + [0.9], count=5), now=NOW) is None
    assert alerts.rejection_alert(hours([]), now=NOW) is None
