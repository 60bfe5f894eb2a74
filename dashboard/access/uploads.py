"""Uploads: who may send files to the dashboard, and how much of them its process holds.

Streamlit takes files for any page that is open, that of somebody without a login or a role among
them, and keeps them in memory until the page is closed.
"""

import re
from typing import Final
from weakref import WeakValueDictionary

import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.stats import CacheStat

MAX_HELD_BYTES: Final = 1 << 30
"""What all pages together may have sent and not removed: five times the largest file."""

MAX_HELD_BYTES_OF_READERS: Final = 1 << 27
"""Likewise where anybody may look: all that a reader sends is an export of 64 MB."""

_UPLOAD: Final = re.compile(r"/_stcore/upload_file/([^/]*)")
_KEPT: Final = "uploads"


class _Admission:
    """A session whose person has a role."""


_admitted: WeakValueDictionary[str, _Admission] = WeakValueDictionary()
"""By the session's id; each goes with the session's state, which holds it."""


def admit_uploads(*, admitted: bool) -> None:
    """Let the session of this page send files, or no longer."""
    context = get_script_run_ctx()
    if context is None:
        return
    if admitted:
        st.session_state[_KEPT] = _admitted.setdefault(context.session_id, _Admission())
    else:
        st.session_state.pop(_KEPT, None)
        _admitted.pop(context.session_id, None)


class UploadLimit:
    """ASGI middleware that refuses files of sessions without a role, and those beyond the limit.

    Args:
        app: Streamlit.
        max_held_bytes: What all pages together may have sent and not removed.
    """

    def __init__(self, app: ASGIApp, *, max_held_bytes: int) -> None:
        self._app = app
        self._most = max_held_bytes
        self._arriving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        found = _UPLOAD.search(scope.get("path", ""))
        if scope["type"] != "http" or scope["method"] != "PUT" or found is None:
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        refused = self._find_refusal(found[1], length)
        if refused is not None:
            await refused(scope, receive, send)
            return
        # The server reads no more of a body than its length says.
        self._arriving += int(length)
        try:
            await self._app(scope, receive, send)
        finally:
            self._arriving -= int(length)

    def _find_refusal(self, session: str, length: str) -> PlainTextResponse | None:
        if session not in _admitted:
            return PlainTextResponse("Who sends files needs a role here (docs/access.md).", 403)
        if not length.isdecimal():
            return PlainTextResponse("A file is sent with its length.", 411)
        if _held_bytes() + self._arriving + int(length) > self._most:
            return PlainTextResponse(
                f"The dashboard holds {self._most >> 20:,} MB of files that pages have sent, and"
                " takes no more. Remove some from the list, or try again later.",
                413,
            )
        return None


def _held_bytes() -> int:
    """Return the bytes of all files that Streamlit keeps."""
    stats = st.runtime.get_instance().uploaded_file_mgr.get_stats().values()
    return sum(one.byte_length for family in stats for one in family if isinstance(one, CacheStat))
