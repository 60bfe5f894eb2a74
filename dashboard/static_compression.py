"""Static compression: Streamlit's scripts and styles over the wire at a third of their size.

Streamlit serves them uncompressed, because to compress them again for each request costs more than
it saves. Here each is compressed at its first request and kept while the process runs, about 4 MB
for all that the pages use. Their names hold a digest of their content, so that none ever changes.
"""

import asyncio
import gzip
import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PATH: Final = re.compile(r".*/static/(js|css)/[\w.-]+\.(js|css)", re.ASCII)
_OK: Final = 200


class StaticCompression:
    """ASGI middleware that answers with scripts and styles compressed by gzip.

    Args:
        app: Streamlit.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: dict[str, list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if not _is_compressible(scope):
            await self._app(scope, receive, send)
            return
        messages = self._kept.get(scope["path"])
        if messages is None:
            messages = await self._collect_answer(scope, receive)
            # A browser that went away leaves half a file: that must not be kept.
            if _is_whole(messages):
                # zlib lets go of the interpreter's lock: other requests are answered meanwhile.
                messages = await asyncio.to_thread(_compress_answer, messages)
                self._kept[scope["path"]] = messages
        for message in messages:
            await send(message)

    async def _collect_answer(self, scope: Scope, receive: Receive) -> list[Message]:
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, collect)
        return messages


def _is_compressible(scope: Scope) -> bool:
    """Return whether a request asks for a whole script or style, and takes it compressed."""
    if scope["type"] != "http" or scope["method"] != "GET" or not _PATH.fullmatch(scope["path"]):
        return False
    headers = Headers(scope=scope)
    # Streamlit answers those itself: a part of a compressed file is no part of the file.
    partly = {"range", "if-none-match", "if-modified-since"} & set(headers)
    return not partly and "gzip" in headers.get("accept-encoding", "")


def _is_whole(messages: list[Message]) -> bool:
    """Return whether a file was read to its end: not where the browser went away meanwhile."""
    if not messages or messages[0]["status"] != _OK:
        return False
    last = messages[-1]
    return bool(last["type"] == "http.response.body" and not last.get("more_body", False))


def _compress_answer(messages: list[Message]) -> list[Message]:
    """Return an answer, as ASGI's messages, with its body compressed."""
    start, *parts = messages
    # Without a time in it: the same script is the same bytes in every process.
    body = gzip.compress(b"".join(part.get("body", b"") for part in parts), mtime=0)
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["content-encoding"] = "gzip"
    headers["content-length"] = str(len(body))
    headers.add_vary_header("accept-encoding")
    return [{**start, "headers": headers.raw}, {"type": "http.response.body", "body": body}]
