"""Following an execution: what AWS cannot say now is asked again and is no verdict."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.aws import executions, submissions
from dashboard.aws.submissions import _Desk, _follow_execution, _retry_transient
from tests.dashboard.aws.unconnected import unconnected
from workflow.contract import ImageLocation
from workflow.errors import WorkflowError
from workflow.submissions import Batch, Classified, StoredImage, Submission

ARN = "arn:aws:states:us-east-1:123456789012:execution:m:b-0000"
NOW = datetime(2026, 11, 26, tzinfo=UTC)
OUTPUT = '{"inferences": [0.97, 0.03], "label": "bicycle", "confidence": 0.97, "threshold": 0.93}'
RUNNING: list[Mapping[str, Any]] = [{"id": 1, "type": "ExecutionStarted", "timestamp": NOW}]
ENDED: list[Mapping[str, Any]] = [
    *RUNNING,
    {
        "id": 2,
        "previousEventId": 1,
        "type": "ExecutionSucceeded",
        "timestamp": NOW,
        "executionSucceededEventDetails": {"output": OUTPUT},
    },
]
PASSING = ("500", "503", "InternalFailure", "ConnectionClosedError", "EndpointConnectionError")


class Histories:
    """Gives one answer after another, an error code or events; the last one for ever."""

    def __init__(self, *answers: str | list[Mapping[str, Any]]) -> None:
        self.answers = list(answers)

    def read_history(self, arn: str) -> list[Mapping[str, Any]]:
        assert arn == ARN
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            raise WorkflowError(answer, "It failed.", "Wait.")
        return answer


class Clock:
    """Time that passes where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(submissions, "time", clock)
    return clock


def followed(*answers: str | list[Mapping[str, Any]]) -> Submission:
    image = StoredImage("a.png", ImageLocation("b", "k"))
    batch = Batch(id="b", created_at=NOW, images=(image,))
    reader: Any = Histories(*answers)
    desk = _Desk(unconnected(), reader, batch, lambda _: None)
    return list(_follow_execution(desk, replace(Submission(image=image), execution_arn=ARN)))[-1]


@pytest.mark.parametrize("code", [*PASSING, "ExecutionDoesNotExist", "AnswerMalformed"])
def test_an_answer_that_fails_now_is_no_verdict(code: str, clock: Clock) -> None:
    found = followed(code, RUNNING, code, code, ENDED)

    assert isinstance(found.verdict, Classified)


@pytest.mark.parametrize("seed", range(60))
def test_with_a_fifth_of_the_answers_failing_every_photo_is_classified(
    seed: int, clock: Clock
) -> None:
    chance = random.Random(seed)  # noqa: S311 - draws cases, no secrets
    answers: list[str | list[Mapping[str, Any]]] = [
        chance.choice(PASSING) if chance.random() < 0.2 else RUNNING for _ in range(20)
    ]

    assert isinstance(followed(*answers, ENDED).verdict, Classified)


def test_what_does_not_pass_ends_the_following_at_once(clock: Clock) -> None:
    with pytest.raises(WorkflowError, match="It failed") as caught:
        followed(RUNNING, "AccessDeniedException")

    assert caught.value.code == "AccessDeniedException"
    assert clock.now < 1


@pytest.mark.parametrize(
    ("code", "longest"),
    [
        ("500", submissions.PATIENCE_SECONDS),
        ("ExecutionDoesNotExist", executions.VISIBLE_SECONDS),
    ],
)
def test_patience_ends(code: str, longest: float, clock: Clock) -> None:
    with pytest.raises(WorkflowError) as caught:
        followed(code)

    assert caught.value.code == code
    assert longest <= clock.now < longest + 5


def test_an_unknown_error_is_not_repeated(clock: Clock) -> None:
    with pytest.raises(WorkflowError):
        followed("Weird", ENDED)


def failing(times: int, code: str) -> tuple[list[None], Callable[[], str]]:
    tried: list[None] = []

    def ask() -> str:
        tried.append(None)
        if len(tried) <= times:
            raise WorkflowError(code, "It failed.", "Wait.")
        return "done"

    return tried, ask


def test_what_is_done_once_for_an_image_is_tried_again(clock: Clock) -> None:
    tried, ask = failing(2, "500")

    assert _retry_transient(ask) == "done"
    assert len(tried) == 3


def test_what_is_refused_is_not_tried_again(clock: Clock) -> None:
    tried, ask = failing(1, "AccessDenied")

    with pytest.raises(WorkflowError):
        _retry_transient(ask)
    assert len(tried) == 1
