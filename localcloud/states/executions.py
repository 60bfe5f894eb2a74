"""Executions: their records in SQLite, and the ones that are running now."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from localcloud.errors import AwsError
from localcloud.service import now
from localcloud.states.histories import Histories
from localcloud.states.history import Event
from localcloud.states.payloads import Payloads
from localcloud.store import Store

Execution = dict[str, Any]

REDRIVABLE_SECONDS = 14 * 86_400
_REDRIVE_EVENTS = 24_999
_COLUMNS = (
    "arn", "machine", "version", "alias", "name", "status", "start", "stop", "redrives", "body",
    "map_run", "items",
)  # fmt: skip
_BODY = _COLUMNS.index("body")
_TABLES = """
CREATE TABLE IF NOT EXISTS executions (
    arn TEXT PRIMARY KEY, machine TEXT, version TEXT, alias TEXT, name TEXT, status TEXT,
    start REAL, stop REAL, redrives INTEGER, body TEXT, map_run TEXT, items INTEGER
);
CREATE INDEX IF NOT EXISTS executions_by_start ON executions (machine, start DESC, arn);
CREATE INDEX IF NOT EXISTS executions_by_stop ON executions (stop);
"""
_OF_MAP_RUNS = """
CREATE INDEX IF NOT EXISTS executions_by_map_run ON executions (map_run, start DESC, arn)
WHERE map_run IS NOT NULL;
"""


class Executions:
    """The executions of all state machines.

    An execution is a dictionary of the columns above; ``body`` holds what else belongs to it:
    input, output, error, cause, digest of its definition, role, machine name and type, redrive
    date and tokens. A child execution has the ARN of its ``map_run`` and how many ``items`` it
    processes; both are None in others.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._payloads = Payloads(store)
        self._histories = Histories(store, self._payloads)
        store.run_script(_TABLES)
        present = {row[1] for row in store.execute("PRAGMA table_info(executions)")}
        for column in ("map_run TEXT", "items INTEGER"):
            if column.partition(" ")[0] not in present:  # a cloud of before Map Runs were kept
                store.execute(f"ALTER TABLE executions ADD COLUMN {column}")
        store.run_script(_OF_MAP_RUNS)

    def add(self, execution: Execution) -> None:
        """Keep a new execution."""
        with self._store.transaction():
            self._write_record("INSERT", execution)

    def add_ended(self, execution: Execution, events: Sequence[Event]) -> None:
        """Keep an execution that has ended, with its history."""
        with self._store.transaction():
            for event in events:
                self._histories.write(execution["arn"], event)
            self._write_record("INSERT", execution)

    def save(self, execution: Execution) -> None:
        """Keep a changed execution; its history is compressed where it has ended."""
        with self._store.transaction():
            self._write_record("REPLACE", execution)

    def find(self, arn: str) -> Execution | None:
        """Return the execution of that ARN."""
        rows = self._store.execute("SELECT * FROM executions WHERE arn = ?", (arn,))
        return self._read_record(rows[0]) if rows else None

    def get(self, arn: str) -> Execution:
        """Return the execution of that ARN.

        Raises:
            AwsError: ``ExecutionDoesNotExist``.
        """
        execution = self.find(arn)
        if execution is None:
            raise AwsError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return execution

    def list_page(
        self, column: str, arn: str, filters: dict[str, Any], size: int, token: str | None
    ) -> tuple[list[Execution], str | None]:
        """List executions of a machine, version or alias, newest first, with the next page's token.

        Only those that were redriven have a body, with references for long payloads: a damaged
        one hides no other.

        Args:
            column: ``machine``, ``version``, ``alias`` or ``map_run``.
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
            start, last = _decode_token(token)
            # By key and not by offset: executions that start meanwhile do not shift the next page.
            where.append("(start < ? OR (start = ? AND arn > ?))")
            values += [start, start, last]
        rows = self._store.execute(
            f"SELECT * FROM executions WHERE {' AND '.join(where)} "  # noqa: S608 - own columns
            "ORDER BY start DESC, arn LIMIT ?",
            # One more than asked for tells whether there is another page.
            [*values, size + 1],
        )
        found = [self._read_summary(row) for row in rows[:size]]
        return found, _encode_token(found[-1]) if len(rows) > size else None

    def of_machine(self, machine: str) -> list[str]:
        """Return the ARNs of all executions of a state machine, child executions included."""
        rows = self._store.execute(
            "SELECT arn FROM executions WHERE machine = ? OR machine GLOB ?",
            # The machine of a child execution is ``machine/label``.
            (machine, f"{machine}/*"),
        )
        return [arn for (arn,) in rows]

    def delete(self, arns: Sequence[str]) -> None:
        """Forget executions, their histories and the payloads that no other holds."""
        with self._store.transaction(deleting=True):
            self._delete_rows(arns)

    def list_running(self) -> list[str]:
        """Return the ARNs of executions that are running, or were when the process died."""
        return [
            arn for (arn,) in self._store.execute("SELECT arn FROM executions WHERE stop IS NULL")
        ]

    def forget_ended(self, before: float, most: int) -> int:
        """Delete the executions that ended first, all before a time; return how many."""
        with self._store.transaction(deleting=True):
            rows = self._store.execute(
                "SELECT arn FROM executions WHERE stop < ? ORDER BY stop LIMIT ?", (before, most)
            )
            self._delete_rows([arn for (arn,) in rows])
        return len(rows)

    def history_bytes(self) -> int:
        """Return how much all histories take, payloads included."""
        return self._histories.total_bytes()

    def _delete_rows(self, arns: Sequence[str]) -> None:
        for arn in arns:
            self._store.execute("DELETE FROM executions WHERE arn = ?", (arn,))
        self._histories.delete(arns)

    def _write_record(self, verb: str, execution: Execution) -> None:
        marks = ", ".join("?" * len(_COLUMNS))
        body = self._payloads.pack(execution["arn"], json.dumps(execution["body"]))
        self._store.execute(
            f"{verb} INTO executions VALUES ({marks})",
            [body if column == "body" else execution.get(column) for column in _COLUMNS],
        )
        # In the same transaction, so that no reader finds a part of the history twice.
        if execution["stop"] is not None:
            self._histories.compress(execution["arn"])

    def _read_record(self, row: tuple[Any, ...]) -> Execution:
        execution = dict(zip(_COLUMNS, row, strict=True))
        text = row[_BODY] if isinstance(row[_BODY], str) else ""
        body = self._parse_body(self._payloads.unpack(text), execution["arn"])
        return {**execution, "body": body}

    def _read_summary(self, row: tuple[Any, ...]) -> Execution:
        execution = dict(zip(_COLUMNS, row, strict=True))
        body = self._parse_body(row[_BODY], execution["arn"]) if execution["redrives"] else {}
        return {**execution, "body": body}

    def _parse_body(self, text: str, arn: str) -> dict[str, Any]:
        return self._store.parse_record(text, f"the execution {arn}")

    # -- child executions ------------------------------------------------------------------------

    def end_child(self, execution: Execution) -> None:
        """Keep how a child execution ended, unless it was aborted meanwhile."""
        body = json.dumps(execution["body"])
        with self._store.transaction():
            self._store.execute(
                "UPDATE executions SET status = ?, stop = ?, body = ? "
                "WHERE arn = ? AND status = 'RUNNING'",
                (
                    execution["status"],
                    execution["stop"],
                    self._payloads.pack(execution["arn"], body),
                    execution["arn"],
                ),
            )
            self._histories.compress(execution["arn"])

    def abort_children(self, map_run: str, stopped: float) -> None:
        """Abort the child executions of a Map Run that are running."""
        self._store.execute(
            "UPDATE executions SET status = 'ABORTED', stop = ? "
            "WHERE map_run = ? AND status = 'RUNNING'",
            (stopped, map_run),
        )

    def list_children(self, map_run: str) -> list[Execution]:
        """Return all child executions of a Map Run that were begun, in order of their start."""
        rows = self._store.execute(
            "SELECT * FROM executions WHERE map_run = ? ORDER BY start, arn", (map_run,)
        )
        return [self._read_record(row) for row in rows]

    def child_counts(self, map_run: str) -> dict[str, tuple[int, int]]:
        """Return how many child executions and items of a Map Run have each status."""
        rows = self._store.execute(
            "SELECT status, COUNT(*), SUM(items) FROM executions WHERE map_run = ? GROUP BY status",
            (map_run,),
        )
        return {status: (executions, items) for status, executions, items in rows}

    # -- histories -----------------------------------------------------------------------------

    def write_event(self, arn: str, event: Event) -> None:
        """Add an event to a history."""
        with self._store.transaction():
            self._histories.write(arn, event)

    def read_events(self, arn: str, start: int, size: int, *, reverse: bool) -> list[Event]:
        """Return up to ``size`` events after skipping ``start``, in order of id or the reverse."""
        return self._histories.read_events(arn, start, size, reverse=reverse)

    def last_event_id(self, arn: str) -> int:
        """Return the id of the last event; 0 for an empty history."""
        return self._histories.last_id(arn)


def redrive_refusal(execution: Execution, events: int) -> str | None:
    """Return why an execution cannot be redriven, in AWS's words; None where it can be."""
    kinds = {
        "Child executions are redriven with the execution of their Map Run.": execution["map_run"],
        "Express executions cannot be redriven.": execution["body"]["machine_type"] == "EXPRESS",
    }
    for text, is_so in kinds.items():
        if is_so:
            return text
    if execution["status"] == "RUNNING":
        return "Execution is RUNNING and cannot be redriven"
    if execution["status"] == "SUCCEEDED":
        return "Execution is SUCCEEDED and cannot be redriven"
    if now() - execution["stop"] > REDRIVABLE_SECONDS:
        return "Execution exceeded the 14 day redrivable period"
    if events >= _REDRIVE_EVENTS:
        return f"Execution event history count exceeded the limit of {_REDRIVE_EVENTS} events"
    return None


def _encode_token(execution: Execution) -> str:
    text = json.dumps([execution["start"], execution["arn"]])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _decode_token(token: str) -> tuple[float, str]:
    try:
        start, arn = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise AwsError("InvalidToken", f"Invalid Token: '{token}'") from error
    return float(start), str(arn)
