"""Kills at random moments of the local cloud and of the dashboard, and what must hold after each.

Run: ``python -m benchmarks.kills [--kills N] [--seed N]``. While objects are stored and executions
started, one of the two processes is killed by SIGKILL and started again; every fourth time it is
the dashboard. Then each object whose storing was acknowledged has its bytes, each acknowledged
execution is there, its history numbers its events without a gap and ends as its status says, and
the dashboard draws *Executions*. After a kill that is of those acknowledged last and of some
others, after the last kill of all. Ends with 1 after the first kill that breaks any of it.
"""

import argparse
import hashlib
import itertools
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from benchmarks import sessions
from dashboard.aws import cloud as connection

T = TypeVar("T")

WORK_S: Final = (0.05, 1.5)
"""How long the work goes on before a kill, at least and at most."""
DASHBOARD_EVERY: Final = 4
CHECKED: Final = 100
"""Objects and executions that are looked at after a kill: half are the last ones."""
ENDED: Final = {
    "SUCCEEDED": "ExecutionSucceeded",
    "FAILED": "ExecutionFailed",
    "ABORTED": "ExecutionAborted",
    "TIMED_OUT": "ExecutionTimedOut",
}


class Acknowledged:
    """What the local cloud said that it has: digests of objects by key, and ARNs of executions."""

    def __init__(self) -> None:
        self.objects: dict[str, str] = {}
        self.executions: list[str] = []
        self._numbers = itertools.count()

    def work(self, cloud: connection.Connection, stop: threading.Event) -> None:
        """Store objects and start executions until told to stop, or the local cloud is gone."""
        s3, states = cloud.session.client("s3"), cloud.session.client("stepfunctions")
        while not stop.is_set():
            key = f"kills/{next(self._numbers)}"
            body = random.randbytes(30_000)
            try:
                s3.put_object(Bucket=cloud.settings.bucket, Key=key, Body=body)
                self.objects[key] = hashlib.sha256(body).hexdigest()
                text = f'{{"s3_bucket": "{cloud.settings.bucket}", "s3_key": "{key}"}}'
                arn = cloud.settings.alias_arn
                started = states.start_execution(stateMachineArn=arn, input=text)
                self.executions.append(started["executionArn"])
            except (BotoCoreError, ClientError):  # it was not acknowledged
                return

    def broken(
        self, cloud: connection.Connection, chance: random.Random, *, whole: bool
    ) -> list[str]:
        """Return a sentence for each thing that does not hold, of all or of some."""
        s3, states = cloud.session.client("s3"), cloud.session.client("stepfunctions")
        found = []
        for key, digest in choose(list(self.objects.items()), chance, whole=whole):
            body = s3.get_object(Bucket=cloud.settings.bucket, Key=key)["Body"].read()
            if hashlib.sha256(body).hexdigest() != digest:
                found.append(f"{key} has other bytes.")
        for arn in choose(self.executions, chance, whole=whole):
            described = states.describe_execution(executionArn=arn)
            events = states.get_execution_history(executionArn=arn)["events"]
            found += _wrong(arn, described["status"], events)
        return found


def choose(known: Sequence[T], chance: random.Random, *, whole: bool) -> Sequence[T]:
    """Return all, or the last ones and as many of the others at random."""
    half = CHECKED // 2
    older = known[:-half]
    return known if whole else [*known[-half:], *chance.sample(older, min(half, len(older)))]


def _wrong(arn: str, status: str, events: Sequence[Mapping[str, Any]]) -> list[str]:
    ids = [event["id"] for event in events]
    if ids != list(range(1, len(ids) + 1)):
        return [f"{arn} has the events {ids}."]
    if status in ENDED and (not events or events[-1]["type"] != ENDED[status]):
        return [f"{arn} is {status} and ends with {events[-1:]}."]
    return []


def kill(pid: int) -> None:
    """Kill a process and wait until it has ended; Linux only."""
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + sessions.LOST_S
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":  # its parent has not asked yet how it ended
            return
        time.sleep(0.01)
    raise TimeoutError


def run(directory: Path, kills: int, seed: int) -> list[str]:
    """Kill so often; gives a sentence for each thing that the first harmful kill broke."""
    chance = random.Random(seed)
    acknowledged = Acknowledged()
    environ, cloud = sessions.deployed(directory)
    app, dashboard = sessions.serve(directory, environ)
    try:
        for number in range(1, kills + 1):
            stop = threading.Event()
            workers = [
                threading.Thread(target=acknowledged.work, args=(cloud, stop)) for _ in range(4)
            ]
            for worker in workers:
                worker.start()
            time.sleep(chance.uniform(*WORK_S))
            of_dashboard = number % DASHBOARD_EVERY == 2  # noqa: PLR2004 - two kills try both
            pid = dashboard.pid if of_dashboard else cloud.cloud.pid
            assert pid is not None  # noqa: S101 - it is a local cloud
            kill(pid)
            stop.set()
            for worker in workers:
                worker.join()
            if of_dashboard:
                dashboard.wait()
                app, dashboard = sessions.serve(directory, environ)
            cloud = connection.connect(environ)
            whole = number == kills
            broken = [*acknowledged.broken(cloud, chance, whole=whole), *_draws(app)]
            if broken:
                return [f"After {number} kills:", *broken]
        print(
            f"{kills} kills: {len(acknowledged.objects)} objects and "
            f"{len(acknowledged.executions)} executions were acknowledged, and all are there."
        )
        return []
    finally:
        dashboard.terminate()
        dashboard.wait(60)
        cloud = connection.connect(environ)
        if cloud.cloud.pid is not None:
            os.kill(cloud.cloud.pid, signal.SIGTERM)


def _draws(app: str) -> list[str]:
    session = sessions.Session(app)
    session.open("executions", "")
    session.close()
    return [f"The dashboard does not draw {page}." for page in session.seen.lost]


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill as often as the command line says, and print what did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        broken = run(Path(name), asked.kills, asked.seed)
    print("\n".join(broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
