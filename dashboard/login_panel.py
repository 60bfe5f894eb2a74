"""Access on pages: the login, the refusal, and who is logged in."""

import streamlit as st

from dashboard.access import session
from dashboard.access.model import Mode
from dashboard.shared.escaping import plain
from workflow.errors import WorkflowError


def admitted() -> bool:
    """Say whether the person may see pages; where not, show the login or the reason."""
    try:
        person, mode = session.actor(), session.access().mode
    except WorkflowError as error:
        _refused(error)
        return False
    if mode is not Mode.OPEN:
        with st.sidebar:
            st.caption(f"{plain(person.name)}, {person.role.title}")
            if mode is Mode.LOGIN and st.button("Log out", type="tertiary"):
                st.logout()
    return True


def _refused(error: WorkflowError) -> None:
    st.title("Scones Unlimited", anchor=False)
    if error.code == "NotLoggedIn" and session.access().mode is Mode.LOGIN:
        st.write("Log in to see the workflow.")
        if st.button("Log in", type="primary", icon=":material/login:"):
            st.login()
        return
    st.error(f"**{plain(error.message)}** {plain(error.remedy)}", icon=":material/lock:")
    if error.code == "NotListed" and session.access().mode is Mode.LOGIN and st.button("Log out"):
        st.logout()
