"""Lambda's Python runtime: loads one handler and answers invocations over two pipes.

Started by ``process`` without the site module, so that neither the checkout's editable install nor
user packages are visible. Before the handler is loaded the process confines itself (``sandbox``)
and forgets the project: the handler sees ``/var/task``, boto3 with what it needs, and Python.

Protocol: in, the ``View`` of the sandbox as JSON; out, ``ready`` or ``error``, the payload. Then
for each invocation: in, context as JSON, event; out, ``result`` or ``error``, the payload. Errors
are worded as by AWS's runtime (https://github.com/aws/aws-lambda-python-runtime-interface-client).
"""

import importlib
import json
import math
import os
import sys
import time
import traceback
from collections.abc import Callable
from decimal import Decimal
from types import TracebackType
from typing import Any

import simplejson
from simplejson.raw_json import RawJSON

from localcloud import pipes, runtime_logs, sandbox

_TASK_ROOT = "/var/task"
# Python 3.12 was the first whose answers hold other characters than ASCII as they are.
_ESCAPING_RUNTIMES = {f"AWS_Lambda_python3.{minor}" for minor in range(8, 12)}
_OWN_FOLDER = os.path.dirname(__file__) + os.sep  # noqa: PTH120 - beside what frames give
_STANDARD_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120

Failure = dict[str, Any]
Reply = tuple[bytes, bytes]


class LambdaContext:
    """What a handler gets as its second argument, by the names of AWS's runtime."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._deadline: float = time.monotonic() + given.pop("seconds")
        self.aws_request_id = ""
        self.client_context = None
        self.identity = None
        self.__dict__.update(given)

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the invocation times out."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


Handler = Callable[[Any, LambdaContext], Any]


class RuntimeFault(Exception):  # noqa: N818 - what AWS's runtime calls it
    """A failure that the runtime names itself.

    Args:
        kind: The error type, such as ``Runtime.ImportModuleError``.
        message: The error message.
        stack: The lines of the stack trace.
    """

    def __init__(self, kind: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.stack = stack or []


class _Encoder(simplejson.JSONEncoder):
    """AWS's marshaller: simplejson (bytes as text, named tuples as objects), Decimal as written."""

    def __init__(self) -> None:
        ascii_only = os.environ["AWS_EXECUTION_ENV"] in _ESCAPING_RUNTIMES
        super().__init__(use_decimal=False, ensure_ascii=ascii_only, allow_nan=True)

    def default(self, o: object) -> object:
        if isinstance(o, Decimal):
            return math.nan if o.is_nan() else RawJSON(str(o))
        return super().default(o)


def load_handler(name: str) -> Handler:
    """Return the handler called ``module.function``.

    Raises:
        Fault: It cannot be found.
        Exception: Whatever the module raises while it is imported.
    """
    module, dot, function = name.rpartition(".")
    if not dot:
        text = f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        raise RuntimeFault("Runtime.MalformedHandlerName", text)
    if module.split(".")[0] in sys.builtin_module_names:
        text = f"Cannot use built-in module {module} as a handler module"
        raise RuntimeFault("Runtime.BuiltInModuleConflict", text)
    try:
        loaded = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        text = f"Unable to import module '{module}': {error}"
        raise RuntimeFault("Runtime.ImportModuleError", text) from error
    except SyntaxError as error:
        text = f"Syntax error in module '{module}': {error}"
        stack = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise RuntimeFault("Runtime.UserCodeSyntaxError", text, stack) from error
    try:
        handler: Handler = getattr(loaded, function)
    except AttributeError as error:
        text = f"Handler '{function}' missing on module '{module}'"
        raise RuntimeFault("Runtime.HandlerNotFound", text) from error
    return handler


def describe_failure(error: BaseException, request_id: str = "") -> Failure:
    """Return an exception as Lambda shows it: type, message and the frames of the function."""
    if isinstance(error, RuntimeFault):
        kind, stack = error.kind, error.stack
    else:
        kind, stack = type(error).__name__, visible_frames(error.__traceback__)
    return {
        "errorMessage": str(error),
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": stack,
    }


def visible_frames(trace: TracebackType | None) -> list[str]:
    """Return a traceback's frames from the function's code on, with their paths on AWS."""
    hidden = (_OWN_FOLDER, "<frozen ")
    frames = [f for f in traceback.extract_tb(trace) if not f.filename.startswith(hidden)]
    own = [n for n, frame in enumerate(frames) if frame.filename.startswith(f"{_TASK_ROOT}/")]
    lines = traceback.format_list(frames[own[0] :] if own else frames)
    return [line.replace(_STANDARD_LIBRARY, _library_path()) for line in lines]


def _library_path() -> str:
    """Return where Python's library lies on AWS."""
    return f"/var/lang/lib/{os.environ['AWS_EXECUTION_ENV'].removeprefix('AWS_Lambda_')}"


def run_handler(handler: Handler, event: bytes, context: LambdaContext) -> Reply | Failure:
    """Return ``result`` and its payload of one invocation, or how it failed."""
    try:
        return b"result", _marshal(handler(_unmarshal(event), context))
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is its answer
        return describe_failure(error, context.aws_request_id)


def _unmarshal(event: bytes) -> object:
    try:
        return json.loads(event)
    except ValueError as error:
        text = f"Unable to unmarshal input: {error}"
        raise RuntimeFault("Runtime.UnmarshalError", text) from error


def _marshal(result: object) -> bytes:
    if isinstance(result, bytes):
        return result
    try:
        return str(_Encoder().encode(result)).encode()
    except Exception as error:
        text = f"Unable to marshal response: {error}"
        raise RuntimeFault("Runtime.MarshalError", text) from error


def _see_only_the_function(own_paths: list[str]) -> None:
    """Make importable what AWS has: the zip, the runtime's packages, Python's own."""
    python = [path for path in sys.path if path not in own_paths]
    sys.path[:] = [_TASK_ROOT, *python, f"{_library_path()}/site-packages"]
    sys.executable = sys._base_executable  # type: ignore[attr-defined]  # noqa: SLF001 - a venv's is not seen
    sys.argv[:] = [""]
    for name in list(sys.modules):
        # The zip may bring modules of these names, which must be found first.
        if name.partition(".")[0] in {"localcloud", "simplejson"}:
            del sys.modules[name]
    importlib.invalidate_caches()
    os.chdir(_TASK_ROOT)


def main(own_paths: list[str]) -> None:
    """Load the handler, then answer until the parent closes the pipe.

    Args:
        own_paths: The entries of ``sys.path`` that a function must not see.
    """
    requests, replies = pipes.own_pipes()
    sandbox.confine_process(sandbox.View(**json.loads(pipes.read_frame(requests) or b"{}")))
    _see_only_the_function(own_paths)
    sys.excepthook = runtime_logs.print_exception(visible_frames)
    logs = runtime_logs.RuntimeLogs(visible_frames)
    logs.install()

    def reply(given: Reply | Failure) -> None:
        if isinstance(given, dict):
            logs.write_failure(given)
            given = b"error", json.dumps(given).encode()
        sys.stdout.flush()
        sys.stderr.flush()
        pipes.write_frames(replies, *given)

    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as error:  # noqa: BLE001 - an import may raise anything; it is reported
        reply(describe_failure(error))
        return
    reply((b"ready", b""))
    while (head := pipes.read_frame(requests)) is not None:
        event = pipes.read_frame(requests) or b"null"
        given = json.loads(head)
        os.environ["_X_AMZN_TRACE_ID"] = given.pop("trace_id")
        context = LambdaContext(given)
        logs.request_id = context.aws_request_id
        reply(run_handler(handler, event, context))
