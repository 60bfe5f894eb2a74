"""Logs: the lines of one execution among those of others, and what is missing named."""

from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from dashboard.aws.logs import LogLine, about, read_logs
from dashboard.aws.quotas import Pacer

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


class FakeLogs:
    """Answers FilterLogEvents like CloudWatch Logs."""

    def __init__(self, events: dict[str, list[tuple[float, str, str]]]) -> None:
        self.events = events
        self.asked: list[dict[str, Any]] = []

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        name = request["logGroupName"]
        if name not in self.events:
            error = {"Error": {"Code": "ResourceNotFoundException", "Message": "no group"}}
            raise ClientError(error, "FilterLogEvents")
        milliseconds = AT.timestamp() * 1000
        return {
            "events": [
                {"timestamp": int(milliseconds + ms), "logStreamName": stream, "message": text}
                for ms, stream, text in self.events[name]
            ]
        }


def line(stream: str, text: str, ms: int = 0) -> LogLine:
    return LogLine("f", AT + timedelta(milliseconds=ms), stream, text)


def test_lines_of_all_functions_come_in_the_order_of_time() -> None:
    fake = FakeLogs(
        {"/aws/lambda/a": [(20, "s", "second\n")], "/aws/lambda/b": [(5, "s", "first")]}
    )
    found = read_logs(
        fake,  # type: ignore[arg-type]
        Pacer("us-east-1"),
        ("a", "b"),
        began=AT,
        ended=AT + timedelta(seconds=1),
    )
    assert [(one.function, one.text) for one in found.lines] == [("b", "first"), ("a", "second")]
    asked = fake.asked[0]
    assert asked["endTime"] - asked["startTime"] == 12_000


def test_a_function_that_never_ran_is_named_and_hides_nothing() -> None:
    fake = FakeLogs({"/aws/lambda/a": [(0, "s", "here")]})
    found = read_logs(
        fake,  # type: ignore[arg-type]
        Pacer("us-east-1"),
        ("gone", "a"),
        began=AT,
        ended=AT,
    )
    assert found.problems == ("gone has not logged yet.",)
    assert [one.text for one in found.lines] == ["here"]


def test_only_invocations_that_mention_the_execution_are_its_own() -> None:
    lines = [
        line("one", "START RequestId: 1", 0),
        line("one", "about arn:mine", 1),
        line("other", "START RequestId: 2", 2),
        line("other", "about arn:yours", 3),
        line("one", "END RequestId: 1", 4),
        line("one", "START RequestId: 3", 5),
        line("one", "about arn:yours", 6),
    ]
    assert [one.text for one in about(lines, "arn:mine")] == [
        "START RequestId: 1",
        "about arn:mine",
        "END RequestId: 1",
    ]
    assert about(lines, "arn:nobody") == ()
