"""Executions: their records and histories in SQLite, and the ones that are running now."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from localcloud.errors import AwsError
from localcloud.service import now
from localcloud.states.history import Event
from localcloud.store import Store

Execution = dict[str, Any]

REDRIVABLE_SECONDS = 14 * 86_400
_REDRIVE_EVENTS = 24_999
_COLUMNS = (
    "arn", "machine", "version", "alias", "name", "status", "start", "stop", "redrives", "body",
)  # fmt: skip
_TABLES = """
CREATE TABLE IF NOT EXISTS executions (
    arn TEXT PRIMARY KEY, machine TEXT, version TEXT, alias TEXT, name TEXT, status TEXT,
    start REAL, stop REAL, redrives INTEGER, body TEXT
);
CREATE INDEX IF NOT EXISTS executions_by_start ON executions (machine, start DESC, arn);
CREATE TABLE IF NOT EXISTS history (
    arn TEXT, id INTEGER, body TEXT, PRIMARY KEY (arn, id)
) WITHOUT ROWID;
"""


class Executions:
    """The executions of all state machines.

    An execution is a dictionary of the columns above; ``body`` holds what else belongs to it:
    input, output, error, cause, digest of its definition, role, machine name and type, redrive
    date and tokens.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        store.script(_TABLES)

    def add(self, execution: Execution) -> None:
        """Keep a new execution."""
        self._store.execute(
            f"INSERT INTO executions VALUES ({', '.join('?' * len(_COLUMNS))})",  # noqa: S608 - placeholders
            _row(execution),
        )

    def add_ended(self, execution: Execution, events: Sequence[Event]) -> None:
        """Keep an execution that has ended, with its history."""
        self.add(execution)
        rows = [(execution["arn"], event["id"], json.dumps(event)) for event in events]
        self._store.execute_many("INSERT INTO history VALUES (?, ?, ?)", rows)

    def save(self, execution: Execution) -> None:
        """Keep a changed execution."""
        self._store.execute(
            f"REPLACE INTO executions VALUES ({', '.join('?' * len(_COLUMNS))})",  # noqa: S608 - placeholders
            _row(execution),
        )

    def find(self, arn: str) -> Execution | None:
        """Return the execution of that ARN."""
        rows = self._store.execute("SELECT * FROM executions WHERE arn = ?", (arn,))
        return _execution(rows[0]) if rows else None

    def get(self, arn: str) -> Execution:
        """Return the execution of that ARN.

        Raises:
            AwsError: ``ExecutionDoesNotExist``.
        """
        execution = self.find(arn)
        if execution is None:
            raise AwsError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return execution

    def page(
        self, column: str, arn: str, filters: dict[str, Any], size: int, token: str | None
    ) -> tuple[list[Execution], str | None]:
        """Executions of a machine, version or alias, newest first, and the token of the next page.

        Args:
            column: ``machine``, ``version`` or ``alias``.
            arn: Its ARN.
            filters: ``statusFilter`` and ``redriveFilter`` as ``ListExecutions`` takes them.
            size: How many at most.
            token: Where the previous page ended, or None.
        """
        where, values = [f"{column} = ?"], list[Any]([arn])
        if status := filters.get("statusFilter"):
            where.append("status = ?")
            values.append(status)
        if redrive := filters.get("redriveFilter"):
            where.append("redrives > 0" if redrive == "REDRIVEN" else "redrives = 0")
        if token is not None:
            start, last = _from_token(token)
            where.append("(start < ? OR (start = ? AND arn > ?))")
            values += [start, start, last]
        rows = self._store.execute(
            f"SELECT * FROM executions WHERE {' AND '.join(where)} "  # noqa: S608 - own columns
            "ORDER BY start DESC, arn LIMIT ?",
            [*values, size + 1],
        )
        found = [_execution(row) for row in rows[:size]]
        return found, _token(found[-1]) if len(rows) > size else None

    def of_machine(self, machine: str) -> list[str]:
        """ARNs of all executions of a state machine."""
        rows = self._store.execute("SELECT arn FROM executions WHERE machine = ?", (machine,))
        return [arn for (arn,) in rows]

    def delete(self, arns: Sequence[str]) -> None:
        """Forget executions and their histories."""
        self._store.execute_many("DELETE FROM history WHERE arn = ?", [(a,) for a in arns])
        self._store.execute_many("DELETE FROM executions WHERE arn = ?", [(a,) for a in arns])

    def running(self) -> list[Execution]:
        """Executions that are, or were when the process died, running."""
        rows = self._store.execute("SELECT * FROM executions WHERE status = 'RUNNING'")
        return [_execution(row) for row in rows]

    # -- histories -----------------------------------------------------------------------------

    def write_event(self, arn: str, event: Event) -> None:
        """Add an event to a history."""
        self._store.execute(
            "INSERT INTO history VALUES (?, ?, ?)", (arn, event["id"], json.dumps(event))
        )

    def events(self, arn: str, start: int, size: int, *, reverse: bool) -> list[Event]:
        """Up to ``size`` events, ``start`` of them skipped, in order of id or the reverse."""
        order = "DESC" if reverse else "ASC"
        rows = self._store.execute(
            f"SELECT body FROM history WHERE arn = ? ORDER BY id {order} LIMIT ? OFFSET ?",  # noqa: S608 - one of two words
            (arn, size, start),
        )
        return [json.loads(body) for (body,) in rows]

    def last_event_id(self, arn: str) -> int:
        """Id of the last event; 0 for an empty history."""
        ((last,),) = self._store.execute("SELECT MAX(id) FROM history WHERE arn = ?", (arn,))
        return int(last or 0)


def redrive_refusal(execution: Execution, events: int) -> str | None:
    """Return why an execution cannot be redriven, in AWS's words; None where it can be."""
    if execution["body"]["machine_type"] != "STANDARD":
        return "Express executions cannot be redriven."
    if execution["status"] == "RUNNING":
        return "Execution is RUNNING and cannot be redriven"
    if execution["status"] == "SUCCEEDED":
        return "Execution is SUCCEEDED and cannot be redriven"
    if now() - execution["stop"] > REDRIVABLE_SECONDS:
        return "Execution exceeded the 14 day redrivable period"
    if events >= _REDRIVE_EVENTS:
        return f"Execution event history count exceeded the limit of {_REDRIVE_EVENTS} events"
    return None


def _row(execution: Execution) -> list[Any]:
    body = json.dumps(execution["body"])
    return [body if column == "body" else execution[column] for column in _COLUMNS]


def _execution(row: tuple[Any, ...]) -> Execution:
    execution = dict(zip(_COLUMNS, row, strict=True))
    execution["body"] = json.loads(execution["body"])
    return execution


def _token(execution: Execution) -> str:
    text = json.dumps([execution["start"], execution["arn"]])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _from_token(token: str) -> tuple[float, str]:
    try:
        start, arn = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise AwsError("InvalidToken", f"Invalid Token: '{token}'") from error
    return float(start), str(arn)
