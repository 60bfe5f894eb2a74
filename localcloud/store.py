"""Store: everything the local cloud keeps, in one directory that survives ``kill -9``.

One SQLite file (``cloud.db``, write-ahead log) holds records; ``blobs/`` holds bytes by their
sha256. A write that SQLite acknowledged has been handed to the operating system, so it survives
the death of the process (not that of the machine: there is no fsync). A record is written after
the blobs it names.
"""

import hashlib
import json
import sqlite3
import threading
import zlib
from collections.abc import ItemsView, Iterable, Iterator, MutableMapping, Sequence, ValuesView
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from localcloud.disk import Disk
from workflow.errors import WorkflowError

_SCHEMA_VERSION = 2
_READABLE = (0, 1, _SCHEMA_VERSION)
"""0 is a new file; 1 had every payload of a history in its row, which is still read."""
_NAME = 32
"""Names of the files of objects and blobs have at least so many digits; .DS_Store has not."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
"""

Record = dict[str, Any]


class Store:
    """The database and the blobs of one local cloud; safe to use from any thread.

    Args:
        directory: Where to keep things; made when missing.

    Attributes:
        path: The database.
        disk: The room that is left for it.

    Raises:
        WorkflowError: ``CloudNotWritable``, ``DiskFull`` or ``CloudCorrupt``; nothing is ever
            deleted or mended.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "cloud.db"
        self._blobs = directory / "blobs"
        self.disk = Disk(directory)
        self._lock = threading.RLock()
        try:
            # First: SQLite would make an empty database, and hide that the real one is missing.
            self._check_complete()
            self.private_folder("blobs")
            scarce = not self.disk.has_room()
            if scarce:
                self.disk.release_ballast()
            # Private before SQLite opens it; the mode of touch is for new files only, hence chmod.
            self.path.touch(mode=0o600)
            self.path.chmod(0o600)
            self._db = self._open_database(self.path)
            if not scarce:  # else the start itself needs the room
                self.disk.refill_ballast()
        except OSError as error:
            raise _not_writable(directory, error) from error

    def _check_complete(self) -> None:
        """Refuse a directory that has bytes and not the database that says what they are."""
        if self.path.exists() and self.path.stat().st_size:
            return
        for folder in (self.directory / "objects", self._blobs):
            if any(path.is_file() and len(path.name) >= _NAME for path in folder.glob("??/*")):
                raise WorkflowError(
                    "CloudCorrupt",
                    f"{self.path} is missing or empty, and {folder} beside it is not.",
                    f"Bring {self.path.name} back, or move the whole of {self.directory} aside "
                    "and start again; nothing was deleted.",
                )

    def private_folder(self, name: str) -> Path:
        """Return a folder of the directory that only the user can look into; made when missing."""
        folder = self.directory / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        return folder

    def _open_database(self, path: Path) -> sqlite3.Connection:
        try:
            db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=OFF")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version not in _READABLE:
                raise _wrong_version(path, version)
            db.executescript(_SCHEMA)
            if version != _SCHEMA_VERSION:
                db.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
        except sqlite3.OperationalError as error:
            if self.disk.is_full(error):
                raise self.disk.full_error() from error
            raise _not_writable(path, error) from error
        except sqlite3.DatabaseError as error:
            raise self.corrupt_error(path, error) from error
        return db

    def corrupt_error(self, path: Path, error: Exception | str) -> WorkflowError:
        """Return the error for a file of the local cloud that cannot be read."""
        return WorkflowError(
            "CloudCorrupt",
            f"The local cloud cannot read {path}: {error}.",
            f"Bring {path.name} back as it was, or move the whole of {self.directory} aside and "
            "start again; nothing was deleted.",
        )

    def run_script(self, statements: str) -> None:
        """Run the ``CREATE`` statements of a service that has tables of its own."""
        with self._lock, self._translate_errors():
            self._db.executescript(statements)

    def execute(self, statement: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return all its rows.

        Raises:
            WorkflowError: ``DiskFull`` or ``CloudCorrupt``.
        """
        with self._lock, self._translate_errors():
            # A transaction that deletes has given the ballast up at its start.
            deleting = statement.startswith("DELETE") and not self._db.in_transaction
            with self._use_ballast() if deleting else nullcontext():
                return self._db.execute(statement, tuple(values)).fetchall()

    @contextmanager
    def transaction(self, *, deleting: bool = False) -> Iterator[None]:
        """Let the statements of a block take effect together, for readers and after a kill.

        Args:
            deleting: Whether they make room, so that they may use the room of the ballast.

        Raises:
            WorkflowError: ``DiskFull`` or ``CloudCorrupt``; nothing has taken effect then.
        """
        # Held until COMMIT: all threads share one connection, which has one transaction.
        with (
            self._lock,
            self._translate_errors(),
            self._use_ballast() if deleting else nullcontext(),
        ):
            self._db.execute("BEGIN")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite ends some by itself on a full disk
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Name what SQLite reports of the disk and the file; other errors are the caller's."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if self.disk.is_full(error):
                raise self.disk.full_error() from error
            if type(error) is sqlite3.DatabaseError or "decode to UTF-8" in str(error):
                raise self.corrupt_error(self.path, error) from error
            raise

    @contextmanager
    def _use_ballast(self) -> Iterator[None]:
        """Let a deletion use the room of the ballast where there is no other."""
        scarce = self.disk.nearly_full()
        if scarce:
            self.disk.release_ballast()
        yield
        if scarce:
            with suppress(sqlite3.OperationalError):  # the log shrinks with the next one then
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.disk.refill_ballast()

    def locked(self) -> threading.RLock:
        """Return the lock of the database, which nobody else writes while it is held."""
        return self._lock

    def execute_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for many rows, all or none of them."""
        with self.transaction():
            self._db.executemany(statement, rows)

    def load_table(self, kind: str) -> "Table":
        """Return the records of one kind, loaded into memory."""
        return Table(self, kind)

    def parse_record(self, text: str, row: str) -> Record:
        """Return the record in a column of a row.

        Args:
            text: What the column holds: a JSON object.
            row: Which row it is, for people.

        Raises:
            WorkflowError: ``CloudCorrupt`` where it holds anything else.
        """
        try:
            record = json.loads(text, strict=False)  # references to payloads are no JSON
        except (ValueError, TypeError) as error:
            raise self.corrupt_error(self.path, f"{row} is damaged ({error})") from error
        if not isinstance(record, dict):
            raise self.corrupt_error(self.path, f"{row} is damaged (it is not a record)")
        return record

    def decompress_text(self, body: bytes) -> str:
        """Return the text that ``zlib.compress`` made a column of.

        Raises:
            WorkflowError: ``CloudCorrupt`` where it holds anything else.
        """
        try:
            return zlib.decompress(body).decode()
        except (zlib.error, UnicodeDecodeError, TypeError) as error:
            raise self.corrupt_error(self.path, error) from error

    def put_blob(self, data: bytes) -> str:
        """Keep bytes and return their sha256, under which they are found again."""
        digest = hashlib.sha256(data).hexdigest()
        path = self.blob_path(digest)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            temporary = path.with_name(f"{digest}.{threading.get_ident()}.part")
            with self.disk.guard_write(temporary):
                temporary.write_bytes(data)
            # Renamed when complete: a kill in the middle must not leave half a blob under its
            # digest.
            temporary.replace(path)
        return digest

    def read_blob(self, digest: str) -> bytes:
        """Return the bytes of a blob.

        Raises:
            WorkflowError: ``CloudCorrupt`` where the file is gone or holds other bytes.
        """
        path = self.blob_path(digest)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise self.corrupt_error(path, error) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise self.corrupt_error(path, "it holds other bytes than were written")
        return data

    def blob_path(self, digest: str) -> Path:
        """Return where a blob lies."""
        return self._blobs / digest[:2] / digest

    def close(self) -> None:
        """Fold the write-ahead log into the database and let go of it."""
        with self._lock:
            self._db.close()


class Table(MutableMapping[str, Record]):
    """Records of one kind by key: read from memory, written through to the database.

    A record that was changed in place is saved by assigning it again.
    """

    def __init__(self, store: Store, kind: str) -> None:
        self._store = store
        self._kind = kind
        rows = store.execute("SELECT key, body FROM records WHERE kind = ? ORDER BY key", (kind,))
        self._records = {key: store.parse_record(body, f"{kind} {key}") for key, body in rows}

    def __getitem__(self, key: str) -> Record:
        return self._records[key]

    def __setitem__(self, key: str, record: Record) -> None:
        values = (self._kind, key, json.dumps(record))
        # Memory takes writes in the order of the database: else a restart would bring other ones.
        with self._store.locked():
            self._store.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", values)
            self._records[key] = record

    def __delitem__(self, key: str) -> None:
        with self._store.locked():
            if key not in self._records:
                raise KeyError(key)
            self._store.execute("DELETE FROM records WHERE kind = ? AND key = ?", (self._kind, key))
            del self._records[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._records))

    def __len__(self) -> int:
        return len(self._records)

    # Of a copy: one by one, as the base class reads them, a record may be deleted in between.

    def items(self) -> ItemsView[str, Record]:
        """Return keys and records as they are now."""
        return self._records.copy().items()

    def values(self) -> ValuesView[Record]:
        """Return records as they are now."""
        return self._records.copy().values()


def _wrong_version(path: Path, version: int) -> WorkflowError:
    return WorkflowError(
        "CloudCorrupt",
        f"{path} was written by another version of the local cloud (schema {version}, "
        f"this one reads {_SCHEMA_VERSION}).",
        f"Move {path.parent} aside and start again, or use the version that wrote it.",
    )


def _not_writable(path: Path, error: Exception) -> WorkflowError:
    return WorkflowError(
        "CloudNotWritable",
        f"The local cloud cannot write to {path}: {error}.",
        "Give another directory with --dir, or make this one writable.",
    )
