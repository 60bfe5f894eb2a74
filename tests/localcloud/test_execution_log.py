"""An execution's events in the log group of its state machine, by the level that it names."""

import json
from typing import Any

import pytest

from localcloud.states.execution_log import ExecutionLog

GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/states/m:*"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:m:one"
KINDS = ("TaskStateEntered", "TaskTimedOut", "FailStateEntered", "ExecutionAborted")


def written(level, *, group=GROUP, data=False):
    lines: list[dict[str, Any]] = []
    configuration = {
        "level": level,
        "includeExecutionData": data,
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}] if group else [],
    }

    def append(to, stream, texts):
        assert to == "/aws/states/m"
        assert stream.startswith("states/m/2023-11-14-22-13/")
        lines.extend(json.loads(text) for text in texts)

    log = ExecutionLog(configuration, append, EXECUTION, redrives=2, started=1_700_000_000)
    for number, kind in enumerate(KINDS, start=1):
        details = {"name": "Classify", "input": "{}"}
        log.write(
            {
                "timestamp": 1_700_000_000.5,
                "type": kind,
                "id": number,
                "previousEventId": number - 1,
                "details": details,
            }
        )
    return lines


@pytest.mark.parametrize(
    ("level", "kinds"),
    [("OFF", ()), ("FATAL", KINDS[3:]), ("ERROR", KINDS[1:]), ("ALL", KINDS)],
)
def test_a_level_keeps_the_events_that_aws_documents(level, kinds):
    assert tuple(line["type"] for line in written(level)) == kinds


def test_nothing_is_written_without_a_log_group():
    assert written("ALL", group="") == []


def test_an_event_is_a_line_without_its_data_unless_that_is_wanted():
    assert written("ALL")[0] == {
        "id": "1",
        "type": "TaskStateEntered",
        "details": {"name": "Classify"},
        "redrive_count": "2",
        "previous_event_id": "0",
        "event_timestamp": "1700000000500",
        "execution_arn": EXECUTION,
    }
    assert written("ALL", data=True)[0]["details"] == {"name": "Classify", "input": "{}"}
