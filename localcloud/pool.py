"""Pool: warm Lambda execution environments, capped, one invocation at a time in each."""

import json
import os
import sys
import sysconfig
import threading
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.permissions import access_key
from localcloud.process import ChildExited, ChildTimedOut, Process

_WORKER = Path(__file__).with_name("worker.py")
_INIT_SECONDS = 10.0  # AWS gives the init phase ten seconds of its own
RESPONSE_LIMIT = 6_291_556


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


@dataclass(slots=True)
class Outcome:
    """What an invocation gave.

    Attributes:
        payload: The result or the error object, as JSON.
        failed: Whether the payload is an error (``X-Amz-Function-Error: Unhandled``).
        log: The lines that belong to this invocation, START and REPORT included.
        stream: The log stream of the environment it ran in.
        duration_ms: Its duration in milliseconds.
    """

    payload: bytes
    failed: bool
    log: str
    stream: str
    duration_ms: float


@dataclass(eq=False, slots=True)
class _Environment:
    deployed: Deployed
    process: Process
    stream: str
    fresh: bool = True


class Pool:
    """Runs invocations in warm child processes.

    A further invocation waits for an environment of its function rather than start one more: a
    start costs as much as dozens of warm invocations.

    Args:
        endpoint_url: Where the handlers' boto3 finds this cloud.
        each: How many environments a revision of a function may have at once.
        limit: How many environments may live at once.
    """

    def __init__(self, endpoint_url: str, *, each: int = 4, limit: int = 12) -> None:
        self._endpoint_url = endpoint_url
        self._each = each
        self._limit = limit
        self._idle: list[_Environment] = []
        self._living: Counter[str] = Counter()
        self._changed = threading.Condition()

    def invoke(self, deployed: Deployed, event: bytes, request_id: str) -> Outcome:
        """Run one invocation to its end; a timeout or an exit is an outcome, not an exception."""
        environment = self._acquire(deployed)
        reusable = False
        started = time.perf_counter()
        try:
            payload, failed, reusable = _run(environment, event, request_id)
            duration_ms = (time.perf_counter() - started) * 1000
            log = _report(environment, request_id, duration_ms, payload, failed=failed)
        finally:
            self._release(environment, reusable=reusable)
        return Outcome(payload, failed, log, environment.stream, duration_ms)

    def retire(self, revision: str) -> None:
        """End the idle environments of a revision that is no longer in use."""
        with self._changed:
            doomed = [e for e in self._idle if e.deployed.revision == revision]
            self._idle = [e for e in self._idle if e not in doomed]
            self._living[revision] -= len(doomed)
            self._changed.notify_all()
        for environment in doomed:
            environment.process.close()

    def close(self) -> None:
        """End every idle environment."""
        with self._changed:
            doomed, self._idle = self._idle, []
        for environment in doomed:
            environment.process.close()

    def _acquire(self, deployed: Deployed) -> _Environment:
        revision = deployed.revision
        evicted: _Environment | None = None
        with self._changed:
            while True:
                for environment in reversed(self._idle):
                    if environment.deployed.revision == revision:
                        self._idle.remove(environment)
                        return environment
                if self._living[revision] < self._each:
                    if self._living.total() < self._limit:
                        break
                    if self._idle:
                        evicted = self._idle.pop(0)
                        self._living[evicted.deployed.revision] -= 1
                        break
                self._changed.wait()
            self._living[revision] += 1
        if evicted is not None:
            evicted.process.close()
        try:
            return self._start(deployed)
        except BaseException:
            self._forget(revision)
            raise

    def _release(self, environment: _Environment, *, reusable: bool) -> None:
        environment.fresh = False
        if not reusable:
            environment.process.close()
            self._forget(environment.deployed.revision)
            return
        with self._changed:
            self._idle.append(environment)
            self._changed.notify_all()

    def _forget(self, revision: str) -> None:
        with self._changed:
            self._living[revision] -= 1
            self._changed.notify_all()

    def _start(self, deployed: Deployed) -> _Environment:
        version = deployed.configuration["Version"]
        stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{version}]{uuid.uuid4().hex}"
        environ = _environ(deployed, self._endpoint_url, stream)
        return _Environment(deployed, Process(_WORKER, environ, deployed.code), stream)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a function's zip once; gives the folder.

    Raises:
        zipfile.BadZipFile: It is not a zip.
    """
    if not folder.exists():
        temporary = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.part")
        with zipfile.ZipFile(archive) as code:
            code.extractall(temporary)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    return folder


def _run(environment: _Environment, event: bytes, request_id: str) -> tuple[bytes, bool, bool]:
    """(payload, failed, whether the environment can be used again)."""
    configuration = environment.deployed.configuration
    timeout = float(configuration["Timeout"])
    context = _context(environment, request_id, time.time() + timeout)
    extra = _INIT_SECONDS if environment.fresh else 0.0
    try:
        kind, payload = environment.process.ask(
            [json.dumps(context).encode(), event], replies=2, timeout=timeout + extra
        )
    except ChildTimedOut:
        text = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
        return _error("Sandbox.Timedout", text), True, False
    except ChildExited as exited:
        text = f"RequestId: {request_id} Error: {_exit_reason(exited.status)}"
        return _error("Runtime.ExitError", text), True, False
    if len(payload) > RESPONSE_LIMIT:
        text = (
            f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
        )
        return _error("Function.ResponseSizeTooLarge", text), True, True
    return payload, kind == b"error", True


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _exit_reason(status: int) -> str:
    if status < 0:
        return "Runtime exited with error: signal: killed"
    if status:
        return f"Runtime exited with error: exit status {status}"
    return "Runtime exited without providing a reason"


def _report(
    environment: _Environment, request_id: str, duration_ms: float, payload: bytes, *, failed: bool
) -> str:
    configuration = environment.deployed.configuration
    lines = f"START RequestId: {request_id} Version: {configuration['Version']}\n"
    lines += environment.process.take_log()
    if failed and not environment.process.alive:
        lines += f"{json.loads(payload)['errorMessage'].removeprefix('RequestId: ')}\n"
    size = configuration["MemorySize"]
    return lines + (
        f"END RequestId: {request_id}\n"
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {int(duration_ms) + 1} ms\tMemory Size: {size} MB\t"
        f"Max Memory Used: {environment.process.peak_memory_mb} MB\n"
    )


def _context(environment: _Environment, request_id: str, deadline: float) -> dict[str, Any]:
    configuration = environment.deployed.configuration
    return {
        "deadline": deadline,
        "aws_request_id": request_id,
        "function_name": configuration["FunctionName"],
        "function_version": configuration["Version"],
        "invoked_function_arn": environment.deployed.arn,
        "memory_limit_in_mb": str(configuration["MemorySize"]),
        "log_group_name": f"/aws/lambda/{configuration['FunctionName']}",
        "log_stream_name": environment.stream,
    }


def _environ(deployed: Deployed, endpoint_url: str, stream: str) -> dict[str, str]:
    configuration = deployed.configuration
    region = deployed.arn.split(":")[3]
    return {
        "PATH": os.defpath,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": configuration["Handler"],
        "LAMBDA_TASK_ROOT": os.fspath(deployed.code),
        "LOCALCLOUD_LIBRARY": sysconfig.get_paths()["purelib"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": access_key(configuration["Role"]),
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
        "AWS_LAMBDA_FUNCTION_NAME": configuration["FunctionName"],
        "AWS_LAMBDA_FUNCTION_VERSION": configuration["Version"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{configuration['FunctionName']}",
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        **configuration.get("Environment", {}).get("Variables", {}),
    }
