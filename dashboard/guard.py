"""Guard: which requests reach the dashboard, and what other pages may do with its answers.

Streamlit itself checks the origin of websockets, by host and not by port, and leaves everything
else to a proxy. This middleware stands before all of it: no name but the dashboard's own (DNS
rebinding), no request of another page (cross-site requests, websockets), no frame around it.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import streamlit as st
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.access.model import is_loopback

HEADERS: Final = (
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
"""What every answer says: nobody may frame it, and it is what its type says."""

METRICS: Final = "/_stcore/metrics"
"""Streamlit's own figures of its sessions, which it gives to anybody: switched off here."""

_POLICY_VIOLATION = 1008
_FORWARDED: Final = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where the dashboard is served, as far as its configuration tells.

    Attributes:
        hosts: Names that it answers to beside the loopback ones and plain addresses; one that
            begins with ``*.`` stands for all names below it, ``*`` for any.
        origins: Other origins whose pages may use it.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    @classmethod
    def configured(cls) -> "ServerOptions":
        """Return what Streamlit's options say."""
        addresses = (st.get_option("server.address"), st.get_option("browser.serverAddress"))
        allowed = st.get_option("server.allowedHosts")
        return cls(
            _normalize_names([*allowed, *filter(None, addresses)]),
            frozenset(origin.strip() for origin in st.get_option("server.corsAllowedOrigins")),
        )


class Guard:
    """ASGI middleware that refuses what ``find_refusal`` or ``find_exposure`` gives a reason for.

    Args:
        app: What it stands before.
        is_open: Whether nobody has to log in, so that this machine alone may reach it.
    """

    def __init__(self, app: ASGIApp, *, is_open: bool = False) -> None:
        self._app = app
        self._open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        reason = find_refusal(scope.get("method"), headers, ServerOptions.configured())
        if reason is None and scope.get("path", "").endswith(METRICS):
            reason = "The metrics of Streamlit are switched off."
        if reason is None and self._open:
            reason = find_exposure(scope.get("server"), headers)
        if reason is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": reason})
        else:
            plain = [(b"content-type", b"text/plain; charset=utf-8")]
            await send(
                {"type": "http.response.start", "status": 403, "headers": [*plain, *HEADERS]}
            )
            await send({"type": "http.response.body", "body": reason.encode()})


def find_refusal(
    method: str | None, headers: Mapping[str, str], served: ServerOptions
) -> str | None:
    """Return why a request is refused, as a sentence; None for one of the dashboard's own pages.

    Args:
        method: The HTTP method; None for a websocket.
        headers: The headers, their names in lower case.
        served: Where the dashboard is served.
    """
    host = headers.get("host", "")
    if not _is_own(host, served.hosts):
        return (
            f"The dashboard does not answer to the name {host!r}. "
            "If that is its name, start it with --server.allowedHosts and the name."
        )
    origin = headers.get("origin")
    if origin is not None and not _is_same(origin, host) and origin not in served.origins:
        return (
            f"The dashboard does not answer pages of {origin!r}. "
            "If that is its own address, start it with --server.corsAllowedOrigins and the address."
        )
    site = headers.get("sec-fetch-site", "none")
    if method is None or origin is not None or site in ("none", "same-origin"):
        return None
    if method == "GET" and headers.get("sec-fetch-dest") == "document":
        return None  # somebody has followed a link
    return "The dashboard does not answer other pages."


def find_exposure(server: tuple[str, int | None] | None, headers: Mapping[str, str]) -> str | None:
    """Return why a dashboard without login refuses a request from beyond this machine.

    Args:
        server: Address and port that the request came in by, as ASGI gives it.
        headers: The headers, their names in lower case.
    """
    beyond = server is not None and _is_address(server[0]) and not is_loopback(server[0])
    if not beyond and not _FORWARDED & headers.keys():
        return None
    way = "came from another machine" if beyond else "was passed on by a proxy"
    return (
        f"The request {way}, and nobody has to log in here. docs/access.md says how to let"
        " others use the dashboard."
    )


def _is_own(host: str, hosts: Iterable[str]) -> bool:
    try:
        split = urlsplit(f"//{host}")
        name, _ = (split.hostname or "").rstrip("."), split.port
    except ValueError:
        return False
    if not name or split.netloc != host or "@" in host:
        return False
    # An address needs no name server, so no rebinding can make it ours.
    if name == "localhost" or _is_address(name):
        return True
    return any(
        pattern in ("*", name) or (pattern.startswith("*.") and name.endswith(pattern[1:]))
        for pattern in hosts
    )


def _is_address(name: str) -> bool:
    """Return whether a host is an address in numbers, which no name server can point elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_same(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _normalize_names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.strip().lower().rstrip(".") for name in names)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *HEADERS]}
        await send(message)

    return sending
