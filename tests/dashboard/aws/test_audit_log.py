"""What people do is recorded before and after, in S3 or else here, and nothing of it is lost."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from dashboard.aws.audit_log import AuditLog
from tests.damage import DAMAGES
from workflow.access import Actor, Privilege, Role
from workflow.audit import PREFIX
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BUCKET = "bucket"
ANA = Actor("ana@example.com", Role.OPERATOR)
AT = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def s3() -> Iterator["S3Client"]:
    with mock_aws():
        yield boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t"
        )


@pytest.fixture
def log(s3: "S3Client", tmp_path: Path) -> AuditLog:
    seconds = count()
    return AuditLog(
        s3, BUCKET, tmp_path / "audit", now=lambda: AT + timedelta(seconds=next(seconds))
    )


def keys(s3: "S3Client") -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def kept(tmp_path: Path) -> list[str]:
    return [one.name for one in (tmp_path / "audit").glob("*")]


def test_an_action_is_in_s3_before_it_is_done_and_its_result_after(
    s3: "S3Client", log: AuditLog
) -> None:
    s3.create_bucket(Bucket=BUCKET)

    with log.record_action(ANA, Privilege.SUBMIT, "a.png"):
        before = keys(s3)
    (record,) = log.read().records

    assert [key.startswith(f"{PREFIX}2026/11/26/120000-") for key in before] == [True]
    assert len(keys(s3)) == 2
    assert (record.actor, record.role, record.action) == ("ana@example.com", "operator", "submit")
    assert (record.request, record.result) == ("a.png", "done")
    assert record.ended_at == record.at + timedelta(seconds=1)


def test_another_dashboard_reads_the_same(s3: "S3Client", log: AuditLog, tmp_path: Path) -> None:
    s3.create_bucket(Bucket=BUCKET)
    with log.record_action(ANA, Privilege.SUBMIT, "a.png"):
        pass

    other = AuditLog(s3, BUCKET, tmp_path / "other", now=lambda: AT)

    assert other.read() == log.read()


def test_why_an_action_failed_is_its_result(s3: "S3Client", log: AuditLog) -> None:
    s3.create_bucket(Bucket=BUCKET)

    def fail() -> None:
        with log.record_action(ANA, Privilege.SUBMIT, "a.png"):
            raise WorkflowError("AccessDenied", "You may not.", "Ask.")

    with pytest.raises(WorkflowError, match="You may not"):
        fail()

    assert log.read().records[0].result == "AccessDenied: You may not."


def test_what_is_cut_off_says_so(s3: "S3Client", log: AuditLog) -> None:
    s3.create_bucket(Bucket=BUCKET)

    def cut() -> None:
        with log.record_action(ANA, Privilege.DEPLOY, "plan"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut()

    assert log.read().records[0].result == "cut off"


def test_a_result_that_raises_nothing_can_be_said(s3: "S3Client", log: AuditLog) -> None:
    s3.create_bucket(Bucket=BUCKET)

    with log.record_action(ANA, Privilege.DEPLOY, "plan") as result:
        result.text = "QuotaExceeded: no instance"

    assert log.read().records[0].result == "QuotaExceeded: no instance"


def test_rows_without_a_bucket_wait_here_and_go_to_s3_as_soon_as_there_is_one(
    s3: "S3Client", log: AuditLog, tmp_path: Path
) -> None:
    with log.record_action(ANA, Privilege.DEPLOY, "the first deployment"):
        waiting = kept(tmp_path)
        shown = log.known_actions().records
        s3.create_bucket(Bucket=BUCKET)

    assert len(waiting) == 1
    assert [record.request for record in shown] == ["the first deployment"]
    assert kept(tmp_path) == []
    assert len(keys(s3)) == 2
    assert [record.result for record in log.read().records] == ["done"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_here_stops_no_action_and_is_named(
    s3: "S3Client", log: AuditLog, tmp_path: Path, damage: str
) -> None:
    with log.record_action(ANA, Privilege.DEPLOY, "before the bucket"):
        pass
    hurt = min((tmp_path / "audit").glob("*-begun.json"))
    DAMAGES[damage](hurt)
    s3.create_bucket(Bucket=BUCKET)

    with log.record_action(ANA, Privilege.SUBMIT, "a.png"):
        pass
    found = log.read()

    assert "a.png" in [record.request for record in found.records]
    assert [hurt.name in problem for problem in found.problems] in ([True], [])


def test_text_that_no_file_can_hold_is_recorded(s3: "S3Client", log: AuditLog) -> None:
    s3.create_bucket(Bucket=BUCKET)

    with log.record_action(ANA, Privilege.TRIAGE, "group \ud800") as result:
        result.text = "ValidationException: \udfff"

    (record,) = log.read().records
    assert (record.request, record.result) == ("group ?", "ValidationException: ?")


def test_nothing_is_done_that_cannot_be_recorded(
    s3: "S3Client", log: AuditLog, tmp_path: Path
) -> None:
    (tmp_path / "audit").write_text("no folder")
    done = []

    def attempt() -> None:
        with log.record_action(ANA, Privilege.DESTROY, "plan"):
            done.append("destroyed")

    with pytest.raises(WorkflowError) as caught:
        attempt()

    assert caught.value.code == "AuditNotWritten"
    assert not done


def test_a_row_is_never_overwritten(s3: "S3Client", log: AuditLog) -> None:
    s3.create_bucket(Bucket=BUCKET)
    with log.record_action(ANA, Privilege.SUBMIT, "a.png"):
        pass
    (key, *_) = keys(s3)
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    row = next(iter(log._read.values()))
    assert not isinstance(row, str)

    log.append(row)

    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
    assert len(keys(s3)) == 2


def test_what_is_no_row_is_named_and_hides_nothing(s3: "S3Client", log: AuditLog) -> None:
    s3.create_bucket(Bucket=BUCKET)
    with log.record_action(ANA, Privilege.SUBMIT, "a.png"):
        pass
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}2026/stray.json", Body=b"{}")

    read = log.read()

    assert len(read.records) == 1
    assert read.problems[0].startswith(f"{PREFIX}2026/stray.json: This is not a row")


def test_a_destroyed_bucket_leaves_its_audit_on_this_machine(
    s3: "S3Client", log: AuditLog, tmp_path: Path
) -> None:
    s3.create_bucket(Bucket=BUCKET)
    with log.record_action(ANA, Privilege.SUBMIT, "a.png"):
        pass

    with log.record_action(ANA, Privilege.DESTROY, "plan"):
        for key in keys(s3):
            s3.delete_object(Bucket=BUCKET, Key=key)
        s3.delete_bucket(Bucket=BUCKET)
    other = AuditLog(s3, BUCKET, tmp_path / "audit", now=lambda: AT)

    assert [one.action for one in other.known_actions().records] == ["destroy", "submit"]
    assert other.known_actions().kept == 4


def test_a_workflow_without_a_bucket_keeps_its_audit_here(s3: "S3Client", tmp_path: Path) -> None:
    log = AuditLog(s3, "", tmp_path / "audit", now=lambda: AT)

    with log.record_action(ANA, Privilege.WATCH, "another workflow"):
        pass

    assert [one.result for one in log.read().records] == ["done"]


def test_a_bucket_that_may_not_be_written_leaves_the_audit_here(
    s3: "S3Client", log: AuditLog
) -> None:
    s3.create_bucket(Bucket=BUCKET)
    with Stubber(s3) as stubber:
        for _ in range(2):
            stubber.add_client_error("put_object", "AccessDenied", http_status_code=403)
        with log.record_action(ANA, Privilege.TRIAGE, "a note"):
            pass

    assert (log.known_actions().kept, log.known_actions().records[0].result) == (2, "done")
