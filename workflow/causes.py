"""Causes: what a failed state says about itself, read out of JSON, stack traces and plain text.

A Lambda function's cause is JSON, ``{"errorMessage", "errorType", "requestId", "stackTrace"}``
(Lambda developer guide, python-exceptions); a nested execution's is its DescribeExecution answer,
whose own ``Cause`` may again be a Lambda function's. Step Functions cuts a cause at 32,768
characters, so JSON may end in the middle.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

from workflow.contract import REJECTED

Frame = tuple[str, str]
"""``(file, function)`` of a stack trace."""

_MAX_NESTING: Final = 8
_FRAME: Final = re.compile(r'File "(?P<file>[^"\n]+)", line \d+, in (?P<function>[^\s\\]+)')
_NODE_FRAME: Final = re.compile(r"at (?:async )?(?P<function>\S+) \((?P<file>[^():\n]+):\d+:\d+\)")
_TRACEBACK: Final = "Traceback (most recent call last)"
_TRACEBACK_END: Final = re.compile(
    r"^(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$", re.MULTILINE
)
_ENVIRONMENT: Final = re.compile(r"os\.environ\b|\benviron\[|/os\.py\", line \d+, in __getitem__")
"""In a stack trace: a variable of the environment is read where it is not set."""

_RETURNED: Final = "Returned payload: "
_PLATFORM: Final = re.compile(
    r"task timed out|signal: killed|exited with error|process exited|exited without providing",
    re.IGNORECASE,
)
"""What Lambda itself says in the payload of a function that has said nothing (Lambda.Unknown)."""

_CUT_FIELD: Final = r'"{name}"\s*:\s*"((?:[^"\\]|\\.)*)'
_NOT_OWN: Final = (
    "site-packages",
    "dist-packages",
    "/var/lang/",
    "/var/runtime/",
    "/opt/",
    "<frozen",
)
_KNOWN_TRACES: Final = 4_096
_TASK_ROOT: Final = "/var/task/"
_MARKER: Final = re.compile(REJECTED.replace("_", "[ _-]"), re.IGNORECASE)
_RAISED_TEXT: Final = "exceptions must derive from BaseException"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What a cause tells.

    Attributes:
        error: Type of the innermost exception, else the state's own error name.
        message: Its message, else the whole text.
        own_frame: ``(file, function)`` of the innermost frame of the function's own code, not of a
            library or the runtime; the file is relative to the function's root.
        entry_frame: Likewise the outermost: the function's handler.
        source: Source line of the innermost frame, empty when not given.
        lacks_variable: Whether the message is the name of an environment variable that is not set.
    """

    error: str
    message: str
    own_frame: Frame | None = None
    entry_frame: Frame | None = None
    source: str = ""
    lacks_variable: bool = False


def read_cause(error: str | None, cause: str | None) -> Cause:
    """Read a failure's error name and cause; nothing is refused, the least is text as it stands."""
    return _read_to_depth(error or "", cause or "", _MAX_NESTING)


def is_rejection(error: str | None, cause: str | None) -> bool:
    """Return whether a failure only says that the confidence is below the threshold.

    The workflow says so by a Fail state; the original project's functions by
    ``raise Exception("THRESHOLD_CONFIDENCE_NOT_MET")`` or by raising that text itself, which
    Python turns into a TypeError whose stack trace alone shows what was meant.
    """
    if "threshold" not in f"{error} {cause}".lower():
        return False
    read = read_cause(error, cause)
    if _MARKER.search(f"{error} {read.error} {read.message}"):
        return True
    return _RAISED_TEXT in read.message and _MARKER.search(read.source) is not None


def _read_to_depth(error: str, cause: str, depth: int) -> Cause:
    value = _decode_cause(cause)
    if not isinstance(value, dict):
        return _from_text(error, _said_by_lambda(cause) or cause)
    # Events hold the cause as an object where a Catch has parsed it already.
    inner = value.get("cause")
    if depth and isinstance(inner, dict) and "errorMessage" in inner:
        return _read_to_depth(error, json.dumps(inner), depth - 1)
    if depth and isinstance(value.get("Cause"), str):
        return _read_to_depth(str(value.get("Error") or error), value["Cause"], depth - 1)
    # startExecution.sync fails with the answer of DescribeExecution as its cause.
    if "ExecutionArn" in value and "Status" in value:
        return _from_nested_execution(error, value)
    if "errorMessage" in value or "errorType" in value:
        return _from_lambda(error, value)
    return Cause(error=error, message=json.dumps(value, sort_keys=True, ensure_ascii=False))


def _from_nested_execution(error: str, value: Mapping[str, Any]) -> Cause:
    """Return a nested execution that ended without a cause: its answer to DescribeExecution."""
    status = str(value["Status"])
    unnamed = "States.Timeout" if status == "TIMED_OUT" else error
    said = f"The nested execution has {status}."
    return Cause(error=str(value.get("Error") or unnamed), message=said)


def _said_by_lambda(cause: str) -> str | None:
    """Return what Lambda says of a function that ended without an answer, or None."""
    payload = cause.partition(_RETURNED)[2]
    value = _decode_cause(payload) if payload else None
    said = value.get("errorMessage") if isinstance(value, dict) else None
    return said if isinstance(said, str) and _PLATFORM.search(said) else None


def _decode_cause(cause: str) -> Any:  # noqa: ANN401 - JSON of any shape
    if not cause.lstrip().startswith("{"):
        return None
    try:
        return msgspec.json.decode(cause)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Step Functions cuts a cause at 32,768 characters, often inside a stack trace.
        return _fields_of_cut_json(cause)


def _fields_of_cut_json(cause: str) -> dict[str, str] | None:
    """Return the fields of a Lambda cause whose JSON ends in the middle."""
    found = {}
    for name in ("errorMessage", "errorType"):
        match = re.search(_CUT_FIELD.format(name=name), cause)
        if match:
            found[name] = _unescape_text(match[1])
    if "errorMessage" not in found:
        return None
    # The frames are found in plain text too, so the cut list need not be repaired.
    found["stackTrace"] = cause.replace('\\"', '"').replace("\\n", "\n")
    return found


def _unescape_text(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text


def _from_lambda(error: str, value: Mapping[str, Any]) -> Cause:
    message = value.get("errorMessage")
    trace = value.get("stackTrace") or value.get("trace") or ""
    text = "\n".join(map(str, trace)) if isinstance(trace, list) else str(trace)
    kind = str(value.get("errorType") or error)
    if isinstance(message, str) and _TRACEBACK in message:
        return _from_text(kind, message)
    own_frame, entry_frame, source = _read_stack(text)
    return Cause(
        error=kind,
        message=_message_text(message),
        own_frame=own_frame,
        entry_frame=entry_frame,
        source=source,
        lacks_variable=kind == "KeyError" and _ENVIRONMENT.search(text) is not None,
    )


def _message_text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _from_text(error: str, text: str) -> Cause:
    if _TRACEBACK not in text:
        return Cause(error=error, message=text)
    # The innermost exception of a chain is the first one raised: its traceback comes first.
    first = text.split(_TRACEBACK)[1]
    end = _TRACEBACK_END.search(first)
    own_frame, entry_frame, source = _read_stack(first)
    return Cause(
        error=end["type"] if end else error,
        message=(end["message"] or "") if end else text,
        own_frame=own_frame,
        entry_frame=entry_frame,
        source=source,
        lacks_variable=bool(end and end["type"] == "KeyError" and _ENVIRONMENT.search(first)),
    )


# Failures of one group have the same trace: each is read once.
@lru_cache(maxsize=_KNOWN_TRACES)
def _read_stack(text: str) -> tuple[Frame | None, Frame | None, str]:
    """Return innermost and outermost own frame, and the innermost source line."""
    source = text.rpartition('File "')[2].partition("\n")[2].strip()
    frames = [(match["file"], match["function"]) for match in _FRAME.finditer(text)]
    if not frames:
        frames = [(match["file"], match["function"]) for match in _NODE_FRAME.finditer(text)]
        # Node.js puts the innermost frame first, Python last.
        frames.reverse()
    own = [
        (file.removeprefix(_TASK_ROOT).lstrip("/"), function)
        for file, function in frames
        if not any(part in file for part in _NOT_OWN)
    ]
    if not own:
        return None, None, source
    # Libraries lie in folders beside the handler: own code shares the handler's folder.
    innermost = [frame for frame in own if _top_folder(frame[0]) == _top_folder(own[0][0])][-1]
    return innermost, own[0], source


def _top_folder(file: str) -> str:
    return file.partition("/")[0] if "/" in file else ""
