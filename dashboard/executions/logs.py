"""Logs of the Lambda functions of one execution, from CloudWatch Logs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from dashboard.aws.errors import explain
from dashboard.aws.quotas import Pacer

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

BEFORE = timedelta(seconds=1)
AFTER = timedelta(seconds=10)
"""Lambda hands its lines over within seconds of the end."""

MAX_LINES = 500
_NO_GROUP = "ResourceNotFoundException"
_PLATFORM_LINE = re.compile(r"(?:START|END|REPORT) RequestId: (\S+)")
_STARTS_ENVIRONMENT = re.compile(r'INIT_START |\{.*"type": ?"platform\.initStart"')


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
class ExecutionLogs:
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
) -> ExecutionLogs:
    """Read what functions logged while an execution ran; at most ``MAX_LINES`` of each.

    Several executions may run at once, so lines of others may be among them.
    """
    lines: list[LogLine] = []
    problems: list[str] = []
    for function in functions:
        request: dict[str, Any] = {
            "logGroupName": f"/aws/lambda/{function}",
            "startTime": _epoch_milliseconds(began - BEFORE),
            "endTime": _epoch_milliseconds(ended + AFTER),
            "limit": MAX_LINES,
        }
        try:
            answer = pacer.call("FilterLogEvents", lambda: client.filter_log_events(**request))  # noqa: B023 - called before the next turn
        except (BotoCoreError, ClientError) as error:
            said = explain(error, "logs:FilterLogEvents", request["logGroupName"])
            nothing = said.code == _NO_GROUP
            problems.append(f"{function} has not logged yet." if nothing else str(said))
        else:
            lines += [_parse_line(function, event) for event in answer.get("events", [])]
    return ExecutionLogs(tuple(sorted(lines, key=lambda line: line.at)), tuple(problems))


def lines_about(lines: Iterable[LogLine], *marks: str) -> tuple[LogLine, ...]:
    """Return the lines of the invocations that mention one of the marks.

    A line belongs to the invocation whose request id it carries, as the platform's own lines and
    every line of the JSON format do. A line without one, such as what ``print`` writes, belongs to
    the invocation that its stream was at: an environment runs one at a time.

    Source: Lambda Developer Guide, "Log format" and "Telemetry API event schema".
    """
    # By stream too: two environments of a function may interleave their lines.
    runs: dict[tuple[str, str, str], list[LogLine]] = {}
    current: dict[tuple[str, str], str] = {}
    for line in lines:
        stream = (line.function, line.stream)
        if _STARTS_ENVIRONMENT.match(line.text):
            current.pop(stream, None)
        elif named := _request_id(line.text):
            current[stream] = named
        runs.setdefault((*stream, current.get(stream, "")), []).append(line)
    chosen = [
        line
        for run in runs.values()
        if any(mark in line.text for mark in marks for line in run)
        for line in run
    ]
    return tuple(sorted(chosen, key=lambda line: line.at))


def _request_id(text: str) -> str | None:
    """Return the request id that a line of either format carries.

    In JSON the platform's lines have it in ``record``, those of the function's logging beside their
    ``timestamp``. A ``requestId`` anywhere else may be that of another service.
    """
    if plain := _PLATFORM_LINE.match(text):
        return plain[1]
    try:
        line = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    if not isinstance(line, dict):
        return None
    record = line.get("record")
    if str(line.get("type")).startswith("platform.") and isinstance(record, dict):
        found = record.get("requestId")
    else:
        found = line.get("requestId") if "timestamp" in line else None
    return found if isinstance(found, str) else None


def _parse_line(function: str, event: Any) -> LogLine:  # noqa: ANN401 - a TypedDict with every key optional
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return LogLine(function, at, event["logStreamName"], event["message"].rstrip("\n"))


def _epoch_milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
