"""What the Workflows page says of a workflow, and what a person may correct."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.workflows import model
from workflow.errors import WorkflowError
from workflow.watched import DEFAULT_TEMPLATE, NO_THRESHOLD, WatchedWorkflow

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
THEIRS = WatchedWorkflow(
    name="theirs", state_machine_arn="arn:theirs", endpoint="guessed", endpoint_source="a guess"
)
SAID = model.Correction(
    endpoint="guessed",
    captures="",
    classes="cat, dog, cow",
    threshold="",
    image_path="",
    input_template=DEFAULT_TEMPLATE,
    bucket="",
)


def test_a_correction_is_known_to_be_said_by_a_person() -> None:
    same = model.apply_corrections(THEIRS, SAID)
    assert same.classes == ("cat", "dog", "cow")
    assert same.endpoint_source == "a guess"
    said = replace(SAID, endpoint="mine", threshold="0.8", captures="s3://b-1/p/", bucket="b-2")
    other = model.apply_corrections(THEIRS, said)
    assert (other.endpoint, other.endpoint_source) == ("mine", model.SAID_BY_YOU)
    assert (other.threshold, other.threshold_source) == (0.8, model.SAID_BY_YOU)
    assert str(other.captures) == "s3://b-1/p"
    assert other.bucket == "b-2"
    assert model.apply_corrections(other, SAID).threshold_source == NO_THRESHOLD


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (replace(SAID, threshold="high"), "ThresholdInvalid"),
        (replace(SAID, threshold="1.5"), "ThresholdInvalid"),
        (replace(SAID, classes="one"), "ClassesInvalid"),
        (replace(SAID, captures="s3://No Bucket"), "CapturesUriInvalid"),
        (replace(SAID, image_path="image"), "PathInvalid"),
        (replace(SAID, input_template="{}"), "TemplateInvalid"),
    ],
)
def test_what_cannot_be_used_is_refused(said: model.Correction, code: str) -> None:
    with pytest.raises(WorkflowError) as refused:
        model.apply_corrections(THEIRS, said)
    assert refused.value.code == code


def test_health_is_told_in_words() -> None:
    def told(**known: object) -> model.WorkflowHealth:
        asked = {"more": False, "gone": False, "now": NOW, **known}
        return model.health_in_words(NOW - timedelta(minutes=90), 100, **asked)  # type: ignore[arg-type]

    assert told() == model.WorkflowHealth("1 h ago", "100")
    assert told(more=True).failures == "100 or more"
    assert "no such state machine" in told(gone=True).problem


def test_of_thousands_of_state_machines_those_of_a_name_are_found() -> None:
    names = [f"machine-{number}" for number in range(3000)]
    assert len(model.found_names(names, "")) == model.MOST_SHOWN
    assert model.found_names(names, " MACHINE-2999 ") == [2999]


def test_a_guess_is_shown_as_one() -> None:
    shown = {name: (value, source) for name, value, source in model.list_facts(THEIRS)}
    assert shown["Endpoint"] == ("guessed", "a guess")
    assert shown["Threshold"] == ("none", NO_THRESHOLD)
    assert shown["Notes"] == ("on this machine only", "")
