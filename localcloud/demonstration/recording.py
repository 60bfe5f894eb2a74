"""Recording: a real execution with all that it left, and copies of it at other times. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflow.contract import inference_id

LogRow = tuple[str, str, int, str]
"""Group, stream, milliseconds since 1970, message."""

MetricRow = tuple[str, str, Mapping[str, str], float, float, str]
"""Namespace, name, dimensions, seconds since 1970, value, unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one execution left.

    Attributes:
        execution: Its record, as ``Executions`` keeps it.
        events: Its history.
        capture: The line that data capture wrote of it, None where the endpoint was not asked.
        logs: What its functions logged.
    """

    execution: dict[str, Any]
    events: list[dict[str, Any]]
    capture: bytes | None
    logs: Sequence[LogRow]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return float(self.execution["stop"] - self.execution["start"])


@dataclass(frozen=True, slots=True)
class Time:
    """When a copy takes place.

    Attributes:
        start: Seconds since 1970.
        origin: When the recorded execution started.
        pace: Factor of all durations.
    """

    start: float
    origin: float
    pace: float

    def shift_time(self, moment: float) -> float:
        """Return the time in the copy that stands for a time in the recording."""
        return round(self.start + (moment - self.origin) * self.pace, 3)


def copy_recording(
    recording: Recording, name: str, version: str, time: Time, capture_time: str
) -> Recording:
    """Return a recording as if it had taken place at another time, under another name.

    Args:
        recording: The original.
        name: Of the execution.
        version: ARN of the version of the state machine that it ran.
        time: When it took place.
        capture_time: That time as data capture writes it.
    """
    old = recording.execution
    arn = f"{old['arn'].rpartition(':')[0]}:{name}"
    renamed = {
        old["arn"]: arn,
        old["name"]: name,
        inference_id(old["arn"]): inference_id(arn),
    }
    execution = {
        **_rename_in(old, renamed),
        "version": version,
        "start": time.start,
        "stop": time.shift_time(old["stop"]),
    }
    events = [
        {**event, "timestamp": time.shift_time(event["timestamp"])}
        for event in _rename_in(recording.events, renamed)
    ]
    capture = None
    if recording.capture is not None:
        line = _rename_in(json.loads(recording.capture), renamed)
        line["eventMetadata"] |= {"eventId": inference_id(name), "inferenceTime": capture_time}
        capture = json.dumps(line, separators=(",", ":")).encode() + b"\n"
    logs = [
        (group, stream, int(time.shift_time(at / 1000) * 1000), _replace_names(message, renamed))
        for group, stream, at, message in recording.logs
    ]
    return Recording(execution=execution, events=events, capture=capture, logs=logs)


def list_metrics(
    recording: Recording, endpoint: Mapping[str, str], latency: float
) -> list[MetricRow]:
    """Return what CloudWatch counts of an execution.

    Args:
        recording: The execution.
        endpoint: Dimensions of the endpoint's metrics.
        latency: Microseconds that the model took, where it was asked.
    """
    execution = recording.execution
    machine = {"StateMachineArn": execution["machine"]}
    ended = {"SUCCEEDED": "ExecutionsSucceeded"}.get(execution["status"], "ExecutionsFailed")
    start, stop = execution["start"], execution["stop"]
    rows: list[MetricRow] = [
        ("AWS/States", "ExecutionsStarted", machine, start, 1.0, "Count"),
        ("AWS/States", ended, machine, stop, 1.0, "Count"),
        ("AWS/States", "ExecutionTime", machine, stop, recording.seconds * 1000, "Milliseconds"),
    ]
    if recording.capture is not None:
        rows += [
            ("AWS/SageMaker", "Invocations", endpoint, stop, 1.0, "Count"),
            ("AWS/SageMaker", "Invocation4XXErrors", endpoint, stop, 0.0, "Count"),
            ("AWS/SageMaker", "Invocation5XXErrors", endpoint, stop, 0.0, "Count"),
            ("AWS/SageMaker", "InvocationModelErrors", endpoint, stop, 0.0, "Count"),
            ("AWS/SageMaker", "ModelLatency", endpoint, stop, latency, "Microseconds"),
        ]
    return rows


def _rename_in(record: object, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    return json.loads(_replace_names(json.dumps(record), names))


def _replace_names(text: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return text
