"""Command lines: run one command, and record what it does as a page's action is recorded."""

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from dashboard.aws.audit_log import AuditLog
from dashboard.aws.cloud import Connection, connect
from dashboard.shared.store_root import store_root
from workflow.access import Actor, Privilege, Role
from workflow.errors import WorkflowError


def run_command(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    """Run the command that is asked for; return the exit status, 1 with the reason on stderr.

    Args:
        parser: Sets ``command``, which takes the connection and the options.
        arguments: Of the command line; None for those of the process.
    """
    options = parser.parse_args(arguments)
    try:
        connection = connect(os.environ)
        command: Callable[[Connection, argparse.Namespace], None] = options.command
        command(connection, options)
    except WorkflowError as error:
        print(f"{error.code}: {error.message}\n{error.remedy}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


def run_recorded(
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
    with log.record_action(Actor(getpass.getuser(), Role.OPERATOR), privilege, request):
        work()
