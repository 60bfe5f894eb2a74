"""Store: tables as Parquet segments that processes can read while one of them appends.

A commit writes one segment (a directory with one file a table) to the disk and then replaces the
manifest by an atomic rename: readers see all of a commit or nothing, and neither ``kill -9`` nor a
power cut leaves half a commit. The manifest has the checksum of each file: a damaged segment is
moved to ``damaged`` and named, so that the next sync reads again what it held. So is a manifest
that cannot be parsed, and with it all that was there.
Nothing in the store is the only copy: it can be deleted at any time, and is read again from AWS.
"""

import fcntl
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
import polars as pl
from msgspec.structs import replace

from dashboard.shared.segments import Schema, Segment, SegmentFiles, flush
from workflow.errors import WorkflowError

_PRIVATE: Final = 0o700
_NO_MANIFEST: Final = (msgspec.DecodeError, UnicodeDecodeError, IsADirectoryError)
MERGE_AT: Final = 8
"""So many neighbours of one size class are merged into one segment, of the next class mostly."""

SIZE_CLASSES: Final = (1_000, 8_000, 64_000, 512_000)
"""Upper limits of the size classes, in rows; larger segments are never rewritten."""

GRACE_SECONDS: Final = 600
"""How long merged segments stay on disk, for queries that were made before the merge."""


class _Manifest(msgspec.Struct, frozen=True):
    """Which segments there are, in the order they were appended.

    Attributes:
        segments: The live ones.
        retired: Merged ones and when (epoch seconds); still on disk for a while.
        damaged: Names of segments and manifests that were not as written and were set aside.
        versions: For each table that ever had a row, a name that is new whenever its rows are.
    """

    segments: tuple[Segment, ...] = ()
    retired: dict[str, float] = {}
    damaged: tuple[str, ...] = ()
    versions: dict[str, str] = {}


class SegmentStore:
    """Append-only tables in one directory, safe for many processes and threads.

    Args:
        root: The directory; made when first written to.
        tables: Columns of each table. A column added later is null in older segments.
    """

    def __init__(self, root: Path, tables: Mapping[str, Schema]) -> None:
        self.root = root
        self.tables = tables
        self._files = SegmentFiles(root / "segments", tables)
        # The manifest as it was parsed last, and what told its file from others: pages ask for it
        # many times a second.
        self._known: tuple[tuple[int, int], _Manifest] | None = None

    def append(self, table: str, rows: pl.DataFrame) -> None:
        """Add rows to one table, all or none."""
        self.commit({table: rows})

    def commit(
        self,
        frames: Mapping[str, pl.DataFrame],
        *,
        replacing: Mapping[str, tuple[str, Sequence[str]]] | None = None,
    ) -> None:
        """Add rows to several tables, all or none.

        Args:
            frames: New rows of each table; columns in any order, cast to the table's types.
            replacing: For each table, a column and values of it whose earlier rows go away in
                the same step. Rewrites the segments that hold such rows: for the rare case.

        Raises:
            WorkflowError: ``StoreUnwritable`` where the directory cannot be written to.
        """
        with self._lock_for_writing():
            # First, since a merge below would copy damaged rows into a segment whose checksum is
            # right.
            manifest = self._without_damage(self._files.is_sound)
            segments = list(manifest.segments)
            if replacing:
                segments = [
                    kept for s in segments if (kept := self._files.remove_rows(s, replacing))
                ]
            # Versions change for tables that lost rows as well, not only for those that gained
            # some.
            changed = _tables_with_fewer_rows(manifest.segments, segments)
            rows = {name: frame.height for name, frame in frames.items() if frame.height}
            if added := self._files.write({name: frames[name].lazy() for name in rows}, rows):
                segments.append(added)
                changed |= added.rows.keys()
            self._publish(manifest, self._merge_neighbours(segments), changed)

    def scan(self, table: str) -> pl.LazyFrame:
        """Scan a table in the order rows were appended; nothing is read before ``collect``.

        A segment whose files are not what was written is set aside and named in ``damaged``: the
        bytes of the table's own files are verified once a process, the sizes of all each time.

        Raises:
            WorkflowError: ``StoreUnreadable`` where the system does not let a file be read.
        """
        schema = pl.Schema(self.tables[table])
        manifest = self._load_manifest()
        sound = partial(self._files.is_sound, tables=(table,))
        try:
            whole = all(map(sound, manifest.segments))
        except OSError as error:
            raise self._unreadable_error(error) from error
        # Only now under the lock: any number of readers may look without it.
        if not whole:
            manifest = self._set_aside(sound)
        files = [self._files.file_path(s.name, table) for s in manifest.segments if table in s.rows]
        if not files:
            return pl.LazyFrame(schema=schema)
        return pl.scan_parquet(
            files, schema=schema, missing_columns="insert", extra_columns="ignore", glob=False
        )

    def count_rows(self, table: str) -> int:
        """Return the number of rows of a table, without reading them."""
        return sum(segment.rows.get(table, 0) for segment in self._load_manifest().segments)

    def table_version(self, table: str) -> str:
        """Return the version of a table's rows: the key of what is computed from them.

        Returns:
            A name that never comes again, empty until the table has had a row.
        """
        return self._load_manifest().versions.get(table, "")

    @property
    def damaged(self) -> tuple[str, ...]:
        """Segments and manifests set aside because they could not be read; rows are missing."""
        return self._load_manifest().damaged

    @property
    def problem(self) -> WorkflowError | None:
        """What to say of ``damaged``, None where nothing is."""
        if not (damaged := self.damaged):
            return None
        return WorkflowError(
            "StoreDamaged",
            f"{len(damaged)} of the files in {self.root} were damaged and are set aside in "
            f"{self._damaged_folder}; what is shown lacks what they held.",
            "Wait: it is read again from AWS by itself. Delete what was set aside when you like.",
        )

    def check(self) -> tuple[str, ...]:
        """Read every byte and set aside what is not as it was written.

        Returns:
            All damaged segments, earlier ones included.
        """
        self._files.forget()
        return self._set_aside(self._files.is_sound).damaged

    def clear(self) -> None:
        """Forget every row: the next sync reads everything again from its origin."""
        with self._lock_for_writing():
            before = self._whole_manifest()
            changed = _tables_with_fewer_rows(before.segments, ())
            self._publish(replace(before, damaged=()), (), changed)

    def forget_damage(self) -> None:
        """Forget the damage, once what was lost has been read again from its origin."""
        with self._lock_for_writing():
            manifest = self._whole_manifest()
            self._publish(replace(manifest, damaged=()), manifest.segments)

    @contextmanager
    def claim_purpose(self, purpose: str) -> Iterator[bool]:
        """Claim a purpose for this thread alone, among all processes; ends with the process.

        Yields:
            Whether it was free.

        Raises:
            WorkflowError: ``StoreUnwritable``.
        """
        self._make_root()
        try:
            lock = (self.root / f"{purpose}.lock").open("ab")
        except OSError as error:
            raise self._unwritable_error(error) from error
        with lock:
            try:
                # The system drops the lock with its process: one that was killed blocks nobody.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    # --- writing, under the lock

    @contextmanager
    def _lock_for_writing(self) -> Iterator[None]:
        self._make_root()
        try:
            with (self.root / "write.lock").open("ab") as lock:
                # Waits, as a commit is short. A lock of flock belongs to the open file (flock(2)),
                # so that threads of one process exclude each other too.
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise self._unwritable_error(error) from error

    def _make_root(self) -> None:
        try:
            (self.root / "segments").mkdir(parents=True, exist_ok=True)
            self.root.chmod(_PRIVATE)  # keys, inputs and outputs are nobody else's to read
        except OSError as error:
            raise self._unwritable_error(error) from error

    def _unreadable_error(self, error: OSError) -> WorkflowError:
        return WorkflowError(
            "StoreUnreadable",
            f"The store in {self.root} cannot be read: {error.strerror or error}.",
            "Make it readable to you, or delete it: it is read again from AWS by itself.",
        )

    def _unwritable_error(self, error: OSError) -> WorkflowError:
        return WorkflowError(
            "StoreUnwritable",
            f"The store in {self.root} cannot be written to: {error.strerror or error}.",
            "Free space there, or set SCONES_STORE to a directory that you may write to.",
        )

    def _merge_neighbours(self, segments: list[Segment]) -> list[Segment]:
        """Merge the first run of small neighbours in which a size class is full.

        Smaller ones between them go along and do not count: else a few segments of one row each,
        as refreshes leave them, would have the last large load rewritten.
        """
        sizes = [sum(segment.rows.values()) for segment in segments]
        for floor, limit in pairwise((0, *SIZE_CLASSES)):
            begin = 0
            for end in range(len(segments) + 1):
                if end < len(segments) and sizes[end] < limit:
                    continue
                if sum(size >= floor for size in sizes[begin:end]) >= MERGE_AT:
                    return [
                        *segments[:begin],
                        self._files.merge(segments[begin:end]),
                        *segments[end:],
                    ]
                begin = end + 1
        return segments

    def _publish(
        self, before: _Manifest, segments: Sequence[Segment], changed: Iterable[str] = ()
    ) -> None:
        """Replace the manifest, then delete what nobody can be reading any more.

        Args:
            before: The manifest until now.
            segments: The live ones from now on.
            changed: Tables that have other rows than before.
        """
        now = time.time()
        live = {segment.name for segment in segments}
        gone = {s.name: now for s in before.segments if s.name not in live}
        # Readers may still hold the manifest of before, so its segments stay for a while.
        fresh = {n: at for n, at in before.retired.items() if now - at < GRACE_SECONDS}
        versions = before.versions | dict.fromkeys(changed, uuid.uuid4().hex)
        manifest = _Manifest(tuple(segments), fresh | gone, before.damaged, versions)
        temporary = self.root / "manifest.new"
        temporary.write_bytes(msgspec.json.encode(manifest))
        temporary.chmod(0o600)
        # File, rename, directory: in another order a power cut may leave a name without bytes.
        flush(temporary)
        temporary.replace(self.root / "manifest.json")
        flush(self.root)
        for entry in (self.root / "segments").iterdir():
            # Unknown ones are of a killed writer: the lock is held, so nobody else is writing.
            known = entry.name in live or entry.name in manifest.retired
            if not known and entry.is_dir():  # a file, such as .DS_Store, is none of ours
                shutil.rmtree(entry)

    def _set_aside(self, sound: Callable[[Segment], bool]) -> _Manifest:
        with self._lock_for_writing():
            return self._without_damage(sound)

    def _without_damage(self, sound: Callable[[Segment], bool]) -> _Manifest:
        """Move damaged segments away and name them in the manifest, under the lock."""
        before = self._whole_manifest()
        kept = [segment for segment in before.segments if sound(segment)]
        lost = tuple(s.name for s in before.segments if s not in kept)
        if not lost:
            return before
        self._damaged_folder.mkdir(exist_ok=True)
        for name in lost:
            # A segment whose folder is gone is damaged too, and has nothing to move.
            with suppress(FileNotFoundError):
                (self.root / "segments" / name).rename(self._damaged_folder / name)
        self._publish(
            replace(before, damaged=(*before.damaged, *lost)),
            kept,
            _tables_with_fewer_rows(before.segments, kept),
        )
        return self._load_manifest()

    @property
    def _damaged_folder(self) -> Path:
        return self.root / "damaged"

    # --- reading

    def _load_manifest(self) -> _Manifest:
        try:
            return self._read_manifest()
        except _NO_MANIFEST:
            # Read once more under the lock: another process may have replaced it by now.
            with self._lock_for_writing():
                return self._whole_manifest()
        except OSError as error:
            raise self._unreadable_error(error) from error

    def _whole_manifest(self) -> _Manifest:
        """Return the manifest, under the lock; one that cannot be parsed is set aside first."""
        try:
            return self._read_manifest()
        except _NO_MANIFEST:
            # A name of its own: what was set aside before must not be replaced.
            name = f"manifest-{uuid.uuid4().hex}.json"
            self._damaged_folder.mkdir(exist_ok=True)
            (self.root / "manifest.json").rename(self._damaged_folder / name)
            self._publish(_Manifest(damaged=(name,)), (), self.tables)
            return self._read_manifest()

    def _read_manifest(self) -> _Manifest:
        path = self.root / "manifest.json"
        try:
            status = path.stat()
            # The inode too: within one tick of the clock two manifests have the same time.
            version = (status.st_ino, status.st_mtime_ns)
            if self._known is None or self._known[0] != version:
                self._known = (version, _parse_manifest(path.read_bytes()))
        except FileNotFoundError:
            return _Manifest()
        return self._known[1]


def _tables_with_fewer_rows(before: Iterable[Segment], after: Iterable[Segment]) -> set[str]:
    """Return the tables that have fewer rows than before."""
    lost = Counter[str]()
    for segment in before:
        lost.update(segment.rows)
    for segment in after:
        lost.subtract(segment.rows)
    return set(+lost)


def _parse_manifest(text: bytes) -> _Manifest:
    manifest = msgspec.json.decode(text, type=_Manifest)
    # Manifests had no versions once: the last segment of a table stands for what it had then.
    versions = {table: segment.name for segment in manifest.segments for table in segment.rows}
    return replace(manifest, versions=manifest.versions or versions)
