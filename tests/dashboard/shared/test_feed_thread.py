"""One thread for a feed, however many pages look."""

import threading

import pytest

from dashboard.shared.feed_thread import FeedThread
from workflow.errors import WorkflowError

SECONDS = 60


class Passes:
    """Work that counts its passes, each after the rest before it has ended."""

    def __init__(self) -> None:
        self.thread = FeedThread("Sync of stones", self.run, lambda: self.alive)
        self.alive = True
        self.begun = threading.Semaphore(0)
        self.ended = threading.Event()
        self.problem: WorkflowError | None = None

    def run(self) -> None:
        self.ended.clear()
        while self.thread.goes_on():
            self.begun.release()
            if self.problem is not None:
                raise self.problem
            self.thread.rest(SECONDS)
        self.ended.set()


def test_one_thread_works_for_all_who_look_until_it_is_closed() -> None:
    passes = Passes()
    for _ in range(3):
        passes.thread.watch()
    assert passes.begun.acquire(timeout=SECONDS)

    passes.thread.wake()
    assert passes.begun.acquire(timeout=SECONDS)
    passes.thread.close()

    assert passes.ended.wait(SECONDS)
    assert not passes.begun.acquire(blocking=False)


def test_it_ends_with_its_cloud() -> None:
    passes = Passes()
    passes.thread.watch()
    assert passes.begun.acquire(timeout=SECONDS)

    passes.alive = False
    passes.thread.wake()

    assert passes.ended.wait(SECONDS)


def test_what_ended_it_is_raised_once_and_it_starts_again() -> None:
    passes = Passes()
    passes.problem = WorkflowError("AccessDenied", "You may not.", "Ask.")
    passes.thread.watch()
    assert passes.thread._job is not None
    assert passes.thread._job.wait(SECONDS)
    passes.problem = None

    with pytest.raises(WorkflowError, match="You may not"):
        passes.thread.watch()
    passes.thread.watch()
    assert passes.begun.acquire(timeout=SECONDS)
    assert passes.begun.acquire(timeout=SECONDS)
    passes.thread.close()

    assert passes.ended.wait(SECONDS)


def test_seconds_without_a_look_begin_with_the_last_one() -> None:
    passes = Passes()
    passes.thread._watched_at -= 100
    before = passes.thread.unwatched_s
    passes.thread.watch()
    passes.thread.close()

    assert before >= 100
    assert passes.thread.unwatched_s < 100
    assert passes.ended.wait(SECONDS)
