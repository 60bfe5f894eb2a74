"""Store: tables as Parquet segments that processes can read while one of them appends.

A commit writes one segment (a directory with one file a table) and then replaces the manifest by
an atomic rename: readers see all of a commit or nothing, and ``kill -9`` leaves no half commit.
Nothing in the store is the only copy: it can be deleted at any time, and is read again from AWS.
"""

import fcntl
import json
import os
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import polars as pl

from workflow.errors import WorkflowError

_PRIVATE: Final = 0o700
MERGE_AT: Final = 8
"""So many neighbours of one size class are merged into one segment, of the next class mostly."""

SIZE_CLASSES: Final = (1_000, 8_000, 64_000, 512_000)
"""Upper limits of the size classes, in rows; larger segments are never rewritten."""

GRACE_SECONDS: Final = 600
"""How long merged segments stay on disk, for queries that were made before the merge."""

Schema = Mapping[str, pl.DataType | type[pl.DataType]]


@dataclass(frozen=True, slots=True)
class _Segment:
    """One commit, or several merged ones.

    Attributes:
        name: Directory below ``segments``.
        rows: Rows of each table that has any.
        sizes: Bytes of each table's file.
    """

    name: str
    rows: dict[str, int]
    sizes: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Manifest:
    """Which segments there are, in the order they were appended.

    Attributes:
        segments: The live ones.
        retired: Merged ones and when (epoch seconds); still on disk for a while.
        damaged: Names of segments that could not be read and were set aside.
        versions: For each table that ever had a row, a name that is new whenever its rows are.
    """

    segments: tuple[_Segment, ...] = ()
    retired: dict[str, float] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)


class SegmentStore:
    """Append-only tables in one directory, safe for many processes and threads.

    Args:
        root: The directory; made when first written to.
        tables: Columns of each table. A column added later is null in older segments.
    """

    def __init__(self, root: Path, tables: Mapping[str, Schema]) -> None:
        self.root = root
        self.tables = tables
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
        with self._writing():
            manifest = self._manifest()
            segments = list(manifest.segments)
            if replacing:
                segments = [kept for s in segments if (kept := self._without(s, replacing))]
            changed = _fewer(manifest.segments, segments)
            rows = {name: frame.height for name, frame in frames.items() if frame.height}
            if added := self._write({name: frames[name].lazy() for name in rows}, rows):
                segments.append(added)
                changed |= added.rows.keys()
            self._publish(manifest, self._merged(segments), changed)

    def scan(self, table: str) -> pl.LazyFrame:
        """All rows of a table in the order they were appended; nothing is read before ``collect``.

        A segment whose files are gone or cut is set aside and named in ``damaged``.
        """
        schema = pl.Schema(self.tables[table])
        manifest = self._manifest()
        if not all(map(self._intact, manifest.segments)):
            manifest = self._set_aside(self._intact)
        files = [self._file(s.name, table) for s in manifest.segments if table in s.rows]
        if not files:
            return pl.LazyFrame(schema=schema)
        return pl.scan_parquet(
            files, schema=schema, missing_columns="insert", extra_columns="ignore", glob=False
        )

    def count(self, table: str) -> int:
        """Number of rows of a table, without reading them."""
        return sum(segment.rows.get(table, 0) for segment in self._manifest().segments)

    def version(self, table: str) -> str:
        """Changes when rows of a table have, and only then: the key of what is computed from them.

        Returns:
            A name that never comes again, empty until the table has had a row.
        """
        return self._manifest().versions.get(table, "")

    def compact(self) -> None:
        """Merge all segments into one; commits already merge neighbours as they add up."""
        with self._writing():
            manifest = self._manifest()
            if len(manifest.segments) > 1:
                self._publish(manifest, [self._merge(manifest.segments)])

    @property
    def damaged(self) -> tuple[str, ...]:
        """Segments set aside because they could not be read; their rows are missing."""
        return self._manifest().damaged

    def check(self) -> tuple[str, ...]:
        """Read every byte and set aside what cannot be read.

        Returns:
            All damaged segments, earlier ones included.
        """
        return self._set_aside(self._readable).damaged

    def mended(self) -> None:
        """Forget the damage, once what was lost has been read again from its origin."""
        with self._writing():
            manifest = self._manifest()
            self._publish(replace(manifest, damaged=()), manifest.segments)

    @contextmanager
    def claimed(self, purpose: str) -> Iterator[bool]:
        """Claim a purpose for this thread alone, among all processes; ends with the process.

        Yields:
            Whether it was free.
        """
        self._make_root()
        with (self.root / f"{purpose}.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    # --- writing, under the lock

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._make_root()
        try:
            with (self.root / "write.lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise self._unwritable(error) from error

    def _make_root(self) -> None:
        try:
            (self.root / "segments").mkdir(parents=True, exist_ok=True)
            self.root.chmod(_PRIVATE)  # keys, inputs and outputs are nobody else's to read
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> WorkflowError:
        return WorkflowError(
            "StoreUnwritable",
            f"The store in {self.root} cannot be written to: {error.strerror or error}.",
            "Free space there, or set SCONES_STORE to a directory that you may write to.",
        )

    def _write(self, frames: Mapping[str, pl.LazyFrame], rows: dict[str, int]) -> _Segment | None:
        """Write one segment; None where no table has a row.

        Args:
            frames: The tables that have any.
            rows: How many each has.
        """
        if not rows:
            return None
        name, sizes = uuid.uuid4().hex, {}
        (self.root / "segments" / name).mkdir()
        for table in rows:
            schema = self.tables[table]
            path = self._file(name, table)
            columns = [pl.col(column).cast(kind) for column, kind in schema.items()]
            frame = frames[table].select(columns)
            frame.sink_parquet(path, compression="zstd", compression_level=1)
            sizes[table] = path.stat().st_size
        return _Segment(name, rows, sizes)

    def _merged(self, segments: list[_Segment]) -> list[_Segment]:
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
                    return [*segments[:begin], self._merge(segments[begin:end]), *segments[end:]]
                begin = end + 1
        return segments

    def _merge(self, segments: Sequence[_Segment]) -> _Segment:
        frames = {
            table: pl.scan_parquet(
                [self._file(s.name, table) for s in segments if table in s.rows],
                schema=pl.Schema(schema),
                missing_columns="insert",
                extra_columns="ignore",
            )
            for table, schema in self.tables.items()
            if any(table in s.rows for s in segments)
        }
        rows = Counter[str]()
        for segment in segments:
            rows.update(segment.rows)
        return self._write(frames, dict(rows)) or segments[0]

    def _without(
        self, segment: _Segment, replaced: Mapping[str, tuple[str, Sequence[str]]]
    ) -> _Segment | None:
        """The segment without the rows that are replaced, None where no row is left."""
        frames = {table: pl.scan_parquet(self._file(segment.name, table)) for table in segment.rows}
        kept = dict(frames)
        for table, (column, values) in replaced.items():
            if table in frames:
                kept[table] = frames[table].filter(~pl.col(column).is_in(list(values)))
        counts = {table: frame.select(pl.len()).collect().item() for table, frame in kept.items()}
        if counts == segment.rows:
            return segment
        return self._write(kept, {table: count for table, count in counts.items() if count})

    def _publish(
        self, before: _Manifest, segments: Sequence[_Segment], changed: Iterable[str] = ()
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
        fresh = {n: at for n, at in before.retired.items() if now - at < GRACE_SECONDS}
        versions = before.versions | dict.fromkeys(changed, uuid.uuid4().hex)
        manifest = _Manifest(tuple(segments), fresh | gone, before.damaged, versions)
        text = json.dumps(
            {
                "segments": [[s.name, s.rows, s.sizes] for s in manifest.segments],
                "retired": manifest.retired,
                "damaged": manifest.damaged,
                "versions": manifest.versions,
            }
        )
        temporary = self.root / "manifest.new"
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.root / "manifest.json")
        for entry in (self.root / "segments").iterdir():
            known = entry.name in live or entry.name in manifest.retired
            if not known and entry.is_dir():  # a file, such as .DS_Store, is none of ours
                shutil.rmtree(entry)

    def _set_aside(self, sound: Callable[[_Segment], bool]) -> _Manifest:
        with self._writing():
            before = self._manifest()
            kept = [segment for segment in before.segments if sound(segment)]
            lost = tuple(s.name for s in before.segments if s not in kept)
            if lost:
                damaged = (*before.damaged, *lost)
                changed = _fewer(before.segments, kept)
                self._publish(replace(before, damaged=damaged), kept, changed)
        return self._manifest()

    # --- reading

    def _file(self, segment: str, table: str) -> Path:
        return self.root / "segments" / segment / f"{table}.parquet"

    def _intact(self, segment: _Segment) -> bool:
        """Whether the files are there in full; told by their sizes."""
        try:
            return all(
                self._file(segment.name, table).stat().st_size == size
                for table, size in segment.sizes.items()
            )
        except FileNotFoundError:
            return False

    def _readable(self, segment: _Segment) -> bool:
        """Whether the files can be read to their end."""
        try:
            return all(
                pl.read_parquet(self._file(segment.name, table)).height == rows
                for table, rows in segment.rows.items()
            )
        except (pl.exceptions.PolarsError, OSError):
            return False

    def _manifest(self) -> _Manifest:
        path = self.root / "manifest.json"
        try:
            status = path.stat()
            version = (status.st_ino, status.st_mtime_ns)
            if self._known is None or self._known[0] != version:
                self._known = (version, _parsed(path.read_text()))
        except FileNotFoundError:
            return _Manifest()
        except (ValueError, TypeError, KeyError) as error:
            raise WorkflowError(
                "StoreDamaged",
                f"The manifest of the store in {self.root} cannot be read ({error}).",
                "Delete that directory: the next sync reads everything again from AWS.",
            ) from error
        return self._known[1]


def _fewer(before: Iterable[_Segment], after: Iterable[_Segment]) -> set[str]:
    """The tables that have fewer rows than before."""
    lost = Counter[str]()
    for segment in before:
        lost.update(segment.rows)
    for segment in after:
        lost.subtract(segment.rows)
    return set(+lost)


def _parsed(text: str) -> _Manifest:
    value = json.loads(text)
    segments = tuple(_Segment(*entry) for entry in value["segments"])
    # Manifests had no versions once: the last segment of a table stands for what it had then.
    versions = {table: segment.name for segment in segments for table in segment.rows}
    return _Manifest(
        segments,
        value["retired"],
        tuple(value["damaged"]),
        value.get("versions", versions),
    )
