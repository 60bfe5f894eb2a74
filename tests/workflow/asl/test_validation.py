"""One validator: what AWS takes, what it refuses, and where it says so."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.asl.validation import diagnose

ROOT = Path(__file__).parents[3]
LAMBDA = "arn:aws:states:::lambda:invoke"
PASS = {"Type": "Pass", "End": True}
INNER = {"StartAt": "I", "States": {"I": PASS}}


def errors(state: Any, **top: Any) -> list[tuple[str, str]]:
    text = json.dumps({"StartAt": "A", "States": {"A": state}, **top})
    return [(one.location, one.message) for one in diagnose(text) if one.severity == "ERROR"]


def places(state: Any, **top: Any) -> list[str]:
    return [location for location, _ in errors(state, **top)]


def task(**fields: Any) -> dict[str, Any]:
    given = {"Type": "Task", "Resource": LAMBDA, "Parameters": {"FunctionName": "f"}, "End": True}
    return given | fields


@pytest.mark.parametrize(
    "state",
    [
        task(Retry=[{"ErrorEquals": ["E"], "IntervalSeconds": 1, "MaxAttempts": 0,
                     "BackoffRate": 1.5, "MaxDelaySeconds": 9, "JitterStrategy": "FULL"},
                    {"ErrorEquals": ["States.ALL"]}]),
        task(Catch=[{"ErrorEquals": ["States.All"], "ResultPath": "$.e", "Next": "A"}]),
        task(TimeoutSecondsPath="$.t", HeartbeatSeconds=5, ResultSelector={"a.$": "$$.Task.Token"}),
        task(Parameters={"FunctionName.$": "$.f", "Payload": {"x.$": "States.Array($.a, 1)"}}),
        {"Type": "Wait", "SecondsPath": "$v", "End": True},
        {"Type": "Wait", "Timestamp": "2026-01-01T00:00:00Z", "End": True},
        {"Type": "Pass", "InputPath": None, "ResultPath": None, "OutputPath": "$$", "End": True},
        {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"a": "{% $x + 1 %}"}, "End": True},
        {"Type": "Fail", "ErrorPath": "States.Format('{}', $.e)", "Cause": "c"},
        {"Type": "Map", "ItemsPath": "$", "MaxConcurrency": 0, "ItemProcessor": INNER, "End": True},
        {"Type": "Map", "Iterator": INNER, "Parameters": {"i.$": "$$.Map.Item.Index"}, "End": True},
        {"Type": "Choice", "Default": "A", "Choices": [
            {"And": [{"Variable": "$.a", "IsPresent": True}], "Assign": {"v.$": "$.a"},
             "Next": "A"}]},
    ],
)  # fmt: skip
def test_what_aws_takes_is_taken(state: dict[str, Any]) -> None:
    assert errors(state) == []


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({**PASS, "Foo": 1}, "/States/A/Foo"),
        ({**PASS, "Parameters": "$.a"}, "/States/A/Parameters"),
        ({**PASS, "Retry": []}, "/States/A/Retry"),
        ({**PASS, "ResultSelector": {}}, "/States/A/ResultSelector"),
        ({**PASS, "Comment": 1}, "/States/A/Comment"),
        ({**PASS, "InputPath": "x"}, "/States/A/InputPath"),
        ({**PASS, "ResultPath": "$.a[*]"}, "/States/A/ResultPath"),
        ({**PASS, "ResultPath": "$$.a"}, "/States/A/ResultPath"),
        ({**PASS, "Parameters": {"a": [{"b.$": "event"}]}}, "/States/A/Parameters/a[0]"),
        ({**PASS, "Parameters": {"a.$": 1}}, "/States/A/Parameters"),
        ({**PASS, "Parameters": {"a.$": "States.Nope()"}}, "/States/A/Parameters"),
        ({**PASS, "Assign": {"1a": 1}}, "/States/A/Assign"),
        ({**PASS, "Assign": {"states": 1}}, "/States/A/Assign"),
        ({**PASS, "End": "yes"}, "/States/A/End"),
        ({"Type": "Fail", "Next": "A"}, "/States/A/Next"),
        ({"Type": "Fail", "Error": "E", "ErrorPath": "$.e"}, "/States/A"),
        ({"Type": "Fail", "CausePath": "cause"}, "/States/A/CausePath"),
        ({"Type": "Succeed", "Assign": {}}, "/States/A/Assign"),
        ({"Type": "Wait", "End": True}, "/States/A"),
        ({"Type": "Wait", "Seconds": -1, "End": True}, "/States/A/Seconds"),
        ({"Type": "Wait", "Seconds": 1.5, "End": True}, "/States/A/Seconds"),
        ({"Type": "Wait", "Timestamp": "tomorrow", "End": True}, "/States/A/Timestamp"),
        (task(Resource="lambda"), "/States/A/Resource"),
        (task(TimeoutSeconds=0), "/States/A/TimeoutSeconds"),
        (task(TimeoutSeconds=True), "/States/A/TimeoutSeconds"),
        (task(TimeoutSeconds=5, HeartbeatSeconds=5), "/States/A"),
        (task(Parameters={"Payload": {}}), "/States/A/Parameters"),
        (task(Parameters={"FunctionName": "f", "Body": 1}), "/States/A/Parameters"),
        (task(Retry=[{"ErrorEquals": []}]), "/States/A/Retry[0]/ErrorEquals"),
        (task(Retry=[{"ErrorEquals": [1]}]), "/States/A/Retry[0]/ErrorEquals"),
        (task(Retry=[{"ErrorEquals": ["E", "States.ALL"]}]), "/States/A/Retry[0]/ErrorEquals"),
        (
            task(Retry=[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"]}]),
            "/States/A/Retry[0]/ErrorEquals",
        ),
        (task(Retry=[{"ErrorEquals": ["E"], "BackoffRate": 0}]), "/States/A/Retry[0]/BackoffRate"),
        (task(Retry=[{"ErrorEquals": ["E"], "MaxAttempts": -1}]), "/States/A/Retry[0]/MaxAttempts"),
        (task(Retry=[{"ErrorEquals": ["E"], "Next": "A"}]), "/States/A/Retry[0]/Next"),
        (task(Retry={}), "/States/A/Retry"),
        (task(Catch=[{"ErrorEquals": ["E"]}]), "/States/A/Catch[0]"),
        (task(Catch=[{"ErrorEquals": ["E"], "Next": "B"}]), "/States/A/Catch[0]/Next"),
        (task(Catch=["E"]), "/States/A/Catch[0]"),
        ({"Type": "Map", "ItemProcessor": {**INNER, "Foo": 1}, "End": True},
         "/States/A/ItemProcessor/Foo"),
        ({"Type": "Map", "ItemProcessor": INNER, "Iterator": INNER, "End": True}, "/States/A"),
        ({"Type": "Map", "ItemProcessor": INNER, "ItemSelector": [], "End": True},
         "/States/A/ItemSelector"),
        ({"Type": "Map", "ItemProcessor": INNER, "MaxConcurrency": -1, "End": True},
         "/States/A/MaxConcurrency"),
        ({"Type": "Map", "ItemProcessor": INNER, "Label": "l", "End": True}, "/States/A/Label"),
        ({"Type": "Map", "ItemProcessor": {**INNER, "ProcessorConfig": {"Mode": "DISTRIBUTED"}},
          "End": True}, "/States/A/ItemProcessor/ProcessorConfig"),
        ({"Type": "Parallel", "Branches": [], "End": True}, "/States/A/Branches"),
        ({"Type": "Parallel", "Branches": [1], "End": True}, "/States/A/Branches[0]"),
        ({"Type": "Choice", "Choices": []}, "/States/A/Choices"),
        ({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True}]},
         "/States/A/Choices[0]"),
        ({"Type": "Choice", "Choices": [{"Variable": "$.a", "Next": "A"}]}, "/States/A/Choices[0]"),
        ({"Type": "Choice", "Choices": [{"IsNull": True, "Next": "A"}]}, "/States/A/Choices[0]"),
        ({"Type": "Choice", "Choices": [{"Variable": "a", "IsNull": True, "Next": "A"}]},
         "/States/A/Choices[0]/Variable"),
        ({"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericEquals": "1", "Next": "A"}]},
         "/States/A/Choices[0]/NumericEquals"),
        ({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": "yes", "Next": "A"}]},
         "/States/A/Choices[0]/IsPresent"),
        ({"Type": "Choice", "Choices": [{"And": [{"Variable": "$.a", "IsNull": True, "Next": "A"}],
                                         "Next": "A"}]}, "/States/A/Choices[0]/And[0]/Next"),
        ({"Type": "Choice", "Choices": [{"Not": [], "Next": "A"}]}, "/States/A/Choices[0]/Not"),
        ({"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "A"}]},
         "/States/A/Choices[0]/Condition"),
    ],
)  # fmt: skip
def test_what_aws_refuses_is_refused_at_its_place(state: dict[str, Any], place: str) -> None:
    assert place in places(state)


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({**PASS, "InputPath": "$"}, "/States/A/InputPath"),
        ({**PASS, "Output": "{% $x. %}"}, "/States/A/Output"),
        ({**PASS, "Output": {"a": ["{% ( %}"]}}, "/States/A/Output/a[0]"),
        ({**PASS, "QueryLanguage": "JSONPath"}, "/States/A/QueryLanguage"),
        ({"Type": "Choice", "Choices": [{"Next": "A"}]}, "/States/A/Choices[0]"),
        ({"Type": "Choice", "Choices": [{"Condition": "true", "Next": "A"}]},
         "/States/A/Choices[0]/Condition"),
        ({"Type": "Wait", "Seconds": "5", "End": True}, "/States/A/Seconds"),
    ],
)  # fmt: skip
def test_jsonata_has_rules_of_its_own(state: dict[str, Any], place: str) -> None:
    assert place in places(state, QueryLanguage="JSONata")


def test_the_machine_has_rules_too() -> None:
    assert places(PASS, Foo=1) == ["/Foo"]
    assert places(PASS, TimeoutSeconds=0) == ["/TimeoutSeconds"]
    assert places(PASS, QueryLanguage="SQL") == ["/QueryLanguage"]
    assert places(
        {**PASS, "Type": "Parallel", "Branches": [{"StartAt": "A", "States": {"A": PASS}}]}
    )
    assert "80 characters" in str(
        diagnose(json.dumps({"StartAt": "a" * 81, "States": {"a" * 81: PASS}}))
    )


def test_a_definition_may_be_nested_deeply_but_not_without_end() -> None:
    machine: dict[str, Any] = {"StartAt": "S", "States": {"S": PASS}}
    for level in range(200):
        state = {"Type": "Parallel", "Branches": [machine], "End": True}
        machine = {"StartAt": f"{level}", "States": {f"{level}": state}}

    found = diagnose(json.dumps(machine))

    assert [one.message for one in found] in ([], ["The definition is nested too deeply"])


def test_what_looks_wrong_is_a_warning() -> None:
    state = {**PASS, "Parameters": {"a": "$.b"}, "Result": {"c.$": "$.d"}}
    text = json.dumps({"StartAt": "A", "States": {"A": state}})

    found = [(one.severity, one.code, one.location) for one in diagnose(text)]

    assert found == [
        ("WARNING", "NO_DOLLAR", "/States/A/Parameters/a"),
        ("WARNING", "PASS_RESULT_IS_STATIC", "/States/A/Result"),
    ]


def test_our_own_definition_is_valid() -> None:
    assert diagnose((ROOT / "step_function.json").read_text()) == ()


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000, '{"a": 1, "a": 2}'])
def test_what_is_no_definition_is_said(text: str) -> None:
    assert diagnose(text)[0].code == "INVALID_JSON_DESCRIPTION"


names = st.sampled_from(
    [
        "Type",
        "Next",
        "End",
        "Choices",
        "Catch",
        "Retry",
        "Branches",
        "ItemProcessor",
        "States",
        "StartAt",
        "Parameters",
        "Assign",
        "Result",
        "Resource",
        "ErrorEquals",
        "And",
        "Not",
        "Variable",
        "Output",
        "QueryLanguage",
        "ProcessorConfig",
        "ResultPath",
        "Seconds",
        "Timestamp",
        "x.$",
    ]
)
words = st.sampled_from(["Task", "Map", "Parallel", "Choice", "Wait", "JSONata", "A", "$.a"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names | words, inner, max_size=4),
)


@given(st.dictionaries(words, st.dictionaries(names, anything, max_size=6), max_size=3))
def test_any_definition_is_judged(states: dict[str, Any]) -> None:
    for one in diagnose(json.dumps({"StartAt": "A", "States": states})):
        assert one.location.startswith("/")
        assert one.message
