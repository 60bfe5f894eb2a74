"""How often pages refresh by themselves: the less often, the more sessions have one open."""

from typing import Final
from weakref import WeakSet

import streamlit as st

AT_FULL_PACE: Final = 10
"""So many sessions refresh as often as their pages ask; more share what these take."""

_KEY = "session_with_a_page"


class _Session:
    """A session that has a page open; it is gone with the session's state."""


@st.cache_resource(show_spinner=False)
def _open_sessions() -> WeakSet[_Session]:
    return WeakSet()


def refresh_interval(least_s: float) -> float:
    """Return the seconds between two refreshes of a page in this session.

    One process draws the pages of all sessions, and Python draws one at a time: fifty pages that
    each refresh every four seconds would leave no time for a click.

    Args:
        least_s: Seconds, while few sessions have a page open.
    """
    if _KEY not in st.session_state:
        st.session_state[_KEY] = _Session()
    sessions = _open_sessions()
    sessions.add(st.session_state[_KEY])
    return least_s * max(1.0, len(sessions) / AT_FULL_PACE)
