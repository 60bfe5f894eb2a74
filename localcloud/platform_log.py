"""Platform log: the lines that Lambda itself writes around an invocation, as text or JSON.

Source: Lambda developer guide, "Configuring JSON and plain text log formats" and the Telemetry
API's event schema.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_STATUS = {
    "timeout": "Status: timeout",
    "failure": "Status: error\tError Type: Runtime.ExitError",
}


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the lines say.

    Attributes:
        request_id: Its id.
        version: The function's version.
        duration_ms: How long it took, without the start of its environment.
        init_ms: How long its environment took to start; None where it was warm.
        memory_mb: The memory that the function has.
        used_mb: The most memory that its environment has used.
        status: ``success``, ``error``, ``failure`` (the runtime ended) or ``timeout``.
        reason: What ended the runtime, as the error message says it; else empty.
    """

    request_id: str
    version: str
    duration_ms: float
    init_ms: float | None
    memory_mb: int
    used_mb: int
    status: str
    reason: str


def start_line(request_id: str, version: str, *, as_json: bool) -> str:
    """Return the line before the function's own."""
    if as_json:
        return _json_line("platform.start", {"requestId": request_id, "version": version})
    return f"START RequestId: {request_id} Version: {version}\n"


def end_lines(done: Invocation, *, as_json: bool) -> str:
    """Return the lines behind the function's own."""
    if as_json:
        metrics = {
            "durationMs": round(done.duration_ms, 3),
            # Lambda bills every millisecond that has begun.
            "billedDurationMs": int(done.duration_ms) + 1,
            "memorySizeMB": done.memory_mb,
            "maxMemoryUsedMB": done.used_mb,
        }
        if done.init_ms is not None:
            metrics["initDurationMs"] = round(done.init_ms, 3)
        record = {"requestId": done.request_id, "metrics": metrics, "status": done.status}
        return _json_line("platform.report", record)
    init = "" if done.init_ms is None else f"Init Duration: {done.init_ms:.2f} ms\t"
    return (
        f"{_ending_line(done)}END RequestId: {done.request_id}\n"
        f"REPORT RequestId: {done.request_id}\tDuration: {done.duration_ms:.2f} ms\t"
        f"Billed Duration: {int(done.duration_ms) + 1} ms\tMemory Size: {done.memory_mb} MB\t"
        f"Max Memory Used: {done.used_mb} MB\t{init}{_STATUS.get(done.status, '')}\n"
    )


def _ending_line(done: Invocation) -> str:
    """Return the line that says why the runtime ended; none where it did not."""
    if done.status == "timeout":
        return f"{_current_stamp()} {done.request_id} {done.reason.partition('Error: ')[2]}\n\n"
    return f"{done.reason}\nRuntime.ExitError\n" if done.status == "failure" else ""


def _json_line(kind: str, record: Mapping[str, Any]) -> str:
    return json.dumps({"time": _current_stamp(), "type": kind, "record": record}) + "\n"


def _current_stamp() -> str:
    moment = time.time()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{seconds}.{int(moment * 1000) % 1000:03d}Z"
