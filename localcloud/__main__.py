"""Command line: ``python -m localcloud`` serves, ``python -m localcloud env`` says how to reach it.

When ready, prints one JSON line: ``{"endpoint_url", "pid", "account", "region",
"credentials_file"}``; the same is in ``endpoint.json``. Where a local cloud already serves the
directory, prints that one's line. ``env`` prints the shell commands that point AWS clients to it.
Exits 2 with one JSON line on stderr (``code``, ``message``, ``remedy``) where it cannot.
"""

import argparse
import contextlib
import errno
import fcntl
import json
import math
import os
import queue
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from localcloud import credentials, linux_calls
from workflow.errors import WorkflowError

DEFAULT_PORT = 4577
DEFAULT_REGION = "us-east-1"
"""Of a local cloud that is told none: a machine lies in no region."""
AWS_LIKE = "SCONES_LOCALCLOUD_AWS_LIKE"
_START_SECONDS = 30.0


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop; return the exit status."""
    options = _parse_options(argv)
    os.umask(0o077)  # objects, inputs and logs are nobody else's to read
    directory = Path(options.dir).absolute()
    try:
        if options.command == "env":
            print(_export_commands(directory))
            return 0
        lock = _lock_directory(directory)
        if lock is None:
            print(json.dumps(_wait_for_other(directory)), flush=True)
            return 0
        with lock:
            _serve_directory(directory, options)
    except WorkflowError as error:
        fields = {"code": error.code, "message": error.message, "remedy": error.remedy}
        print(json.dumps(fields), file=sys.stderr, flush=True)
        return 2
    return 0


def _parse_options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud", description=__doc__)
    parser.add_argument(
        "command",
        nargs="?",
        choices=("env",),
        help="print the shell commands that point AWS clients to a local cloud that runs",
    )
    parser.add_argument("--dir", default=".localcloud", help="where its state is kept")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 for any free port")
    parser.add_argument("--region", default=DEFAULT_REGION)
    parser.add_argument("--quotas", action="store_true", help="throttle at AWS's request rates")
    parser.add_argument(
        "--lambda-concurrency",
        type=int,
        metavar="N",
        help="how many invocations may run at once before they are throttled: 1000, in new"
        " accounts 10",
    )
    parser.add_argument(
        "--aws-like",
        nargs="?",
        type=_positive_number,
        const=1.0,
        default=os.environ.get(AWS_LIKE) or None,
        metavar="SPEED",
        help="be as unkind as a new AWS account; what takes a while passes SPEED times faster than"
        f" there, 1 if not given. {AWS_LIKE} means the same",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="what --aws-like leaves to chance follows"
    )
    parser.add_argument(
        "--history-days",
        type=_positive_number,
        default=90.0,
        metavar="DAYS",
        help="how long an execution is kept after its end: 90, as on AWS",
    )
    parser.add_argument(
        "--history-megabytes",
        type=_positive_number,
        default=4096.0,
        metavar="MB",
        help="how much the histories of executions may take before the oldest go: 4096",
    )
    parser.add_argument(
        "--any-credentials",
        action="store_true",
        help="answer requests whoever signed them: any program of this machine may do everything",
    )
    return parser.parse_args(argv)


def _positive_number(text: str) -> float:
    """Read a number that is above 0, such as how many times faster time passes.

    Raises:
        ArgumentTypeError: It is not a number above 0.
    """
    with contextlib.suppress(ValueError):
        number = float(text)
        if 0 < number < math.inf:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, such as 1 or 20")


def _find_running(directory: Path) -> dict[str, Any] | None:
    """Return the line of the local cloud that serves a directory; None where none does."""
    try:
        line: dict[str, Any] = dict(json.loads((directory / "endpoint.json").read_text()))
        url = f"{line['endpoint_url']}/_localcloud/health"
        keys = credentials.read_file(Path(line["credentials_file"]))
        request = urllib.request.Request(url, headers=keys.sign_headers(url, line["region"]))  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
            health = json.loads(answer.read())
    except (OSError, ValueError, KeyError, TypeError, urllib.error.URLError):
        return None  # nobody serves it, or the file is damaged
    return line if health.get("directory") == os.fspath(directory) else None


def _export_commands(directory: Path) -> str:
    line = _find_running(directory)
    if line is None:
        raise WorkflowError(
            "CloudUnreachable",
            f"No local cloud serves the directory {directory}.",
            "Start it with `make run` or `python -m localcloud`, or give its --dir.",
        )
    return credentials.export_commands(line, credentials.read_file(Path(line["credentials_file"])))


def _serve_directory(directory: Path, options: argparse.Namespace) -> None:
    os.environ["MOTO_ALLOW_NONEXISTENT_REGION"] = "true"
    with contextlib.suppress(OSError):  # what runs here must not read the secrets of this process
        linux_calls.make_undumpable()
    # moto and the engine take a second to import: not before it is known that they are needed.
    from localcloud.aws_like.account import (  # noqa: PLC0415
        CONCURRENCY,
        Account,
        AwsLike,
        HistoryLimits,
        new_account,
    )
    from localcloud.cloud import LocalCloud  # noqa: PLC0415
    from localcloud.http import Server  # noqa: PLC0415
    from localcloud.server import Router  # noqa: PLC0415
    from localcloud.services import start_services  # noqa: PLC0415

    try:
        server = Server(options.port)
    except OSError as error:
        raise _port_error(options.port, error) from error
    if options.aws_like:
        aws_like = AwsLike(options.aws_like, options.seed)
        allows = new_account(aws_like, options.lambda_concurrency)
    else:
        concurrency = options.lambda_concurrency or CONCURRENCY
        allows = Account(quotas=options.quotas, lambda_concurrency=concurrency)
    cloud = LocalCloud(
        directory,
        region=options.region,
        endpoint_url=server.url,
        credentials=credentials.load_or_create(directory),
        allows=replace(
            allows, history=HistoryLimits(options.history_days, options.history_megabytes)
        ),
    )
    router = Router(cloud, any_credentials=options.any_credentials)
    server.app, server.gate = router, router.refuse_early
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    start_services(cloud)
    line = {
        "endpoint_url": server.url,
        "pid": os.getpid(),
        "account": cloud.account,
        "region": cloud.region,
        "credentials_file": os.fspath(directory / credentials.FILE_NAME),
    }
    try:
        (directory / "endpoint.json").write_text(json.dumps(line))
    except OSError as error:
        raise _not_writable(directory, error) from error
    cloud.store.disk.refill_ballast()
    _wait_for_signal(json.dumps(line))
    server.shutdown()
    cloud.close()
    (directory / "endpoint.json").unlink(missing_ok=True)


def _lock_directory(directory: Path) -> TextIO | None:
    """Take a directory for this process, until it ends; None where another has it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (directory / "cloud.db").exists():
            directory.chmod(0o700)  # made before there were credentials in it
        # A file of its own: SQLite locks cloud.db itself.
        lock = (directory / "lock").open("w")
    except OSError as error:
        raise _not_writable(directory, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _not_writable(directory: Path, error: OSError) -> WorkflowError:
    return WorkflowError(
        "CloudNotWritable",
        f"The local cloud cannot write to {directory}: {error}.",
        "Give another directory with --dir, or make this one writable.",
    )


def _wait_for_other(directory: Path) -> dict[str, Any]:
    """Return the line of the local cloud that has a directory, once it is ready."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        line = _find_running(directory)
        if line is not None:
            return line
        time.sleep(0.2)
    raise WorkflowError(
        "CloudBusy",
        f"Another local cloud has {directory} but does not answer.",
        "Stop that process, or give another directory with --dir.",
    )


def _wait_for_signal(ready: str) -> None:
    # A second signal may interrupt the handler of the first: a queue's put may be entered twice,
    # an event's set may not, and would wait for itself for ever.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: signals.put(received))
    print(ready, flush=True)
    signals.get()


def _port_error(port: int, error: OSError) -> WorkflowError:
    if error.errno == errno.EADDRINUSE:
        return WorkflowError(
            "PortTaken",
            f"Port {port} on 127.0.0.1 is taken by another program.",
            "Give another port with --port, or --port 0 for any that is free.",
        )
    return WorkflowError(
        "PortRefused",
        f"The local cloud cannot listen on port {port}: {error}.",
        "Give a port from 1024 to 65535 with --port.",
    )


if __name__ == "__main__":
    sys.exit(main())
