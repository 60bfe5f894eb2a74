"""Each check says what it saw, and the verdict turns with the worst of them."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest

from dashboard.captures.aggregates import COUNTS
from dashboard.overview import checks_model as checks
from dashboard.overview.checks_model import CheckLevel
from dashboard.overview.model import OverallHealth, build_overview
from tests.nightly import often

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def listing(*days: tuple[float, int, int]) -> pl.DataFrame:
    """Executions: days ago, how many accepted, how many rejected."""
    rows = [
        (NOW - timedelta(days=ago), outcome, "1", 1.0)
        for ago, accepted, rejected in days
        for outcome, count in (("accepted", accepted), ("rejected", rejected))
        for _ in range(count)
    ]
    columns: dict[str, Any] = {
        "started_at": pl.Datetime("us", "UTC"),
        "outcome": pl.String,
        "version": pl.String,
        "seconds": pl.Float64,
    }
    return pl.DataFrame(rows, columns, orient="row")


def counts(confidences: list[float], random: Random) -> pl.DataFrame:
    """Counts of captures of these confidences, half of them bicycles."""
    rows = [
        {
            "endpoint": "vans",
            "variant": "AllTraffic",
            "label": random.randrange(2),
            "bin": min(199, int(confidence * 200)),
            "time": NOW.replace(tzinfo=None),
            "count": 1,
        }
        for confidence in confidences
    ]
    return pl.DataFrame(rows, schema_overrides=dict(COUNTS))


def test_levels_are_counted_in_the_words_of_their_number() -> None:
    assert CheckLevel.NEEDS_ATTENTION.counted(1) == "1 needs attention"
    assert CheckLevel.NEEDS_ATTENTION.counted(3) == "3 need attention"
    assert CheckLevel.FINE.counted(3) == "3 fine"


def test_a_share_of_rejections_beyond_chance_needs_somebody() -> None:
    steady = checks.check_rejections(listing((0.5, 80, 20), (3, 480, 120)), NOW, now=NOW)
    risen = checks.check_rejections(listing((0.5, 50, 50), (3, 480, 120)), NOW, now=NOW)

    assert steady.level is CheckLevel.FINE
    assert risen.level is CheckLevel.NEEDS_ATTENTION
    assert risen.sentence.startswith("50.0% rejected in 24 hours, 20.0% before")


def test_few_executions_are_not_judged() -> None:
    assert checks.check_rejections(listing((0.5, 3, 30)), NOW, now=NOW).level is CheckLevel.UNKNOWN


@pytest.mark.parametrize("seed", range(often(20, 1)))
def test_the_verdict_turns_when_drift_sets_in_and_only_then(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - test data

    def drawn(count: int, spread: float) -> pl.DataFrame:
        return counts([max(0.5, 1 - random.expovariate(spread)) for _ in range(count)], random)

    week, same, worse = drawn(700, 20), drawn(120, 20), drawn(120, 6)

    assert checks.check_drift(week, same, NOW).level is not CheckLevel.NEEDS_ATTENTION
    assert checks.check_drift(week, worse, NOW).level is CheckLevel.NEEDS_ATTENTION


def test_classified_photos_without_captures_are_a_problem_of_data_health() -> None:
    rows = listing((0.5, 60, 0))

    def health(captured: int, unreadable: int = 0, problem: str = "") -> CheckLevel:
        return checks.data_health(rows, captured, unreadable, problem, NOW, now=NOW).level

    assert health(60) is CheckLevel.FINE
    assert health(0) is CheckLevel.NEEDS_ATTENTION
    assert health(60, unreadable=2) is CheckLevel.NEEDS_ATTENTION
    assert health(60, problem="AccessDenied") is CheckLevel.NEEDS_ATTENTION
    unread = checks.data_health(rows, 0, 0, "", None, now=NOW)
    assert unread.level is CheckLevel.UNKNOWN


def test_alarms_and_alerts_that_could_not_be_read_are_not_known() -> None:
    assert checks.check_alarms(None, 0, None).level is CheckLevel.UNKNOWN
    assert checks.check_alerts(None, 0, None).level is CheckLevel.UNKNOWN
    assert checks.check_alarms(["faults"], 7, NOW).level is CheckLevel.NEEDS_ATTENTION
    assert checks.check_alarms([], 7, NOW).level is CheckLevel.FINE
    assert checks.check_alerts(1, 0, NOW).sentence.startswith("1 alert was sent")
    assert checks.check_alerts(0, 2, NOW).level is CheckLevel.NEEDS_ATTENTION
    assert checks.check_alerts(0, 0, NOW).level is CheckLevel.FINE


def test_healthy_is_claimed_only_where_every_check_was_made() -> None:
    rows = listing((0.5, 60, 0))
    fine = checks.check_alarms([], 7, NOW)
    unknown = checks.check_alarms(None, 0, None)
    under_way = checks.changes_under_way("Deploy", [], repairing=False, as_of=NOW)

    assert build_overview(rows, [], [], [fine], now=NOW).health is OverallHealth.HEALTHY
    assert build_overview(rows, [], [], [fine, unknown], now=NOW).health is OverallHealth.NOT_KNOWN
    assert (
        build_overview(rows, [], [], [fine, under_way], now=NOW).health is OverallHealth.UNDER_WAY
    )
    assert build_overview(listing(), [], [], [fine], now=NOW).health is OverallHealth.QUIET
