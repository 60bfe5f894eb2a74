"""Submissions and what becomes of them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.contract import REJECTED, ImageLocation
from workflow.errors import WorkflowError
from workflow.executions import Execution, Outcome, Status
from workflow.submissions import (
    Batch,
    Classified,
    Faulted,
    Refusal,
    Rejected,
    Running,
    StoredImage,
    batch_key,
    decode_batch,
    encode_batch,
    execution_name,
    upload_key,
    verdict,
)
from workflow.timelines import Attempt, StateVisit, VisitStatus

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUNNING = Execution(
    arn="arn:aws:states:us-east-1:123456789012:execution:scones:one",
    name="one",
    state_machine_arn="arn:aws:states:us-east-1:123456789012:stateMachine:scones",
    status=Status.RUNNING,
    started_at=NOW,
)
SUCCEEDED = replace(RUNNING, status=Status.SUCCEEDED, stopped_at=NOW)
FAILED = replace(RUNNING, status=Status.FAILED, stopped_at=NOW)


def output(**fields: object) -> str:
    return json.dumps({"s3_bucket": "b", "s3_key": "k", **fields})


def visit(name: str, **fields: object) -> StateVisit:
    return StateVisit(
        event_id=1,
        name=name,
        type="Task",
        entered_at=NOW,
        exited_at=NOW + timedelta(milliseconds=40),
        **{"status": VisitStatus.SUCCEEDED, **fields},  # type: ignore[arg-type]
    )


def test_an_execution_under_way_is_running() -> None:
    assert verdict(RUNNING, [], threshold=0.93) == Running()


def test_an_accepted_execution_is_classified_against_its_own_threshold() -> None:
    said = output(inferences=[0.98, 0.02], label="bicycle", confidence=0.98, threshold=0.9)

    found = verdict(replace(SUCCEEDED, output=said), [], threshold=0.5)

    assert found == Classified("bicycle", 0.98, 0.9)


def test_a_threshold_that_is_not_said_is_the_one_assumed() -> None:
    said = output(inferences=[0.02, 0.98])

    found = verdict(replace(SUCCEEDED, output=said), [], threshold=0.93)

    assert found == Classified("motorcycle", 0.98, 0.93)


def test_a_success_without_inferences_is_a_fault_of_its_own_kind() -> None:
    found = verdict(replace(SUCCEEDED, output=output()), [], threshold=0.93)

    assert isinstance(found, Faulted)
    assert (found.outcome, found.error) == (Outcome.SILENT, "Silent.NoInference")
    assert found.remedy


def test_classes_without_a_name_are_no_label() -> None:
    said = output(inferences=[0.98, 0.01, 0.01])

    found = verdict(replace(SUCCEEDED, output=said), [], threshold=0.93)

    assert isinstance(found, Faulted)
    assert found.error == "Silent.NoLabel"


def test_a_success_whose_output_was_not_recorded_is_not_taken_for_accepted() -> None:
    found = verdict(SUCCEEDED, [], threshold=0.93)

    assert isinstance(found, Faulted)
    assert found.outcome is Outcome.UNEXAMINED


def test_a_rejection_carries_the_numbers_of_its_cause() -> None:
    cause = "Confidence 0.71 for bicycle is below the threshold 0.93: s3://b/k"

    found = verdict(replace(FAILED, error=REJECTED, cause=cause), [], threshold=0.5)

    assert found == Rejected("bicycle", 0.71, 0.93)


def test_a_rejection_in_the_original_projects_words_takes_them_from_the_states() -> None:
    cause = json.dumps({"errorMessage": REJECTED, "errorType": "Exception"})
    visits = [visit("ClassifyImage", output=output(inferences=[0.3, 0.7]))]

    found = verdict(replace(FAILED, error="Exception", cause=cause), visits, threshold=0.93)

    assert found == Rejected("motorcycle", 0.7, 0.93)
    assert verdict(replace(FAILED, error=REJECTED), [], threshold=0.93) == Rejected(
        None, None, 0.93
    )


def test_a_fault_names_its_state_and_says_what_the_function_said() -> None:
    message = "There is no object for s3://b/k. Upload the image first, or correct the key."
    cause = json.dumps({"errorMessage": message, "errorType": "ImageNotFound"})
    failed = visit(
        "SerializeImage",
        status=VisitStatus.FAILED,
        error="ImageNotFound",
        cause=cause,
        attempts=(Attempt(started_at=NOW),),
    )

    found = verdict(replace(FAILED, error="ImageNotFound", cause=cause), [failed], threshold=0.93)

    assert found == Faulted(Outcome.FAULTED, "SerializeImage", "ImageNotFound", message)


@pytest.mark.parametrize(
    ("execution", "error"),
    [(replace(FAILED, status=Status.TIMED_OUT), "States.Timeout"), (FAILED, "FAILED")],
)
def test_a_fault_that_says_nothing_is_still_a_sentence_with_a_remedy(
    execution: Execution, error: str
) -> None:
    found = verdict(execution, [], threshold=0.93)

    assert isinstance(found, Faulted)
    assert (found.error, found.message) == (error, "No cause was recorded.")
    assert found.remedy


def test_what_the_model_says_of_an_image_has_a_remedy_beside_it() -> None:
    message = "The model refuses the image: The image is damaged or cut short: 9 bytes are left."
    cause = json.dumps({"errorMessage": message, "errorType": "ModelRejected"})

    found = verdict(replace(FAILED, error="ModelRejected", cause=cause), [], threshold=0.93)

    assert isinstance(found, Faulted)
    assert found.message == message
    assert "submit a PNG or JPEG" in found.remedy


def test_a_transient_fault_that_lasted_has_a_remedy_beside_its_message() -> None:
    cause = json.dumps({"errorMessage": "It cannot answer now.", "errorType": "X"})

    found = verdict(replace(FAILED, error="EndpointUnavailable", cause=cause), [], threshold=0.93)

    assert isinstance(found, Faulted)
    assert found.message == "It cannot answer now."
    assert found.remedy


def test_an_aborted_execution_is_no_fault() -> None:
    found = verdict(replace(RUNNING, status=Status.ABORTED), [], threshold=0.93)

    assert isinstance(found, Faulted)
    assert (found.outcome, found.error) == (Outcome.ABORTED, "Aborted")


def test_a_key_is_by_content_and_keeps_the_name() -> None:
    assert upload_key("images/", "my bike's 🚲.png", "abcdef0123456789") == (
        "images/abcdef012345/my bike's 🚲.png"
    )


@given(st.text(), st.text("0123456789abcdef", min_size=64, max_size=64))
def test_no_name_leaves_the_prefix_or_exceeds_s3s_1024_bytes(name: str, sha256: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    key = upload_key("images/", name, sha256)

    assert key.count("/") == 2
    assert len(key.encode()) <= 1024
    assert not set(key) & {chr(code) for code in range(32)}


names = st.text(max_size=30)
batches = st.builds(
    Batch,
    id=st.text("abcdef0123456789", min_size=8, max_size=32),
    created_at=st.datetimes(timezones=st.just(UTC)),
    images=st.lists(
        st.builds(StoredImage, names, st.builds(ImageLocation, names, names), names), max_size=3
    ).map(tuple),
    refused=st.lists(st.builds(Refusal, names, names, names, names), max_size=3).map(tuple),
)


@given(batches)
def test_a_manifest_reads_back_as_written(batch: Batch) -> None:
    assert decode_batch(encode_batch(batch)) == batch


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"images": [{}], "refused": []}']
)
def test_a_damaged_manifest_is_said_to_be_one(content: bytes) -> None:
    with pytest.raises(WorkflowError) as caught:
        decode_batch(content)

    assert caught.value.code == "BatchDamaged"


@pytest.mark.parametrize("batch_id", ["", "short", "../../etc", "UPPERCASE1", "a" * 33])
def test_what_cannot_be_a_batch_is_refused(batch_id: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        batch_key(batch_id)

    assert caught.value.code == "BatchInvalid"


def test_execution_names_are_the_same_every_time_and_sort_in_order() -> None:
    batch = Batch(id="abcdef012345", created_at=NOW, images=())

    assert execution_name(batch, 7) == "abcdef012345-0007"
