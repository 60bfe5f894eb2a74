"""Pages refresh less often, the more sessions have one open."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from dashboard.shared import refresh


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """States of sessions; the one that is appended last is the current one."""
    opened: list[dict[str, Any]] = []
    refresh._open_sessions.clear()

    class Current:
        @property
        def session_state(self) -> dict[str, Any]:
            return opened[-1]

    monkeypatch.setattr(refresh, "st", Current())
    yield opened
    refresh._open_sessions.clear()


def test_few_sessions_refresh_as_often_as_their_pages_ask(sessions: list[dict[str, Any]]) -> None:
    for _ in range(refresh.AT_FULL_PACE):
        sessions.append({})
        assert refresh.refresh_interval(4.0) == refresh.refresh_interval(4.0) == 4.0


def test_many_sessions_share_the_pace_until_some_end(sessions: list[dict[str, Any]]) -> None:
    for _ in range(50):
        sessions.append({})
        last = refresh.refresh_interval(4.0)
    assert last == 20.0
    assert refresh.refresh_interval(2.0) == 10.0

    del sessions[:-5]
    gc.collect()

    assert refresh.refresh_interval(4.0) == 4.0
