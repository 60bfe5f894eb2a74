"""A state machine of others is judged by what it demands itself."""

import json
from typing import Any

import pytest

from tests.workflow.histories import History
from workflow.machine_rules import classifies, stated_threshold
from workflow.timelines import StateVisit, timeline


def choice(**rule: Any) -> str:
    states = {"Sure": {"Type": "Choice", "Choices": [{**rule, "Next": "Done"}], "Default": "No"}}
    return json.dumps({"StartAt": "Sure", "States": states})


def visits(output: object) -> tuple[StateVisit, ...]:
    history = History()
    history.enter("Filter")
    history.exit("Filter", output=json.dumps(output))
    return timeline(history.events)


@pytest.mark.parametrize(
    "definition",
    [
        choice(Variable="$.confidence", NumericGreaterThanEquals=0.8),
        choice(Not={"Variable": "$.confidence", "NumericLessThan": 0.8}),
        choice(And=[{"Variable": "$.confidence", "NumericGreaterThan": 0.8}, {"IsPresent": True}]),
        choice(Condition="{% $max($states.input.inferences) >= 0.8 %}"),
        choice(Condition="{% $states.input.confidence > .8 %}"),
        json.dumps({"States": {"Filter": {"Parameters": {"threshold": 0.8, "retries": 1}}}}),
        json.dumps({"States": {"Filter": {"Assign": {"CONFIDENCE_THRESHOLD": "0.8"}}}}),
    ],
)
def test_the_threshold_of_a_definition_is_found(definition: str) -> None:
    assert stated_threshold(definition, ()) == 0.8


@pytest.mark.parametrize(
    "definition",
    [
        None,
        "no json",
        "[" * 100_000,
        choice(Variable="$.count", NumericGreaterThan=2),
        choice(Variable="$.text", StringEquals="0.8"),
        choice(
            Or=[
                {"Variable": "$.a", "NumericGreaterThan": 0.8},
                {"Variable": "$.b", "NumericGreaterThan": 0.9},
            ]
        ),
    ],
)
def test_what_states_none_or_several_states_nothing(definition: str | None) -> None:
    assert stated_threshold(definition, ()) is None


def test_what_a_state_gave_counts_before_the_definition() -> None:
    definition = choice(Variable="$.confidence", NumericGreaterThanEquals=0.8)

    assert stated_threshold(definition, visits({"body": {"threshold": "0.7"}})) == 0.7
    assert stated_threshold(definition, visits({"threshold": True})) == 0.8


def test_a_machine_that_classifies_says_so_somewhere() -> None:
    assert classifies('{"Comment": "Classifies photos"}', ())
    assert classifies(None, [None, '{"inferences": []}'])
    assert not classifies('{"Comment": "Ships orders"}', ['{"order": 1}'])
