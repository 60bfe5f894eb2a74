"""Connections of the local cloud's HTTP server: kept alive, and closed when they are silent."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from localcloud import http
from localcloud.wire import Environ, Response

SILENT_S = 0.4
LARGE = 40_000_000


def answer(environ: Environ) -> Response:
    if environ["PATH_INFO"] == "/slow":
        time.sleep(2 * SILENT_S)  # longer than a connection may be silent
    body = b"." * LARGE if environ["PATH_INFO"] == "/large" else b"here"
    return Response(200, {}, body)


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.setattr(http._Connection, "timeout", SILENT_S)
    server = http.Server(0)
    server.app = answer
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    with socket.create_connection(server.server_address[:2], timeout=20) as client:  # type: ignore[arg-type]
        yield client
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /",
        b"GET / HTTP/1.1\r\nhost: a",
        b"PUT / HTTP/1.1\r\ncontent-length: 5\r\n\r\nab",
        b"PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_a_connection_that_says_nothing_more_is_closed(
    connection: socket.socket, sent: bytes
) -> None:
    connection.sendall(sent)
    assert connection.recv(100) == b""


def test_a_connection_waits_for_an_answer_and_is_kept(connection: socket.socket) -> None:
    for _ in range(2):
        connection.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
        said = b""
        while not said.endswith(b"here"):
            data = connection.recv(1000)
            assert data
            said += data
        assert said.startswith(b"HTTP/1.1 200")


def test_a_slow_reader_gets_all(connection: socket.socket) -> None:
    connection.sendall(b"GET /large HTTP/1.1\r\n\r\n")
    began, received = time.monotonic(), 0
    while received < LARGE:
        data = connection.recv(4_000_000)
        assert data
        received += len(data)
        time.sleep(0.05)
    assert time.monotonic() - began > SILENT_S
