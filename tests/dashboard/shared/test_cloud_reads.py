"""Reads in the background: a page waits as long as a person would, and shows what is known."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from dashboard.shared import cloud_reads
from dashboard.shared.cloud_reads import STILL_WAITING, CloudRead, CloudReads, limit_waits
from workflow.errors import WorkflowError

REFUSED = WorkflowError("NoSuchBucket", "It is not there.", "Deploy it.")
UNREACHABLE = WorkflowError("ReadTimeoutError", "No answer.", "Wait.")


@pytest.fixture(autouse=True)
def patience(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_reads, "PATIENCE_S", 0.05)


class Service:
    """A service that answers when it is let, with what it is told to."""

    def __init__(self) -> None:
        self.answer: str | WorkflowError = "first"
        self.calls = 0
        self.open = threading.Event()
        self.open.set()

    def __call__(self) -> str:
        self.calls += 1
        self.open.wait(60)
        if isinstance(self.answer, WorkflowError):
            raise self.answer
        return self.answer


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.open.set()


def get(reads: CloudReads, service: Callable[[], str], key: str = "key", **how: float) -> str:
    return reads.get("s3", key, "the notes", service, **how)


def eventually(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_sessions_share_an_answer_while_it_is_fresh(service: Service) -> None:
    reads = CloudReads()

    assert [get(reads, service), get(reads, service)] == ["first", "first"]
    assert service.calls == 1

    service.answer = "second"
    assert get(reads, service, fresh_s=0) == "second"


def test_sessions_that_ask_at_once_share_one_read(service: Service) -> None:
    reads, answers = CloudReads(), list[str]()
    service.open.clear()
    sessions = [
        threading.Thread(target=lambda: answers.append(get(reads, service))) for _ in range(5)
    ]
    for session in sessions:
        session.start()
    service.open.set()
    for session in sessions:
        session.join(60)

    assert (answers, service.calls) == (["first"] * 5, 1)


def test_a_page_says_what_it_waits_for_and_has_it_later(service: Service) -> None:
    reads = CloudReads()
    service.open.clear()

    with limit_waits() as late, pytest.raises(WorkflowError) as raised:
        get(reads, service)

    assert raised.value.code == STILL_WAITING
    assert "the notes" in raised.value.message
    (read,) = late
    assert (read.title, read.as_of, read.running) == ("the notes", None, True)

    service.open.set()
    eventually(lambda: not read.running)
    with limit_waits() as late:
        assert get(reads, service) == "first"
    assert not late
    assert service.calls == 1


def test_what_was_known_is_shown_while_something_newer_is_awaited(service: Service) -> None:
    reads = CloudReads()
    get(reads, service)
    service.open.clear()

    with limit_waits() as late:
        assert get(reads, service, fresh_s=0) == "first"

    (read,) = late
    assert read.as_of is not None
    assert read.as_of < read.since


def test_a_thread_that_no_reader_waits_for_waits_to_the_end(service: Service) -> None:
    service.open.clear()
    threading.Timer(0.3, service.open.set).start()

    assert get(CloudReads(), service) == "first"


def test_blocks_within_a_page_share_what_is_late(service: Service) -> None:
    service.open.clear()

    with limit_waits() as late, limit_waits() as inner, pytest.raises(WorkflowError):
        get(CloudReads(), service)

    assert inner is late


@pytest.mark.parametrize("reads_of_it", [3, 30])
def test_a_service_that_hangs_is_waited_for_once(
    service: Service, monkeypatch: pytest.MonkeyPatch, reads_of_it: int
) -> None:
    monkeypatch.setattr(cloud_reads, "PATIENCE_S", 0.5)
    monkeypatch.setattr(cloud_reads, "_HURRY_S", 0.0)
    reads = CloudReads()
    service.open.clear()
    began = time.monotonic()

    with limit_waits() as late:
        for number in range(reads_of_it):
            with pytest.raises(WorkflowError):
                get(reads, service, f"key {number}")

    assert len(late) == reads_of_it
    assert time.monotonic() - began < 0.5 * reads_of_it


def test_a_service_that_hangs_does_not_hold_up_another(service: Service) -> None:
    reads = CloudReads()
    service.open.clear()
    with limit_waits():
        for number in range(20):
            with pytest.raises(WorkflowError):
                get(reads, service, f"key {number}")

    assert reads.get("sns", "key", "the topic", lambda: "answered") == "answered"


def test_what_is_refused_is_said_and_asked_again_a_little_later(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = CloudReads()
    service.answer = REFUSED
    for _ in range(2):
        with pytest.raises(WorkflowError) as raised:
            get(reads, service)
        assert raised.value is REFUSED
    assert service.calls == 1

    monkeypatch.setattr(cloud_reads, "_FAILED_S", 0.0)
    service.answer = "second"
    assert get(reads, service) == "second"


def test_an_answer_of_aws_takes_the_place_of_what_was_known(service: Service) -> None:
    reads = CloudReads()
    get(reads, service)
    service.answer = REFUSED

    with limit_waits() as late, pytest.raises(WorkflowError) as raised:
        get(reads, service, fresh_s=0)

    assert raised.value is REFUSED
    assert late == []  # the page is told by the error itself


def test_what_was_known_stays_while_the_service_cannot_be_reached(service: Service) -> None:
    reads = CloudReads()
    get(reads, service)
    service.answer = UNREACHABLE

    with limit_waits() as late:
        assert get(reads, service, fresh_s=0) == "first"

    (read,) = late
    assert read.problem is UNREACHABLE
    assert not read.running


def test_the_last_refusal_is_said_while_another_try_hangs(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud_reads, "_FAILED_S", 0.0)
    reads = CloudReads()
    service.answer = UNREACHABLE
    with pytest.raises(WorkflowError):
        get(reads, service)
    service.open.clear()

    with limit_waits(), pytest.raises(WorkflowError) as raised:
        get(reads, service)

    assert raised.value is UNREACHABLE


def test_a_defect_is_raised_where_it_was_asked_for() -> None:
    def broken() -> str:
        raise KeyError("defect")

    with pytest.raises(KeyError):
        get(CloudReads(), broken)


def test_what_has_expired_is_read_again_and_shown_until_then(service: Service) -> None:
    reads = CloudReads()
    get(reads, service)
    reads.expire("s3")
    service.open.clear()
    with limit_waits():
        assert get(reads, service) == "first"

    service.answer = "second"
    service.open.set()

    assert get(reads, service) == "second"


def test_what_is_forgotten_is_not_shown_again(service: Service) -> None:
    reads = CloudReads()
    get(reads, service)
    reads.forget("s3", "key")
    service.open.clear()

    with limit_waits(), pytest.raises(WorkflowError):
        get(reads, service)


def test_the_least_recently_used_goes_first() -> None:
    reads, calls = CloudReads(kept=2), list[str]()

    def ask(key: str) -> None:
        reads.get("s3", key, key, lambda: calls.append(key))

    for key in ("a", "b", "a", "c", "a", "b"):
        ask(key)

    assert calls == ["a", "b", "c", "b"]


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "RequestTimeTooSkewed"])
def test_what_was_known_stays_while_credentials_are_not_accepted(
    service: Service, code: str
) -> None:
    reads = CloudReads()
    get(reads, service)
    service.answer = WorkflowError(code, "You may not.", "Ask for it.")

    with limit_waits() as late:
        assert get(reads, service, fresh_s=0) == "first"

    (read,) = late
    assert read.problem is service.answer


def test_a_page_waits_for_two_services_that_hang_and_hurries_with_the_rest(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud_reads, "PATIENCE_S", 0.5)
    monkeypatch.setattr(cloud_reads, "_HURRY_S", 0.0)
    reads, waits = CloudReads(), list[float | None]()
    wait = CloudRead.wait

    def watched(self: CloudRead, patience_s: float | None) -> bool:
        waits.append(patience_s)
        return wait(self, patience_s)

    monkeypatch.setattr(CloudRead, "wait", watched)
    service.open.clear()

    with limit_waits():
        for name in ("s3", "sns", "sqs", "states"):
            with pytest.raises(WorkflowError):
                reads.get(name, "key", "something", service)

    assert waits == [0.5, 0.5, 0.0, 0.0]
