"""Permits: what a person who has a privilege does with it, limited to its calls and recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from dashboard.access import session
from dashboard.aws.audit_log import AuditLog
from dashboard.aws.cloud import Cloud, Connection
from dashboard.shared.connections import cloud_connection, connection
from dashboard.shared.store_root import store_root
from workflow.access import CALLS, OWN_CALLS, Actor, Privilege
from workflow.audit import AuditResult


@dataclass(frozen=True, slots=True)
class Permit:
    """What ``require_permit`` gives to a person whose role has a privilege.

    Attributes:
        actor: Who does it.
        privilege: What is done.
        connection: Makes the calls that the privilege needs, and those that read.
        log: Where it is recorded.
    """

    actor: Actor
    privilege: Privilege
    connection: Connection
    log: AuditLog

    def connect(self) -> Connection:
        """Return the connection of now for the same calls: credentials may have been replaced."""
        return cloud_connection(CALLS[self.privilege]).watching(self.connection.watched)

    @contextmanager
    def record_action(
        self, request: str, privilege: Privilege | None = None
    ) -> Iterator[AuditResult]:
        """Record what this block does, in the thread that does it.

        Args:
            request: The plan or request.
            privilege: What it turned out to be, where that is known only now.

        Raises:
            WorkflowError: ``AuditNotWritten`` before anything is done.
        """
        with self.log.record_action(self.actor, privilege or self.privilege, request) as result:
            yield result


@st.cache_resource(show_spinner=False)
def _audit_logs() -> dict[tuple[Cloud, Path], AuditLog]:
    return {}


def audit_log() -> AuditLog:
    """Return the audit of the workflow that this session watches."""
    found = connection(OWN_CALLS)
    folder = store_root(found, kind="audit")
    key = (found.cloud, folder)
    # One for each bucket in the process: it remembers which rows it has read.
    if key not in _audit_logs():
        s3, bucket = found.client("s3"), found.watched.bucket
        _audit_logs()[key] = AuditLog(s3, bucket, folder, now=lambda: datetime.now(UTC))
    return _audit_logs()[key]


def require_permit(privilege: Privilege) -> Permit:
    """Return what the person at this page needs to do something, and is recorded with.

    Raises:
        WorkflowError: ``NotPermitted``; as ``session.current_actor``.
    """
    # Asked for at each action: a role may have been taken away since the page was drawn.
    actor = session.current_actor()
    actor.check(privilege)
    return Permit(actor, privilege, connection(CALLS[privilege]), audit_log())
