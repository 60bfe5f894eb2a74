"""Environment: one execution environment of a Lambda function: a child process and its files."""

import importlib.util
import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from localcloud import platform_log
from localcloud.credentials import Credentials
from localcloud.process import ChildExited, ChildTimedOut, Process
from localcloud.runtime_logs import EVENT_NEWLINE
from localcloud.sandbox import View

RESPONSE_LIMIT = 6_291_556
_MODULE = "localcloud.worker"
_NOBODYS = Credentials("", "")
# What AWS's runtime has: boto3 with what it needs, and its marshaller's simplejson.
_LIBRARY = (
    "boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six", "simplejson",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deployed:
    """One version of a function: what an execution environment is made of.

    Attributes:
        arn: The function's ARN with its version.
        revision: Changes whenever code or configuration does; environments never mix revisions.
        code: Folder of the unpacked zip.
        configuration: The ``FunctionConfiguration`` as ``GetFunctionConfiguration`` gives it.
    """

    arn: str
    revision: str
    code: Path
    configuration: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    """Where environments live.

    Attributes:
        endpoint_url: Where the handlers' boto3 finds this cloud.
        folder: Where each gets a folder of its own.
        credentials: Of the cloud; handlers get those of their roles.
        init_seconds: How long the init phase may take; AWS gives it ten seconds of its own.
        namespaces: Whether to try for a root directory of its own (see ``sandbox``).
    """

    endpoint_url: str
    folder: Path
    credentials: Credentials = _NOBODYS
    init_seconds: float = 10.0
    namespaces: bool = True


@dataclass(slots=True)
class InvocationOutcome:
    """What an invocation gave.

    Attributes:
        payload: The result or the error object, as JSON.
        failed: Whether the payload is an error (``X-Amz-Function-Error: Unhandled``).
        log: The events that belong to this invocation, START and REPORT included.
        stream: The log stream of the environment it ran in.
        duration_ms: Its duration in milliseconds.
    """

    payload: bytes
    failed: bool
    log: list[str]
    stream: str
    duration_ms: float


class _InitFailed(Exception):  # noqa: N818 - an outcome with a name of its own
    """The handler could not be loaded; the argument is the error as JSON."""


class Environment:
    """One execution environment; used by one thread at a time.

    Args:
        deployed: What it runs.
        site: Where it lives.

    Attributes:
        deployed: What it runs.
        reusable: Whether another invocation can be given to it.
    """

    def __init__(self, deployed: Deployed, site: Site) -> None:
        self.deployed = deployed
        self.reusable = True
        self._site = site
        day = time.strftime("%Y/%m/%d", time.gmtime())
        self._stream = f"{day}/[{deployed.configuration['Version']}]{uuid.uuid4().hex}"
        self._start_process()

    def invoke(self, event: bytes, request_id: str) -> InvocationOutcome:
        """Run one invocation to its end; a timeout or an exit is an outcome, not an exception."""
        timeout = float(self.deployed.configuration["Timeout"])
        init_ms, early_log, started = None, "", time.perf_counter()
        try:
            if not self._loaded:
                init_ms = self._load_in_its_own_time()
                early_log = self._process.take_log()
                started = time.perf_counter()
            if not self._loaded:  # AWS then starts over, in the invocation's time
                self._load_handler(timeout)
            left = timeout - (time.perf_counter() - started)
            status, payload = self._run_invocation(event, request_id, left)
        except (_InitFailed, ChildExited, ChildTimedOut) as error:
            self.reusable = False
            status, payload = _describe_ending(error, request_id, timeout)
        done = platform_log.Invocation(
            request_id=request_id,
            version=self.deployed.configuration["Version"],
            duration_ms=(time.perf_counter() - started) * 1000,
            init_ms=init_ms,
            memory_mb=self.deployed.configuration["MemorySize"],
            used_mb=self._process.peak_memory_mb,
            status=status,
            reason=json.loads(payload)["errorMessage"] if status in {"failure", "timeout"} else "",
        )
        text = early_log + self._collect_log(done)
        log = [event.replace(EVENT_NEWLINE, "\n") for event in text.split("\n") if event]
        return InvocationOutcome(payload, status != "success", log, self._stream, done.duration_ms)

    def close(self) -> None:
        """End it, with its files."""
        self._process.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start_process(self) -> None:
        self._loaded = False
        self._folder = self._site.folder / uuid.uuid4().hex
        self._folder.mkdir(parents=True)
        environ = _build_environ(self.deployed, self._site, self._stream)
        self._process = Process(_MODULE, environ, self._folder)

    def _load_in_its_own_time(self) -> float | None:
        """Load the handler in the init phase; None where that was too short for it."""
        try:
            return self._load_handler(self._site.init_seconds)
        except ChildTimedOut:
            self.close()
            self._start_process()
            return None

    def _load_handler(self, seconds: float) -> float:
        """Load the handler; return how long it took, in milliseconds."""
        started = time.perf_counter()
        library = f"/var/lang/lib/{_runtime_name(self.deployed)}/site-packages"
        view = View(
            folder=os.fspath(self._folder),
            shown={"/var/task": os.fspath(self.deployed.code)}
            | {f"{library}/{name}": path for name, path in _find_library().items()},
            tmp_megabytes=self.deployed.configuration["EphemeralStorage"]["Size"],
            namespaces=self._site.namespaces,
        )
        kind, payload = self._process.exchange_frames(
            [json.dumps(asdict(view)).encode()], replies=2, timeout=seconds
        )
        if kind == b"error":
            raise _InitFailed(payload)
        self._loaded = True
        return (time.perf_counter() - started) * 1000

    def _run_invocation(self, event: bytes, request_id: str, seconds: float) -> tuple[str, bytes]:
        context = json.dumps(self._build_context(request_id, seconds)).encode()
        kind, payload = self._process.exchange_frames([context, event], replies=2, timeout=seconds)
        if len(payload) > RESPONSE_LIMIT:
            text = (
                "Response payload size exceeded maximum allowed payload size "
                f"({RESPONSE_LIMIT} bytes)."
            )
            return "error", _build_error("Function.ResponseSizeTooLarge", text)
        return "success" if kind == b"result" else "error", payload

    def _build_context(self, request_id: str, seconds: float) -> dict[str, Any]:
        configuration = self.deployed.configuration
        trace = uuid.uuid4().hex
        return {
            "seconds": seconds,
            "aws_request_id": request_id,
            "trace_id": f"Root=1-{int(time.time()):08x}-{trace[:24]};Parent={trace[16:]};Sampled=0",
            "function_name": configuration["FunctionName"],
            "function_version": configuration["Version"],
            "invoked_function_arn": self.deployed.arn,
            "memory_limit_in_mb": str(configuration["MemorySize"]),
            "log_group_name": configuration["LoggingConfig"]["LogGroup"],
            "log_stream_name": self._stream,
        }

    def _collect_log(self, done: platform_log.Invocation) -> str:
        settings = self.deployed.configuration["LoggingConfig"]
        if settings.get("SystemLogLevel") == "WARN":  # the platform's lines are of level INFO
            return self._process.take_log()
        as_json = settings["LogFormat"] == "JSON"
        start = platform_log.start_line(done.request_id, done.version, as_json=as_json)
        return start + self._process.take_log() + platform_log.end_lines(done, as_json=as_json)


def _describe_ending(error: Exception, request_id: str, timeout: float) -> tuple[str, bytes]:
    """Return (status, payload) of an invocation that ended its environment."""
    if isinstance(error, ChildTimedOut):
        text = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
        return "timeout", _build_error("Sandbox.Timedout", text)
    if isinstance(error, ChildExited):
        text = f"RequestId: {request_id} Error: {_exit_reason(error.status)}"
        return "failure", _build_error("Runtime.ExitError", text)
    return "error", bytes(error.args[0])


def _build_error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _exit_reason(status: int) -> str:
    if status < 0:
        name = signal.strsignal(-status) or f"signal {-status}"
        return f"Runtime exited with error: signal: {name.lower()}"
    if status:
        return f"Runtime exited with error: exit status {status}"
    return "Runtime exited without providing a reason"


@cache
def _find_library() -> dict[str, str]:
    """Return where the packages of AWS's runtime lie here, by the names of folders or files."""
    found = {}
    for name in _LIBRARY:
        spec = importlib.util.find_spec(name)
        assert spec is not None  # noqa: S101 - all are required
        assert spec.origin is not None  # noqa: S101 - none is a namespace
        path = Path(spec.origin)
        path = path.parent if spec.submodule_search_locations else path
        found[path.name] = os.fspath(path)
    return found


def _runtime_name(deployed: Deployed) -> str:
    return str(deployed.configuration.get("Runtime", "python3.13"))


def _build_environ(deployed: Deployed, site: Site, stream: str) -> dict[str, str]:
    configuration = deployed.configuration
    keys = site.credentials.of_role(configuration["Role"].rpartition("/")[2])
    region = deployed.arn.split(":")[3]
    logging = configuration["LoggingConfig"]
    environ = {
        "PATH": os.defpath,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "HOME": "/tmp",  # noqa: S108 - the environment's own
        "_HANDLER": configuration["Handler"],
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": site.endpoint_url,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{_runtime_name(deployed)}",
        "AWS_LAMBDA_FUNCTION_NAME": configuration["FunctionName"],
        "AWS_LAMBDA_FUNCTION_VERSION": configuration["Version"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
        "AWS_LAMBDA_LOG_GROUP_NAME": logging["LogGroup"],
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }
    if logging["LogFormat"] == "JSON":
        environ["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel", "INFO")
    environ.update(configuration.get("Environment", {}).get("Variables", {}))
    return environ
