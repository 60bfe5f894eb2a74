"""Captures: our reader and sync beside what a user could pick instead, and beside their limits.

Run: ``python -m benchmarks.captures [--records N] [--rounds N] [--million]``. Every reader runs in
a process of its own, in turn, ``rounds`` times over the same files; the least CPU seconds of each
are compared, for the noise of a shared machine only adds. The sync reads a simulated S3 on this
machine whose first byte takes 25 ms; of up to three rounds, the least wall seconds count.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.capture_files import write
from benchmarks.capture_readers import READERS
from dashboard.captures.fetcher import IN_FLIGHT

SMALL, LARGE = 3_300, 1_000_000
LATENCY = 0.025
NEW = 100
SYNCS = {
    "sync": "our sync: list, read, parse, store",
    "get": "our client: list and read only",
    "bare": "64 bare sockets: list and read only",
    "boto3": "boto3, 64 threads: list and read only",
}
"""Kinds of ``benchmarks.capture_sync`` to compare, and what is printed of each."""

SLOWEST = {"pandas.read_json", "jsonlines (notebook)"}
Result = dict[str, Any]


def run(module: str, *arguments: str | Path) -> Result | None:
    """Run a module in a process of its own; None where its library is not installed."""
    command = [sys.executable, "-W", "ignore", "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr:
        return None
    if done.returncode:
        sys.exit(done.stderr)
    result: Result = json.loads(done.stdout)
    return result


def readers(title: str, directory: Path, rounds: int) -> None:
    """Print the table of all readers over the files of a directory."""
    found: dict[str, list[Result]] = {name: [] for name in READERS}
    for at in range(rounds):
        for name, results in found.items():
            if at and name in SLOWEST:
                continue  # once is enough to tell 60 from 4
            result = run("benchmarks.capture_readers", name, directory)
            if result:
                results.append(result)
    size = sum(path.stat().st_size for path in directory.rglob("*.jsonl"))
    print(f"\n{title}, {size / 1e6:,.0f} MB, {rounds} rounds, least CPU")
    print(
        f"{'reader':<24}{'CPU s':>9}{'x json loop':>13}{'of limit':>10}{'peak MB':>9}  same table"
    )
    cpu = {n: min(r["cpu"] for r in rs) for n, rs in found.items() if rs}
    tables = {
        n: [rs[0].get(k) for k in ("rows", "confidence", "label")] for n, rs in found.items() if rs
    }
    for name, results in found.items():
        if not results:
            print(f"{name:<24}  not installed: pip install -e '.[bench]'")
            continue
        peak = max(result["peak_mb"] for result in results)
        same = "-" if name.startswith("limit") else str(tables[name] == tables["json loop"])
        of_limit = cpu["limit: read the bytes"] / cpu[name]
        ratio = cpu["json loop"] / cpu[name]
        print(f"{name:<24}{cpu[name]:>9.3f}{ratio:>13.2f}{of_limit:>10.1%}{peak:>9.0f}  {same}")
    print(f"ours / pandas.read_json: {cpu['pandas.read_json'] / cpu['ours']:.0f} x")


@contextmanager
def simulated_s3(directory: Path, latency: float) -> Iterator[str]:
    """Serve a directory as a bucket from another process; yields its address."""
    program = Path(__file__).parents[1] / "tests" / "simulated_s3.py"
    command = [sys.executable, program, directory, "data_capture"]
    with subprocess.Popen(
        [*map(str, command), str(latency * 1000)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin, server.stdout  # noqa: S101 - for the type checker
        yield server.stdout.readline().strip() if server.stdout else ""
        server.stdin.close()


def least(kind: str, url: str, stores: Path, rounds: int, known: Path | None = None) -> Result:
    """The quickest of some runs of ``benchmarks.capture_sync``, each with a store of its own."""
    results: list[Result] = []
    for _ in range(rounds):
        store = Path(tempfile.mkdtemp(dir=stores))
        if known:
            shutil.copytree(known, store, dirs_exist_ok=True)
        results.append((run("benchmarks.capture_sync", kind, url, store) or {}) | {"store": store})
    return min(results, key=lambda result: result.get("new", result)["wall"])


def syncs(directory: Path, paths: list[Path], records: int, rounds: int) -> None:
    """Print the first load, what reads the same otherwise, and the refreshes."""
    known = directory.with_name(f"{directory.name}-known")
    for path in paths[:-NEW]:
        linked = known / path.relative_to(directory)
        linked.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, linked)
    with tempfile.TemporaryDirectory() as name:
        stores = Path(name)
        with simulated_s3(known, LATENCY) as url:
            found = {title: least(kind, url, stores, rounds) for kind, title in SYNCS.items()}
        first = found[SYNCS["sync"]]
        print_syncs(found, records, rounds)
        with simulated_s3(directory, LATENCY) as url:
            print_passes(least("refresh", url, stores, rounds, first["store"]), first)


def print_syncs(found: dict[str, Result], records: int, rounds: int) -> None:
    """Print what each took beside the latency bound, the bare sockets and boto3."""
    objects = found[SYNCS["sync"]]["objects"]
    bound = objects * LATENCY / IN_FLIGHT
    print(f"\nsync of {records:,} records in {objects:,} objects, 25 ms first byte")
    print(f"least of {rounds} rounds; server and client share {os.cpu_count()} processors")
    print(
        f"{'':<38}{'wall s':>8}{'CPU s':>8}{'of bound':>10}{'of bare':>9}{'x boto3':>9}"
        f"{'peak MB':>9}"
    )
    print(f"{'latency bound at 64 in flight':<38}{bound:>8.2f}")
    bare, peer = (found[SYNCS[kind]]["wall"] for kind in ("bare", "boto3"))
    for name, r in found.items():
        wall = r["wall"]
        print(
            f"{name:<38}{wall:>8.2f}{r['cpu']:>8.2f}{bound / wall:>10.1%}{bare / wall:>9.1%}"
            f"{peer / wall:>9.2f}{r['peak_mb']:>9.0f}"
        )


def print_passes(passes: Result, first: Result) -> None:
    """Print what refreshes took beside the first load."""
    for name in ("new", "none"):
        r = passes[name]
        print(
            f"refresh with {name}: {r['objects']} read of {r['listed']} listed,"
            f" wall {r['wall'] * 1000:.0f} ms ({r['wall'] / first['wall']:.1%} of the first"
            f" load), own CPU {r['cpu'] * 1000:.0f} ms ({r['cpu'] / first['cpu']:.1%})"
        )


def million(root: Path) -> None:
    """Print the memory that a first load of a million small records takes."""
    directory = root / "million"
    write(directory, 1_000_000, 300, 50)
    with simulated_s3(directory, 0.0) as url, tempfile.TemporaryDirectory() as store:
        r = run("benchmarks.capture_sync", "sync", url, store) or {}
    print(f"\nfirst load of {r['rows']:,} records: peak {r['peak_mb']:.0f} MB above idle")


def main() -> None:
    """Write the files, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="of 3.3 KB, for readers")
    parser.add_argument("--known", type=int, default=200_000, help="records, for the sync")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--million", action="store_true", help="memory at a million records too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        large = max(given.records // 250, 20)
        write(root / "small", given.records, SMALL, 50)
        readers(f"{given.records:,} records of 3.3 KB images", root / "small", given.rounds)
        write(root / "large", large, LARGE, 4)
        readers(f"{large:,} records of 1 MB images", root / "large", given.rounds)
        paths = write(root / "known", given.known, SMALL, 50)
        syncs(root / "known", paths, given.known, min(given.rounds, 3))
        if given.million:
            million(root)


if __name__ == "__main__":
    main()
