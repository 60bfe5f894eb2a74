"""Panels of the Overview page."""

import streamlit as st

from dashboard.overview import model
from dashboard.shared.escaping import plain

_LOOKS = {
    model.Health.HEALTHY: ("green", ":material/check_circle:", "Healthy"),
    model.Health.NEEDS_YOU: ("red", ":material/error:", "Needs you"),
    model.Health.QUIET: ("gray", ":material/bedtime:", "Quiet"),
}


def verdict(shown: model.Overview) -> None:
    """Is it healthy."""
    color, icon, word = _LOOKS[shown.health]
    st.markdown(f"### :{color}-badge[{icon} {word}]")
    st.markdown(plain(shown.sentence))


def tiles(shown: model.Overview) -> None:
    """The numbers of 24 hours; each leads to the executions that it counts."""
    with st.container(horizontal=True, gap="small"):
        for tile in shown.tiles:
            with st.container(border=True, width=126, height="stretch", gap=None):
                st.metric(
                    tile.label,
                    tile.value,
                    tile.change or None,
                    delta_color="off"
                    if tile.worse is None
                    else ("inverse" if (tile.change[0] == "+") == tile.worse else "normal"),
                )
                st.page_link(tile.page, label="Show", query_params=dict(tile.params))


def lines(title: str, found: tuple[model.Line, ...], nothing: str) -> None:
    """A list of sentences, each leading to its page."""
    st.markdown(f"**{title}**")
    if not found:
        st.caption(nothing)
    for line in found:
        st.page_link(
            line.page,
            label=plain(line.text),
            icon=line.icon,
            query_params=dict(line.params),
        )
        if line.detail:
            st.caption(plain(line.detail))
