"""Jobs."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from dashboard.shared.jobs import Jobs
from workflow.errors import WorkflowError

SECONDS = 60
FAILURE = WorkflowError("Broken", "It broke.", "Mend it.")


def until(go: threading.Event) -> Callable[[object], None]:
    """Return work that waits for an event."""

    def work(_: object) -> None:
        go.wait(SECONDS)

    return work


def counted(report: Callable[[Any], None]) -> None:
    for number in range(3):
        report(number)


def test_what_a_job_reported_stays_readable_after_its_end() -> None:
    job = Jobs().start("deploy", "Deploy", counted)

    assert job.wait(SECONDS)
    assert (job.events, job.running) == ((0, 1, 2), False)
    job.raise_failure()


def test_a_job_can_be_left_and_found_again_under_way() -> None:
    jobs, go = Jobs(), threading.Event()
    started = jobs.start("deploy", "Deploy", until(go))

    found = jobs.get("deploy")

    assert found is started
    assert found.running
    go.set()
    assert found.wait(SECONDS)


def test_two_at_once_under_one_key_are_refused() -> None:
    jobs, go = Jobs(), threading.Event()
    first = jobs.start("deploy", "Deploy", until(go))

    with pytest.raises(WorkflowError, match="Deploy has been under way for") as caught:
        jobs.start("deploy", "Destroy", counted)

    assert caught.value.code == "AlreadyRunning"
    jobs.start("batch-1", "Classify", counted).wait(SECONDS)
    go.set()
    first.wait(SECONDS)
    assert jobs.start("deploy", "Destroy", counted).wait(SECONDS)


@pytest.mark.parametrize("error", [FAILURE, ZeroDivisionError("a defect")])
def test_what_ended_a_job_early_is_raised_to_whoever_looks(error: Exception) -> None:
    def work(report: Callable[[Any], None]) -> None:
        report("begun")
        raise error

    job = Jobs().start("deploy", "Deploy", work)

    assert job.wait(SECONDS)
    assert job.events == ("begun",)
    with pytest.raises(type(error)) as caught:
        job.raise_failure()
    assert caught.value is error


def test_a_job_is_found_or_started() -> None:
    jobs = Jobs()
    first = jobs.find_or_start("batch-1", "Classify", counted)

    assert jobs.find_or_start("batch-1", "Classify", counted) is first
    assert jobs.get("batch-2") is None


def test_a_job_that_has_ended_can_be_forgotten_and_one_under_way_cannot() -> None:
    jobs, go = Jobs(), threading.Event()
    job = jobs.start("deploy", "Deploy", until(go))

    jobs.forget("deploy")
    assert jobs.get("deploy") is job

    go.set()
    job.wait(SECONDS)
    jobs.forget("deploy")
    jobs.forget("never was")
    assert jobs.get("deploy") is None
