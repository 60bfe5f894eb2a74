"""What an endpoint offers is asked of the endpoint itself."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dashboard.aws.cloud import Connection, connect
from dashboard.demonstration import control
from workflow.errors import WorkflowError


class Endpoint(BaseHTTPRequestHandler):
    """Answers every request alike."""

    answer = (403, b"<ErrorResponse/>")

    def do_GET(self) -> None:
        status, body = self.answer
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Clients:
    """A connection whose clients talk to one address."""

    def __init__(self, url: str, connection: Connection) -> None:
        self.settings, self.session = connection.settings, connection.session
        self.cloud = replace(connection.cloud)
        self.meta = self
        self.endpoint_url = url

    def client(self, _: str) -> "Clients":
        return self


@pytest.mark.cloud
@pytest.mark.parametrize("answer", [(403, b"<ErrorResponse/>"), (200, b"<html>"), (404, b"")])
def test_an_endpoint_that_answers_anything_else_offers_nothing(
    endpoint: str,
    answer: tuple[int, bytes],
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Endpoint, "answer", answer)
    connection = Clients(endpoint, connect(environ))

    assert control.read_controls(connection) is None  # type: ignore[arg-type]


@pytest.mark.cloud
def test_the_local_cloud_offers_a_demonstration_and_a_lab(environ: dict[str, str]) -> None:
    found = control.read_controls(connect(environ))

    assert found is not None
    assert found.demonstration.state == "absent"
    assert set(found.lab) >= {"endpoint-down", "throttling", "bad-version", "missing-permission"}
    assert not any(found.lab.values())


@pytest.mark.cloud
def test_an_endpoint_that_does_not_answer_is_an_error_in_words(environ: dict[str, str]) -> None:
    connection = Clients("http://127.0.0.1:1", connect(environ))

    with pytest.raises(WorkflowError):
        control.read_controls(connection)  # type: ignore[arg-type]
