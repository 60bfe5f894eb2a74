"""Segments: the directories of Parquet files that hold one commit each, written and verified."""

import errno
import os
import re
import shutil
import uuid
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

Schema = Mapping[str, pl.DataType | type[pl.DataType]]

_OS_ERROR: Final = re.compile(r"\(os error (\d+)\)")
_CHUNK: Final = 1 << 20
_DAMAGE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EIO})
"""What the system says of a file that is gone or lies on a broken disk; a want of file handles or
of permission is no damage."""


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """One commit, or several merged ones; a list in the manifest.

    Attributes:
        name: Directory of the segment.
        rows: Rows of each table that has any.
        sizes: Bytes of each table's file.
        checksums: CRC-32 of each table's file; empty for segments of older versions.
    """

    name: str
    rows: dict[str, int]
    sizes: dict[str, int]
    checksums: dict[str, int] = {}


class SegmentFiles:
    """The segments of one store; nothing here knows which of them count.

    Args:
        folder: Where their directories lie.
        tables: Columns of each table. A column added later is null in older segments.
    """

    def __init__(self, folder: Path, tables: Mapping[str, Schema]) -> None:
        self.folder = folder
        self._tables = tables
        # The files whose bytes were verified, as they were then: each is read once a process, and
        # again where something has touched it.
        self._verified: dict[Path, tuple[int, int, int]] = {}

    def file_path(self, segment: str, table: str) -> Path:
        """Return where a table's file of a segment lies."""
        return self.folder / segment / f"{table}.parquet"

    def write(self, frames: Mapping[str, pl.LazyFrame], rows: dict[str, int]) -> Segment | None:
        """Write one segment to the disk itself; None where no table has a row.

        Args:
            frames: The tables that have any.
            rows: How many each has.
        """
        if not rows:
            return None
        segment = Segment(uuid.uuid4().hex, rows, {})
        (self.folder / segment.name).mkdir()
        try:
            for table in rows:
                path = self.file_path(segment.name, table)
                schema = self._tables[table]
                _write_parquet(
                    frames[table].select(pl.col(c).cast(kind) for c, kind in schema.items()), path
                )
                segment.sizes[table] = path.stat().st_size
                segment.checksums[table] = _compute_checksum(path)
            # Directories as well: a power cut loses a file whose name is not on the disk
            # (fsync(2)).
            flush(self.folder / segment.name)
            flush(self.folder)
        except OSError:
            shutil.rmtree(self.folder / segment.name, ignore_errors=True)  # a full disk needs it
            raise
        return segment

    def merge(self, segments: Sequence[Segment]) -> Segment:
        """Write the rows of several segments, in their order, into a new one."""
        frames = {
            table: pl.scan_parquet(
                [self.file_path(s.name, table) for s in segments if table in s.rows],
                schema=pl.Schema(schema),
                missing_columns="insert",
                extra_columns="ignore",
            )
            for table, schema in self._tables.items()
            if any(table in s.rows for s in segments)
        }
        rows = Counter[str]()
        for segment in segments:
            rows.update(segment.rows)
        return self.write(frames, dict(rows)) or segments[0]

    def remove_rows(
        self, segment: Segment, replaced: Mapping[str, tuple[str, Sequence[str]]]
    ) -> Segment | None:
        """Return the segment without the rows that are replaced, None where no row is left."""
        frames = {
            table: pl.scan_parquet(self.file_path(segment.name, table)) for table in segment.rows
        }
        kept = dict(frames)
        for table, (column, values) in replaced.items():
            if table in frames:
                kept[table] = frames[table].filter(~pl.col(column).is_in(list(values)))
        counts = {table: frame.select(pl.len()).collect().item() for table, frame in kept.items()}
        if counts == segment.rows:
            return segment
        return self.write(kept, {table: count for table, count in counts.items() if count})

    def is_sound(self, segment: Segment, tables: Iterable[str] | None = None) -> bool:
        """Return whether the files of a segment are what was written.

        Args:
            segment: The segment.
            tables: Whose files are verified to their last byte; None for all. Of the others only
                the size is compared.
        """
        verified = segment.rows.keys() if tables is None else segment.rows.keys() & set(tables)
        if segment.rows.keys() != segment.sizes.keys():
            return False
        try:
            return all(
                self.file_path(segment.name, table).stat().st_size == size
                for table, size in segment.sizes.items()
            ) and all(self._is_as_written(segment, table) for table in verified)
        except OSError as error:
            if error.errno in _DAMAGE:
                return False
            raise

    def forget(self) -> None:
        """Verify every file again when it is asked for next."""
        self._verified.clear()

    def _is_as_written(self, segment: Segment, table: str) -> bool:
        path = self.file_path(segment.name, table)
        status = path.stat()
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        # Reading every byte at each query would take longer than the query.
        if self._verified.get(path) == stamp:
            return True
        if table in segment.checksums:
            sound = _compute_checksum(path) == segment.checksums[table]
        else:
            sound = _rows_in(path) == segment.rows[table]
        if sound:
            self._verified[path] = stamp
        return sound


def _write_parquet(frame: pl.LazyFrame, path: Path) -> None:
    """Write a frame into a file on the disk.

    Raises:
        OSError: What the system says, of which Polars gives only the text.
    """
    try:
        frame.sink_parquet(path, compression="zstd", compression_level=1)
    except pl.exceptions.PolarsError as error:
        # A full disk must be told from a defect, and Polars has no type for it.
        said = _OS_ERROR.search(str(error))
        if said is None:
            raise
        # With its number again: callers tell a full disk from a missing permission by it.
        raise OSError(int(said[1]), os.strerror(int(said[1])), os.fspath(path)) from error
    # Keys, inputs and outputs are nobody else's to read.
    path.chmod(0o600)
    flush(path)


def flush(path: Path) -> None:
    """Wait until a file or a directory is on the disk: a power cut does not undo it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _compute_checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            value = zlib.crc32(chunk, value)
    return value


def _rows_in(path: Path) -> int | None:
    """Return how many rows a Parquet file has, None where it cannot be read to its end."""
    try:
        return pl.read_parquet(path).height
    except pl.exceptions.PolarsError:
        return None
