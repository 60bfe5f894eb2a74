"""Access on pages: the login, the refusal, and who is logged in."""

import streamlit as st

from dashboard.access import session
from dashboard.access.model import Mode
from dashboard.access.uploads import admit_uploads
from dashboard.shared.escaping import escape_prose, escape_text
from workflow.errors import WorkflowError


def check_admitted() -> bool:
    """Say whether the person may see pages; where not, show the login or the reason."""
    try:
        person, mode = session.current_actor(), session.current_access().mode
    except WorkflowError as error:
        admit_uploads(admitted=False)
        _show_refusal(error)
        return False
    admit_uploads(admitted=True)
    if mode is not Mode.OPEN:
        with st.sidebar:
            st.caption(f"{escape_text(person.name)}, {person.role.title}")
            if mode is Mode.LOGIN and st.button("Log out", type="tertiary"):
                st.logout()
    return True


def _show_refusal(error: WorkflowError) -> None:
    st.title("Scones Unlimited", anchor=False)
    if error.code == "NotLoggedIn" and session.current_access().mode is Mode.LOGIN:
        st.write("Log in to see the workflow.")
        if st.button("Log in", type="primary", icon=":material/login:"):
            st.login()
        return
    st.error(
        f"**{escape_text(error.message)}** {escape_prose(error.remedy)}", icon=":material/lock:"
    )
    if (
        error.code == "NotListed"
        and session.current_access().mode is Mode.LOGIN
        and st.button("Log out")
    ):
        st.logout()
