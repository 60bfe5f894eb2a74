"""FilterInferences decides, and never decides on what is no inference."""

import json
from collections.abc import Callable
from types import ModuleType

import pytest

from workflow import contract

from .conftest import Context, classes, peak


@pytest.fixture
def decide(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("filter_inferences")


@pytest.mark.parametrize(
    ("inferences", "meets"), [([0.93, 0.07], True), ([0.08, 0.92], False), ("[0.99, 0.01]", True)]
)
def test_compares_the_confidence_with_the_threshold(
    decide: ModuleType, context: Context, inferences: object, *, meets: bool
) -> None:
    state = decide.handler({"inferences": inferences, "s3_key": "k"}, context)

    assert state["meets_threshold"] is meets
    assert state["threshold"] == 0.93
    assert state["s3_key"] == "k"


def test_takes_the_wrapped_output_of_older_classifiers(
    decide: ModuleType, context: Context
) -> None:
    body = json.dumps({"inferences": [0.97, 0.03]})

    assert decide.handler({"statusCode": 200, "body": body}, context)["meets_threshold"] is True


@pytest.mark.parametrize("state", [{}, {"inferences": []}, {"inferences": "none"}])
def test_refuses_to_decide_on_nothing(
    decide: ModuleType, context: Context, state: contract.State
) -> None:
    with pytest.raises(contract.BadInference):
        decide.handler(state, context)


def test_the_threshold_is_part_of_the_deployment(
    load: Callable[[str], ModuleType], context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCONES_THRESHOLD", "0.5")

    state = load("filter_inferences").handler({"inferences": [0.6, 0.4]}, context)

    assert state["meets_threshold"] is True


@pytest.mark.parametrize("size", [2, 10, 100])
def test_decides_between_as_many_classes_as_it_is_given(
    load: Callable[[str], ModuleType],
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
) -> None:
    names = classes(size)
    monkeypatch.setenv("SCONES_CLASSES", json.dumps(names))
    decide = load("filter_inferences")

    sure = decide.handler({"inferences": peak(size, size - 1, 0.97)}, context)
    unsure = decide.handler({"inferences": peak(size, 1, 0.6)}, context)

    assert (sure["label"], sure["meets_threshold"]) == (names[-1], True)
    assert (unsure["label"], unsure["meets_threshold"]) == (names[1], False)
    rejection = contract.read_rejection(unsure["rejection"])
    assert rejection == contract.Rejection(label=names[1], confidence=0.6, threshold=0.93)
    with pytest.raises(contract.BadInference, match=f"for {size} classes"):
        decide.handler({"inferences": peak(size + 1, 0, 0.97)}, context)
