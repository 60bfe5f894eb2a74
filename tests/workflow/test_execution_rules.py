"""Executions of others are judged by what they say, those of deploy by what they owe."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from tests.workflow.histories import History
from workflow.execution_rules import ExecutionRules, rules_of
from workflow.executions import Execution, Outcome, Status
from workflow.timelines import StateVisit, timeline
from workflow.watched import WatchedWorkflow

OWN = ExecutionRules(threshold=0.93)
THEIRS = ExecutionRules(threshold=0.0, foreign=True, owes_inference=True)
OTHER = replace(THEIRS, owes_inference=False)


def succeeded(output: object, given: object = None) -> Execution:
    return Execution(
        arn="arn:aws:states:r:1:execution:m:e",
        name="e",
        state_machine_arn="arn:aws:states:r:1:stateMachine:m",
        status=Status.SUCCEEDED,
        started_at=datetime(2026, 11, 1, tzinfo=UTC),
        input=json.dumps(given or {}),
        output=json.dumps(output),
    )


def states(output: object) -> tuple[StateVisit, ...]:
    history = History()
    history.enter("Classify")
    history.exit("Classify", output=json.dumps(output))
    return timeline(history.events)


INFERRED = {"inferences": [0.2, 0.8]}


def test_a_success_without_an_inference_is_wrong_only_where_one_is_owed() -> None:
    execution, visits = succeeded({"sent": True}), states({"sent": True})
    assert OWN.outcome(execution, visits) is Outcome.SILENT
    assert THEIRS.outcome(execution, visits) is Outcome.SILENT
    assert OTHER.outcome(execution, visits) is Outcome.ACCEPTED


def test_before_its_states_are_read_nobody_says_that_an_inference_is_missing() -> None:
    execution = succeeded({"sent": True})
    assert THEIRS.needs_history(execution)
    assert THEIRS.silent(execution) is None
    assert not OTHER.needs_history(execution)
    assert not OWN.needs_history(execution)


def test_the_inference_of_a_state_counts_where_the_output_has_none() -> None:
    execution, visits = succeeded({"sent": True}), states(INFERRED)
    found = THEIRS.inference(execution, visits)
    assert found is not None
    assert (found.label, found.confidence) == ("motorcycle", 0.8)
    assert THEIRS.outcome(execution, visits) is Outcome.ACCEPTED
    below = replace(THEIRS, threshold=0.9).silent(execution, visits)
    assert below is not None
    assert below.error == "Silent.BelowThreshold"


def test_an_error_in_the_output_is_wrong_whoever_made_the_workflow() -> None:
    execution = succeeded({"statusCode": 500, "body": "KeyError"})
    for rules in (OWN, THEIRS, OTHER):
        assert rules.outcome(execution) is Outcome.SILENT


def test_without_a_known_threshold_no_confidence_is_too_low() -> None:
    execution = succeeded({"inferences": [0.55, 0.45]})
    assert rules_of(WatchedWorkflow(name="x")).outcome(execution) is Outcome.ACCEPTED
    said = WatchedWorkflow(name="x", threshold=0.9, threshold_source="the state machine")
    assert rules_of(said).outcome(execution) is Outcome.SILENT


def test_the_image_is_what_the_machine_was_really_given() -> None:
    execution = succeeded({}, {"Bucket": "my-bucket", "file": "a.png"})
    assert THEIRS.image(execution) == "s3://my-bucket/a.png"
    assert OWN.image(execution) is None
    fixed = replace(THEIRS, fixed_image="s3://theirs/always.png")
    assert fixed.image(execution) == "s3://theirs/always.png"
    assert replace(THEIRS, image_path="$.nothing").image(execution) is None
    of_state = states({"image": "s3://my-bucket/b.png"})
    assert THEIRS.image(succeeded({}), of_state) == "s3://my-bucket/b.png"
