"""Logs of the Lambda functions of one execution, from CloudWatch Logs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dashboard.aws.errors import explain
from dashboard.aws.quotas import Pacer

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient
from botocore.exceptions import BotoCoreError, ClientError

BEFORE = timedelta(seconds=1)
AFTER = timedelta(seconds=10)
"""Lambda hands its lines over within seconds of the end."""

MAX_LINES = 500
_NO_GROUP = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log.

    Attributes:
        function: Name of the Lambda function.
        at: Aware, UTC.
        stream: Name of the log stream, one for each running copy of the function.
    """

    function: str
    at: datetime
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Logs:
    """The lines of a span of time, oldest first, and a sentence for each function without."""

    lines: tuple[LogLine, ...]
    problems: tuple[str, ...]


def read_logs(
    client: "CloudWatchLogsClient",
    pacer: Pacer,
    functions: Iterable[str],
    *,
    began: datetime,
    ended: datetime,
) -> Logs:
    """Read what functions logged while an execution ran; at most ``MAX_LINES`` of each.

    Several executions may run at once, so lines of others may be among them.
    """
    lines: list[LogLine] = []
    problems: list[str] = []
    for function in functions:
        request: dict[str, Any] = {
            "logGroupName": f"/aws/lambda/{function}",
            "startTime": _milliseconds(began - BEFORE),
            "endTime": _milliseconds(ended + AFTER),
            "limit": MAX_LINES,
        }
        try:
            answer = pacer.call("FilterLogEvents", lambda: client.filter_log_events(**request))  # noqa: B023 - called before the next turn
        except (BotoCoreError, ClientError) as error:
            said = explain(error, "logs:FilterLogEvents", request["logGroupName"])
            nothing = said.code == _NO_GROUP
            problems.append(f"{function} has not logged yet." if nothing else str(said))
        else:
            lines += [_line(function, event) for event in answer.get("events", [])]
    return Logs(tuple(sorted(lines, key=lambda line: line.at)), tuple(problems))


def about(lines: Iterable[LogLine], *marks: str) -> tuple[LogLine, ...]:
    """The lines of the invocations that mention one of the marks.

    An invocation is what a stream holds from one START to the next: a copy of a function does one
    thing at a time.
    """
    runs: dict[str, list[list[LogLine]]] = {}
    for line in lines:
        stream = runs.setdefault(line.stream, [[]])
        if line.text.startswith("START "):
            stream.append([])
        stream[-1].append(line)
    chosen = [
        line
        for stream in runs.values()
        for run in stream
        if any(mark in line.text for mark in marks for line in run)
        for line in run
    ]
    return tuple(sorted(chosen, key=lambda line: line.at))


def _line(function: str, event: Any) -> LogLine:  # noqa: ANN401 - a TypedDict with every key optional
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return LogLine(function, at, event["logStreamName"], event["message"].rstrip("\n"))


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
