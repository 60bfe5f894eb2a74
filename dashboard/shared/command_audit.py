"""Command audit: record what a command line does, as a page's action is recorded."""

import getpass
from collections.abc import Callable
from datetime import UTC, datetime

from dashboard.aws.audit_log import AuditLog
from dashboard.aws.cloud import Connection
from dashboard.shared.store_root import store_root
from workflow.access import Actor, Privilege, Role


def recorded(
    connection: Connection, privilege: Privilege, request: str, work: Callable[[], object]
) -> None:
    """Do something and record it under the name of the account of this machine.

    Raises:
        WorkflowError: ``AuditNotWritten`` before anything is done; what the work raises.
    """
    log = AuditLog(
        connection.client("s3"),
        connection.watched.bucket,
        store_root(connection, kind="audit"),
        now=lambda: datetime.now(UTC),
    )
    with log.recorded(Actor(getpass.getuser(), Role.OPERATOR), privilege, request):
        work()
