"""Control: the interface of an endpoint that can write a demonstration and break things on purpose.

It lies under a path of its own of the endpoint that answers ``sts``, signed for a service of its
own. AWS has nothing there and refuses the request, so that nothing of it is offered.
"""

import json
from datetime import datetime
from typing import Any, Final

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explain
from workflow.errors import WorkflowError

SIGNED_FOR: Final = "localcloud"
_PATH: Final = "/_localcloud"
_SECONDS: Final = 5
_OK: Final = 200
_CONFLICT: Final = 409


class DemonstrationState(msgspec.Struct, frozen=True):
    """How the demonstration stands.

    Attributes:
        state: ``absent``, ``running``, ``done`` or ``failed``.
        share: How far it has come while it is written, 0 to 1.
        says: What is done now.
        problem: Why it failed.
        executions: How many it holds, where it is done.
    """

    state: str
    share: float = 0.0
    says: str = ""
    problem: str = ""
    executions: int = 0


class Controls(msgspec.Struct, frozen=True):
    """What an endpoint offers.

    Attributes:
        demonstration: How the demonstration stands.
        lab: Whether each condition of the lab is on, by its name.
    """

    demonstration: DemonstrationState
    lab: dict[str, bool]


def read_controls(connection: Connection) -> Controls | None:
    """Return what the endpoint offers; None where it offers nothing, as AWS does.

    Raises:
        WorkflowError: ``ControlUnreachable`` where the endpoint does not answer.
    """
    status, body = _call_endpoint(connection, "GET", "controls", {})
    if status != _OK:
        return None
    try:
        return msgspec.json.decode(body, type=Controls)
    except (msgspec.DecodeError, UnicodeDecodeError):  # an answer, but of something else
        return None


def begin_condition(connection: Connection, what: str, now: datetime) -> None:
    """Begin ``demonstration`` or a condition of the lab, ``lab/NAME``.

    Args:
        connection: The cloud.
        what: What to begin.
        now: Aware, in local time: the rhythm of the demonstration's days is that of its zone.

    Raises:
        WorkflowError: The endpoint's own code where it refuses.
    """
    offset = now.utcoffset()
    _send_request(
        connection, "POST", what, {"utc_offset": offset.total_seconds() if offset else 0.0}
    )


def end_condition(connection: Connection, what: str) -> None:
    """End what ``begin_condition`` has begun; likewise."""
    _send_request(connection, "DELETE", what, {})


def _send_request(connection: Connection, method: str, what: str, given: dict[str, Any]) -> None:
    settings = connection.settings
    named = {"project": settings.project, "stage": settings.stage, **given}
    status, body = _call_endpoint(connection, method, what, named)
    if status != _OK:
        said = json.loads(body) if status == _CONFLICT else {}
        raise WorkflowError(
            str(said.get("code", "ControlRefused")),
            str(said.get("message", f"The endpoint refused {what} (status {status}).")),
            "Deploy first; a demonstration needs a deployment in which nothing has run.",
        )


def _call_endpoint(
    connection: Connection, method: str, what: str, given: dict[str, Any]
) -> tuple[int, bytes]:
    url = f"{connection.client('sts').meta.endpoint_url.rstrip('/')}{_PATH}/{what}"
    headers = {"content-type": "application/json"}
    credentials = connection.session.get_credentials()
    assert credentials is not None  # noqa: S101 - the connection has asked whose they are
    request = AWSRequest(method, url, headers, json.dumps(given) if given else None)
    SigV4Auth(credentials, SIGNED_FOR, connection.cloud.region).add_auth(request)
    try:
        answer = URLLib3Session(timeout=_SECONDS).send(request.prepare())
    except BotoCoreError as error:
        raise explain(error, f"{method} {_PATH}/{what}", url) from error
    return answer.status_code, answer.content
