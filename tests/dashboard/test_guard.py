"""What the dashboard answers: its own pages, links to them, and no other page."""

import asyncio
import string
from typing import Any

import pytest
import streamlit as streamlit_module
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from dashboard.guard import HEADERS, Guard, ServerOptions, find_exposure, find_refusal

HERE = "127.0.0.1:8501"
NOTHING_CONFIGURED = ServerOptions()
LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

words = st.text(string.ascii_letters + string.digits + "-.:[]/@ ", max_size=30)


def refused(
    headers: dict[str, str], method: str | None = "GET", served: ServerOptions = NOTHING_CONFIGURED
) -> bool:
    return find_refusal(method, {"host": HERE, **headers}, served) is not None


@pytest.mark.parametrize(
    "host", [HERE, "localhost:8501", "LOCALHOST", "[::1]:8501", "192.168.1.7:8501", "10.0.0.1"]
)
def test_loopback_and_plain_addresses_are_its_own(host: str) -> None:
    assert not refused({"host": host})
    assert not refused({"host": host, "origin": f"http://{host}"}, None)


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:8501", "localhost.evil.example", "127.0.0.1.nip.io",
             "user@localhost", "localhost/", "localhost:port", "[::1", "a b"],
)  # fmt: skip
def test_other_names_are_refused_until_they_are_allowed(host: str) -> None:
    assert refused({"host": host})


def test_names_that_the_configuration_allows() -> None:
    served = ServerOptions(hosts=frozenset({"scones.example", "*.team.example"}))
    for host in ("scones.example", "Scones.Example:443", "a.b.team.example"):
        assert not refused({"host": host}, served=served)
    for host in ("team.example", "ascones.example", "scones.example.evil.example"):
        assert refused({"host": host}, served=served)
    assert not refused({"host": "anything.example"}, served=ServerOptions(hosts=frozenset({"*"})))


@given(origin=words, method=st.sampled_from([None, "GET", "POST", "PUT", "OPTIONS"]))
def test_a_request_of_any_other_origin_is_refused(origin: str, method: str | None) -> None:
    assert refused({"origin": origin}, method)
    assert refused({**LINK, "origin": origin}, method)


@pytest.mark.parametrize(
    "origin",
    ["null", "http://127.0.0.1:8502", "http://127.0.0.1", "http://localhost:8501",
     "http://127.0.0.1:8501.evil.example", "http://[", "https://evil.example"],
)  # fmt: skip
def test_another_port_is_another_origin(origin: str) -> None:
    assert refused({"origin": origin}, None)


def test_a_proxy_that_renames_it_is_allowed_by_its_origin() -> None:
    served = ServerOptions(origins=frozenset({"https://scones.example"}))
    assert not refused({"origin": "https://scones.example"}, None, served)
    assert refused({"origin": "http://scones.example"}, None, served)


def test_a_program_that_is_no_browser_is_answered() -> None:
    assert not refused({})
    assert not refused({}, None)


def test_a_link_is_followed_and_nothing_else_comes_from_another_page() -> None:
    assert not refused(LINK)
    assert not refused({**LINK, "sec-fetch-site": "same-site"})
    assert not refused({"sec-fetch-site": "same-origin", "sec-fetch-dest": "script"})
    assert not refused({"sec-fetch-site": "none", "sec-fetch-dest": "document"})
    assert refused(LINK, "POST")
    for use in ("iframe", "image", "script", "empty", ""):
        assert refused({**LINK, "sec-fetch-dest": use})


def test_the_configuration_of_streamlit_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {
        "server.address": "Dash.Example",
        "browser.serverAddress": "localhost",
        "server.allowedHosts": ["*.team.example "],
        "server.corsAllowedOrigins": [" https://scones.example"],
    }
    monkeypatch.setattr(streamlit_module, "get_option", options.__getitem__)
    assert ServerOptions.configured() == ServerOptions(
        frozenset({"dash.example", "localhost", "*.team.example"}),
        frozenset({"https://scones.example"}),
    )


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    """The app that is guarded."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"etag", b"1")]})
    await send({"type": "http.response.body", "body": b"the dashboard"})


def sent(kind: str, **headers: str) -> list[Message]:
    """What the guarded app sends."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return {"type": f"{kind}.request"}

    given_headers = {"host": HERE, **headers}
    scope = {
        "type": kind,
        "headers": [(k.encode(), v.encode()) for k, v in given_headers.items()],
        **({"method": "GET"} if kind == "http" else {}),
    }
    asyncio.run(Guard(inner)(scope, receive, send))
    return messages


def test_every_answer_forbids_frames_and_guessing() -> None:
    for headers in ({}, {"origin": "https://evil.example"}):
        start = sent("http", **headers)[0]
        assert set(HEADERS) <= set(start["headers"])
    assert (b"etag", b"1") in sent("http")[0]["headers"]


def test_what_is_refused_never_reaches_the_app() -> None:
    start, body = sent("http", host="evil.example")
    assert start["status"] == 403
    assert b"--server.allowedHosts" in body["body"]
    assert sent("websocket") == [{"type": "websocket.accept"}]
    (closed,) = sent("websocket", origin="http://127.0.0.1:9")
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)


def test_starting_and_stopping_pass_through() -> None:
    assert sent("lifespan")[0]["type"] == "http.response.start"


@pytest.mark.parametrize(
    ("server", "headers", "refused"),
    [
        (("127.0.0.1", 8501), {}, False),
        (("::1", 8501), {}, False),
        (None, {}, False),
        (("10.0.0.7", 8501), {}, True),
        (("127.0.0.1", 8501), {"x-forwarded-for": "203.0.113.9"}, True),
        (("127.0.0.1", 8501), {"forwarded": "for=203.0.113.9"}, True),
    ],
)
def test_a_dashboard_without_login_answers_this_machine_alone(
    server: tuple[str, int | None] | None, headers: dict[str, str], *, refused: bool
) -> None:
    assert (find_exposure(server, headers) is not None) == refused
