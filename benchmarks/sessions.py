"""Many readers at once: sessions over websockets that go from view to view of a running dashboard.

Run: ``python -m benchmarks.sessions [--sessions N] [--seconds S] [--records N] [--executions N]
[--think S] [--p95 S]``. It starts a dashboard with a local cloud of its own, in which the workflow
is deployed, and so many captures and executions are stored. Each session opens view after view,
looks at each for ``--think`` seconds, and has the parts of a page that refresh by themselves do so,
as a browser does. Ends with 1 where a rerun was lost, one took longer than ``--limit`` seconds, one
in twenty longer than ``--p95``, or the dashboard's memory grew by more than a quarter after the
first fifth of the time.
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
from collections.abc import Iterator, Mapping, Sequence
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
from dashboard.aws.ground_truth import GROUND_TRUTH_PREFIX
from dashboard.captures.tables import CAPTURES, TABLES
from dashboard.executions.tables import TABLES as EXECUTION_TABLES
from dashboard.review.client import ReviewClient
from dashboard.review.model import DrawRequest, draw_photos
from dashboard.shared.store import SegmentStore
from dashboard.shared.store_root import store_root
from deploy import deployment
from deploy.apply import Failed
from workflow.reviews import GroundTruth, Review, ground_truth_key, ground_truth_lines

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
GROWTH: Final = 1.25
"""Of the dashboard's memory, from the first fifth of the time to the end."""
CAUSES: Final = 7
"""Of the failures that are filled in."""
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
        self._cached: set[str] = set()
        self._received = 0
        self.seen = Reruns()

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def open(self, page: str, query: str) -> tuple[float, int]:
        """Open a view and wait for the end of its run; its seconds, and the bytes it sent."""
        self._page = (page, query)
        self._refreshed = {}
        return self._run(f"{page} {query}".strip())

    def refresh(self) -> list[tuple[float, int]]:
        """Have each part of the page that refreshes by itself do so; likewise of each."""
        return [self._run("refresh", fragment=name) for name in list(self._refreshed)]

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

    def _run(self, name: str, fragment: str = "") -> tuple[float, int]:
        asked = BackMsg()
        state = asked.rerun_script
        state.page_name, state.query_string = self._page
        state.fragment_id = fragment
        state.is_auto_rerun = bool(fragment)
        state.cached_message_hashes.extend(self._cached)
        self._received = 0
        began = time.monotonic()
        self._socket.send(asked.SerializeToString())
        try:
            well = self._end()
        except TimeoutError:
            well = False
        took = time.monotonic() - began
        self.seen.seconds.setdefault(name, []).append(took)
        if not well:
            self.seen.lost.append(name)
        return took, self._received

    def _end(self) -> bool:
        """Receive to the end of a run; whether it ended without an exception of the script."""
        well = True
        named: dict[str, tuple[float, float]] = {}
        while True:
            body = self._socket.recv(timeout=LOST_S, decode=False)
            message = ForwardMsg.FromString(body)
            self._received += len(body)
            if message.metadata.cacheable:  # a browser keeps it, and is sent its hash alone later
                self._cached.add(message.hash)
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
        time.sleep(think * number / sessions)  # people do not open pages at the same moment
        session = Session(app)
        views = itertools.islice(itertools.cycle(VIEWS), number, None)
        try:
            for page, query in views:
                session.open(page, query)
                # To the end: sessions that all stopped looking at once would open a view at once.
                session.look(think)
                if time.monotonic() > deadline:
                    return session.seen
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


def fill_executions(root: Path, count: int, machine: str, alias: str) -> None:
    """Store so many executions of two weeks in a directory; one in fifty has failed."""
    now = datetime.now(UTC)
    number = pl.int_range(count, eager=True).alias("number").to_frame().lazy()
    execution = machine.replace(":stateMachine:", ":execution:")
    ended = pl.lit(now) - pl.duration(seconds=14 * 86_400 * (pl.col("number") + 60) / (count + 60))
    failed = pl.col("number") % 50 == 0
    error = pl.when(failed).then(pl.format("Error{}", pl.col("number") // 50 % CAUSES))
    rows = number.select(
        arn=pl.format(f"{execution}:filled-{{}}", "number"),
        name=pl.format("filled-{}", "number"),
        version=pl.lit(f"{machine}:1"),
        alias=pl.lit(alias),
        status=pl.when(failed).then(pl.lit("FAILED")).otherwise(pl.lit("SUCCEEDED")),
        outcome=pl.when(failed).then(pl.lit("fault")).otherwise(pl.lit("accepted")),
        source=pl.lit("event"),
        started_at=ended - pl.duration(seconds=2),
        stopped_at=ended,
        redrive_count=0,
        observed_at=ended,
        image=pl.format("images/{}.jpg", "number"),
        label=pl.lit("bicycle"),
        confidence=pl.lit(0.97),
        input=pl.lit("{}"),
        output=pl.lit("{}"),
        error=error,
        cause=pl.when(failed).then(pl.lit("It broke.")),
        redrive_status=pl.lit("NOT_REDRIVABLE"),
        redrive_reason=pl.lit(None),
        execution_arn=pl.format(f"{execution}:filled-{{}}", "number"),
        state=pl.lit("ClassifyImage"),
        failed_at=ended,
        kind=pl.lit("fault"),
        attempt=0,
        ended_in=pl.lit("ClassifyImage"),
        events=pl.lit(None),
        problem=pl.lit("It was filled in."),
    ).collect()
    broken = rows.filter(pl.col("status") == "FAILED")
    filled = {"executions": rows, "execution_details": rows}
    filled |= {"failures": broken, "histories": broken}
    SegmentStore(root, EXECUTION_TABLES).commit(
        {
            name: one.select(list(EXECUTION_TABLES[name])).cast(pl.Schema(EXECUTION_TABLES[name]))
            for name, one in filled.items()
        }
    )


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


def fill_labels(root: Path, cloud: connection.Connection) -> None:
    """Draw 100 photos of the captures in a directory, and label them as the model did."""
    now, request = datetime.now(UTC), DrawRequest(100, 0.5, 0.93, None, "benchmark")
    captured = SegmentStore(root, TABLES).scan("captures")
    draw = draw_photos(captured, set(), request, now=now, token="filled", seed=1)  # noqa: S106 - of a name
    client = ReviewClient(cloud)
    client.add_draw(draw)
    review = Review(reviewer="benchmark", draw=draw.id)
    truths = [GroundTruth(photo.id, str(photo.label), now, review) for photo in draw.photos]
    cloud.client("s3").put_object(
        Bucket=cloud.settings.bucket,
        Key=ground_truth_key(GROUND_TRUTH_PREFIX, now, "filled"),
        Body=ground_truth_lines(truths),
    )


def deployed(directory: Path) -> tuple[dict[str, str], connection.Connection]:
    """Deploy the workflow into a local cloud of its own; the environment, and the connection."""
    hidden = ("AWS_", "SCONES_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environ |= {"SCONES_LOCALCLOUD_DIR": str(directory), "SCONES_HOME": str(directory / "home")}
    cloud = connection.connect(environ)
    plan = deployment.observe_and_plan(cloud.settings, cloud.session)
    for event in deployment.apply(plan, cloud.settings, cloud.session):
        if isinstance(event, Failed):
            raise event.error
    return environ, cloud


def serve(directory: Path, environ: Mapping[str, str]) -> tuple[str, subprocess.Popen[bytes]]:
    """Start a dashboard and wait until it is healthy; its address and process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard/app.py")]
    command += ["--server.port", str(port), "--server.headless", "true"]
    with (directory / "dashboard.log").open("ab") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=directory)
    app = f"http://127.0.0.1:{port}"
    try:
        _until_healthy(app)
    except TimeoutError:
        process.kill()
        process.wait()
        raise
    return app, process


@contextmanager
def running(directory: Path, records: int, executions: int = 0) -> Iterator[tuple[str, int]]:
    """Start a dashboard as described above; its address and process id."""
    environ, cloud = deployed(directory)
    captured = store_root(cloud, environ, kind="captures")
    fill(captured, records)
    fill_labels(captured, cloud)
    if executions:
        root, settings = store_root(cloud, environ), cloud.settings
        fill_executions(root, executions, settings.state_machine_arn, settings.alias_arn)
    app, process = serve(directory, environ)
    try:
        yield app, process.pid
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


def report(seen: Reruns, seconds: float, spent: float, limit: float, p95: float) -> bool:
    """Print what was seen; whether all reruns ended, and in time."""
    every = [one for times in seen.seconds.values() for one in times]
    for name, times in sorted(seen.seconds.items()):
        print(f"{name:32} {len(times):5} reruns, median {median(times):6.2f} s, {_p95(times)}")
    slow = [one for one in every if one > limit]
    print(f"{'all':32} {len(every):5} reruns, median {median(every):6.2f} s, {_p95(every)}")
    print(f"{1000 * spent / len(every):.0f} ms of processor time a rerun")
    print(f"{len(every) / seconds:.1f} reruns a second; lost {seen.lost}; over {limit} s: {slow}")
    return not seen.lost and not slow and bool(np.percentile(every, 95) <= p95)


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
    parser.add_argument("--executions", type=int, default=0)
    parser.add_argument("--limit", type=float, default=10.0)
    parser.add_argument("--p95", type=float, default=10.0)
    asked = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as name,
        running(Path(name), asked.records, asked.executions) as (
            app,
            pid,
        ),
    ):
        Session(app).tour()  # what every process does once: imports, connections, first reads
        before = cpu_seconds(pid)
        begun = drive(app, asked.sessions, asked.seconds / 5, asked.think)
        first = resident(pid)
        seen = together([begun, drive(app, asked.sessions, asked.seconds * 4 / 5, asked.think)])
        last = resident(pid)
        spent = cpu_seconds(pid) - before
        print(
            f"resident memory: {first / 1e6:.0f} MB after a fifth, {last / 1e6:.0f} MB at the end"
        )
        well = report(seen, asked.seconds, spent, asked.limit, asked.p95)
        return 0 if well and last <= GROWTH * first else 1


def resident(pid: int) -> int:
    """Return the resident memory of a process in bytes; Linux only."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, of all its threads; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
