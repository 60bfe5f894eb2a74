"""Many readers at once: sessions over websockets that go from view to view of a running dashboard.

Run: ``python -m benchmarks.sessions [--sessions N] [--seconds S] [--records N] [--think S]``. It
starts a dashboard with a local cloud of its own, in which the workflow is deployed and so many
captures are stored. Each session opens view after view, looks at each for ``--think`` seconds, and
has the parts of a page that refresh by themselves do so, as a browser does. Ends with 1 where a
rerun was lost or took longer than ``--limit`` seconds.
"""

import argparse
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import polars as pl
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from benchmarks.inferences import NOW, captures
from dashboard.aws import cloud as connection
from dashboard.captures.tables import CAPTURES, TABLES
from dashboard.shared.store import SegmentStore
from dashboard.shared.store_root import store_root
from deploy import deployment
from deploy.apply import Failed

ROOT: Final = Path(__file__).resolve().parents[1]

VIEWS: Final = (
    ("overview", ""),
    ("classify", ""),
    ("inferences", "view=Confidence"),
    ("inferences", "view=Records"),
    ("inferences", "view=Over+time"),
    ("executions", ""),
    ("inferences", "view=Drift"),
    ("failures", ""),
    ("inferences", "view=Data+health"),
    ("inferences", "view=Threshold"),
    ("deployment", ""),
    ("inferences", "view=Before+and+after"),
)
LOST_S: Final = 60.0
"""A rerun that has not ended after so long is lost."""


@dataclass
class Reruns:
    """What a session saw.

    Attributes:
        seconds: From asking for a rerun to its end, by view; fragments are under ``refresh``.
        lost: Views whose rerun never ended, or ended with an exception of the script.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


class Session:
    """One reader: a websocket, and what the page has asked to be refreshed.

    Args:
        app: Address of the dashboard.
    """

    def __init__(self, app: str) -> None:
        url = f"{app.replace('http', 'ws', 1)}/_stcore/stream"
        self._socket: ClientConnection = connect(
            url,
            subprotocols=[Subprotocol("streamlit")],
            max_size=None,
            origin=Origin(app),
            open_timeout=LOST_S,
            legacy=True,
        )
        self._refreshed: dict[str, tuple[float, float]] = {}
        self._page = ("", "")
        self.seen = Reruns()

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def open(self, page: str, query: str) -> None:
        """Open a view and wait for the end of its run."""
        self._page = (page, query)
        self._refreshed = {}
        self._run(f"{page} {query}".strip())

    def tour(self) -> None:
        """Open every view once and leave."""
        for page, query in VIEWS:
            self.open(page, query)
        self.close()

    def look(self, seconds: float) -> None:
        """Look at the page for so long; what refreshes by itself does."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            due = [name for name, (_, at) in self._refreshed.items() if at <= now]
            for name in due:
                interval, _ = self._refreshed[name]
                self._refreshed[name] = (interval, time.monotonic() + interval)
                self._run("refresh", fragment=name)
            waits = [at for _, at in self._refreshed.values()]
            time.sleep(max(0.01, min([until, *waits]) - time.monotonic()))

    def _run(self, name: str, fragment: str = "") -> None:
        asked = BackMsg()
        state = asked.rerun_script
        state.page_name, state.query_string = self._page
        state.fragment_id = fragment
        state.is_auto_rerun = bool(fragment)
        began = time.monotonic()
        self._socket.send(asked.SerializeToString())
        try:
            well = self._end()
        except TimeoutError:
            well = False
        self.seen.seconds.setdefault(name, []).append(time.monotonic() - began)
        if not well:
            self.seen.lost.append(name)

    def _end(self) -> bool:
        """Receive to the end of a run; whether it ended without an exception of the script."""
        well = True
        named: dict[str, tuple[float, float]] = {}
        while True:
            message = ForwardMsg.FromString(self._socket.recv(timeout=LOST_S, decode=False))
            kind = message.WhichOneof("type")
            if kind == "delta" and message.delta.new_element.WhichOneof("type") == "exception":
                well = False
            elif kind == "auto_rerun":
                wanted = message.auto_rerun
                due = time.monotonic() + wanted.interval
                self._refreshed[wanted.fragment_id] = named[wanted.fragment_id] = (
                    wanted.interval,
                    due,
                )
            elif kind == "script_finished":
                if message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    named = {}
                    continue
                if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    # Of the whole page: Streamlit drops requests for what it no longer has.
                    self._refreshed = named
                return well


def drive(app: str, sessions: int, seconds: float, think: float) -> Reruns:
    """Have so many sessions read for so long; what all of them saw."""
    deadline = time.monotonic() + seconds

    def read(number: int) -> Reruns:
        session = Session(app)
        views = itertools.islice(itertools.cycle(VIEWS), number, None)
        try:
            for page, query in views:
                session.open(page, query)
                if time.monotonic() > deadline:
                    return session.seen
                session.look(min(think, max(0.0, deadline - time.monotonic())))
        finally:
            session.close()
        raise AssertionError

    with ThreadPoolExecutor(sessions) as pool:
        return together(list(pool.map(read, range(sessions))))


def together(parts: Sequence[Reruns]) -> Reruns:
    """Several as one."""
    whole = Reruns()
    for part in parts:
        whole.lost += part.lost
        for name, seconds in part.seconds.items():
            whole.seconds.setdefault(name, []).extend(seconds)
    return whole


def fill(root: Path, records: int) -> None:
    """Store so many captures of two weeks in a directory."""
    number = pl.int_range(records)
    rows = (
        captures(records)
        .with_columns(
            pl.col("inference_time") + (datetime.now(UTC) - NOW),
            event_id=pl.format("event-{}", number),
            inference_id=pl.format("inference-{}", number),
            probabilities=pl.concat_list(1 - pl.col("confidence"), "confidence"),
            key=pl.format("captures/{}.jsonl", number // 10),
            line=number % 10 + 1,
            offset=100 * (number % 10),
            length=pl.lit(99),
            row=pl.lit(0),
            custom_attributes=pl.lit([], pl.List(pl.String)),
            gzipped=pl.lit(value=False),
        )
        .with_columns(hour=pl.col("inference_time").dt.truncate("1h"))
    )
    SegmentStore(root, TABLES).commit(
        {"captures": rows.select(list(CAPTURES)).cast(pl.Schema(CAPTURES))}
    )


@contextmanager
def running(directory: Path, records: int) -> Iterator[tuple[str, int]]:
    """Start a dashboard as described above; its address and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    hidden = ("AWS_", "SCONES_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environ |= {"SCONES_LOCALCLOUD_DIR": str(directory), "SCONES_HOME": str(directory / "home")}
    cloud = connection.connect(environ)
    settings, session = cloud.settings, cloud.session
    plan = deployment.observe_and_plan(settings, session)
    for event in deployment.apply(plan, settings, session):
        if isinstance(event, Failed):
            raise event.error
    fill(store_root(cloud, environ, kind="captures"), records)
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard/app.py")]
    command += ["--server.port", str(port), "--server.headless", "true"]
    with (directory / "dashboard.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=directory)
    try:
        _until_healthy(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(60)
        if cloud.cloud.pid is not None:
            os.kill(cloud.cloud.pid, signal.SIGTERM)


def _until_healthy(app: str) -> None:
    deadline = time.monotonic() + LOST_S
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{app}/_stcore/health", timeout=1).close()  # noqa: S310 - loopback
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("The dashboard did not start.")


def report(seen: Reruns, seconds: float, spent: float, limit: float) -> bool:
    """Print what was seen; whether all reruns ended, and in time."""
    every = [one for times in seen.seconds.values() for one in times]
    for name, times in sorted(seen.seconds.items()):
        print(f"{name:32} {len(times):5} reruns, median {median(times):6.2f} s, {_p95(times)}")
    slow = [one for one in every if one > limit]
    print(f"{'all':32} {len(every):5} reruns, median {median(every):6.2f} s, {_p95(every)}")
    print(f"{1000 * spent / len(every):.0f} ms of processor time a rerun")
    print(f"{len(every) / seconds:.1f} reruns a second; lost {seen.lost}; over {limit} s: {slow}")
    return not seen.lost and not slow


def _p95(times: Sequence[float]) -> str:
    return f"p95 {np.percentile(times, 95):6.2f} s, most {max(times):6.2f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure once with what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--think", type=float, default=3.0)
    parser.add_argument("--limit", type=float, default=10.0)
    asked = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as name,
        running(Path(name), asked.records) as (
            app,
            pid,
        ),
    ):
        Session(app).tour()  # what every process does once: imports, connections, first reads
        before = cpu_seconds(pid)
        seen = drive(app, asked.sessions, asked.seconds, asked.think)
        spent = cpu_seconds(pid) - before
        return 0 if report(seen, asked.seconds, spent, asked.limit) else 1


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, of all its threads; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
