"""A copy of a recorded execution is the execution, at another time and under another name."""

import json

from localcloud.demonstration.recording import Recording, Time, copy_recording, list_metrics
from workflow.contract import inference_id

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:vans"
ARN = "arn:aws:states:us-east-1:123456789012:execution:vans:recording-1"


def recorded() -> Recording:
    capture = {
        "captureData": {},
        "eventMetadata": {
            "eventId": "e",
            "inferenceId": inference_id(ARN),
            "inferenceTime": "2026-11-26T10:00:00Z",
        },
    }
    execution = {
        "arn": ARN,
        "name": "recording-1",
        "machine": MACHINE,
        "version": f"{MACHINE}:1",
        "status": "SUCCEEDED",
        "start": 1000.0,
        "stop": 1002.0,
        "body": {"output": json.dumps({"execution_arn": ARN})},
    }
    event = {"id": 2, "timestamp": 1001.0, "stateEnteredEventDetails": {"input": f'"{ARN}"'}}
    return Recording(
        execution=execution,
        events=[event],
        capture=json.dumps(capture).encode(),
        logs=[("group", "stream", 1_001_500, f'{{"execution": "{ARN}"}}')],
    )


def copy() -> Recording:
    time = Time(start=500.0, origin=1000.0, pace=0.5)
    return copy_recording(
        recorded(), "demonstration-1", f"{MACHINE}:3", time, "1970-01-01T00:08:20Z"
    )


def test_nothing_of_a_copy_names_the_original() -> None:
    found = copy()

    text = json.dumps([found.execution, found.events, found.logs]) + str(found.capture)
    assert "recording-1" not in text
    assert inference_id(ARN) not in text
    assert found.execution["arn"].endswith(":execution:vans:demonstration-1")
    assert found.execution["version"] == f"{MACHINE}:3"


def test_its_times_keep_their_distances_at_its_pace() -> None:
    found = copy()

    assert (found.execution["start"], found.execution["stop"]) == (500.0, 501.0)
    assert found.events[0]["timestamp"] == 500.5
    assert found.logs[0][2] == 500_750
    assert found.seconds == 1.0


def test_its_capture_joins_on_its_own_inference_id() -> None:
    found = copy()

    assert found.capture is not None
    metadata = json.loads(found.capture)["eventMetadata"]
    assert metadata["inferenceId"] == inference_id(found.execution["arn"])
    assert metadata["inferenceTime"] == "1970-01-01T00:08:20Z"
    assert metadata["eventId"] != "e"


def test_cloudwatch_counts_what_the_execution_did() -> None:
    names = [row[1] for row in list_metrics(copy(), {"EndpointName": "vans"}, 3000.0)]

    assert names[:3] == ["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionTime"]
    assert "Invocations" in names
