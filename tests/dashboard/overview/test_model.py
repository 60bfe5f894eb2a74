"""The overview: one verdict, numbers that lead somewhere, changes beyond chance."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from dashboard.failures.repair_plan import RepairItem, RepairPlan, RepairRun
from dashboard.overview import checks_model
from dashboard.overview.model import OverallHealth, Overview, build_overview
from workflow.executions import Failure
from workflow.redrive import RedriveAction
from workflow.triage import group
from workflow.triage_notes import TriageAction, TriageEvent

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def rows(*parts: tuple[float, str, int], version: str = "1") -> pl.DataFrame:
    """Executions: hours ago, outcome, how many."""
    columns: dict[str, Any] = {
        "started_at": pl.Datetime("us", "UTC"),
        "outcome": pl.String,
        "version": pl.String,
        "seconds": pl.Float64,
    }
    data = [
        (NOW - timedelta(hours=hours), outcome, version, 1.0)
        for hours, outcome, count in parts
        for _ in range(count)
    ]
    return pl.DataFrame(data, columns, orient="row")


def failed(hours_ago: float, **fields: Any) -> Failure:
    known: dict[str, Any] = {
        "execution_arn": f"arn:{hours_ago}",
        "state": "Classify",
        "error": "Boom",
        "cause": "It broke.",
        "failed_at": NOW - timedelta(hours=hours_ago),
    }
    return Failure(**known | fields)


def seen(
    listing: pl.DataFrame,
    *failures: Failure,
    notes: tuple[TriageEvent, ...] = (),
    runs: tuple[RepairRun, ...] = (),
) -> Overview:
    groups = group(failures, notes, now=NOW)
    checks = (
        checks_model.check_failures(groups, NOW),
        checks_model.changes_under_way("", runs, repairing=False, as_of=NOW),
    )
    return build_overview(listing, groups, runs, checks, now=NOW)


def test_traffic_without_problems_is_healthy() -> None:
    shown = seen(rows((1, "accepted", 50)))
    assert shown.health is OverallHealth.HEALTHY
    assert shown.needs == ()


def test_nothing_at_all_is_quiet() -> None:
    shown = seen(rows())
    assert shown.health is OverallHealth.QUIET
    assert {tile.value for tile in shown.tiles} == {"0", "-"}


def test_an_open_problem_needs_somebody_and_leads_to_its_group() -> None:
    shown = seen(rows((1, "fault", 3)), failed(1))
    assert shown.health is OverallHealth.NEEDS_ATTENTION
    (need,) = shown.needs
    assert need.text == "Boom in Classify (1)"
    assert need.page.endswith("failures.py")
    assert need.params["group"]
    assert any(change.text.startswith("New: Boom") for change in shown.changes)


def test_rejections_and_what_is_acknowledged_need_nobody() -> None:
    rejected = failed(1, error="Exception", cause="THRESHOLD_CONFIDENCE_NOT_MET")
    assert seen(rows((1, "rejected", 1)), rejected).health is OverallHealth.HEALTHY
    groups = group([failed(1)], (), now=NOW)
    note = TriageEvent(
        id="n",
        at=NOW,
        author="ada",
        fingerprint=groups[0].fingerprint.digest,
        action=TriageAction.ACKNOWLEDGE,
    )
    assert seen(rows((1, "fault", 1)), failed(1), notes=(note,)).needs == ()


def test_a_stopped_repair_needs_somebody_first() -> None:
    item = RepairItem(arn="arn:1", action=RedriveAction.REDRIVE, redrive_count=0)
    plan = RepairPlan(id="r", at=NOW, author="ada", fingerprint="f", target="t", items=(item,))
    shown = seen(rows(), failed(1), runs=(RepairRun(plan=plan, results={}),))
    assert shown.needs[0].text == "A repair stopped: 1 of 1 were not reached"


def test_a_rise_beyond_chance_is_a_change_and_a_wobble_is_none() -> None:
    steady = rows(
        (30, "accepted", 84), (30, "rejected", 16), (1, "accepted", 80), (1, "rejected", 20)
    )
    assert not any("Rejections" in change.text for change in seen(steady).changes)
    risen = rows(
        (30, "accepted", 84), (30, "rejected", 16), (1, "accepted", 40), (1, "rejected", 60)
    )
    (change,) = [one for one in seen(risen).changes if "Rejections" in one.text]
    assert change.text == "Rejections rose from 16.0% to 60.0%"


def test_tiles_compare_with_the_week_before_and_lead_to_what_they_count() -> None:
    shown = seen(
        rows((30, "accepted", 90), (30, "fault", 10), (1, "accepted", 70), (1, "fault", 30))
    )
    tiles = {tile.label: tile for tile in shown.tiles}
    assert (tiles["Faults"].value, tiles["Faults"].change) == ("30.0%", "+20.0 points")
    assert tiles["Faults"].worse
    assert tiles["Succeeded"].worse
    assert tiles["Faults"].params == {"outcome": ["fault"], "range": ["24h"]}
    assert tiles["Executions"].change == "+0 a day"


def test_executions_compare_with_a_mean_day_of_the_week_before() -> None:
    shown = seen(rows((8 * 24 - 1, "accepted", 40), (30, "accepted", 100), (1, "accepted", 50)))
    assert shown.tiles[0].change == "+30 a day"


def test_a_version_that_began_today_is_a_change() -> None:
    shown = seen(pl.concat([rows((30, "accepted", 1)), rows((2, "accepted", 1), version="2")]))
    assert [one.text for one in shown.changes] == ["Version 2 has run for 2 h"]
