"""Notes in S3: shared, append-only, read once, and never silently dropped."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from dashboard.aws.write_once import create_once
from dashboard.failures.notes import NOTES_PREFIX, NoteLog
from tests.dashboard.failures.conftest import BUCKET
from workflow.errors import WorkflowError
from workflow.triage_notes import TriageAction, TriageEvent

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def note(number: int, action: TriageAction = TriageAction.ACKNOWLEDGE) -> TriageEvent:
    return TriageEvent(
        id=f"n{number}", at=AT, author="ada", fingerprint="f" * 16, action=action, text="seen"
    )


def test_what_one_dashboard_notes_another_reads(s3: "S3Client") -> None:
    NoteLog(s3, BUCKET).append(note(1))
    assert NoteLog(s3, BUCKET).read().events == (note(1),)


def test_a_note_is_fetched_once(s3: "S3Client") -> None:
    NoteLog(s3, BUCKET).append(note(1))
    log = NoteLog(s3, BUCKET)
    log.read()
    fetched: list[str] = []
    s3.meta.events.register("before-call.s3.GetObject", lambda **_: fetched.append("again"))
    NoteLog(s3, BUCKET).append(note(2))
    assert set(log.read().events) == {note(1), note(2)}
    assert fetched == ["again"]


def test_writing_a_note_twice_keeps_one(s3: "S3Client") -> None:
    NoteLog(s3, BUCKET).append(note(1))
    NoteLog(s3, BUCKET).append(note(1))
    assert len(NoteLog(s3, BUCKET).read().events) == 1


def test_what_is_no_note_is_named_and_hides_nothing(s3: "S3Client") -> None:
    NoteLog(s3, BUCKET).append(note(1))
    s3.put_object(Bucket=BUCKET, Key=f"{NOTES_PREFIX}stray.json", Body=b"not a note")
    notes = NoteLog(s3, BUCKET).read()
    assert notes.events == (note(1),)
    assert [problem.partition(":")[0] for problem in notes.problems] == [
        f"{NOTES_PREFIX}stray.json"
    ]


def test_of_several_writers_one_creates(s3: "S3Client") -> None:
    made = [create_once(s3, BUCKET, "triage/alerts/one.json", b"{}") for _ in range(3)]
    assert made == [True, False, False]


def test_a_missing_bucket_is_a_sentence(s3: "S3Client") -> None:
    with pytest.raises(WorkflowError) as caught:
        NoteLog(s3, "no-such-bucket").read()
    assert caught.value.code == "NoSuchBucket"
    with pytest.raises(WorkflowError):
        create_once(s3, "no-such-bucket", "key", b"")
