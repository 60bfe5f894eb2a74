"""Only one deploy at a time; a lock that nobody renews ends by itself."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.providers import lock
from deploy.providers.lock import Lock
from tests.deploy.cases import REGION, settings
from tests.deploy.conftest import Account
from workflow.errors import WorkflowError

BUCKET = settings().bucket


@pytest.fixture
def bucket(account: Account) -> Account:
    account.client("s3").create_bucket(Bucket=BUCKET)
    return account


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def locks(account: Account, *holders: str, clock: Clock | None = None) -> list[Lock]:
    aws = account.cloud().aws
    return [
        Lock(aws, BUCKET, holder, account.notes, monotonic=clock or Clock()) for holder in holders
    ]


def test_the_second_is_told_who_was_first(bucket: Account) -> None:
    first, second = locks(bucket, "ana", "ben")
    first.hold()

    with pytest.raises(WorkflowError, match="ana") as caught:
        second.hold()

    assert caught.value.code == "DeployLocked"
    assert "Wait" in caught.value.remedy


def test_a_lock_given_back_can_be_taken(bucket: Account) -> None:
    first, second = locks(bucket, "ana", "ben")
    first.hold()
    first.release()

    second.hold()
    second.release()

    assert "Contents" not in bucket.client("s3").list_objects_v2(Bucket=BUCKET)


def test_holding_again_costs_no_call_until_it_is_time_to_renew(bucket: Account) -> None:
    clock = Clock()
    (only,) = locks(bucket, "ana", clock=clock)
    only.hold()
    bucket.calls.clear()

    only.hold()
    assert not bucket.calls
    clock.now = lock.RENEW_SECONDS
    only.hold()
    assert bucket.calls == ["s3:PutObject"]


def test_a_lock_that_was_not_renewed_is_taken_over(
    bucket: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    killed, next_one = locks(bucket, "ana", "ben", clock=clock)
    killed.hold()
    monkeypatch.setattr(lock, "LEASE_SECONDS", -1)

    clock.now = 1
    next_one.hold()

    clock.now = 100
    with pytest.raises(WorkflowError, match="ben"):
        killed.hold()
    killed.release()
    assert bucket.client("s3").head_object(Bucket=BUCKET, Key="deploy.lock")


def test_of_two_that_take_over_at_once_one_wins(
    bucket: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    killed, ben, cleo = locks(bucket, "ana", "ben", "cleo", clock=clock)
    killed.hold()
    monkeypatch.setattr(lock, "LEASE_SECONDS", -1)
    seen, read = cleo._read_lock(), cleo._read_lock
    looks = iter([lambda: seen])
    clock.now = 1
    ben.hold()
    monkeypatch.setattr(cleo, "_read_lock", lambda: next(looks, read)())  # noqa: PLW0108 - a look each

    with pytest.raises(WorkflowError, match="ben"):
        cleo.hold()


def test_of_two_that_take_at_once_one_wins(
    bucket: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = locks(bucket, "ana", "ben")
    looks, read = iter([lambda: None]), ben._read_lock
    monkeypatch.setattr(ben, "_read_lock", lambda: next(looks, read)())  # noqa: PLW0108 - a look each
    ana.hold()

    with pytest.raises(WorkflowError, match="ana"):
        ben.hold()


def test_a_lock_that_could_not_be_given_back_is_taken_at_once_on_the_same_machine(
    bucket: Account,
) -> None:
    bucket.answer("s3.DeleteObject", ("InternalError", "no", 500))
    (first,) = locks(bucket, "ana")
    first.hold()
    with pytest.raises(ClientError):
        first.release()

    again, other = locks(bucket, "ana again", "ben")
    again.hold()

    with pytest.raises(WorkflowError, match="ana again"):
        other.hold()
    assert not list(bucket.notes.iterdir())


@pytest.mark.parametrize("renews", [False, True])
def test_a_lock_whose_answer_was_lost_is_ours(
    bucket: Account, monkeypatch: pytest.MonkeyPatch, *, renews: bool
) -> None:
    clock = Clock()
    (only,) = locks(bucket, "ana", clock=clock)
    if renews:
        only.hold()
        clock.now = lock.RENEW_SECONDS
    put: Any = only._s3.put_object

    def put_twice(**request: Any) -> Any:
        put(**request)
        return put(**request)

    with monkeypatch.context() as patch:
        patch.setattr(only._s3, "put_object", put_twice)
        only.hold()
    only.release()

    assert "Contents" not in bucket.client("s3").list_objects_v2(Bucket=BUCKET)


def test_where_there_is_no_bucket_there_is_nothing_to_lock(account: Account) -> None:
    (only,) = locks(account, "ana")

    only.hold()
    only.release()

    assert account.client("s3").list_buckets()["Buckets"] == []


def test_a_bucket_deleted_under_way_has_no_lock_to_give_back(bucket: Account) -> None:
    (only,) = locks(bucket, "ana")
    only.hold()
    s3 = bucket.client("s3")
    s3.delete_object(Bucket=BUCKET, Key="deploy.lock")
    s3.delete_bucket(Bucket=BUCKET)

    only.release()


def test_a_write_that_is_refused_is_not_taken_for_a_lock(bucket: Account) -> None:
    bucket.answer("s3.PutObject", ("AccessDenied", "no", 403))
    cloud = bucket.cloud()

    with pytest.raises(WorkflowError, match="s3:PutObject") as caught:
        cloud.hold()

    assert caught.value.code == "AccessDenied"
    assert cloud.aws.region == REGION
