"""Executions in the local cloud: latency cold and warm, and executions a second, beside the floor.

Run: ``python -m benchmarks.executions``. Starts a local cloud of its own, deploys the workflow into
it with ``deploy`` and submits one photo again and again. The floor is a plain call of the three
handlers, one after the other in this process, through the same S3 and the same endpoint; every
number is given as a ratio to it, as other work on the machine slows both. Bars: warm median at most
8 times the floor (and at most 100 ms on an idle machine of two cores), 20 executions a second at
concurrency 8. Checking signatures costs at most 10 % of that rate: two clouds side by side, one of
which takes any credentials, are given the same work in turns.
"""

import importlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import boto3
from PIL import Image

from deploy import deployment
from workflow.settings import Settings

KEY = "images/photo.png"
FLOORS, WARM, BUSY = 60, 60, 200
TURNS, TURN = 12, 30
POLL_SECONDS = 0.005
HANDLERS = ("serialize_image", "classify_image", "filter_inferences")


@contextmanager
def local_cloud(*options: str) -> Iterator[dict[str, Any]]:
    """What a local cloud in a directory of its own says when it is ready."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "localcloud", "--dir", directory, "--port", "0"]
        command += options
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        line = json.loads(process.stdout.readline())
        print(f"ready after {time.perf_counter() - started:.1f} s")
        try:
            yield line
        finally:
            process.terminate()
            process.wait(30)


def deploy() -> Settings:
    """Deploy the workflow and put the photo there."""
    # The floor's handlers are told their endpoint; a deployment makes its own.
    environ = {name: value for name, value in os.environ.items() if name != "SCONES_ENDPOINT"}
    settings, session = deployment.connect(environ)
    plan = deployment.observe_and_plan(settings, session)
    for event in deployment.apply(plan, settings, session):
        if type(event).__name__ == "Failed":
            raise SystemExit(str(event))
    out = io.BytesIO()
    Image.effect_noise((32, 32), 80).convert("RGB").save(out, "PNG")
    boto3.client("s3").put_object(Bucket=settings.bucket, Key=KEY, Body=out.getvalue())
    return settings


def payload(settings: Settings, key: str = KEY) -> dict[str, Any]:
    """Return the input of an execution."""
    return {"s3_bucket": settings.bucket, "s3_key": key, "image_data": "", "inferences": []}


def floor(settings: Settings) -> Callable[[], None]:
    """Return the three handlers as one plain call."""
    os.environ |= {
        "SCONES_ENDPOINT": settings.endpoint,
        "SCONES_THRESHOLD": "0.5",
        "AWS_LAMBDA_FUNCTION_NAME": "floor",
    }
    handlers = [importlib.import_module(f"lambdas.{name}.handler").handler for name in HANDLERS]
    context = SimpleNamespace(aws_request_id="00000000-0000-0000-0000-000000000000")

    def call() -> None:
        state: Any = payload(settings)
        for handler in handlers:
            state = handler(state, context)

    return call


class Submitter:
    """Starts executions and waits for their ends."""

    def __init__(self, settings: Settings) -> None:
        self._states = boto3.client("stepfunctions")
        self._alias = settings.alias_arn
        self._settings = settings

    def run(self, key: str = KEY) -> float:
        """Milliseconds from the start of one execution of a photo until its end is seen."""
        text = json.dumps(payload(self._settings, key))
        started = time.perf_counter()
        arn = self._states.start_execution(stateMachineArn=self._alias, input=text)["executionArn"]
        while True:
            found = self._states.describe_execution(executionArn=arn)
            if found["status"] != "RUNNING":
                break
            time.sleep(POLL_SECONDS)
        if found["status"] != "SUCCEEDED" and "THRESHOLD" not in found.get("error", ""):
            raise SystemExit(f"{found['status']}: {found.get('error')}: {found.get('cause')}")
        return (time.perf_counter() - started) * 1000


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of its children that have ended."""
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - a file of the kernel
        fields = stat.read().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def busy(settings: Settings, concurrency: int, count: int) -> tuple[float, float]:
    """(executions a second, median latency in ms) with so many under way at a time."""
    local = threading.local()

    def one(_: int) -> float:
        if not hasattr(local, "submitter"):
            local.submitter = Submitter(settings)
        latency: float = local.submitter.run()
        return latency

    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(one, range(concurrency * 4)))
        started = time.perf_counter()
        latencies = list(pool.map(one, range(count)))
        return count / (time.perf_counter() - started), statistics.median(latencies)


def reach(line: dict[str, Any]) -> None:
    """Let every client that is made from now on talk to a local cloud."""
    os.environ |= {
        "AWS_ENDPOINT_URL": line["endpoint_url"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_SHARED_CREDENTIALS_FILE": line["credentials_file"],
    }
    boto3.setup_default_session()


def signatures() -> float:
    """Executions a second where signatures are checked, as a ratio to where they are not.

    The clouds take turns; each turn gives a ratio, and the median counts: other work on the machine
    slows both.
    """
    ratios = []
    with local_cloud() as checking, local_cloud("--any-credentials") as trusting:
        for line in (checking, trusting):
            reach(line)
            settings = deploy()
            busy(settings, 8, TURN)
        for turn in range(TURNS):
            rates = {}
            for line in (checking, trusting) if turn % 2 else (trusting, checking):
                reach(line)
                rates[line["pid"]], _ = busy(settings, 8, TURN)
            ratios.append(rates[checking["pid"]] / rates[trusting["pid"]])
    return statistics.median(ratios)


def milliseconds(call: Callable[[], object], count: int) -> list[float]:
    """Return how long each of so many calls takes."""
    found = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        found.append((time.perf_counter() - started) * 1000)
    return found


def main() -> None:
    """Print the latencies and rates, and whether each meets its bar."""
    with local_cloud() as line:
        pid = line["pid"]
        reach(line)
        settings = deploy()
        cold = Submitter(settings).run()
        submitter = Submitter(settings)
        call = floor(settings)
        sys.stdout = io.StringIO()  # the handlers print their logs
        milliseconds(call, 5)
        base = statistics.median(milliseconds(call, FLOORS))
        sys.stdout = sys.__stdout__
        milliseconds(submitter.run, 5)
        used = cpu_seconds(pid)
        warm = [submitter.run() for _ in range(WARM)]
        used = (cpu_seconds(pid) - used) / WARM * 1000
        median, slow = statistics.median(warm), statistics.quantiles(warm, n=20)[-1]
        load = os.getloadavg()[0]
        print(f"load average {load:.1f} on {os.cpu_count()} cores")
        print(f"floor, three handlers in process: {base:6.1f} ms")
        print(f"cold execution:                   {cold:6.1f} ms, {cold / base:.1f} x the floor")
        print(
            f"warm execution, median:           {median:6.1f} ms, {median / base:.1f} x the floor"
            f" (bar: 8 x, 100 ms when idle): {'met' if median <= 8 * base else 'MISSED'}"
        )
        print(f"warm execution, 95th percentile:  {slow:6.1f} ms, {slow / base:.1f} x the floor")
        print(f"server CPU a warm execution:      {used:6.1f} ms")
        for concurrency in (1, 8):
            rate, latency = busy(settings, concurrency, BUSY)
            bar = f" (bar: 20/s): {'met' if rate >= 20 else 'MISSED'}" if concurrency == 8 else ""  # noqa: PLR2004 - the bar
            print(f"concurrency {concurrency}: {rate:5.1f} executions/s, median {latency:.0f} ms,"
                  f" {rate * base / 1000:.2f} of one floor caller's rate{bar}")  # fmt: skip
    rate = signatures()
    met = "met" if rate >= 0.9 else "MISSED"  # noqa: PLR2004 - the bar
    print(f"signatures checked: {rate:.2f} of the rate without (bar: 0.9): {met}")


if __name__ == "__main__":
    main()
