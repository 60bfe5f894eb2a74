"""Command line: ``python -m dashboard.demonstration`` deploys and writes the demonstration.

Prints a line for each step. Exits 2 with one JSON line on stderr (``code``, ``message``,
``remedy``) where it cannot.
"""

import json
import os
import sys
import time
from datetime import datetime

from dashboard.aws.cloud import Connection, connect
from dashboard.demonstration import control
from deploy import deployment
from deploy.apply import Applied, Failed
from workflow.errors import WorkflowError

_POLL_SECONDS = 0.5


def main() -> int:
    """Deploy and write; gives the exit status."""
    began = time.monotonic()
    try:
        connection = connect(os.environ)
        _check_available(connection)
        _deploy_workflow(connection)
        _write_demonstration(connection)
    except WorkflowError as error:
        fields = {"code": error.code, "message": error.message, "remedy": error.remedy}
        print(json.dumps(fields), file=sys.stderr, flush=True)
        return 2
    print(f"Ready after {time.monotonic() - began:.0f} s.", flush=True)
    return 0


def _check_available(connection: Connection) -> None:
    if control.read_controls(connection) is None:
        raise WorkflowError(
            "NotOffered",
            f"{connection.cloud.name} offers no demonstration.",
            "Leave SCONES_CLOUD out to use the local cloud.",
        )


def _deploy_workflow(connection: Connection) -> None:
    settings, session = connection.settings, connection.session
    plan = deployment.observe_and_plan(settings, session)
    for event in deployment.apply(plan, settings, session):
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Applied):
            print(f"{event.key}: {event.message or 'done'}", flush=True)


def _write_demonstration(connection: Connection) -> None:
    control.begin_condition(connection, "demonstration", datetime.now().astimezone())
    told = ""
    while found := control.read_controls(connection):
        shown = found.demonstration
        if shown.says not in ("", told):
            told = shown.says
            print(told, flush=True)
        if shown.state == "failed":
            raise WorkflowError("DemonstrationFailed", shown.problem, "Repeat the command.")
        if shown.state != "running":
            return
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
