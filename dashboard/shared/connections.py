"""The process's connection to the cloud, limited to what may be done, for the watched workflow."""

import os
from dataclasses import replace
from pathlib import Path

import streamlit as st

from dashboard.aws.cloud import Cloud, Connection, connect
from dashboard.shared.store_root import store_root
from dashboard.shared.workflow_registry import WorkflowRegistry
from workflow.access import READS_ONLY, Calls

WORKFLOW = "workflow"
"""Key of the session and of the address that names the watched workflow."""


# Streamlit asks ``validate`` at each use: a local cloud that was started again, or other
# credentials, lead to a new connection.
@st.cache_resource(show_spinner="Starting the cloud …", validate=Connection.alive)
def _connect_unlimited() -> Connection:
    """Return the process's one connection; replaced when the local cloud no longer answers."""
    return connect(os.environ)


@st.cache_resource(show_spinner=False)
def _limited_connections() -> dict[tuple[Cloud, Calls], Connection]:
    return {}


@st.cache_resource(show_spinner=False)
def _class_names() -> dict[Cloud, tuple[str, ...]]:
    return {}


def name_classes(cloud: Cloud, names: tuple[str, ...]) -> None:
    """Have every later connection name the classes of the deployed workflow like this.

    Args:
        cloud: Where it is deployed.
        names: In the order of the model's answer; empty for those that were known at the start.
    """
    _class_names()[cloud] = names


def cloud_connection(calls: Calls = READS_ONLY) -> Connection:
    """Return the connection to the cloud, for the deployed workflow.

    Args:
        calls: What it may do beside reading; pages may do nothing else.
    """
    whole = _connect_unlimited()
    # By cloud: a new connection must not be given the clients of the one before.
    key = (whole.cloud, calls)
    if key not in _limited_connections():
        _limited_connections()[key] = whole.limited(calls)
    found = _limited_connections()[key]
    return replace(found, classes=_class_names().get(whole.cloud) or found.classes)


def connection(calls: Calls = READS_ONLY) -> Connection:
    """Return the connection for the workflow that this session watches."""
    found = cloud_connection(calls)
    chosen = _registry_beside(found).find(st.session_state.get(WORKFLOW, ""))
    # Per session: two people may watch two workflows in one process.
    return found.watching(chosen) if chosen is not None else found


@st.cache_resource(show_spinner=False)
def _known_registries() -> dict[Path, WorkflowRegistry]:
    return {}


def registry() -> WorkflowRegistry:
    """Return the workflows that are watched in this cloud beside the deployed one."""
    return _registry_beside(cloud_connection())


def _registry_beside(found: Connection) -> WorkflowRegistry:
    path = store_root(found, kind="workflows").with_suffix(".json")
    return _known_registries().setdefault(path, WorkflowRegistry(path))
