"""Scripts and styles go over the wire compressed; each is compressed once."""

import asyncio
import gzip
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.static_compression import StaticCompression

SCRIPT = "/static/js/index.8FeG_-1.js"
CONTENT = b"const answer = 42;\n" * 1_000
GZIP = {"accept-encoding": "gzip, deflate, br, zstd"}


class Files:
    """Streamlit's static files, and what was asked of them."""

    def __init__(self, directory: Path) -> None:
        self.asked: list[str] = []
        self._files = StaticFiles(directory=directory)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        await self._files(scope, receive, send)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    for path in (SCRIPT, "/static/css/index.1.css", "/static/media/font.1.woff2", "/index.js"):
        file = tmp_path / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(CONTENT)
    return Files(tmp_path)


def ask(
    app: ASGIApp, path: str, headers: dict[str, str], method: str = "GET"
) -> tuple[int, Headers, bytes]:
    """Status, headers and body of an answer."""
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw, "root_path": ""}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        await asyncio.Event().wait()  # the browser stays
        raise AssertionError

    async def answer() -> None:
        await app(scope, receive, send)

    asyncio.run(answer())
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], Headers(raw=sent[0]["headers"]), body


@pytest.mark.parametrize("path", [SCRIPT, "/static/css/index.1.css"])
def test_scripts_and_styles_are_compressed_once(files: Files, path: str) -> None:
    app = StaticCompression(files)
    answers = [ask(app, path, GZIP) for _ in range(3)]

    assert answers == [answers[0]] * 3
    status, headers, body = answers[0]
    assert (status, gzip.decompress(body)) == (200, CONTENT)
    assert len(body) < len(CONTENT) / 3
    assert headers["content-encoding"] == "gzip"
    assert headers["content-length"] == str(len(body))
    assert headers["vary"].lower() == "accept-encoding"
    assert "etag" in headers
    assert files.asked == [path]


@pytest.mark.parametrize(
    ("path", "headers", "method"),
    [
        (SCRIPT, {}, "GET"),
        (SCRIPT, {"accept-encoding": "identity"}, "GET"),
        (SCRIPT, GZIP, "HEAD"),
        (SCRIPT, GZIP | {"range": "bytes=0-9"}, "GET"),
        ("/static/media/font.1.woff2", GZIP, "GET"),
        ("/index.js", GZIP, "GET"),
        ("/static/js/./index.8FeG_-1.js", GZIP, "GET"),
    ],
)
def test_everything_else_is_answered_as_it_is(
    files: Files, path: str, headers: dict[str, str], method: str
) -> None:
    through = ask(StaticCompression(files), path, headers, method)
    assert through == ask(files, path, headers, method)
    assert "content-encoding" not in through[1]


def test_a_browser_that_has_a_script_is_told_so(files: Files) -> None:
    app = StaticCompression(files)
    _, headers, _ = ask(app, SCRIPT, GZIP)
    assert ask(app, SCRIPT, GZIP | {"if-none-match": headers["etag"]})[0] == 304


def test_a_script_that_is_missing_is_not_kept(files: Files) -> None:
    app = StaticCompression(_missing)
    assert [ask(app, SCRIPT, GZIP)[0] for _ in range(2)] == [404, 404]
    assert app._kept == {}


async def _missing(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"not there"})


class CutOff:
    """Files of which the first is read to its half: the browser was reloaded meanwhile."""

    def __init__(self, parts: list[Message]) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in self._parts or [{"type": "http.response.body", "body": CONTENT}]:
            await send(part)
        self._parts = []


@pytest.mark.parametrize("half", [b"", CONTENT[:100]])
def test_a_file_that_was_read_to_its_half_is_not_kept(half: bytes) -> None:
    app = StaticCompression(
        CutOff([{"type": "http.response.body", "body": half, "more_body": True}])
    )
    ask(app, SCRIPT, GZIP)

    _, headers, body = ask(app, SCRIPT, GZIP)

    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == CONTENT
