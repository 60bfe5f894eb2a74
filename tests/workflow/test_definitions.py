"""Definitions become graphs, and what AWS would refuse is said in a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.definitions import Graph, Via, condition, read_definition
from workflow.errors import WorkflowError

ROOT = Path(__file__).parents[2]
REQUIRED = "These fields are required:"
ONE = "Only one of these fields is allowed:"
TYPES = "[Task, Pass, Wait, Choice, Parallel, Map, Succeed, Fail]"


def task(**fields: object) -> dict[str, Any]:
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", **fields}


def machine(states: dict[str, Any], start: str = "A", **fields: object) -> str:
    return json.dumps({"StartAt": start, "States": states, **fields})


def read(states: dict[str, Any], start: str = "A", **fields: object) -> Graph:
    return read_definition(machine(states, start, **fields))


def test_our_own_state_machine_is_valid() -> None:
    graph = read_definition((ROOT / "step_function.json").read_text())

    assert not graph.problems
    assert {node.name for node in graph.nodes} >= {"SerializeImage", "ClassifyImage"}
    assert [node.name for node in graph.nodes if node.start] == ["IdentifyExecution"]


def test_ways_have_their_kind_and_label() -> None:
    graph = read(
        {
            "A": task(Next="B", Catch=[{"ErrorEquals": ["E", "F"], "Next": "C"}]),
            "B": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericGreaterThan": 1, "Next": "C"}],
                "Default": "D",
            },
            "C": {"Type": "Fail", "Comment": "too bad"},
            "D": {"Type": "Succeed"},
        }
    )

    assert not graph.problems
    assert [(edge.source, edge.target, edge.via, edge.label) for edge in graph.edges] == [
        ("A", "B", Via.NEXT, ""),
        ("A", "C", Via.CATCH, "E, F"),
        ("B", "C", Via.CHOICE, "$.n > 1"),
        ("B", "D", Via.DEFAULT, "otherwise"),
    ]
    assert [(node.name, node.start, node.end) for node in graph.nodes] == [
        ("A", True, False),
        ("B", False, False),
        ("C", False, True),
        ("D", False, True),
    ]
    assert graph.nodes[2].comment == "too bad"
    assert graph.nodes[0].resource == "arn:aws:states:::lambda:invoke"


@pytest.mark.parametrize("field", ["ItemProcessor", "Iterator"])
def test_maps_and_parallels_hold_their_states(field: str) -> None:
    inner = {
        "StartAt": "P",
        "States": {
            "P": {
                "Type": "Parallel",
                "End": True,
                "Branches": [
                    {"StartAt": "L", "States": {"L": task(End=True)}},
                    {"StartAt": "R", "States": {"R": task(Next="S"), "S": task(End=True)}},
                ],
            }
        },
    }

    graph = read({"A": {"Type": "Map", field: inner, "End": True}})

    assert not graph.problems
    assert [(node.id, node.parent, node.branch) for node in graph.nodes] == [
        ("A", None, 0),
        ("A/0/P", "A", 0),
        ("A/0/P/0/L", "A/0/P", 0),
        ("A/0/P/1/R", "A/0/P", 1),
        ("A/0/P/1/S", "A/0/P", 1),
    ]
    assert [(edge.source, edge.target) for edge in graph.edges] == [("A/0/P/1/R", "A/0/P/1/S")]


def test_jsonata_is_read() -> None:
    graph = read(
        {
            "A": {"Type": "Pass", "Output": "{% $states.input %}", "Next": "B"},
            "B": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $n > 1 %}", "Next": "C"}],
                "Default": "C",
            },
            "C": {"Type": "Succeed"},
        },
        QueryLanguage="JSONata",
        Comment="all new",
    )

    assert not graph.problems
    assert graph.edges[1].label == "$n > 1"


def test_one_state_may_be_jsonata_among_jsonpath() -> None:
    state = task(QueryLanguage="JSONata", Arguments={"FunctionName": "f"}, End=True)

    assert not read({"A": state}).problems


@pytest.mark.parametrize(
    ("states", "problem"),
    [
        ({"A": task(Next="Z")}, "/States/A/Next: Missing 'Next' target: Z"),
        ({"A": task()}, "/States/A: One of these fields is required: [Next, End]"),
        (
            {"A": task(Next="A", End=True)},
            f"/States/A: {ONE} [Next, End]",
        ),
        ({"A": {"Type": "Task", "End": True}}, f"/States/A: {REQUIRED} [Resource]"),
        ({"A": task(End=True), "B": task(End=True)}, '/States/B: State "B" is not reachable.'),
        ({"B": task(End=True)}, "/StartAt: Missing 'StartAt' target: A"),
        ({}, f"/: {REQUIRED} [States]"),
        ({"A": 7}, "/States/A: Expected value of type Object"),
        ({"A": {"Type": "Taks", "End": True}}, f"/States/A/Type: Value must be one of {TYPES}"),
        (
            {"A": {"Type": "Fail", "End": True}},
            "/States/A/End: Field is not supported",
        ),
        ({"A": {"Type": "Choice"}}, f"/States/A: {REQUIRED} [Choices]"),
        (
            {"A": {"Type": "Choice", "Choices": [{}]}},
            f"/States/A/Choices[0]: {REQUIRED} [Next]",
        ),
        (
            {"A": {"Type": "Choice", "Choices": [{"Next": "A"}], "End": True}},
            "/States/A/End: Field is not supported",
        ),
        (
            {"A": {"Type": "Map", "End": True}},
            f"/States/A: {REQUIRED} [ItemProcessor]",
        ),
        (
            {"A": {"Type": "Parallel", "Branches": [{}], "End": True}},
            f"/States/A/Branches[0]: {REQUIRED} [States]",
        ),
        (
            {"A": {"Type": "Wait", "Seconds": 1, "Timestamp": "x", "End": True}},
            f"/States/A: {ONE} [Seconds, Timestamp]",
        ),
        (
            {"A": task(End=True, Retry=[{}])},
            f"/States/A/Retry[0]: {REQUIRED} [ErrorEquals]",
        ),
        (
            {"A": task(End=True, Arguments={})},
            "/States/A/Arguments: The field 'Arguments' is not supported when using 'JSONPath'",
        ),
        (
            {
                "A": {
                    "Type": "Map",
                    "End": True,
                    "Iterator": json.loads(machine({"A": task(End=True)})),
                }
            },
            "/States/A/Iterator/States/A: Duplicate state name: A",
        ),
    ],
)
def test_what_is_wrong_is_said(states: dict[str, Any], problem: str) -> None:
    graph = read(states)

    assert problem in graph.problems


def test_a_jsonata_machine_takes_no_jsonpath() -> None:
    graph = read(
        {
            "A": task(End=True, ResultPath="$", QueryLanguage="JSONPath"),
            "B": task(End=True, InputPath="$"),
        },
        QueryLanguage="JSONata",
    )

    assert (
        "/States/A/QueryLanguage: 'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for "
        "whole state machine"
    ) in graph.problems
    assert (
        "/States/B/InputPath: The field 'InputPath' is not supported when using 'JSONata'"
    ) in graph.problems
    assert "/QueryLanguage: Value must be one of [JSONPath, JSONata]" in (
        read({"A": task(End=True)}, QueryLanguage="SQL").problems
    )


def test_a_key_that_is_there_twice_is_said_and_the_last_one_drawn() -> None:
    text = machine({"A": task(End=True)}).replace('"Type"', '"Type": "Pass", "Type"')

    graph = read_definition(text)

    assert graph.problems == ("/: Duplicate field 'Type'",)
    assert graph.nodes[0].type == "Task"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"States": []}', "[" * 100_000])
def test_without_states_there_is_nothing_to_draw(text: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        read_definition(text)

    assert caught.value.code == "DefinitionInvalid"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"Variable": "$.ok", "BooleanEquals": True}, "$.ok = true"),
        ({"Variable": "$.n", "NumericGreaterThanEqualsPath": "$.m"}, '$.n >= "$.m"'),
        ({"Variable": "$.n", "NumericLessThan": 3, "Comment": "few"}, "$.n < 3"),
        ({"Variable": "$.s", "StringMatches": "a*"}, '$.s StringMatches "a*"'),
        ({"Not": {"Variable": "$.ok", "IsPresent": True}}, "not ($.ok IsPresent true)"),
        (
            {"Or": [{"Variable": "$.a", "IsNull": True}, {"Variable": "$.b", "IsNull": False}]},
            "($.a IsNull true) or ($.b IsNull false)",
        ),
        ({"Variable": "$.a"}, "$.a"),
    ],
)
def test_a_choice_is_put_into_words(rule: dict[str, Any], words: str) -> None:
    assert condition(rule) == words


fields = st.sampled_from(
    ["Type", "Next", "End", "Choices", "Catch", "Branches", "ItemProcessor", "States", "StartAt"]
)
values = st.sampled_from(["Task", "Map", "Parallel", "Choice", "A", "B", "ErrorEquals"])
anything = st.recursive(
    st.none() | st.booleans() | values,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(fields | values, inner, max_size=4),
)


@given(st.dictionaries(values, st.dictionaries(fields, anything, max_size=5), max_size=4))
def test_no_definition_raises_once_it_has_states(states: dict[str, Any]) -> None:
    graph = read(states)

    ids = {node.id for node in graph.nodes}
    assert len(ids) == len(graph.nodes)
    assert {edge.source for edge in graph.edges} <= ids


def test_a_definition_is_read_out_of_what_holds_it() -> None:
    text = machine({"A": task(End=True)})
    graph = read_definition(text)

    assert read_definition("\ufeff" + text) == graph
    assert read_definition(json.dumps({"stateMachineArn": "arn", "definition": text})) == graph
    assert read_definition(json.dumps({"stateMachine": {"definition": text}})) == graph


@pytest.mark.parametrize("start", [["A"], {"A": 1}, None, 3])
def test_a_start_that_is_no_name_is_said(start: Any) -> None:
    graph = read({"A": task(End=True)}, start)

    assert graph.problems == (f"/: {REQUIRED} [StartAt]",)
