"""Who is at this page, and what that person may do.

Streamlit's configuration, its login or a proxy's header tell; nothing that a browser sends beside
them is believed.
"""

import getpass
import os
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.access.model import FILE, MODE, Access, Mode, actor_of, configure_access, is_exposed
from workflow.access import Actor
from workflow.errors import WorkflowError


def access_at_start() -> Access:
    """Return what is configured as the server starts; what it asks for is asked for until it ends.

    Raises:
        WorkflowError: The configuration leaves the dashboard open to others, or cannot be read.
    """
    names = [*st.get_option("server.allowedHosts"), st.get_option("browser.serverAddress")]
    exposed = is_exposed(st.get_option("server.address"), filter(None, names))
    found = _read_configuration(exposed=exposed)
    if found.mode is not Mode.OPEN:
        os.environ[MODE] = found.mode  # also where secrets.toml is deleted meanwhile
    return found


def current_access() -> Access:
    """Return what is configured now: a role that is taken away in the file is gone at once.

    Raises:
        WorkflowError: The configuration cannot be read, or no longer lets people log in.
    """
    return _read_configuration(exposed=False)


def _read_configuration(*, exposed: bool) -> Access:
    return configure_access(
        os.environ,
        exposed=exposed,
        login=st.secrets.load_if_toml_exists() and "auth" in st.secrets,
        file=_read_access_file(),
    )


def current_actor() -> Actor:
    """Return who is at the page.

    Raises:
        WorkflowError: As ``current_access``; ``NotLoggedIn`` or ``NotListed``.
    """
    found = current_access()
    return actor_of(found, _read_identity(found), local_user=_local_user())


def login_name() -> str:
    """Return the name that a login or a proxy gives the person; empty where neither is asked.

    Raises:
        WorkflowError: As ``current_actor``.
    """
    return current_actor().name if current_access().mode in {Mode.LOGIN, Mode.PROXY} else ""


def _read_access_file() -> str:
    path = os.environ.get(FILE)
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkflowError(
            "AccessFileInvalid",
            f"The access file {path} cannot be read ({error}).",
            f"Let {FILE} name a file that the dashboard may read.",
        ) from error


def _read_identity(found: Access) -> dict[str, Any]:
    if found.mode is Mode.PROXY:
        return {"email": st.context.headers.get(found.header) or ""}
    if found.mode is Mode.LOGIN and st.user.get("is_logged_in"):
        return st.user.to_dict()
    return {}


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "the user of this machine"
