"""One sync of captures from a simulated S3, or what a user could do instead; one measured run.

Run by ``benchmarks.captures`` as ``python -m benchmarks.capture_sync KIND URL STORE``, where KIND
is ``sync``, ``refresh`` (two further passes), or one that reads the bytes only: ``get`` (our
client), ``boto3`` (64 threads) or ``bare`` (64 sockets). Prints seconds and peak memory above idle,
as JSON.
"""

import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from benchmarks.capture_files import ENDPOINT
from benchmarks.memory import PeakMemory
from dashboard.aws.objects import Bucket, ObjectMeta
from dashboard.captures.fetcher import IN_FLIGHT
from dashboard.captures.sync import sync_captures
from dashboard.captures.sync_progress import CaptureProgress
from dashboard.captures.tables import TABLES
from dashboard.shared.store import SegmentStore

BUCKET = "captures"
PREFIX = "data_capture"
_CHUNK = 64 << 10
FIRST_DAY = f"{ENDPOINT}/2026/11/01"


class LoopbackSession(boto3.Session):
    """A session whose clients talk to one address."""

    def __init__(self, url: str) -> None:
        any_word = "simulated"
        super().__init__(any_word, any_word, region_name="us-east-1")
        self.url = url

    def client(self, service: str) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Return a client with a connection a thread."""
        pool = Config(max_pool_connections=IN_FLIGHT)
        return super().client(service, endpoint_url=self.url, config=pool)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Opened:
    """What a session opens once, before any clock starts."""

    bucket: Bucket
    client: Any


def sync(opened: Opened, directory: Path) -> dict[str, Any]:
    """Return the sync: list, read, parse and store."""
    progress = _pass(opened.bucket, PREFIX, SegmentStore(directory, TABLES))
    return {"objects": progress.read, "listed": progress.listed, "rows": progress.captures}


def refresh(opened: Opened, directory: Path) -> dict[str, Any]:
    """Two more passes in a session that has read before: with what is new, and with nothing."""
    bucket = opened.bucket
    with tempfile.TemporaryDirectory() as elsewhere:
        _pass(bucket, f"{PREFIX}/{FIRST_DAY}", SegmentStore(Path(elsewhere), TABLES))
    store = SegmentStore(directory, TABLES)
    result: dict[str, Any] = {}
    for name in ("new", "none"):
        cpu, wall = time.process_time(), time.perf_counter()
        progress = _pass(bucket, PREFIX, store)
        result[name] = {
            "objects": progress.read,
            "listed": progress.listed,
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
        }
    return result


def _pass(bucket: Bucket, prefix: str, store: SegmentStore) -> CaptureProgress:
    return sync_captures(bucket, prefix, store, report=lambda _: None, stop=threading.Event())


def get(opened: Opened, _: Path) -> dict[str, Any]:
    """List and read every object with our client, and do nothing with the bytes."""
    metas = [meta for page in opened.bucket.objects(PREFIX) for meta in page]

    def read(meta: ObjectMeta) -> int:
        return len(opened.bucket.read_range(meta.key, 0, meta.size))

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        return {"objects": sum(1 for _ in pool.map(read, metas))}


def bare(opened: Opened, _: Path) -> dict[str, Any]:
    """List, and read every object over 64 bare sockets: the most that this machine gives.

    Server and reader share its processors, so that less than the latency bound is left of it.
    """
    keys = iter([meta.key for page in opened.bucket.objects(PREFIX) for meta in page])
    address = urlsplit(opened.client.meta.endpoint_url)

    def read_on(_: int) -> int:
        with socket.create_connection((address.hostname, address.port)) as connection:
            return sum(_exchange(connection, key) for key in keys)

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        return {"objects": sum(pool.map(read_on, range(IN_FLIGHT)))}


def _exchange(connection: socket.socket, key: str) -> int:
    """Ask for an object and throw its bytes away; 1 once the answer has come in full."""
    connection.sendall(f"GET /{BUCKET}/{key} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = connection.recv(_CHUNK).partition(b"\r\n\r\n")
    missing = int(head.rpartition(b"Content-Length: ")[2]) - len(body)
    if missing != len(connection.recv(missing, socket.MSG_WAITALL)):
        raise ConnectionError(f"{key} was cut off")
    return 1


def boto3_threads(opened: Opened, _: Path) -> dict[str, Any]:
    """List and read every object with boto3 in 64 threads, and do nothing with the bytes."""
    client = opened.client
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]

    def read(key: str) -> int:
        return len(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        return {"objects": sum(1 for _ in pool.map(read, keys))}


KINDS: dict[str, Callable[[Opened, Path], dict[str, Any]]] = {
    "sync": sync,
    "refresh": refresh,
    "get": get,
    "bare": bare,
    "boto3": boto3_threads,
}


def main(kind: str, url: str, directory: Path) -> None:
    """Run it and print what it took."""
    session = LoopbackSession(url)
    opened = Opened(Bucket.of(session, BUCKET), session.client("s3"))
    peak = PeakMemory()
    cpu, wall = time.process_time(), time.perf_counter()
    result = KINDS[kind](opened, directory)
    result |= {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak_mb": peak.megabytes(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
