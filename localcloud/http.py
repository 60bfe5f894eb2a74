"""HTTP/1.1 on a loopback port: a thread a connection, kept alive, one write an answer.

werkzeug's server closes every connection and waits 10 ms for stragglers after each answer, which
at eight requests an execution is most of an execution's time; so the few lines of the protocol
that AWS clients use are here.
"""

import io
import socketserver
import sys
import traceback
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from localcloud.wire import HEADERS, Environ, Response

App = Callable[[Environ], Response]
Gate = Callable[[Environ], Response | None]

_DISCARDED = 1 << 20
_LINE = 65_536
_HEADERS = 200
_PIECE = 1 << 18


class _BadRequest(Exception):  # noqa: N818 - answered with 400
    """The bytes on the wire are no HTTP request."""


class Server(socketserver.ThreadingTCPServer):
    """Serves an application on 127.0.0.1.

    Args:
        port: The port; 0 for any that is free.

    Attributes:
        app: Answers requests.
        gate: Refuses requests whose bodies are not even to be read.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.app: App | None = None
        self.gate: Gate = lambda _: None

    @property
    def url(self) -> str:
        """The server's URL, without a final slash."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - inherited
        """Report an error, unless the client has merely hung up."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Connection(socketserver.StreamRequestHandler):
    # How long a connection may be silent, between two requests and within one. Clients keep idle
    # connections for up to 90 s (obstore), and each costs a thread.
    timeout = 120.0
    disable_nagle_algorithm = True
    rbufsize = 1 << 16
    server: Server

    def handle(self) -> None:
        while True:
            line = self.rfile.readline(_LINE)
            # An empty line, or none at all: the client has closed the connection.
            if not line.strip():
                return
            try:
                environ = self._read_head(line)
                if refused := self.server.gate(environ):
                    self._refuse_and_close(environ, refused)
                    return
                self._read_body(environ)
            except _BadRequest as error:
                self._send_response(
                    Response(400, {"connection": "close"}, str(error).encode()), head=False
                )
                return
            self._send_response(
                self._answer_request(environ), head=environ["REQUEST_METHOD"] == "HEAD"
            )
            if environ.get("HTTP_CONNECTION", "").lower() == "close":
                return

    def _read_head(self, line: bytes) -> Environ:
        try:
            method, target, version = line.decode("latin-1").split()
        except ValueError:
            raise _BadRequest("That is no HTTP request line.") from None
        path, _, query = target.partition("?")
        host, port = self.server.server_address[:2]
        environ: Environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "RAW_URI": target,
            "REQUEST_URI": target,
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        self._read_headers(environ)
        return environ

    def _refuse_and_close(self, environ: Environ, response: Response) -> None:
        """Answer without reading the body and hang up; small bodies are taken in, unread.

        A client that is still sending when the connection closes may never see the answer.
        """
        response.headers["connection"] = "close"
        length = environ.get("CONTENT_LENGTH", "")
        # With Expect: 100-continue the client has not sent the body yet.
        if "HTTP_EXPECT" not in environ and length.isdigit():
            self.rfile.read(min(int(length), _DISCARDED))
        self._send_response(response, head=environ["REQUEST_METHOD"] == "HEAD")

    def _read_body(self, environ: Environ) -> None:
        body = self._receive_body(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))

    def _read_headers(self, environ: Environ) -> None:
        # WSGI's names make one of "_" and "-", which differ in keys of S3's metadata.
        headers: dict[str, str] = {}
        environ[HEADERS] = headers
        for _ in range(_HEADERS):
            line = self.rfile.readline(_LINE)
            if line in (b"\r\n", b"\n", b""):
                return
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise _BadRequest("A header has no colon.")
            key = name.upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = f"HTTP_{key}"
            text = value.strip()
            environ[key] = f"{environ[key]},{text}" if key in environ else text
            name = name.lower()
            headers[name] = f"{headers[name]},{text}" if name in headers else text
        raise _BadRequest(f"More than {_HEADERS} headers.")

    def _receive_body(self, environ: Environ) -> bytes:
        if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if environ.pop("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            return self._read_chunks()
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdigit():
            raise _BadRequest("Content-Length is not a number.")
        return self._read_exactly(int(length))

    def _read_chunks(self) -> bytes:
        body = bytearray()
        while True:
            line = self.rfile.readline(_LINE)
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                raise _BadRequest("A chunk has no size.") from None
            body += self._read_exactly(size)
            # Trailers may follow the last chunk, only a line end any other one (RFC 9112, section
            # 7.1).
            while (end := self.rfile.readline(_LINE)).strip():
                if size:
                    raise _BadRequest("A chunk is longer than its size.")
            if not size or not end:
                return bytes(body)

    def _read_exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError("The client hung up in the middle of a body.")
        return data

    def _answer_request(self, environ: Environ) -> Response:
        assert self.server.app is not None  # noqa: S101 - set before serving
        try:
            return self.server.app(environ)
        except ConnectionError:  # the application breaks the connection: that is its answer
            raise
        except Exception:  # noqa: BLE001 - a fault of this cloud must not take the server down
            traceback.print_exc()
            text = (
                b'{"__type": "InternalFailure", "message": "The local cloud failed; see its log"}'
            )
            return Response(500, {"content-type": "application/json"}, text)

    def _send_response(self, response: Response, *, head: bool) -> None:
        status = HTTPStatus(response.status)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
        headers = {name.lower(): value for name, value in response.headers.items()}
        headers.setdefault("content-length", str(len(response.body)))
        headers.setdefault("date", formatdate(usegmt=True))
        headers.setdefault("server", "localcloud")
        if status.value in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            # RFC 9110, section 8.6: neither answer has a body, and a 204 must not give a length.
            headers.pop("content-length")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        data = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        self._write_pieces(data if head else data + response.body)

    def _write_pieces(self, data: bytes) -> None:
        """Send bytes in pieces, each of which has the whole timeout: a slow client is not cut."""
        view = memoryview(data)
        for start in range(0, len(view), _PIECE):
            self.wfile.write(view[start : start + _PIECE])
