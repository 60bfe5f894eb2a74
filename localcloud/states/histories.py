"""Histories: the events of all executions in SQLite, compressed once an execution has ended."""

import json
import zlib
from collections.abc import Sequence

from localcloud.states.history import Event
from localcloud.states.payloads import Payloads
from localcloud.store import Store

_TABLES = """
CREATE TABLE IF NOT EXISTS history (
    arn TEXT, id INTEGER, body TEXT, PRIMARY KEY (arn, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ended_history (arn TEXT PRIMARY KEY, last INTEGER, body BLOB);
CREATE TABLE IF NOT EXISTS history_size (one INTEGER PRIMARY KEY, bytes INTEGER);
INSERT OR IGNORE INTO history_size SELECT 1, TOTAL(LENGTH(body)) FROM history
    WHERE NOT EXISTS (SELECT 1 FROM history_size);
"""
# Counting what is there would read all of it.
_TRIGGERS = "".join(
    f"CREATE TRIGGER IF NOT EXISTS {table}_{event} AFTER {event} ON {table} BEGIN "  # noqa: S608 - own names
    f"UPDATE history_size SET bytes = bytes {sign} LENGTH({row}.body); END;\n"
    for table in ("history", "ended_history", "payloads")
    for event, sign, row in (("INSERT", "+", "NEW"), ("DELETE", "-", "OLD"))
)


class Histories:
    """The histories of all executions.

    Args:
        store: Where they are kept.
        payloads: The long payloads of their events.
    """

    def __init__(self, store: Store, payloads: Payloads) -> None:
        self._store = store
        self._payloads = payloads
        store.run_script(_TABLES + _TRIGGERS)

    def write(self, arn: str, event: Event) -> None:
        """Add an event, in a transaction of the caller's."""
        body = self._payloads.pack(arn, json.dumps(event))
        self._store.execute("INSERT INTO history VALUES (?, ?, ?)", (arn, event["id"], body))

    def compress(self, arn: str) -> None:
        """Compress the history of an execution that has ended, in a transaction of the caller's."""
        written = self._read_rows(arn)
        if written:
            # A redriven execution was compressed at its earlier end: both parts become one body.
            lines = [*self._read_compressed(arn), *(body for _, body in written)]
            self._delete_rows(arn)
            body = zlib.compress("\n".join(lines).encode())
            last = written[-1][0]
            self._store.execute("INSERT INTO ended_history VALUES (?, ?, ?)", (arn, last, body))

    def read_events(self, arn: str, start: int, size: int, *, reverse: bool) -> list[Event]:
        """Return up to ``size`` events after skipping ``start``, in order of id or the reverse."""
        lines = [*self._read_compressed(arn), *(body for _, body in self._read_rows(arn))]
        if reverse:
            lines.reverse()
        row = f"the history of {arn}"
        return [
            self._store.parse_record(self._payloads.unpack(one), row)
            for one in lines[start : start + size]
        ]

    def last_id(self, arn: str) -> int:
        """Return the id of the last event; 0 for an empty history."""
        ((last,),) = self._store.execute(
            "SELECT MAX(last) FROM (SELECT MAX(id) AS last FROM history WHERE arn = ?"
            " UNION ALL SELECT last FROM ended_history WHERE arn = ?)",
            (arn, arn),
        )
        return int(last or 0)

    def delete(self, arns: Sequence[str]) -> None:
        """Forget histories and the payloads that no other has, in a transaction of the caller's."""
        for arn in arns:
            self._delete_rows(arn)
        self._payloads.release(arns)

    def total_bytes(self) -> int:
        """Return how much all of them take, payloads included."""
        ((size,),) = self._store.execute("SELECT bytes FROM history_size")
        return int(size)

    def _read_rows(self, arn: str) -> list[tuple[int, str]]:
        rows = self._store.execute("SELECT id, body FROM history WHERE arn = ? ORDER BY id", (arn,))
        return [(number, body) for number, body in rows]

    def _read_compressed(self, arn: str) -> list[str]:
        """Return the lines of events that an earlier run of the execution ended with."""
        rows = self._store.execute("SELECT body FROM ended_history WHERE arn = ?", (arn,))
        return self._store.decompress_text(rows[0][0]).split("\n") if rows else []

    def _delete_rows(self, arn: str) -> None:
        self._store.execute("DELETE FROM history WHERE arn = ?", (arn,))
        self._store.execute("DELETE FROM ended_history WHERE arn = ?", (arn,))
