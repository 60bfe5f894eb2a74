"""Outputs of other workflows are read in any form, and one without an inference holds none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflow.histories import History
from workflow.foreign_outputs import find_inference, inference_of
from workflow.timelines import timeline


@pytest.mark.parametrize(
    ("output", "label", "confidence"),
    [
        ({"inferences": [0.1, 0.9]}, "motorcycle", 0.9),
        ({"statusCode": 200, "body": json.dumps({"inferences": "[0.1, 0.9]"})}, "motorcycle", 0.9),
        ({"answer": {"scores": {"bicycle": 0.8, "motorcycle": 0.2}}}, "bicycle", 0.8),
        ({"bicycle": 0.8, "motorcycle": 0.2}, "bicycle", 0.8),
        ({"result": {"predicted_label": "bicycle", "confidence": 0.97}}, "bicycle", 0.97),
        ({"out": json.dumps({"Class": "cat", "Score": "97%"})}, "cat", 0.97),
        ({"Body": '{"predictions": [[0.1, 0.9]]}'}, "motorcycle", 0.9),
        ({"SageMaker": {"Body": "0.1,0.9"}}, "motorcycle", 0.9),
        (
            [{"label": "bicycle", "score": 0.7}, {"label": "motorcycle", "score": 0.3}],
            "bicycle",
            0.7,
        ),
        ({"steps": [{"x": 1}, {"y": [0.25, 0.75]}]}, "motorcycle", 0.75),
    ],
)
def test_an_inference_is_read_in_any_form(output: Any, label: str, confidence: float) -> None:
    found = find_inference(json.dumps(output))
    assert found is not None
    assert (found.label, found.confidence) == (label, pytest.approx(confidence))


@pytest.mark.parametrize(
    "output",
    [None, "", "null", "{}", "[]", '"done"', "12", '{"n": 3}', '{"label": "x"}', '{"score": 0.4}'],
)
def test_an_output_without_an_inference_holds_none_and_not_zero(output: str | None) -> None:
    assert find_inference(output) is None


def test_class_names_given_once_name_the_classes() -> None:
    found = find_inference('{"inferences": [0.1, 0.7, 0.2]}', ("cat", "dog", "cow"))
    assert found is not None
    assert found.label == "dog"
    two = find_inference('{"inferences": [0.1, 0.9]}', ("cat", "dog"))
    assert two is not None
    assert two.label == "dog"


def test_where_the_output_holds_none_the_last_state_that_gave_one_counts() -> None:
    history = History()
    history.enter("Classify")
    history.exit("Classify", output='{"inferences": [0.2, 0.8]}')
    history.enter("Notify")
    history.exit("Notify", output='{"sent": true}')
    found = inference_of('{"sent": true}', timeline(history.events))
    assert found is not None
    assert (found.label, found.confidence) == ("motorcycle", 0.8)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("label"), inner),
)


@given(anything)
def test_any_output_gives_a_confidence_between_0_and_1_or_none(value: Any) -> None:
    found = find_inference(json.dumps(value))
    assert found is None or 0 <= found.confidence <= 1.01
