"""What is weak in a workflow of others is said in words, with what to change."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from workflow.advice import (
    Weight,
    definition_advice,
    endpoint_advice,
    function_advice,
    outcome_advice,
)
from workflow.contract import REJECTED
from workflow.discovery import EndpointRecord, FunctionRecord
from workflow.executions import Failure
from workflow.monitoring import CapturePlace


def machine(timeout: int | None = 60, **task: Any) -> str:
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", **task}
    outer = {"States": {"Classify": state}}
    return json.dumps({**outer, **({"TimeoutSeconds": timeout} if timeout else {})})


SOUND = [{"ErrorEquals": ["Lambda.TooManyRequestsException"]}]


def test_a_sound_definition_gets_no_advice() -> None:
    assert definition_advice(machine(Retry=SOUND)) == ()


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (machine(), "no Retry"),
        (machine(Retry=[{"ErrorEquals": ["States.ALL"]}]), "every error"),
        (machine(Retry=[{"ErrorEquals": ["States.TaskFailed"]}]), "every error"),
        (machine(None, Retry=SOUND), "TimeoutSeconds"),
    ],
)
def test_a_weak_definition_is_told_with_the_state_and_a_remedy(definition: str, said: str) -> None:
    (advice,) = definition_advice(definition)
    assert said in advice.problem
    assert advice.subject == "Classify"
    assert advice.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"States": []}'])
def test_a_definition_that_cannot_be_read_gets_none(text: str) -> None:
    assert definition_advice(text) == ()


@pytest.mark.parametrize(
    ("runtime", "weights"),
    [("python3.8", [Weight.HIGH]), ("python3.13", []), ("", []), ("python3.11", [Weight.LOW])],
)
def test_a_runtime_is_told_when_its_patches_end(runtime: str, weights: list[Weight]) -> None:
    function = FunctionRecord(name="f", runtime=runtime)
    found = function_advice([function], today=date(2027, 1, 30))
    assert [one.weight for one in found] == weights


PLACE = CapturePlace("b", "p")


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        (EndpointRecord(name="e"), "off"),
        (
            EndpointRecord(name="e", captures=PLACE, capturing=True, sampling_percentage=100),
            "base64",
        ),
        (
            EndpointRecord(
                name="e", captures=PLACE, capturing=True, sampling_percentage=20, keeps_text=True
            ),
            "20 %",
        ),
    ],
)
def test_what_capture_lacks_is_told(endpoint: EndpointRecord, said: str) -> None:
    (advice,) = endpoint_advice(endpoint)
    assert said in advice.problem


def failure(error: str, cause: str = "") -> Failure:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    return Failure(execution_arn="a", state="Filter", error=error, cause=cause, failed_at=moment)


def test_executions_show_hidden_errors_bare_exceptions_and_images_in_the_state() -> None:
    failures = [failure("Silent.ErrorInOutput"), failure("Exception", REJECTED)]
    image = json.dumps({"body": json.dumps({"image_data": "iVBORw0KGgo" + "A" * 200})})
    found = outcome_advice(failures, [image])
    assert [one.subject for one in found] == ["Filter", "Filter", "the state"]
    assert outcome_advice([failure("KeyError")], ['{"a": 1}']) == ()
