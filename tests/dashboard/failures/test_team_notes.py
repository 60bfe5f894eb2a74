"""Notes of a reader who may not write to the bucket stay on this machine, and say so."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dashboard.aws.write_once import create_once
from dashboard.failures.local_objects import LocalObjects
from dashboard.failures.notes import NoteLog
from dashboard.failures.team_notes import TeamNotes
from workflow.errors import WorkflowError
from workflow.triage_notes import TriageAction, TriageEvent


def note(identity: str = "n1") -> TriageEvent:
    return TriageEvent(
        id=identity,
        at=datetime(2026, 11, 26, tzinfo=UTC),
        author="me",
        fingerprint="f",
        action=TriageAction.ACKNOWLEDGE,
    )


class Refusing(LocalObjects):
    """A bucket that may be read and not written."""

    code = "AccessDenied"

    def put_object(self, **_: Any) -> None:
        raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "PutObject")


def log(client: LocalObjects) -> NoteLog:
    return NoteLog(client.as_client(), "bucket")


def test_an_object_here_is_created_once_and_listed_by_prefix(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path).as_client()
    assert create_once(objects, "b", "triage/notes/2026/a.json", b"1")
    assert not create_once(objects, "b", "triage/notes/2026/a.json", b"2")
    assert create_once(objects, "b", "other/a.json", b"3")
    (page,) = objects.get_paginator("list_objects_v2").paginate(Bucket="b", Prefix="triage/")
    assert [one["Key"] for one in page["Contents"]] == ["triage/notes/2026/a.json"]
    body = objects.get_object(Bucket="b", Key="triage/notes/2026/a.json")["Body"]
    assert body.read() == b"1"


def test_notes_of_a_workflow_without_a_bucket_stay_here_and_are_found_again(tmp_path: Path) -> None:
    TeamNotes(None, log(LocalObjects(tmp_path))).append(note())
    found = TeamNotes(None, log(LocalObjects(tmp_path)))
    assert found.stay_here
    assert found.read().events == (note(),)


def test_a_refused_note_is_kept_here_beside_those_of_the_team(tmp_path: Path) -> None:
    log(LocalObjects(tmp_path / "s3")).append(note("theirs"))
    notes = TeamNotes(log(Refusing(tmp_path / "s3")), log(LocalObjects(tmp_path / "here")))
    assert not notes.stay_here
    notes.append(note("mine"))
    assert notes.stay_here
    assert notes.refused is not None
    assert "s3:PutObject" in notes.refused.message
    assert {one.id for one in notes.read().events} == {"theirs", "mine"}


def test_notes_go_into_the_bucket_again_once_it_may_be_written(tmp_path: Path) -> None:
    bucket = LocalObjects(tmp_path / "s3")
    notes = TeamNotes(log(bucket), log(LocalObjects(tmp_path / "here")))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bucket, "put_object", Refusing(tmp_path / "s3").put_object)
        notes.append(note("mine"))
    notes.append(note("ours"))
    assert not notes.stay_here
    assert {one.id for one in log(bucket).read().events} == {"ours"}
    assert {one.id for one in notes.read().events} == {"mine", "ours"}


def test_a_failure_that_is_no_denial_loses_nothing_silently(tmp_path: Path) -> None:
    broken = Refusing(tmp_path / "s3")
    broken.code = "InternalError"
    notes = TeamNotes(log(broken), log(LocalObjects(tmp_path / "here")))
    with pytest.raises(WorkflowError):
        notes.append(note())
    assert notes.read().events == ()
