"""Logs: the lines of one execution among those of others, and what is missing named."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.aws.quotas import Pacer
from dashboard.executions.logs import LogLine, lines_about, read_logs

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
            error: Any = {"Error": {"Code": "ResourceNotFoundException", "Message": "no group"}}
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
    assert [one.text for one in lines_about(lines, "arn:mine")] == [
        "START RequestId: 1",
        "about arn:mine",
        "END RequestId: 1",
    ]
    assert lines_about(lines, "arn:nobody") == ()


def platform(kind: str, request: str) -> str:
    """A line that Lambda itself writes in JSON format."""
    return json.dumps(
        {"time": "2026-11-23T12:00:00.000Z", "type": kind, "record": {"requestId": request}}
    )


def logged(request: str, message: str) -> str:
    """A line that the logging of the function writes in JSON format."""
    return json.dumps({"timestamp": "...", "message": message, "requestId": request})


def test_lines_in_json_belong_to_the_request_id_that_they_carry() -> None:
    mine = [
        line("s", platform("platform.start", "1"), 0),
        line("s", "printed about arn:mine", 1),
        line("s", logged("1", "more"), 2),
        line("s", platform("platform.report", "1"), 3),
    ]
    others = [
        line("s", platform("platform.start", "2"), 4),
        line("s", '{"printed": "as JSON", "requestId": "of another service"}', 5),
        line("s", platform("platform.runtimeDone", "2"), 6),
    ]

    assert lines_about([*mine, *others], "arn:mine") == tuple(mine)
    assert lines_about([*mine, *others], "as JSON") == tuple(others)


def test_a_report_that_arrives_late_is_still_its_own_invocations() -> None:
    lines = [
        line("s", platform("platform.start", "1"), 0),
        line("s", logged("1", "arn:mine"), 1),
        line("s", platform("platform.start", "2"), 2),
        line("s", platform("platform.report", "1"), 3),
        line("s", logged("2", "arn:yours"), 4),
    ]

    assert [one.text for one in lines_about(lines, "arn:mine")] == [
        lines[0].text,
        lines[1].text,
        lines[3].text,
    ]


@pytest.mark.parametrize(
    "begins", ["INIT_START Runtime Version: python:3.13", '{"time":"","type":"platform.initStart"}']
)
def test_a_new_environment_in_the_same_stream_belongs_to_no_earlier_invocation(begins: str) -> None:
    lines = [
        line("s", "START RequestId: 1 Version: 4", 0),
        line("s", "arn:mine", 1),
        line("s", begins, 2),
        line("s", "printed while importing", 3),
    ]

    assert lines_about(lines, "arn:mine") == tuple(lines[:2])


def test_streams_of_the_same_name_are_kept_apart_by_their_function() -> None:
    lines = [
        LogLine("f", AT, "s", platform("platform.start", "1")),
        LogLine("g", AT, "s", platform("platform.start", "2")),
        LogLine("f", AT, "s", "arn:mine"),
    ]

    assert lines_about(lines, "arn:mine") == (lines[0], lines[2])


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(deadline=None)
@given(st.lists(st.one_of(words, words.map(json.dumps), st.just('{"record": 1}')), max_size=8))
def test_any_text_is_a_line_of_some_invocation(texts: list[str]) -> None:
    lines = [line("s", "START RequestId: 1"), *(line("s", text) for text in texts)]

    found = lines_about(lines, "START RequestId: 1")

    assert set(found) <= set(lines)
    assert lines[0] in found
