"""Charts of executions: what goes in comes out, named, and nothing is told by colour alone."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl

from dashboard.executions import charts
from dashboard.executions.detail_model import Bar
from dashboard.executions.state_graph_model import state_graph
from workflow.definitions import read_definition
from workflow.timelines import VisitStatus

BEGAN = datetime(2026, 11, 23, 12, tzinfo=UTC)
BETWEEN = (BEGAN, BEGAN + timedelta(hours=1))


def test_outcomes_are_stacked_and_named() -> None:
    bins = pl.DataFrame({"time": [BEGAN, BEGAN], "outcome": ["accepted", "fault"], "count": [7, 2]})
    figure = charts.draw_outcomes(bins, timedelta(minutes=5), BETWEEN)
    assert {trace.name: list(trace.y) for trace in figure.data} == {"Accepted": [7], "Fault": [2]}
    assert figure.layout.barmode == "stack"


def test_durations_draw_both_quantiles_under_one_name() -> None:
    rows = pl.DataFrame({"time": [BEGAN], "state": ["Classify"], "p50": [0.1], "p95": [0.4]})
    figure = charts.draw_durations(rows, BETWEEN)
    assert [(trace.name, trace.showlegend) for trace in figure.data] == [
        ("Classify", True),
        ("Classify", False),
    ]


def test_the_waterfall_starts_where_the_state_did() -> None:
    bar = Bar(
        row=0,
        label="Classify",
        begin=BEGAN + timedelta(seconds=3),
        seconds=1.5,
        status=VisitStatus.FAILED,
        text="1.5 s",
        hover="failed",
    )
    figure = charts.draw_waterfall([bar], BEGAN)
    assert (figure.data[0].base[0], figure.data[0].x[0]) == (3.0, 1.5)
    assert figure.data[0].name == "Failed"
    assert figure.layout.yaxis.ticktext == ("Classify",)


def test_the_graph_says_its_numbers_as_text() -> None:
    states = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}}
    table = pl.DataFrame({"state": ["A"], "visits": [9], "failed": [2], "p50": [0.5], "p95": [1.0]})
    drawn = state_graph(read_definition(json.dumps({"StartAt": "A", "States": states})), table)
    figure = charts.draw_graph(drawn)
    texts = " ".join(note.text for note in figure.layout.annotations)
    assert "9 visits, 2 failed" in texts
    assert "p50 500 ms" in texts
    assert "not visited" in texts
    assert len(figure.layout.shapes) == 2


def test_a_graph_of_nothing_is_empty() -> None:
    drawn = state_graph(read_definition('{"StartAt": "A", "States": {}}'))
    assert not charts.draw_graph(drawn).layout.shapes


def test_a_trend_keeps_its_counts_in_order() -> None:
    assert list(charts.draw_trend([0, 3, 1], "#000000").data[0].y) == [0, 3, 1]
