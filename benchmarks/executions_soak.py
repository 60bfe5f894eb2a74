"""Many executions in one local cloud: latency, disk, memory and the time of a restart.

Run: ``python -m benchmarks.executions_soak [--executions N] [--concurrency N] [--distinct]``. It
starts a local cloud in a directory of its own, deploys the workflow into it, and runs so many
executions of a photo of 30 KB; with ``--distinct`` each has a photo of its own, whose object counts
too. Bars: at most 60 KB of disk an execution, the last 500 within 20 % of the first, ready within
5 s after a kill, and memory that grows by at most a quarter between the first tenth and the end.
Ends with 1 where one is missed.
"""

import argparse
import io
import json
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import boto3
import numpy as np
from PIL import Image

from benchmarks.executions import Submitter, deploy, reach
from benchmarks.sessions import GROWTH, resident
from workflow.settings import Settings

PHOTO_BYTES: Final = 30_000
MOST_BYTES: Final = 60_000
"""Of disk an execution."""
RESTART_S: Final = 5.0
SLOWER: Final = 1.2
"""Median of the last executions, as a multiple of that of the first."""
WINDOW: Final = 500


def photo(seed: int) -> bytes:
    """Return a JPEG of noise of about 30 KB."""
    pixels = np.random.default_rng(seed).integers(0, 256, (184, 184, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=88)
    return out.getvalue()


def start(directory: Path) -> tuple[subprocess.Popen[str], dict[str, str], float]:
    """Start a local cloud; gives its process, its line and the seconds until it was ready."""
    command = [sys.executable, "-m", "localcloud", "--dir", str(directory), "--port", "0"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None  # noqa: S101 - PIPE was asked for
    line = json.loads(process.stdout.readline())
    return process, line, time.perf_counter() - began


def disk(directory: Path) -> int:
    """Return the bytes that a directory takes on disk."""
    return sum(path.lstat().st_blocks * 512 for path in directory.rglob("*"))


def run(
    settings: Settings, executions: int, concurrency: int, *, distinct: bool, pid: int
) -> tuple[list[float], list[int]]:
    """Run executions; gives the milliseconds of each, and memory at each tenth."""
    local = threading.local()
    memory: list[int] = []

    def one(number: int) -> float:
        if not hasattr(local, "submitter"):
            local.submitter = Submitter(settings)
            local.s3 = boto3.client("s3")
        if number % max(1, executions // 10) == 0:
            memory.append(resident(pid))
        key = f"images/{number if distinct else 0}.jpg"
        if distinct:
            local.s3.put_object(Bucket=settings.bucket, Key=key, Body=photo(number))
        submitter: Submitter = local.submitter
        return submitter.run(key)

    boto3.client("s3").put_object(Bucket=settings.bucket, Key="images/0.jpg", Body=photo(0))
    with ThreadPoolExecutor(concurrency) as pool:
        latencies = list(pool.map(one, range(executions)))
    return latencies, [*memory, resident(pid)]


def tables(directory: Path) -> str:
    """Return what takes room: bytes of each table where SQLite can say so, and of each folder."""
    folders = {f"{path.name}/": disk(path) for path in directory.iterdir() if path.is_dir()}
    folders["cloud.db"] = (directory / "cloud.db").stat().st_size
    folders["cloud.db-wal"] = (directory / "cloud.db-wal").stat().st_size
    with sqlite3.connect(f"file:{directory / 'cloud.db'}?mode=ro", uri=True) as db:
        try:
            rows = db.execute("SELECT name, SUM(pgsize) FROM dbstat GROUP BY name").fetchall()
        except sqlite3.OperationalError:
            rows = []
    sizes = sorted({**folders, **dict(rows)}.items(), key=lambda one: -one[1])
    return ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in sizes[:16])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure once with what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=50_000)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--distinct", action="store_true")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        process, line, fresh = start(directory)
        try:
            reach(line)
            settings = deploy()
            run(settings, 40, asked.concurrency, distinct=False, pid=process.pid)
            before = disk(directory)
            began = time.perf_counter()
            latencies, memory = run(
                settings,
                asked.executions,
                asked.concurrency,
                distinct=asked.distinct,
                pid=process.pid,
            )
            took = time.perf_counter() - began
            bytes_each = (disk(directory) - before) / asked.executions
            print(tables(directory))
            process.send_signal(signal.SIGKILL)
            process.wait()
            process, _, restarted = start(directory)
        finally:
            process.terminate()
            process.wait(60)
    size = min(WINDOW, len(latencies) // 2)
    first, last = statistics.median(latencies[:size]), statistics.median(latencies[-size:])
    megabytes = ", ".join(f"{one / 1e6:.0f}" for one in memory)
    print(f"{asked.executions} executions in {took:.0f} s, {asked.executions / took:.1f}/s")
    print(f"resident MB at each tenth: {megabytes}")
    bars = (
        (f"{bytes_each / 1000:.1f} KB of disk an execution", bytes_each <= MOST_BYTES),
        (f"first {size}: {first:.0f} ms, last: {last:.0f} ms", last <= SLOWER * first),
        (f"ready after {restarted:.1f} s ({fresh:.1f} s when new)", restarted <= RESTART_S),
        (f"memory x {memory[-1] / memory[1]:.2f} since a tenth", memory[-1] <= GROWTH * memory[1]),
    )
    for said, met in bars:
        print(f"{said}: {'met' if met else 'MISSED'}")
    return 0 if all(met for _, met in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
