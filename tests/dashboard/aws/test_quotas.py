"""Pacing: what a token bucket allows, on a clock that only moves when somebody sleeps."""

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from dashboard.aws.quotas import OperationBucket, Pacer, find_quota
from workflow.errors import WorkflowError
from workflow.quotas import Quota


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetExecutionHistory")


def pacer(time: Time, *, jitter: float = 1.0, patience_s: float = 300.0) -> Pacer:
    return Pacer(
        "us-east-1",
        patience_s=patience_s,
        clock=time.clock,
        sleep=time.sleep,
        jitter=lambda: jitter,
    )


def test_a_rested_bucket_gives_its_capacity_at_once_and_then_its_refill() -> None:
    time = Time()
    bucket = OperationBucket(Quota(3, 2), clock=time.clock, sleep=time.sleep)
    waits = [bucket.take() for _ in range(5)]
    assert waits == [0, 0, 0, 0.5, 0.5]


def test_a_bucket_never_holds_more_than_its_capacity() -> None:
    time = Time()
    bucket = OperationBucket(Quota(2, 1), clock=time.clock, sleep=time.sleep)
    time.now = 1000.0
    assert [bucket.take() for _ in range(3)] == [0, 0, 1.0]


def test_wait_tells_the_time_without_taking() -> None:
    time = Time()
    bucket = OperationBucket(Quota(1, 4), clock=time.clock, sleep=time.sleep)
    assert bucket.seconds_to_wait() == 0
    bucket.take()
    assert bucket.seconds_to_wait() == bucket.seconds_to_wait() == 0.25


@given(
    st.lists(st.floats(0, 5), min_size=1, max_size=60),
    st.integers(1, 10),
    st.floats(0.5, 50),
)
def test_no_window_ever_sees_more_calls_than_the_quota_allows(
    gaps: list[float], capacity: int, refill: float
) -> None:
    time = Time()
    bucket = OperationBucket(Quota(capacity, refill), clock=time.clock, sleep=time.sleep)
    moments = []
    for gap in gaps:
        time.now += gap
        bucket.take()
        moments.append(time.now)
    for first in range(len(moments)):
        for last in range(first, len(moments)):
            allowed = capacity + (moments[last] - moments[first]) * refill
            assert last - first + 1 <= allowed + 1e-6


def test_threads_share_one_bucket_without_overdrawing_it() -> None:
    bucket = OperationBucket(Quota(8, 200), clock=lambda: 0.0, sleep=lambda _: None)
    waits: list[float] = []
    threads = [threading.Thread(target=lambda: waits.append(bucket.take())) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [0.0] * 8 + [0.005, 0.01, 0.015, 0.02]


def test_quotas_are_those_that_aws_publishes_for_large_and_other_regions() -> None:
    assert find_quota("ListExecutions", "us-east-1") == Quota(200, 5)
    assert find_quota("ListExecutions", "sa-east-1") == Quota(100, 2)
    assert find_quota("GetExecutionHistory", "sa-east-1") == Quota(400, 20)
    assert find_quota("RedriveExecution", "eu-west-1") == Quota(1300, 300)


def test_an_operation_without_a_published_bucket_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        find_quota("NoSuchOperation", "us-east-1")


@pytest.mark.parametrize(
    "code",
    [
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    ],
)
def test_a_throttled_call_is_repeated_with_growing_pauses(code: str) -> None:
    time = Time()
    answers: Any = iter([refusal(code), refusal(code), "history"])

    def request() -> str:
        answer = next(answers)
        if isinstance(answer, ClientError):
            raise answer
        return str(answer)

    paced = pacer(time)
    assert paced.call("GetExecutionHistory", request) == "history"
    assert time.now >= 0.5 + 1.0
    assert paced.throttled == 2
    assert paced.calls == {"GetExecutionHistory": 3}


def test_backoff_never_grows_beyond_its_ceiling() -> None:
    paced = pacer(Time())
    assert [paced._draw_backoff(attempt) for attempt in (0, 1, 5, 50)] == [0.5, 1.0, 16.0, 20.0]


def test_throttling_for_minutes_ends_in_a_sentence() -> None:
    time = Time()

    def request() -> str:
        raise refusal("ThrottlingException")

    with pytest.raises(WorkflowError, match="throttled GetExecutionHistory in us-east-1") as caught:
        pacer(time, patience_s=120).call("GetExecutionHistory", request)
    assert caught.value.code == "Throttled"
    assert 120 < time.now < 160


def test_any_other_refusal_passes_unchanged_and_at_once() -> None:
    time = Time()

    def request() -> str:
        raise refusal("AccessDeniedException")

    with pytest.raises(ClientError, match="AccessDenied"):
        pacer(time).call("GetExecutionHistory", request)
    assert time.now == 0


def test_a_throttled_bucket_is_taken_to_be_empty() -> None:
    time = Time()
    bucket = OperationBucket(Quota(100, 10), clock=time.clock, sleep=time.sleep)
    bucket.drain()
    assert bucket.take() == pytest.approx(0.1)
