"""State graphs: every definition has a drawing in which no two boxes lie on each other."""

import json
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dashboard.executions.state_graph_model import state_graph
from workflow.definitions import read_definition


def drawn(states: dict[str, Any], start: str = "A", table: pl.DataFrame | None = None) -> Any:
    return state_graph(read_definition(json.dumps({"StartAt": start, "States": states})), table)


def test_a_chain_goes_straight_down() -> None:
    graph = drawn({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "End": True}})
    assert [(box.name, box.x, box.y) for box in graph.boxes] == [("A", 0, 0), ("B", 0, 1)]


def test_a_choice_spreads_to_both_sides() -> None:
    choice = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.ok", "BooleanEquals": True, "Next": "Yes"}],
        "Default": "No",
    }
    graph = drawn({"A": choice, "Yes": {"Type": "Succeed"}, "No": {"Type": "Fail"}})
    places = {box.name: (box.x, box.y) for box in graph.boxes}
    assert places == {"A": (0, 0), "Yes": (-0.5, 1), "No": (0.5, 1)}
    assert {arrow.label for arrow in graph.arrows} == {"$.ok = true", "otherwise"}


def test_what_follows_a_map_lies_below_what_it_encloses() -> None:
    inner = {"StartAt": "In", "States": {"In": {"Type": "Pass", "End": True}}}
    graph = drawn(
        {
            "A": {"Type": "Map", "ItemProcessor": inner, "Next": "Z"},
            "Z": {"Type": "Succeed"},
        }
    )
    ranks = {box.name: box.y for box in graph.boxes}
    assert ranks["A"] < ranks["In"] < ranks["Z"]


def test_a_way_back_does_not_end_the_drawing() -> None:
    graph = drawn({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}})
    assert {box.y for box in graph.boxes} == {0, 1}
    assert len(graph.arrows) == 2


def test_boxes_carry_what_became_of_their_state() -> None:
    table = pl.DataFrame({"state": ["A"], "visits": [9], "failed": [2], "p50": [0.5], "p95": [1.0]})
    graph = drawn({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}}, table=table)
    assert (graph.boxes[0].visits, graph.boxes[0].failed) == (9, 2)
    assert graph.boxes[1].visits is None


def test_an_invalid_definition_is_drawn_with_its_problems() -> None:
    graph = drawn({"A": {"Type": "Pass", "Next": "Nowhere"}})
    assert len(graph.boxes) == 1
    assert any("Nowhere" in problem for problem in graph.problems)


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30))
def test_no_two_boxes_lie_on_each_other_whatever_leads_where(ways: list[tuple[int, int]]) -> None:
    states = {
        f"S{at}": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.x", "IsPresent": True, "Next": f"S{end}"}
                for begin, end in ways
                if begin == at
            ],
            "Default": "S0",
        }
        for at in range(12)
    }
    graph = drawn(states, start="S0")
    places = [(box.x, box.y) for box in graph.boxes]
    assert len(set(places)) == len(places) == 12
