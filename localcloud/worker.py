"""Lambda's Python runtime: loads one handler and answers invocations over two pipes.

Started by ``pool`` as ``python -I -S worker.py``: no site module, so that neither the checkout's
editable install nor user packages are visible. Only the unpacked zip, then the library folder
named in ``LOCALCLOUD_LIBRARY`` (for boto3, which AWS's runtime brings too) are on ``sys.path``.
This file runs by itself and imports nothing of the project.

Protocol: frames of 4 bytes length (big endian) and content. In: context as JSON, event. Out:
``result`` or ``error``, then the payload. The handler's prints go to the log pipe (stderr).
"""

import importlib
import json
import logging
import os
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

_TASK_ROOT = "/var/task"


class Context:
    """What a handler gets as its second argument, by the names of AWS's runtime."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._deadline: float = given.pop("deadline")
        self.aws_request_id = ""
        self.client_context = None
        self.identity = None
        self.__dict__.update(given)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out."""
        return max(0, int((self._deadline - time.time()) * 1000))


class _Logs(logging.Handler):
    """The root handler of AWS's runtime: level, time, request id, message."""

    request_id = ""

    def emit(self, record: logging.LogRecord) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = self.format(record)
        line = f"[{record.levelname}]\t{stamp}.{int(record.msecs):03d}Z\t{self.request_id}\t{text}"
        sys.stderr.write(line + "\n")


Handler = Callable[[Any, Context], Any]
Failure = dict[str, Any]


def load(name: str) -> Handler:
    """The handler called ``module.function``.

    Raises:
        Exception: Whatever the module raises while it is imported.
    """
    module, _, function = name.rpartition(".")
    loaded: Handler = getattr(importlib.import_module(module.replace("/", ".")), function)
    return loaded


def init_failure(name: str, error: BaseException) -> Failure:
    """The answer of a function whose handler cannot be loaded, as AWS words it."""
    module, _, function = name.rpartition(".")
    if isinstance(error, SyntaxError):
        text = f"Syntax error in module '{module}': {error}"
        return _failure("Runtime.UserCodeSyntaxError", text)
    if isinstance(error, ImportError):
        text = f"Unable to import module '{module}': {error}"
        return _failure("Runtime.ImportModuleError", text)
    if isinstance(error, AttributeError) and f"'{function}'" in str(error):
        text = f"Handler '{function}' missing on module '{module}'"
        return _failure("Runtime.HandlerNotFound", text)
    return handler_failure(error, "", skip=0)


def handler_failure(error: BaseException, request_id: str, skip: int = 1) -> Failure:
    """An exception as Lambda shows it: type, message and the frames of the function's own code."""
    frames = traceback.extract_tb(error.__traceback__)[skip:]
    if request_id == "":
        frames = [frame for frame in frames if "importlib" not in frame.filename][1:]
    root = os.environ["LAMBDA_TASK_ROOT"]
    stack = [line.replace(root, _TASK_ROOT) for line in traceback.format_list(frames)]
    return _failure(type(error).__name__, str(error), request_id, stack)


def _failure(
    kind: str, message: str, request_id: str = "", stack: list[str] | None = None
) -> Failure:
    return {
        "errorMessage": message,
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": stack or [],
    }


def answer(handler: Handler, event: bytes, context: Context) -> tuple[bytes, bytes]:
    """(``result`` or ``error``, payload) of one invocation."""
    try:
        result = handler(json.loads(event), context)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is its answer
        return _refuse(handler_failure(error, context.aws_request_id))
    try:
        return b"result", json.dumps(result).encode()
    except (TypeError, ValueError) as error:
        text = f"Unable to marshal response: {error}"
        return _refuse(_failure("Runtime.MarshalError", text, context.aws_request_id))


def _refuse(failure: Failure) -> tuple[bytes, bytes]:
    sys.stderr.write(f"[ERROR] {failure['errorType']}: {failure['errorMessage']}\n")
    if failure["stackTrace"]:
        sys.stderr.write("Traceback (most recent call last):\n" + "".join(failure["stackTrace"]))
    return b"error", json.dumps(failure).encode()


def _read(pipe: BinaryIO) -> bytes | None:
    head = pipe.read(4)
    if len(head) < 4:  # noqa: PLR2004 - the length of the length
        return None
    return pipe.read(struct.unpack(">I", head)[0])


def _write(pipe: BinaryIO, *frames: bytes) -> None:
    pipe.write(b"".join(struct.pack(">I", len(frame)) + frame for frame in frames))
    pipe.flush()


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take the protocol's pipes off stdin and stdout, so that prints land in the log."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


def main() -> None:
    """Load the handler, then answer until the parent closes the pipe."""
    requests, replies = _own_pipes()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.path[:] = [path for path in sys.path if path != os.path.dirname(__file__)]  # noqa: PTH120
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    sys.path.append(os.environ.pop("LOCALCLOUD_LIBRARY"))
    logs = _Logs()
    logging.getLogger().addHandler(logs)
    handler, failure = None, None
    try:
        handler = load(os.environ["_HANDLER"])
    except Exception as error:  # noqa: BLE001 - an import may raise anything; it is reported
        failure = init_failure(os.environ["_HANDLER"], error)
    while (head := _read(requests)) is not None:
        event = _read(requests) or b"null"
        context = Context(json.loads(head))
        logs.request_id = context.aws_request_id
        if handler is None:
            kind, payload = _refuse(dict(failure or {}))
        else:
            kind, payload = answer(handler, event, context)
        sys.stdout.flush()
        sys.stderr.flush()
        _write(replies, kind, payload)


if __name__ == "__main__":
    main()
