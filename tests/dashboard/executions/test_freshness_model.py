"""Freshness: how complete and how old, in one line."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.executions.freshness_model import describe_freshness
from dashboard.executions.sync_progress import SyncProgress
from workflow.errors import WorkflowError

NOW = datetime(2026, 11, 23, 12, 0, 4, tzinfo=UTC)


def progress(**fields: Any) -> SyncProgress:
    known: dict[str, Any] = {
        "executions": 100_000,
        "listed": True,
        "histories": 3100,
        "wanted": 3103,
        "examined": 0,
        "succeeded": 0,
        "problems": {},
        "as_of": NOW - timedelta(seconds=4),
    }
    return SyncProgress(**known | fields)


def test_completeness_and_age_are_said() -> None:
    said = describe_freshness(progress(), now=NOW, zone=ZoneInfo("UTC"))
    assert said.text == (
        "100,000 executions, 3,100 of 3,103 histories of failures, as of 12:00:00 UTC, 4 s ago"
    )
    assert said.share is not None


def test_everything_read_shows_no_progress() -> None:
    assert describe_freshness(progress(histories=3103), now=NOW, zone=ZoneInfo("UTC")).share is None


def test_the_share_of_successes_examined_is_said() -> None:
    said = describe_freshness(progress(succeeded=200, examined=30), now=NOW, zone=ZoneInfo("UTC"))
    assert "30 of 200 successes (15%) examined" in said.text


def test_a_listing_under_way_is_so_far() -> None:
    assert (
        "executions so far"
        in describe_freshness(progress(listed=False), now=NOW, zone=ZoneInfo("UTC")).text
    )


def test_what_aws_refused_is_a_warning() -> None:
    error = WorkflowError("AccessDenied", "You may not.", "Ask.")
    assert describe_freshness(
        progress(problems={"X": error}), now=NOW, zone=ZoneInfo("UTC")
    ).warnings == ("You may not. Ask.",)
    missing = WorkflowError("StateMachineDoesNotExist", "Not there.", "Deploy.")
    assert (
        describe_freshness(
            progress(problems={"X": missing}), now=NOW, zone=ZoneInfo("UTC")
        ).warnings
        == ()
    )
    (gone,) = describe_freshness(
        progress(problems={"X": missing}), now=NOW, zone=ZoneInfo("UTC"), deployed=False
    ).warnings
    assert "no longer exists" in gone


def test_before_the_first_step_it_is_being_read() -> None:
    assert describe_freshness(None, now=NOW, zone=ZoneInfo("UTC")).text == "Reading executions …"
