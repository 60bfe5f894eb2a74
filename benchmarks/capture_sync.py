"""One sync of captures from a simulated S3, or what a user could do instead; one measured run.

Run by ``benchmarks.captures`` as ``python -m benchmarks.capture_sync KIND URL STORE``, where KIND
is ``sync``, ``refresh`` (two further passes), ``get`` (our client, bytes only) or ``boto3`` (64
threads, bytes only). Prints seconds
and peak memory above idle, as JSON.
"""

import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from benchmarks.memory import PeakMemory
from dashboard.aws.captures import IN_FLIGHT, CaptureProgress, sync_captures
from dashboard.aws.objects import Bucket
from dashboard.capture_tables import TABLES
from dashboard.store import SegmentStore

BUCKET = "captures"
PREFIX = "data_capture"


class LoopbackSession(boto3.Session):
    """A session whose clients talk to one address."""

    def __init__(self, url: str) -> None:
        any_word = "simulated"
        super().__init__(any_word, any_word, region_name="us-east-1")
        self.url = url

    def client(self, service: str) -> Any:  # type: ignore[override]  # noqa: ANN401
        """A client with a connection a thread."""
        pool = Config(max_pool_connections=IN_FLIGHT)
        return super().client(service, endpoint_url=self.url, config=pool)  # type: ignore[call-overload]


def sync(session: boto3.Session, directory: Path) -> dict[str, Any]:
    """The sync: list, read, parse and store."""
    store = SegmentStore(directory, TABLES)
    progress = _pass(Bucket.of(session, BUCKET), PREFIX, store)
    return {"objects": progress.read, "listed": progress.listed, "rows": progress.captures}


def refresh(session: boto3.Session, directory: Path) -> dict[str, Any]:
    """Two more passes in a session that is open: with what is new, and with nothing new."""
    bucket = Bucket.of(session, BUCKET)
    with tempfile.TemporaryDirectory() as empty:
        _pass(bucket, "nothing/here", SegmentStore(Path(empty), TABLES))
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


def get(session: boto3.Session, _: Path) -> dict[str, Any]:
    """List and read every object with our client, and do nothing with the bytes."""
    bucket = Bucket.of(session, BUCKET)
    keys = iter([meta.key for page in bucket.objects(PREFIX) for meta in page])
    count = 0

    async def worker() -> None:
        nonlocal count
        for key in keys:
            await bucket.read(key)
            count += 1

    async def workers() -> None:
        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))

    asyncio.run(workers())
    return {"objects": count}


def boto3_threads(session: boto3.Session, _: Path) -> dict[str, Any]:
    """List and read every object with boto3 in 64 threads, and do nothing with the bytes."""
    client = session.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        read = pool.map(lambda key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read(), keys)
        return {"objects": sum(1 for _ in read)}


KINDS: dict[str, Callable[[boto3.Session, Path], dict[str, Any]]] = {
    "sync": sync,
    "refresh": refresh,
    "get": get,
    "boto3": boto3_threads,
}


def main(kind: str, url: str, directory: Path) -> None:
    """Run it and print what it took."""
    session = LoopbackSession(url)
    session.client("s3")  # loads botocore's models
    peak = PeakMemory()
    cpu, wall = time.process_time(), time.perf_counter()
    result = KINDS[kind](session, directory)
    result |= {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak_mb": peak.megabytes(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
