"""The address of the page that is shown: what it asks for, what of it is ignored, another one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from dashboard.shared import query
from dashboard.shared.connections import WORKFLOW
from dashboard.shared.escaping import escape_text

F = TypeVar("F")

_IGNORED = "ignored_parameters"
_PLACE = "place_of_ignored_parameters"
_EVERYWHERE = (WORKFLOW, "range", "zone")
"""Parameters of every page."""


@dataclass(frozen=True, slots=True)
class NoParameters:
    """The parameters of a page that has none of its own."""


def begin_page(name: str) -> None:
    """Make the place where a page says what of its address is ignored.

    Streamlit takes what a bound control cannot use out of the address, so later runs of the page
    would not find it: that is said again until the address holds another value, or another page
    is shown. What the address still holds is checked again in each run.

    Args:
        name: Path of the page that is shown.
    """
    page, told = st.session_state.get(_IGNORED, ("", []))
    gone = [one for one in told if not one.startswith(tuple(f"{key}=" for key in st.query_params))]
    st.session_state[_IGNORED] = name, []
    # One container for the whole run: what a fragment says is not lost when it runs again.
    st.session_state[_PLACE] = st.container()
    _tell(gone if page == name else ())


def read_parameters(kind: type[F]) -> F:
    """Return what the address asks of this page, and say what of it was ignored.

    The workflow that is watched, the time range and the zone are parameters of every page.

    Args:
        kind: The page's parameters, as ``query.read_filters`` takes them.
    """
    names = [name for name in st.query_params if name not in _EVERYWHERE]
    params = {name: st.query_params.get_all(name) for name in names}
    asked = query.read_filters(kind, params)
    _tell(asked.ignored)
    return asked.filters


def check_choice(name: str, options: Sequence[str]) -> None:
    """Say so where the address asks for something that a bound control does not offer.

    Args:
        name: The parameter, and key of the control that is drawn after this.
        options: What the control offers, as it is shown.
    """
    asked = st.query_params.get(name)
    if asked and asked not in options:
        _tell([query.describe_unknown(name, asked)])


def _tell(sentences: Iterable[str]) -> None:
    """Say what was ignored, each sentence once a run, and remember it for later runs."""
    for sentence in sentences:
        _, told = st.session_state[_IGNORED]
        if sentence not in told:
            told.append(sentence)
            st.session_state[_PLACE].warning(escape_text(sentence), icon=":material/link_off:")


def follow_controls(current: object, wanted: object) -> None:
    """Show this page with the parameters that its controls ask for, where they are others."""
    if wanted != current:
        go_to(wanted)


def go_to(filters: object) -> None:
    """Show this page with other parameters, in the address too."""
    st.session_state.pop(_IGNORED, None)
    wanted = query.write_filters(filters)
    # One by one: to clear them all would lose the parameters of every page.
    for name in [one for one in st.query_params if one not in (*_EVERYWHERE, *wanted)]:
        del st.query_params[name]
    st.query_params.update(wanted)
    st.rerun()
