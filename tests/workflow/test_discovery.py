"""Which endpoint a state machine works with is guessed from what its functions say."""

import json
from typing import Any

import pytest

from workflow.discovery import (
    EndpointRecord,
    FunctionRecord,
    called_endpoints,
    called_functions,
    endpoints_named,
    guess_endpoint,
    guess_threshold,
)
from workflow.monitoring import CapturePlace

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:classify"


def definition(*states: dict[str, Any]) -> str:
    return json.dumps({"States": {f"S{at}": state for at, state in enumerate(states)}})


def invoke(name: str, block: str = "Parameters") -> dict[str, Any]:
    resource = "arn:aws:states:::lambda:invoke"
    return {"Type": "Task", "Resource": resource, block: {"FunctionName": name}}


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Task", "Resource": FUNCTION},
        {"Type": "Task", "Resource": f"{FUNCTION}:$LATEST"},
        invoke(FUNCTION),
        invoke(f"{FUNCTION}:7"),
        invoke("classify"),
        invoke("classify:live", "Arguments"),
        {"Type": "Map", "ItemProcessor": {"States": {"In": invoke(FUNCTION)}}},
        {"Type": "Map", "Iterator": {"States": {"In": invoke(FUNCTION)}}},
        {"Type": "Parallel", "Branches": [{"States": {"In": invoke(FUNCTION)}}]},
    ],
)
def test_a_function_is_found_in_whatever_way_a_task_calls_it(state: dict[str, Any]) -> None:
    assert called_functions(definition(state)) == ("classify",)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"States": 1}', '{"States": {"A": 1}}'])
def test_a_definition_that_cannot_be_read_calls_nothing(text: str) -> None:
    assert called_functions(text) == ()


def endpoint(name: str, *, captured: bool = True) -> EndpointRecord:
    return EndpointRecord(name=name, captures=CapturePlace("b", "p", name) if captured else None)


def test_an_endpoint_that_the_machine_invokes_itself_is_certain() -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sagemakerruntime:invokeEndpoint",
        "Parameters": {"EndpointName": "mine"},
    }
    assert called_endpoints(definition(task)) == ("mine",)
    guess = guess_endpoint(definition(task), (), ())
    assert guess is not None
    assert guess.certain


@pytest.mark.parametrize(
    ("function", "expected", "certain"),
    [
        (FunctionRecord(name="f", variables={"E": "one"}), "one", True),
        (FunctionRecord(name="f", variables={"ENDPOINT_NAME": "gone"}), "gone", False),
        (FunctionRecord(name="f", code_endpoints=("two",)), "two", False),
        (
            FunctionRecord(
                name="f",
                policies=('{"Resource": "arn:aws:sagemaker:us-east-1:1:endpoint/two"}',),
            ),
            "two",
            False,
        ),
    ],
)
def test_functions_tell_the_endpoint_by_variable_code_or_role(
    function: FunctionRecord, expected: str, *, certain: bool
) -> None:
    guess = guess_endpoint("{}", [function], [endpoint("one"), endpoint("two")])
    assert guess is not None
    assert (guess.value, guess.certain) == (expected, certain)
    assert "f" in guess.reason


@pytest.mark.parametrize("variables", [{"ENDPOINT": "a name with spaces"}, {"STAGE": "gone"}])
def test_a_variable_that_names_no_endpoint_tells_none(variables: dict[str, str]) -> None:
    function = FunctionRecord(name="f", variables=variables)
    assert guess_endpoint("{}", [function], [endpoint("one"), endpoint("two")]) is None


def test_a_role_that_may_invoke_any_endpoint_tells_none() -> None:
    policy = '{"Resource": "arn:aws:sagemaker:*:*:endpoint/*"}'
    function = FunctionRecord(name="f", policies=(policy,))
    assert guess_endpoint("{}", [function], [endpoint("one"), endpoint("two")]) is None


def test_the_only_endpoint_that_captures_is_a_guess() -> None:
    guess = guess_endpoint("{}", [], [endpoint("one"), endpoint("two", captured=False)])
    assert guess is not None
    assert (guess.value, guess.certain) == ("one", False)


def test_the_threshold_is_told_by_a_function_or_by_the_machine() -> None:
    told = guess_threshold("{}", [FunctionRecord(name="f", variables={"THRESHOLD": ".8"})])
    assert told is not None
    assert told.value == "0.8"
    rule = {"Variable": "$.c", "NumericGreaterThan": 0.7, "Next": "Done"}
    stated = guess_threshold(definition({"Type": "Choice", "Choices": [rule]}), [])
    assert stated is not None
    assert (stated.value, stated.certain) == ("0.7", True)
    assert guess_threshold("{}", [FunctionRecord(name="f", variables={"THRESHOLD": "80"})]) is None


def test_code_names_an_endpoint_in_quotes_only() -> None:
    code = b"ENDPOINT = 'image-classification-2023'  # image"
    known = ("image", "image-classification-2023")
    assert endpoints_named(code, known) == ("image-classification-2023",)
