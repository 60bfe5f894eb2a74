"""The Executions page's numbers."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from dashboard.executions import model, tables
from workflow.execution_rules import ExecutionRules
from workflow.executions import Execution, Failure, Outcome, Status

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def ran(name: str, minutes_ago: float = 10, **fields: Any) -> Execution:
    started = NOW - timedelta(minutes=minutes_ago)
    known: dict[str, Any] = {
        "arn": f"arn:{name}",
        "name": name,
        "state_machine_arn": "arn:m",
        "version": "1",
        "status": Status.SUCCEEDED,
        "started_at": started,
        "stopped_at": started + timedelta(seconds=2),
    }
    return Execution(**known | fields)


def listing(*executions: Execution, seen: tuple[Execution, ...] = ()) -> pl.DataFrame:
    rows = [tables.execution_row(one, NOW) for one in executions]
    details = [
        tables.detail_row(one, "describe", NOW, rules=ExecutionRules(threshold=0.93))
        for one in seen
    ]
    return tables.build_listing(
        tables.build_frame(rows, tables.EXECUTIONS).lazy(),
        tables.build_frame(details, tables.DETAILS).lazy(),
        tables.build_frame([], tables.FAILURES).lazy(),
    )


GOOD = '{"inferences": [0.98, 0.02]}'
LOW = '{"inferences": [0.6, 0.4]}'


def test_each_outcome_is_told_by_what_is_known() -> None:
    good, low = ran("good", output=GOOD), ran("low", output=LOW)
    rejected = ran(
        "rejected", status=Status.FAILED, error="Exception", cause="THRESHOLD_CONFIDENCE_NOT_MET"
    )
    rows = listing(
        good,
        low,
        rejected,
        ran("unseen"),
        ran("failed", status=Status.FAILED),
        ran("late", status=Status.TIMED_OUT),
        ran("running", status=Status.RUNNING, stopped_at=None),
        ran("aborted", status=Status.ABORTED),
        seen=(good, low, rejected),
    )
    assert dict(rows.select("name", "outcome").iter_rows()) == {
        "good": Outcome.ACCEPTED,
        "low": Outcome.SILENT,
        "rejected": Outcome.REJECTED,
        "unseen": Outcome.UNEXAMINED,
        "failed": Outcome.FAULTED,
        "late": Outcome.FAULTED,
        "running": Outcome.RUNNING,
        "aborted": Outcome.ABORTED,
    }


def test_observations_in_any_order_say_the_same() -> None:
    running = ran("one", status=Status.RUNNING, stopped_at=None)
    failed = ran("one", status=Status.FAILED)
    again = ran("one", status=Status.RUNNING, stopped_at=None, redrive_count=1)
    fixed = ran("one", redrive_count=1)
    for order in ([running, failed, again, fixed], [fixed, again, failed, running]):
        rows = listing(*order)
        assert rows.select("status", "redrive_count").row(0) == ("SUCCEEDED", 1)
        assert rows.height == 1


def test_details_of_an_earlier_attempt_do_not_colour_the_later_one() -> None:
    failed = ran("one", status=Status.FAILED, error="Oops")
    rows = listing(failed, ran("one", redrive_count=1), seen=(failed,))
    assert rows.select("outcome", "error").row(0) == (Outcome.UNEXAMINED, None)


def test_a_failure_names_the_error_and_the_state() -> None:
    failed = ran("one", status=Status.FAILED)
    failure = Failure(
        execution_arn=failed.arn, state="Classify", error="Boom", cause="", failed_at=NOW
    )
    rows = tables.build_listing(
        tables.build_frame([tables.execution_row(failed, NOW)], tables.EXECUTIONS).lazy(),
        tables.build_frame([], tables.DETAILS).lazy(),
        tables.build_frame([tables.failure_row(failure, NOW)], tables.FAILURES).lazy(),
    )
    assert rows.select("state", "error").row(0) == ("Classify", "Boom")


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (model.ExecutionFilters(), {"new", "old"}),
        (model.ExecutionFilters(outcome=(Outcome.FAULTED,)), {"old"}),
        (model.ExecutionFilters(version="2"), {"old"}),
        (model.ExecutionFilters(name="NE"), {"new"}),
        (model.ExecutionFilters(image="[.png"), {"new"}),
        (model.ExecutionFilters(error="oops"), {"old"}),
    ],
)
def test_filters_narrow_the_list(filters: model.ExecutionFilters, names: set[str]) -> None:
    new = ran("new", input='{"s3_bucket": "b", "s3_key": "a[.PNG"}', output=GOOD)
    old = ran("old", 600, version="2", status=Status.FAILED, error="OopsError")
    known = listing(new, old, seen=(new, old))
    rows = model.select_executions(known, filters, since=NOW - timedelta(days=14))
    assert set(rows["name"]) == names
    recent = model.select_executions(known, filters, since=NOW - timedelta(hours=1))
    assert set(recent["name"]) == names - {"old"}


def test_rates_are_of_those_that_ended() -> None:
    good, low = ran("good", output=GOOD), ran("low", output=LOW)
    rows = listing(
        good,
        low,
        ran("failed", status=Status.FAILED, stopped_at=NOW),
        ran("unseen"),
        ran("running", status=Status.RUNNING, stopped_at=None),
        seen=(good, low),
    )
    rates = model.compute_rates(rows, timedelta(hours=2))
    assert (rates.count, rates.per_hour) == (5, 2.5)
    assert (rates.accepted, rates.faulted, rates.rejected) == (0.5, 0.25, 0.0)
    assert rates.silent == 0.5
    assert rates.p50 == 2.0


def test_rates_of_nothing_are_no_numbers() -> None:
    rates = model.compute_rates(listing(), timedelta(hours=1))
    assert rates.count == 0
    assert math.isnan(rates.accepted)
    assert math.isnan(rates.p50)


def test_the_span_is_that_of_the_selection_but_an_hour_at_least() -> None:
    assert model.selection_span(listing(), now=NOW) == timedelta(hours=1)
    assert model.selection_span(listing(ran("a", 6000)), now=NOW) == timedelta(minutes=6000)


def test_bars_are_round_and_not_too_many() -> None:
    for hours in (1, 6, 24, 168, 2160, 20000):
        width = model.bar_width(timedelta(hours=hours))
        assert width in model.WIDTHS
        assert timedelta(hours=hours) / width <= model.BARS or width == model.WIDTHS[-1]


def test_outcomes_over_time_count_every_execution_once() -> None:
    rows = listing(*(ran(f"e{at}", at) for at in range(100)))
    bins = model.outcomes_over_time(rows, timedelta(hours=2))
    assert bins["count"].sum() == 100


def visit(arn: str, state: str, seconds: float, **fields: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "arn": arn,
        "redrive_count": 0,
        "state": state,
        "type": "Task",
        "status": "SUCCEEDED",
        "entered_at": NOW,
        "seconds": seconds,
        "retries": 0,
    }
    return known | fields


def test_states_are_counted_and_timed_in_the_selection_only() -> None:
    rows = listing(ran("a"), ran("b"))
    visits = tables.build_frame(
        [
            visit("arn:a", "Classify", 1.0),
            visit("arn:b", "Classify", 3.0, status="FAILED", retries=2),
            visit("arn:other", "Classify", 100.0),
            visit("arn:a", "Choose", 0.0, type="Choice"),
        ],
        tables.VISITS,
    )
    states = {row["state"]: row for row in model.summarize_states(rows, visits).to_dicts()}
    assert states["Classify"]["visits"] == 2
    assert (states["Classify"]["failed"], states["Classify"]["retries"]) == (1, 2)
    assert states["Classify"]["p50"] == 2.0
    over_time = model.durations_over_time(rows, visits, timedelta(hours=1))
    assert over_time["state"].to_list() == ["Classify"]
    assert model.read_histories(rows, visits) == 2


def test_versions_are_listed_the_latest_first() -> None:
    rows = listing(*(ran(f"e{v}", version=v) for v in ("9", "10", "2")), ran("none", version=None))
    assert model.list_versions(rows) == ["10", "9", "2"]


def test_a_duration_leaves_out_executions_that_waited_for_a_redrive() -> None:
    rows = listing(ran("plain"), ran("redriven", redrive_count=1))

    assert dict(rows.select("name", "seconds").iter_rows()) == {"plain": 2.0, "redriven": None}


def test_the_graph_says_of_which_executions_it_is_drawn() -> None:
    good = tuple(ran(f"good-{number}", output=GOOD) for number in range(3))
    bad = ran("bad", status=Status.FAILED)
    rows = listing(*good, bad, seen=good)
    visits = tables.build_frame(
        [
            {"arn": one.arn, "redrive_count": 0, "state": "A", "type": "Task", "status": "FAILED"}
            for one in (good[0], bad)
        ],
        tables.VISITS,
    )

    assert model.drawn_from(rows, visits) == (
        "Drawn from 2 of 4 executions, those whose history was read: 1 of 3 accepted, 1 of 1"
        " fault. Numbers in the graph are of these."
    )
    assert model.drawn_from(listing(bad), visits) == (
        "Drawn from all 1 executions of this selection."
    )


def test_the_executions_of_a_problem_are_those_named() -> None:
    rows = listing(ran("a", 3), ran("b", 2), ran("c", 1))

    assert model.select_arns(rows, ["arn:a", "arn:c"])["name"].to_list() == ["c", "a"]
    assert model.select_arns(rows, ()).is_empty()
