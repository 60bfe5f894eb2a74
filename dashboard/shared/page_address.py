"""The address of the page that is shown: what it asks for, what of it is ignored, another one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from dashboard.shared import query
from dashboard.shared.connections import WORKFLOW
from dashboard.shared.escaping import escape_text

F = TypeVar("F")

_IGNORED = "ignored_parameters"
_EVERYWHERE = (WORKFLOW, "range", "zone")
"""Parameters of every page."""


@dataclass(frozen=True, slots=True)
class NoParameters:
    """The parameters of a page that has none of its own."""


def read_parameters(kind: type[F]) -> F:
    """Return what the address asks of this page, and say what of it was ignored.

    The workflow that is watched, the time range and the zone are parameters of every page.

    Args:
        kind: The page's parameters, as ``query.read_filters`` takes them.
    """
    names = [name for name in st.query_params if name not in _EVERYWHERE]
    params = {name: st.query_params.get_all(name) for name in names}
    asked = query.read_filters(kind, params)
    page, told = st.session_state.get(_IGNORED, ("", ()))
    # Streamlit takes what a bound control cannot use out of the address: it is told all the same.
    told = (*(told if page == kind.__name__ else ()), *asked.ignored)
    st.session_state[_IGNORED] = kind.__name__, tuple(dict.fromkeys(told))
    for sentence in dict.fromkeys(told):
        st.warning(escape_text(sentence), icon=":material/link_off:")
    return asked.filters


def check_choice(name: str, options: Sequence[str]) -> None:
    """Say so where the address asks for something that a bound control does not offer.

    Args:
        name: The parameter, and key of the control that is drawn after this.
        options: What the control offers, as it is shown.
    """
    asked = st.query_params.get(name)
    if asked and asked not in options:
        sentence = query.describe_unknown(name, asked)
        page, told = st.session_state.get(_IGNORED, ("", ()))
        st.session_state[_IGNORED] = page, (*told, sentence)
        st.warning(escape_text(sentence), icon=":material/link_off:")


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
