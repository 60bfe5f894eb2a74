"""Files are taken from people with a role, and as many as the process can hold."""

import gc
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from starlette.types import Message, Receive, Scope, Send

from dashboard.access import uploads

SESSION = "0b4f8c1e"
PATH = f"/scones/_stcore/upload_file/{SESSION}/a-file"


async def streamlit_itself(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def status(
    path: str = PATH,
    method: str = "PUT",
    length: str | None = "10",
    max_held_bytes: int = uploads.MAX_HELD_BYTES,
) -> int:
    """Send a file, and return the status of the answer."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    headers = [(b"content-length", length.encode())] if length is not None else []
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    with suppress(StopIteration):  # nothing in it waits
        limit = uploads.UploadLimit(streamlit_itself, max_held_bytes=max_held_bytes)
        limit(scope, receive, send).send(None)
    return int(messages[0]["status"])


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Give a session's state, while Streamlit keeps no file."""
    state: dict[str, Any] = {}
    monkeypatch.setattr(uploads, "get_script_run_ctx", lambda: SimpleNamespace(session_id=SESSION))
    monkeypatch.setattr(st, "session_state", state)
    monkeypatch.setattr(uploads, "_held_bytes", lambda: 0)
    yield state
    uploads._admitted.clear()


def test_a_page_of_somebody_without_a_role_sends_no_file(kept: dict[str, Any]) -> None:
    assert status() == 403
    uploads.admit_uploads(admitted=True)
    assert status() == 204
    uploads.admit_uploads(admitted=False)
    assert status() == 403


def test_a_session_that_has_ended_sends_no_file(kept: dict[str, Any]) -> None:
    uploads.admit_uploads(admitted=True)
    kept.clear()
    gc.collect()

    assert status() == 403


def test_files_beyond_what_the_process_holds_are_refused(
    kept: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.admit_uploads(admitted=True)
    monkeypatch.setattr(uploads, "_held_bytes", lambda: uploads.MAX_HELD_BYTES - 10)

    assert (status(length="10"), status(length="11")) == (204, 413)
    assert (status(length=None), status(length="-1"), status(length="x")) == (411, 411, 411)


def test_where_anybody_may_look_less_is_taken(kept: dict[str, Any]) -> None:
    most = uploads.MAX_HELD_BYTES_OF_READERS
    uploads.admit_uploads(admitted=True)

    assert status(length=str(most), max_held_bytes=most) == 204
    assert status(length=str(most + 1), max_held_bytes=most) == 413


def test_all_else_passes_through(kept: dict[str, Any]) -> None:
    assert status(method="DELETE") == status("/_stcore/health", "GET", None) == 204
