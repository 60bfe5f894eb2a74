"""Replaying console exports: the same history is found to be the same, another one is named."""

import json

from benchmarks.replay import main, row_of

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:m"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
DEFINITION = {
    "StartAt": "Ask",
    "States": {
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": FUNCTION, "Payload.$": "$"},
            "OutputPath": "$.Payload",
            "End": True,
        }
    },
}
TASK = {"resourceType": "lambda", "resource": "invoke"}
ENTERED = {"stateEnteredEventDetails": {"name": "Ask", "input": '{"a":1}'}}


def failing(first, previous):
    """The events of an attempt that fails, from its schedule on."""
    told = {"error": "ClientError", "cause": '{"errorMessage":"no"}'}
    return [
        (first, previous, "TaskScheduled", {"taskScheduledEventDetails": TASK}),
        (first + 1, first, "TaskStarted", {"taskStartedEventDetails": TASK}),
        (first + 2, first + 1, "TaskFailed", {"taskFailedEventDetails": {**TASK, **told}}),
        (first + 3, first + 2, "ExecutionFailed", {"executionFailedEventDetails": told}),
    ]


EVENTS = [
    (1, 0, "ExecutionStarted", {"executionStartedEventDetails": {"input": '{"a": 1}'}}),
    (2, 0, "TaskStateEntered", ENTERED),
    *failing(3, 2),
    (7, 6, "ExecutionRedriven", {"executionRedrivenEventDetails": {"redriveCount": 1}}),
    *failing(8, 2),
]


def export(path, events):
    arn = MACHINE.replace("stateMachine", "execution") + ":e"
    moment = "2026-11-26T10:00:00.000Z"
    record = {"executionArn": arn, "stateMachineArn": MACHINE, "name": "e", "status": "FAILED",
              "startDate": moment, "stopDate": moment}  # fmt: skip
    history = {
        str(number): {"id": number, "previousEventId": previous, "type": kind,
                      "timestamp": moment, **details}
        for number, previous, kind, details in events
    }  # fmt: skip
    machine = {"definition": json.dumps(DEFINITION), "stateMachineArn": MACHINE}
    path.write_text(
        json.dumps({"execution": record, "historyHash": history, "stateMachine": machine})
    )
    return path


def test_a_redriven_execution_is_replayed_event_by_event(tmp_path):
    row = row_of(export(tmp_path / "export.json", EVENTS), "export.json")

    assert row is not None
    assert (row.kind, row.differs, row.events) == ("export", "", 11)


def test_what_differs_first_is_named(tmp_path):
    entered = {"stateEnteredEventDetails": {"name": "Ask", "input": '{"a":2}'}}
    other = [EVENTS[0], (2, 0, "TaskStateEntered", entered), *EVENTS[2:]]

    row = row_of(export(tmp_path / "export.json", other), "export.json")

    assert row is not None
    assert row.differs == 'event 2 TaskStateEntered: input is {"a":1}, not {"a":2}'


def test_a_folder_is_gone_through_and_what_is_refused_is_said(tmp_path, capsys):
    export(tmp_path / "export.json", EVENTS)
    (tmp_path / "good.asl.json").write_text(json.dumps(DEFINITION))
    (tmp_path / "bad.json").write_text('{"StartAt": "A", "States": {}}')
    (tmp_path / "other.json").write_text('{"unrelated": true}')
    (tmp_path / "broken.json").write_text("{")

    assert main([str(tmp_path)]) == 1

    told = capsys.readouterr().out
    assert "bad.json: refused: " in told
    assert "exports: 1 of 1 as on AWS\ndefinitions: 1 of 2 as on AWS" in told
    assert "other.json" not in told
    assert main([]) == 2
