"""Successes that are wrong are found in outputs of every shape."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflow.histories import ARN, START, History, execution, lambda_cause
from workflow.executions import Execution, Kind, Outcome, Status
from workflow.silent import (
    find_silent,
    image_of,
    layers,
    outcome,
    read_inference,
    silent_failure,
)
from workflow.timelines import timeline

GOOD = {"s3_bucket": "b", "s3_key": "bike.png", "inferences": [0.97, 0.03]}


def wrapped(value: object, depth: int, *, text: bool) -> object:
    """The value in ``depth`` bodies, each as object or as JSON text."""
    for _ in range(depth):
        value = {"statusCode": 200, "body": json.dumps(value) if text else value}
    return value


def found(value: object) -> str | None:
    finding = find_silent(json.dumps(value), threshold=0.93)
    return finding.error if finding else None


@pytest.mark.parametrize("depth", range(5))
@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("inferences", [[0.97, 0.03], "[0.97, 0.03]", [[0.97, 0.03]]])
def test_a_good_inference_is_found_however_it_is_wrapped(
    depth: int, inferences: object, *, text: bool
) -> None:
    output = json.dumps(wrapped(GOOD | {"inferences": inferences}, depth, text=text))

    inference = read_inference(output)

    assert inference is not None
    assert (inference.label, inference.confidence) == ("bicycle", 0.97)
    assert find_silent(output, threshold=0.93) is None


def test_a_whole_lambda_answer_and_text_within_text_are_read() -> None:
    answer = {"ExecutedVersion": "$LATEST", "Payload": wrapped(GOOD, 1, text=True)}

    assert found(answer) is None
    assert found(json.dumps(json.dumps(GOOD))) is None


def test_an_empty_inference_beside_a_good_one_does_not_hide_it() -> None:
    assert found({"body": GOOD | {"inferences": []}, "inferences": [0.99, 0.01]}) is None


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ({"statusCode": 200, "body": '{"inferences": []}'}, "Silent.EmptyInference"),
        (GOOD | {"inferences": ""}, "Silent.EmptyInference"),
        (GOOD | {"inferences": "[0.9"}, "Silent.MalformedInference"),
        (GOOD | {"inferences": None}, "Silent.MalformedInference"),
        (GOOD | {"inferences": [0.9, 0.9]}, "Silent.MalformedInference"),
        (GOOD | {"inferences": [0.97]}, "Silent.MalformedInference"),
        ({"statusCode": 200, "body": "done"}, "Silent.NoInference"),
        (None, "Silent.NoInference"),
        (7, "Silent.NoInference"),
        (GOOD | {"inferences": [0.92, 0.08]}, "Silent.BelowThreshold"),
        (GOOD | {"meets_threshold": False}, "Silent.BelowThreshold"),
        ({"statusCode": 500, "body": "no"}, "Silent.ServerError"),
        ({"statusCode": "404", "body": GOOD}, "Silent.ClientError"),
        (wrapped({"statusCode": 400}, 2, text=True), "Silent.ClientError"),
        ({"errorMessage": "no", "errorType": "KeyError"}, "Silent.ErrorInOutput"),
        ({"Error": "KeyError", "Cause": "no"}, "Silent.ErrorInOutput"),
        ({"statusCode": 200, "body": '{"error": "no"}'}, "Silent.ErrorInOutput"),
        ({"body": "THRESHOLD_CONFIDENCE_NOT_MET"}, "Silent.Rejection"),
        (
            {"Error": "Exception", "Cause": lambda_cause("THRESHOLD_CONFIDENCE_NOT_MET")},
            "Silent.Rejection",
        ),
        ([GOOD, GOOD | {"inferences": [0.5, 0.5]}], "Silent.BelowThreshold"),
    ],
)
def test_what_is_wrong_is_named(output: object, error: str) -> None:
    assert found(output) == error


def test_a_caught_error_is_told_by_its_message() -> None:
    output = json.dumps({"Error": "KeyError", "Cause": lambda_cause("'k'")})

    finding = find_silent(output, threshold=0.93)

    assert finding is not None
    assert finding.cause == "KeyError: 'k'"


def test_an_error_of_null_is_none() -> None:
    assert found(GOOD | {"error": None}) is None


def test_the_threshold_that_the_run_used_counts() -> None:
    low = GOOD | {"inferences": [0.8, 0.2]}

    assert found(low | {"threshold": 0.7}) is None
    assert found(low | {"threshold": True}) == "Silent.BelowThreshold"
    assert find_silent(json.dumps(low), threshold=0.8) is None


def test_an_inference_tells_what_the_run_said() -> None:
    output = GOOD | {"label": "unicycle", "threshold": 0.7, "meets_threshold": True}

    inference = read_inference(json.dumps(output))

    assert inference is not None
    assert (inference.label, inference.threshold, inference.meets_threshold) == (
        "unicycle",
        0.7,
        True,
    )


def test_classes_beyond_the_two_have_no_name() -> None:
    inference = read_inference('{"inferences": [0.1, 0.1, 0.8]}')

    assert inference is not None
    assert (inference.label, inference.confidence) == (None, 0.8)


@pytest.mark.parametrize("output", [None, "", "no json", '{"inferences": 3}', "[" * 100_000])
def test_without_a_usable_inference_there_is_none(output: str | None) -> None:
    assert read_inference(output) is None


@pytest.mark.parametrize(
    ("status", "changes", "expected"),
    [
        (Status.RUNNING, {}, Outcome.RUNNING),
        (Status.PENDING_REDRIVE, {}, Outcome.RUNNING),
        (Status.ABORTED, {}, Outcome.ABORTED),
        (Status.FAILED, {"error": "KeyError"}, Outcome.FAULTED),
        (Status.TIMED_OUT, {}, Outcome.FAULTED),
        (Status.FAILED, {"error": "THRESHOLD_CONFIDENCE_NOT_MET"}, Outcome.REJECTED),
        (Status.SUCCEEDED, {}, Outcome.UNEXAMINED),
        (Status.SUCCEEDED, {"output": json.dumps(GOOD)}, Outcome.ACCEPTED),
        (Status.SUCCEEDED, {"output": "{}"}, Outcome.SILENT),
    ],
)
def test_every_status_has_its_outcome(
    status: Status, changes: dict[str, Any], expected: Outcome
) -> None:
    assert outcome(execution(status=status, **changes), threshold=0.93) is expected


def test_the_first_state_that_said_an_error_is_the_one_that_failed() -> None:
    history = History()
    history.run("Serialize")
    history.enter("Classify")
    history.exit("Classify", output='{"statusCode": 500, "body": "{\\"error\\": \\"no image\\"}"}')
    history.enter("Filter")
    history.exit("Filter", output='{"inferences": [], "meets_threshold": false}')
    stopped = START + timedelta(seconds=3)
    run = execution(status=Status.SUCCEEDED, output='{"inferences": []}', stopped_at=stopped)

    failure = silent_failure(run, timeline(history.events), threshold=0.93, image="s3://b/k")

    assert failure is not None
    assert (failure.execution_arn, failure.failed_at) == (ARN, stopped)
    assert (failure.image, failure.version, failure.attempt) == ("s3://b/k", None, 0)
    assert (failure.state, failure.error) == ("Classify", "Silent.ErrorInOutput")
    assert (failure.cause, failure.kind) == ("no image", Kind.SILENT)


def test_without_such_a_state_it_is_the_last_one() -> None:
    history = History()
    history.run("Classify")
    history.run("Filter")
    run = execution(status=Status.SUCCEEDED, output='{"inferences": []}')

    failure = silent_failure(run, timeline(history.events), threshold=0.93)

    assert failure is not None
    assert (failure.state, failure.error) == ("Filter", "Silent.EmptyInference")
    without = silent_failure(run, threshold=0.93)
    assert without is not None
    assert (without.state, without.failed_at) == ("", START)


@pytest.mark.parametrize(
    "run",
    [
        execution(status=Status.FAILED),
        execution(status=Status.SUCCEEDED),
        execution(status=Status.SUCCEEDED, output=json.dumps(GOOD)),
    ],
)
def test_what_failed_or_is_fine_is_not_silent(run: Execution) -> None:
    assert silent_failure(run, threshold=0.93) is None


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ('{"s3_bucket": "b", "s3_key": "k"}', "s3://b/k"),
        ('{"body": {"s3_bucket": "b", "s3_key": ["k", "l"]}}', "s3://b/k"),
        ('{"s3_bucket": null, "s3_key": "k"}', None),
        ('{"s3_bucket": "b", "s3_key": []}', None),
        (None, None),
    ],
)
def test_the_image_is_found_in_an_input(text: str | None, image: str | None) -> None:
    assert image_of(text) == image


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["body", "inferences", "statusCode", "error", "Payload", "label"]),
            inner | inner.map(json.dumps),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_output_raises(value: object) -> None:
    text = json.dumps(value)

    assert (find_silent(text, threshold=0.93) is None) or found(value)
    assert all(isinstance(layer, dict) for layer in layers(text))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"inferences": [0.9, 0.1], "threshold": "0.8"}, None),
        ({"inferences": [0.94, 0.06], "threshold": "0.95"}, "Silent.BelowThreshold"),
        ({"inferences": [0.9, 0.1], "threshold": "nan"}, "Silent.BelowThreshold"),
        ({"inferences": [0.9, 0.1], "threshold": "high"}, "Silent.BelowThreshold"),
        ({"meets_threshold": "False"}, "Silent.BelowThreshold"),
        ({"meets_threshold": "true"}, None),
        ({"StatusCode": 500}, "Silent.ServerError"),
        ({"statusCode": "404"}, "Silent.ClientError"),
    ],
)
def test_numbers_and_truths_written_as_text_count(said: dict[str, Any], error: str | None) -> None:
    assert found(GOOD | said) == error


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ({"Payload": {"statusCode": 200, "body": json.dumps(GOOD)}}, None),
        ({"inferences": [0.6, 0.4]}, "Silent.BelowThreshold"),
        ({"Error": "KeyError", "Cause": "body"}, "Silent.ErrorInOutput"),
    ],
)
def test_a_result_is_found_under_any_result_path(result: object, error: str | None) -> None:
    assert found({"s3_key": "bike.png", "classified": result}) == error


def test_a_bare_list_as_body_is_an_inference() -> None:
    inference = read_inference(json.dumps({"statusCode": 200, "body": "[0.02, 0.98]"}))

    assert inference is not None
    assert (inference.label, inference.confidence) == ("motorcycle", 0.98)


@pytest.mark.parametrize(
    "answer",
    [
        {"predictions": [[0.98, 0.02]]},
        {"inferences": {"motorcycle": 0.02, "bicycle": 0.98}},
        {
            "prediction": [
                {"label": "bicycle", "score": 0.98},
                {"label": "motorcycle", "score": 0.02},
            ]
        },
        {"Payload": {"body": [0.98, 0.02]}},
    ],
)
def test_inferences_of_other_workflows_are_read(answer: object) -> None:
    inference = read_inference(json.dumps(answer))

    assert inference is not None
    assert (inference.label, inference.confidence) == ("bicycle", 0.98)


def test_a_body_that_is_a_list_of_something_else_is_no_inference() -> None:
    assert found({"statusCode": 200, "body": ["done", "well"]}) == "Silent.NoInference"
    assert found({"prediction": "bicycle"}) == "Silent.NoInference"


def test_confidences_that_a_filter_left_are_no_missing_inference() -> None:
    output = json.dumps({"body": json.dumps({"high_confidence_inferences": [0.95]})})

    assert find_silent(output, threshold=0.93) is None
    assert found({"high_confidence_inferences": [0.9]}) == "Silent.BelowThreshold"


def test_the_inference_of_an_earlier_state_counts_where_the_last_one_dropped_it() -> None:
    history = History()
    history.enter("Classify")
    history.exit("Classify", output=json.dumps({"inferences": [0.05, 0.95]}))
    visits = timeline(history.events)
    success = execution(status=Status.SUCCEEDED, output='{"done": true}')

    assert outcome(success, threshold=0.93) is Outcome.SILENT
    assert outcome(success, visits, threshold=0.93) is Outcome.ACCEPTED
    assert outcome(success, visits, threshold=0.96) is Outcome.SILENT


@pytest.mark.parametrize(
    "named",
    [
        {"bucket": "b", "key": "k.png"},
        {"s3_uri": "s3://b/k.png"},
        {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "k.png"}}}]},
        {"detail": {"bucket": {"name": "b"}, "object": {"key": "k.png"}}},
    ],
)
def test_images_are_found_in_the_words_of_others(named: object) -> None:
    assert image_of(json.dumps(named)) == "s3://b/k.png"


def test_the_key_of_an_s3_notification_is_url_decoded_and_that_of_eventbridge_is_not() -> None:
    notified = {"bucket": {"name": "b"}, "object": {"key": "red+bike%281%29.png"}}
    assert image_of(json.dumps({"Records": [{"s3": notified}]})) == "s3://b/red bike(1).png"
    assert image_of(json.dumps({"detail": notified})) == "s3://b/red+bike%281%29.png"


def test_the_key_in_a_message_of_a_queue_is_not_url_decoded() -> None:
    body = json.dumps({"s3_bucket": "b", "s3_key": "red+bike.png"})
    assert image_of(json.dumps({"Records": [{"body": body}]})) == "s3://b/red+bike.png"
