"""Runtime logs: what Lambda's Python runtime writes for ``logging`` and for errors, text or JSON.

Source: Lambda developer guide, "Configuring JSON and plain text log formats". Runs in the child.
"""

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

_USUAL_FIELDS = {*vars(logging.makeLogRecord({})), "aws_request_id"}

EVENT_NEWLINE = "\r"  # AWS's runtime, too, ends the lines within an event so

Frames = Callable[[TracebackType | None], list[str]]


class RuntimeLogs(logging.Handler):
    """The handler of the root logger.

    Args:
        frames: The lines of a traceback, as a function may see them.

    Attributes:
        request_id: The invocation under way.
    """

    def __init__(self, frames: Frames) -> None:
        super().__init__()
        self.request_id = ""
        self._frames = frames
        self._as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"

    def install(self) -> None:
        """Take the records of the root logger, at the level of the function's configuration."""
        root = logging.getLogger()
        root.addHandler(self)
        # Python's logging has neither TRACE nor FATAL.
        level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").replace("TRACE", "DEBUG")
        if level:
            root.setLevel(level.replace("FATAL", "CRITICAL"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        record.aws_request_id = self.request_id
        if self._as_json:
            text = json.dumps(self._build_fields(record), ensure_ascii=False, default=str)
        else:
            text = (
                f"[{record.levelname}]\t{_format_time(record.created)}\t{self.request_id}\t"
                f"{self.format(record)}"
            )
        _write_event(text)

    def write_failure(self, failure: dict[str, Any]) -> None:
        """Write the error with which an invocation ends."""
        if self._as_json:
            fields = {"timestamp": _format_time(time.time()), "level": "ERROR", **failure}
            _write_event(json.dumps(fields, ensure_ascii=False))
            return
        stack = "".join(failure["stackTrace"])
        _write_event(
            f"[ERROR] {failure['errorType']}: {failure['errorMessage']}\n"
            f"Traceback (most recent call last):\n{stack}"
        )

    def _build_fields(self, record: logging.LogRecord) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "timestamp": _format_time(record.created),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[0]:
            kind, error, trace = record.exc_info
            fields |= {
                "stackTrace": self._frames(trace),
                "errorType": kind.__name__,
                "errorMessage": str(error),
                "location": f"{record.pathname}:{record.funcName}:{record.lineno}",
            }
        if self.request_id:
            fields["requestId"] = self.request_id
        extra = {k: v for k, v in vars(record).items() if k not in {*_USUAL_FIELDS, *fields}}
        return fields | extra


def print_exception(frames: Frames) -> Callable[..., None]:
    """Return an ``excepthook`` that shows only the frames that a function may see."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        lines = ["Traceback (most recent call last):\n", *frames(trace)]
        sys.stderr.write("".join([*lines, *traceback.format_exception_only(kind, error)]))

    return show


def _write_event(event: str) -> None:
    """Write one event; ``EVENT_NEWLINE`` keeps its lines together."""
    sys.stderr.write(event.rstrip("\n").replace("\n", EVENT_NEWLINE) + "\n")


def _format_time(seconds: float) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{moment}.{int(seconds * 1000) % 1000:03d}Z"
