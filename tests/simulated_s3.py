"""One S3 bucket on 127.0.0.1 that answers late, refuses, or slows down, as it is told.

It speaks as much of the REST API as reading needs (path style): ListObjectsV2, GetObject with
Range, HeadObject. Tests run it in a thread; benchmarks in a process of its own:
``python tests/simulated_s3.py DIRECTORY PREFIX LATENCY_MS`` serves the files below a directory
and prints its address.
"""

import asyncio
import hashlib
import os
import re
import select
import selectors
import socket
import sys
import threading
import time
from bisect import bisect_left, bisect_right
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "captures"
_REQUEST_BYTES = 8 << 10
_ANSWER_BYTES = 1 << 20  # that the kernel takes at once: a loop that waits for it is late elsewhere
_RANGE = re.compile(rb"\r\nrange: bytes=(\d+)-(\d+)", re.IGNORECASE)


class SimulatedS3:
    """The bucket.

    Attributes:
        latency: Seconds before the first byte of every answer.
        requests: ``METHOD key`` of every request so far; listings are ``LIST prefix``.
        denied: Keys whose GET is refused; None refuses all.
        slow_downs: So many of the next GETs are answered 503 SlowDown.
        url: Where it listens, once started.
        connections: Those that are open.
    """

    def __init__(self, objects: dict[str, bytes] | None = None, latency: float = 0.0) -> None:
        self._objects: dict[str, bytes] = {}
        self._etags: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._keys: list[str] = []
        self.latency = latency
        self.requests: list[str] = []
        self.denied: set[str] | None = set()
        self.slow_downs = 0
        self.url = ""
        self.connections: set[asyncio.Transport] = set()
        self.put(objects or {})

    def put(self, objects: dict[str, bytes]) -> None:
        """Add or replace objects."""
        self._objects |= objects
        self._etags |= {key: hashlib.md5(data).hexdigest() for key, data in objects.items()}  # noqa: S324 - S3's ETag
        self._sizes |= {key: len(data) for key, data in objects.items()}
        self._keys = sorted(self._objects)

    def delete(self, key: str) -> None:
        """Delete an object without its vanishing from listings: as when it goes in between."""
        del self._objects[key]

    def forget(self, key: str) -> None:
        """Delete an object, listings included."""
        self.delete(key)
        self._keys.remove(key)

    def answer(self, method: str, target: str, wanted: range | None) -> tuple[int, str, bytes]:
        """Status, further headers and body; ``wanted`` are the bytes asked for, None for all."""
        url = urlsplit(target)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        if bucket != BUCKET:
            return self._error(404, "NoSuchBucket")
        if not key:
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            self.requests.append(f"LIST {query.get('prefix', '')}")
            return 200, "Content-Type: application/xml\r\n", self._listing(query)
        self.requests.append(f"{method} {key}")
        if self.slow_downs:
            self.slow_downs -= 1
            return self._error(503, "SlowDown")
        if self.denied is None or key in self.denied:
            return self._error(403, "AccessDenied")
        if key not in self._objects:
            return self._error(404, "NoSuchKey")
        return self._object(key, wanted)

    def _error(self, status: int, code: str) -> tuple[int, str, bytes]:
        body = f"<Error><Code>{code}</Code><Message>{code} is simulated</Message></Error>"
        return status, "Content-Type: application/xml\r\n", body.encode()

    def _object(self, key: str, wanted: range | None) -> tuple[int, str, bytes]:
        data = self._objects[key]
        headers = f'ETag: "{self._etags[key]}"\r\nLast-Modified: Mon, 24 Nov 2025 16:00:00 GMT\r\n'
        if wanted is None:
            return 200, headers, data
        if wanted.start >= len(data):
            return self._error(416, "InvalidRange")
        part = data[wanted.start : wanted.stop]
        end = wanted.start + len(part) - 1
        headers += f"Content-Range: bytes {wanted.start}-{end}/{len(data)}\r\n"
        return 206, headers, part

    def _listing(self, query: dict[str, str]) -> bytes:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token") or query.get("start-after", "")
        limit = int(query.get("max-keys", 1000))
        at = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        parts: list[str] = []
        last = ""
        while at < len(self._keys) and self._keys[at].startswith(prefix) and len(parts) < limit:
            last = self._keys[at]
            folder, found, _ = (
                last[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            )
            if found:
                last = prefix + folder + chr(ord(delimiter) + 1)
                name = escape(prefix + folder + delimiter)
                parts.append(f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>")
                at = bisect_left(self._keys, last)
            else:
                parts.append(self._contents(last))
                at += 1
        more = at < len(self._keys) and self._keys[at].startswith(prefix)
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        return (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(parts)}</KeyCount>"
            f"<MaxKeys>{limit}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
            f"{''.join(parts)}</ListBucketResult>"
        ).encode()

    def _contents(self, key: str) -> str:
        return (
            f"<Contents><Key>{escape(key)}</Key><LastModified>2025-11-24T16:00:00.000Z</LastModified>"
            f"<ETag>&quot;{self._etags[key]}&quot;</ETag><Size>{self._sizes[key]}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )

    async def serve(self, selector: "_PunctualSelector", started: threading.Event) -> None:
        """Serve until cancelled."""
        loop = asyncio.get_running_loop()
        listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ANSWER_BYTES)
        server = await loop.create_server(lambda: _Connection(self, selector), sock=listening)
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        started.set()
        try:
            async with server:
                await server.serve_forever()
        finally:
            for connection in self.connections:
                connection.abort()
            await asyncio.sleep(0)


class _PunctualSelector(selectors.DefaultSelector):
    """Waits to the microsecond: asyncio's own waits are rounded up to whole milliseconds.

    Attributes:
        woke_at: When it woke last, on the loop's clock: what it found had arrived by then.
    """

    woke_at = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            select.select([self.fileno()], [], [], timeout)
        found = super().select(0)
        self.woke_at = time.monotonic()
        return found


class _Connection(asyncio.BufferedProtocol):
    """One connection: requests without a body, answered in order."""

    def __init__(self, s3: SimulatedS3, selector: _PunctualSelector) -> None:
        self._s3 = s3
        self._selector = selector
        self._room = bytearray(_REQUEST_BYTES)
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._s3.connections.add(transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._s3.connections.discard(self._transport)

    def get_buffer(self, _: int) -> bytearray:
        return self._room

    def buffer_updated(self, size: int) -> None:
        self._received += self._room[:size]
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        """Answer as late after the request's arrival as the bucket says, whatever it took."""
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        found = _RANGE.search(head)
        wanted = range(int(found[1]), int(found[2]) + 1) if found else None
        status, headers, body = self._s3.answer(method, target, wanted)
        start = f"HTTP/1.1 {status} -\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode()
        parts = (start, b"" if method == "HEAD" else body)
        if self._s3.latency:
            at = self._selector.woke_at + self._s3.latency
            asyncio.get_running_loop().call_at(at, self._write, *parts)
        else:
            self._write(*parts)

    def _write(self, *parts: bytes) -> None:
        """Hand both parts to the kernel as they are; joining them would copy every body."""
        if self._transport.is_closing():
            return
        sent = 0
        if not self._transport.get_write_buffer_size():
            try:
                sent = os.writev(self._descriptor, parts)
            except (BlockingIOError, ConnectionError):
                sent = 0  # the transport waits, or finds that the connection is gone
        for part in parts:
            if sent < len(part):
                self._transport.write(memoryview(part)[sent:])
            sent = max(sent - len(part), 0)


class ServedS3:
    """A simulated bucket, served by a thread for as long as the block lasts."""

    def __init__(self, s3: SimulatedS3) -> None:
        self._s3 = s3
        self._selector = _PunctualSelector()
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started = threading.Event()

    def _run(self) -> None:
        self._task = self._loop.create_task(self._s3.serve(self._selector, self._started))
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            self._loop.close()

    def __enter__(self) -> SimulatedS3:
        self._thread.start()
        assert self._started.wait(10)
        return self._s3

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)


def _serve_files(directory: Path, prefix: str, latency: float) -> None:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    objects = {f"{prefix}/{path.relative_to(directory)}": path.read_bytes() for path in files}
    with ServedS3(SimulatedS3(objects, latency)) as s3:
        print(s3.url, flush=True)  # noqa: T201 - its parent reads the address
        sys.stdin.read()  # until the parent closes it or ends


if __name__ == "__main__":
    _serve_files(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]) / 1000)
