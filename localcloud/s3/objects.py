"""Objects: their rows in SQLite, each version's bytes in a file of its own."""

import hashlib
import json
import os
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from localcloud.errors import AwsError
from localcloud.service import now
from localcloud.store import Store

UNVERSIONED = "null"
_LAST = "\U0010ffff"
_MD5_DIGITS = 32
_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT, key TEXT, version TEXT, latest INTEGER, deleted INTEGER, size INTEGER,
    etag TEXT, modified REAL, file TEXT, about TEXT, PRIMARY KEY (bucket, key, version)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS objects_listed ON objects (bucket, key) WHERE latest AND NOT deleted;
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT, number INTEGER, size INTEGER, etag TEXT, modified REAL, file TEXT,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
"""
_COLUMNS = "bucket, key, version, latest, deleted, size, etag, modified, file, about"


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """One version of an object.

    Attributes:
        bucket: Its bucket.
        key: Its key.
        version: Its version id; ``null`` where the bucket is not versioned.
        latest: Whether it is the newest version of its key.
        deleted: Whether it is a delete marker.
        size: Length in bytes.
        etag: The ETag, without quotes.
        modified: When it was written, seconds since 1970.
        file: Name of the file with its bytes; empty for a delete marker.
        about: ``headers`` (content type and the like), ``metadata``, ``tags``, ``checksums``.
    """

    bucket: str
    key: str
    version: str = UNVERSIONED
    latest: bool = True
    deleted: bool = False
    size: int = 0
    etag: str = ""
    modified: float = 0.0
    file: str = ""
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPart:
    """One part of a multipart upload."""

    number: int
    size: int
    etag: str
    modified: float
    file: str


class Objects:
    """The objects of all buckets."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = store.private_folder("objects")
        self._lock = threading.RLock()
        self._readers: Counter[str] = Counter()
        self._discarded: set[str] = set()  # files that wait for their last reader
        store.run_script(_TABLES)

    # -- bytes ---------------------------------------------------------------------------------

    def file_path(self, file: str) -> Path:
        """Return where the bytes of an object or part lie."""
        return self._folder / file[:2] / file

    def write_file(self, data: bytes) -> str:
        """Write bytes into a new file and return its name."""
        name, path = self._new_file()
        with self._store.disk.guard_write(path):
            path.write_bytes(data)
        return name

    def join_files(self, files: list[str]) -> str:
        """Join files into a new one and return its name."""
        name, path = self._new_file()
        with self._store.disk.guard_write(path), path.open("wb") as out:
            for part in files:
                with self.file_path(part).open("rb") as data:
                    shutil.copyfileobj(data, out)
        return name

    def copy_file(self, file: str) -> str:
        """Give bytes a second name and return it."""
        name, path = self._new_file()
        # A hard link, because no file is ever changed: a copy costs no bytes.
        os.link(self.file_path(file), path)
        return name

    def read_bytes(self, found: Object, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of an object, or a part of them.

        Raises:
            AwsError: ``LocalCloud.ObjectDamaged`` where the file is gone, too short, or, read as
                a whole, other than its ETag says.
        """
        length = found.size - start if length is None else length
        try:
            with self.file_path(found.file).open("rb") as file:
                file.seek(start)
                data = file.read(length)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
            raise _damaged_error(found) from error
        whole = length == found.size and len(found.etag) == _MD5_DIGITS  # else of parts
        if len(data) < length or (whole and _md5_hex(data) != found.etag):
            raise _damaged_error(found)
        return data

    @contextmanager
    def open_version(
        self, bucket: str, key: str, version: str | None = None
    ) -> Iterator[Object | None]:
        """Find a version as ``find`` does and keep its bytes until the block ends.

        They stay readable while another request overwrites or deletes the object.
        """
        with self._lock:
            found = self.find_version(bucket, key, version)
            file = found.file if found is not None else ""
            # Counted under the lock of put and remove, so that the file cannot go in between.
            self._readers[file] += 1
        try:
            yield found
        finally:
            with self._lock:
                self._readers[file] -= 1
                if not self._readers[file]:
                    del self._readers[file]
                    if file in self._discarded:
                        self._discarded.remove(file)
                        self._discard_file(file)

    def _new_file(self) -> tuple[str, Path]:
        name = uuid.uuid4().hex
        path = self.file_path(name)
        path.parent.mkdir(exist_ok=True)
        return name, path

    # -- versions ------------------------------------------------------------------------------

    def put_version(self, new: Object) -> None:
        """Make a version the newest of its key; one of the same id is replaced."""
        with self._lock:
            replaced = self.find_version(new.bucket, new.key, new.version)
            with self._store.transaction():
                self._store.execute(
                    "UPDATE objects SET latest = 0 WHERE bucket = ? AND key = ? AND latest",
                    (new.bucket, new.key),
                )
                self._write_row(new)
            if replaced is not None:
                self._discard_file(replaced.file)

    def save_version(self, changed: Object) -> None:
        """Keep what changed about a version, such as its tags."""
        self._write_row(changed)

    def remove_version(self, gone: Object) -> None:
        """Remove one version for good; the one before it becomes the newest."""
        key = (gone.bucket, gone.key)
        with self._lock:
            with self._store.transaction(deleting=True):
                self._store.execute(
                    "DELETE FROM objects WHERE bucket = ? AND key = ? AND version = ?",
                    (*key, gone.version),
                )
                if gone.latest:
                    older = next(self.list_versions(*key, exact=True), None)
                    if older is not None:
                        self._write_row(replace(older, latest=True))
            self._discard_file(gone.file)

    def find_version(self, bucket: str, key: str, version: str | None = None) -> Object | None:
        """Return a version of an object, by default the newest; it may be a delete marker."""
        which, values = ("latest", [bucket, key])
        if version is not None:
            which, values = ("version = ?", [bucket, key, version])
        rows = self._store.execute(
            f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND key = ? AND {which}",  # noqa: S608 - one of two texts
            values,
        )
        return _read_row(rows[0]) if rows else None

    def list_keys(
        self, bucket: str, prefix: str, after: str, delimiter: str
    ) -> Iterator[Object | str]:
        """Yield objects in order of key, or the prefix that several share up to a delimiter.

        Args:
            bucket: Where to look.
            prefix: What keys must start with.
            after: Only keys (and shared prefixes) behind this one.
            delimiter: Keys that have it behind the prefix are given as their shared prefix.
        """
        while True:
            rows = self._store.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND latest AND NOT deleted "  # noqa: S608 - own columns
                "AND key > ? AND key >= ? AND key < ? ORDER BY key LIMIT 1000",
                (bucket, after, prefix, prefix + _LAST),
            )
            for row in rows:
                found = _read_row(row)
                shared = shared_prefix(found.key, prefix, delimiter)
                if shared is not None:
                    if shared != after:
                        yield shared
                    # The next query starts behind all keys of this prefix instead of reading them.
                    after = shared + _LAST
                    break
                after = found.key
                yield found
            else:
                if len(rows) < 1000:  # noqa: PLR2004 - the LIMIT above
                    return

    def list_versions(self, bucket: str, key: str, *, exact: bool = False) -> Iterator[Object]:
        """List the versions of keys that start with ``key`` (or are it), newest of a key first."""
        rows = self._store.execute(
            f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND key >= ? AND key < ? "  # noqa: S608 - own columns
            "ORDER BY key, modified DESC, latest DESC",
            (bucket, key, key + (_LAST if not exact else "\0")),
        )
        return (_read_row(row) for row in rows)

    def is_empty(self, bucket: str) -> bool:
        """Return whether a bucket holds nothing, not even old versions."""
        return not self._store.execute("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", (bucket,))

    # -- parts ---------------------------------------------------------------------------------

    def put_part(self, upload: str, number: int, data: bytes, etag: str) -> UploadPart:
        """Keep a part; one of the same number is replaced."""
        part = UploadPart(
            number=number, size=len(data), etag=etag, modified=now(), file=self.write_file(data)
        )
        old = [p for p in self.list_parts(upload) if p.number == number]
        self._store.execute(
            "REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)",
            (upload, number, part.size, etag, part.modified, part.file),
        )
        for replaced in old:
            self._discard_file(replaced.file)
        return part

    def list_parts(self, upload: str) -> list[UploadPart]:
        """Return the parts of an upload in order."""
        rows = self._store.execute(
            "SELECT number, size, etag, modified, file FROM parts WHERE upload = ? ORDER BY number",
            (upload,),
        )
        names = ("number", "size", "etag", "modified", "file")
        return [UploadPart(**dict(zip(names, row, strict=True))) for row in rows]

    def drop_parts(self, upload: str) -> None:
        """Forget the parts of an upload."""
        doomed = self.list_parts(upload)
        self._store.execute("DELETE FROM parts WHERE upload = ?", (upload,))
        for part in doomed:
            self._discard_file(part.file)

    # -- helpers -------------------------------------------------------------------------------

    def _write_row(self, given: Object) -> None:
        self._store.execute(
            "REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                given.bucket,
                given.key,
                given.version,
                int(given.latest),
                int(given.deleted),
                given.size,
                given.etag,
                given.modified,
                given.file,
                json.dumps(given.about),
            ),
        )

    def _discard_file(self, file: str) -> None:
        """Remove a file that no row names any more, after the last request that reads it."""
        if not file:
            return
        with self._lock:
            if file in self._readers:
                self._discarded.add(file)
            else:
                # What else may lie there by damage is not ours to delete.
                with suppress(IsADirectoryError, PermissionError):
                    self.file_path(file).unlink(missing_ok=True)


def shared_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """Return what a list shows in the place of a key that has the delimiter behind the prefix."""
    if not delimiter:
        return None
    head, cut, _ = key[len(prefix) :].partition(delimiter)
    return prefix + head + cut if cut else None


def _md5_hex(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()  # noqa: S324 - that is what an ETag is


def _damaged_error(found: Object) -> AwsError:
    return AwsError(
        "LocalCloud.ObjectDamaged",
        f"The bytes of s3://{found.bucket}/{found.key} are damaged in the local cloud's directory. "
        "Upload the object again.",
        507,  # a status that no SDK retries
    )


def _read_row(row: tuple[Any, ...]) -> Object:
    bucket, key, version, latest, deleted, size, etag, modified, file, about = row
    return Object(
        bucket=bucket,
        key=key,
        version=version,
        latest=bool(latest),
        deleted=bool(deleted),
        size=size,
        etag=etag,
        modified=modified,
        file=file,
        about=json.loads(about),
    )
