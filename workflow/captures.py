"""Captures: SageMaker data capture files (JSON Lines) as columns of captured inferences.

The format is AWS's: "Capture data from real-time endpoint", SageMaker developer guide. Every line
of a file ends up as one capture (or one a row of a batch request) or as one named error.
``image_of`` reads the captured input of one line.

More than 400 lines because reading lines, joining them and telling what was not read share one
layout of columns.
"""

import binascii
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, compress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workflow.capture_columns import Columns
from workflow.capture_lines import Places, Unread, Window
from workflow.contract import LABELS
from workflow.errors import WorkflowError

DUPLICATE: Final = "duplicate event"
"""Reason of an error for a record whose event id was captured before."""

MAX_ERRORS: Final = 1000
"""Named errors kept of one object; further unreadable lines are counted in one more."""

MAX_UNZIPPED_BYTES: Final = 1 << 30
"""A gzip object is read up to here: SageMaker rotates its files long before."""

# Lines are decoded in windows: NumPy calls are shared by thousands of lines, memory stays bounded.
_WINDOW_BYTES: Final = 8 << 20
_WINDOW_LINES: Final = 4096
SHADOW_VARIANT: Final = "ShadowModel"
"""Name of the shadow variant that a rollout adds: no caller saw what it answered."""

_GZIP: Final = b"\x1f\x8b"
_LAYOUT: Final = ("endpoint", "variant", "yyyy", "mm", "dd", "hh")
_HOUR: Final = re.compile(r"\d{4}/\d\d/\d\d/\d\d")


@dataclass(frozen=True, slots=True)
class CaptureSource:
    """The object that captures come from, as its key tells.

    SageMaker writes ``{prefix}/{endpoint}/{variant}/yyyy/mm/dd/hh/MM-SS-mmm-uuid.jsonl``.

    Attributes:
        key: The S3 key.
        endpoint: Name of the endpoint, empty where the key has another layout.
        variant: Name of the production variant, empty where the key has another layout.
        hour: Start of the hour of invocation (UTC), None where the key has another layout.
        gzipped: Whether offsets count in the decompressed bytes, so that no Range request can
            fetch one line.
    """

    key: str
    endpoint: str
    variant: str
    hour: datetime | None
    gzipped: bool

    @classmethod
    def of(cls, key: str, *, gzipped: bool = False) -> "CaptureSource":
        """Read a key."""
        return cls(key, *_parse_directory(key.rpartition("/")[0]), gzipped)


@lru_cache(maxsize=1024)
def _parse_directory(directory: str) -> tuple[str, str, datetime | None]:
    """Return endpoint, variant and hour of a directory; empty and None for another layout."""
    parts = directory.rsplit("/", len(_LAYOUT))[-len(_LAYOUT) :]
    if len(parts) == len(_LAYOUT) and all(parts) and _HOUR.fullmatch("/".join(parts[2:])):
        year, month, day, hour = map(int, parts[2:])
        try:
            return parts[0], parts[1], datetime(year, month, day, hour, tzinfo=UTC)
        except ValueError:
            pass
    return "", "", None


@dataclass(frozen=True, slots=True)
class Capture:
    """One captured inference.

    Attributes:
        event_id: SageMaker's id of the invocation.
        inference_id: The caller's own id, where one was given.
        inference_time: When the endpoint answered; None where the line has no readable time.
        endpoint: Name of the endpoint, from the key.
        variant: Name of the production variant, from the key.
        probabilities: One probability a class, two or more, summing to 1.
        label: Index of the largest probability (the first of equal ones).
        confidence: The largest probability.
        key: S3 key of the object.
        line: Line in the object, from 1.
        offset: Where the line begins in the object, in bytes.
        length: Length of the line in bytes, without its line end.
        row: Row within the answer, from 0; above 0 only for batch requests.
        custom_attributes: What the caller sent as CustomAttributes.
        gzipped: Whether ``offset`` and ``length`` count in the decompressed object.
    """

    event_id: str
    inference_id: str | None
    inference_time: datetime | None
    endpoint: str
    variant: str
    probabilities: tuple[float, ...]
    label: int
    confidence: float
    key: str
    line: int
    offset: int
    length: int
    row: int = 0
    custom_attributes: tuple[str, ...] = ()
    gzipped: bool = False


@dataclass(frozen=True, slots=True)
class CaptureError:
    """A line that gave no capture, and why.

    Attributes:
        key: S3 key of the object.
        line: Line in the object, from 1; 0 where the object as a whole is meant.
        reason: A short stable phrase to group by, such as ``not JSON``.
        detail: What was found.
        offset: Where the line begins in the object, in bytes.
        length: Length of the line in bytes.
        event_id: SageMaker's id of the invocation, where the line gives one.
        lines: Number of lines this error stands for.
    """

    key: str
    line: int
    reason: str
    detail: str = ""
    offset: int = 0
    length: int = 0
    event_id: str | None = None
    lines: int = 1


@dataclass(frozen=True, slots=True)
class CaptureBatch:
    """Captures of one or more objects as columns, and the errors.

    All columns have one entry a capture except ``values``, which holds every row of
    probabilities one after the other, ``widths`` of them each.

    Attributes:
        sources: The objects read, in order.
        source: Index into ``sources``.
        event_ids, inference_ids, custom_attributes, rows, lines, offsets, lengths, labels,
            confidences: As in ``Capture``.
        times: ``datetime64[us]`` in UTC, NaT where the line has no readable time.
        errors: Lines that gave no capture.
    """

    sources: tuple[CaptureSource, ...]
    source: NDArray[np.int32]
    event_ids: list[str]
    inference_ids: list[str | None]
    custom_attributes: list[list[str] | None]
    times: NDArray[np.datetime64]
    values: NDArray[np.float64]
    widths: NDArray[np.int64]
    labels: NDArray[np.int32]
    confidences: NDArray[np.float64]
    rows: NDArray[np.int32]
    lines: NDArray[np.int32]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    errors: tuple[CaptureError, ...]

    def __len__(self) -> int:
        return len(self.event_ids)

    @property
    def captures(self) -> tuple[Capture, ...]:
        """The columns as records."""
        return tuple(
            self._build_capture(*place) for place in enumerate(np.cumsum(self.widths).tolist())
        )

    def where(self, mask: NDArray[np.bool_]) -> "CaptureBatch":
        """Return the captures that the mask keeps; sources and errors stay."""
        return CaptureBatch(
            sources=self.sources,
            source=self.source[mask],
            event_ids=list(compress(self.event_ids, mask)),
            inference_ids=list(compress(self.inference_ids, mask)),
            custom_attributes=list(compress(self.custom_attributes, mask)),
            times=self.times[mask],
            values=self.values[np.repeat(mask, self.widths)],
            widths=self.widths[mask],
            labels=self.labels[mask],
            confidences=self.confidences[mask],
            rows=self.rows[mask],
            lines=self.lines[mask],
            offsets=self.offsets[mask],
            lengths=self.lengths[mask],
            errors=self.errors,
        )

    def _build_capture(self, i: int, end: int) -> Capture:
        source = self.sources[self.source[i]]
        time = self.times[i].item()
        return Capture(
            event_id=self.event_ids[i],
            inference_id=self.inference_ids[i],
            inference_time=time and time.replace(tzinfo=UTC),
            endpoint=source.endpoint,
            variant=source.variant,
            probabilities=tuple(self.values[end - int(self.widths[i]) : end].tolist()),
            label=int(self.labels[i]),
            confidence=float(self.confidences[i]),
            key=source.key,
            line=int(self.lines[i]),
            offset=int(self.offsets[i]),
            length=int(self.lengths[i]),
            row=int(self.rows[i]),
            custom_attributes=tuple(self.custom_attributes[i] or ()),
            gzipped=source.gzipped,
        )


def read_captures(data: bytes, key: str) -> CaptureBatch:
    """Read one data capture object.

    Args:
        data: The object's bytes, plain or gzip.
        key: Its S3 key, which names endpoint, variant and hour.

    Returns:
        Captures and errors; no bytes make this raise.
    """
    return read_objects([(key, data)])


def read_objects(objects: Iterable[tuple[str, bytes]]) -> CaptureBatch:
    """Read many data capture objects at once, several times faster than one by one.

    An event id that occurs again is counted once: the first record is kept, every other is an
    error with reason ``duplicate event``.

    Args:
        objects: Key and bytes of each object. They are let go of as they are read: of a
            generator's objects, one is in memory at a time.
    """
    reading = CaptureReader()
    for key, data in objects:
        reading.add(key, data)
        del data  # its memory serves the next object: twice as fast for large ones
    return reading.batch()


def image_of(line: bytes) -> tuple[bytes, str]:
    """Decode the captured input of one line, as fetched by its offset and length.

    Returns:
        The input's bytes and its observed content type, empty where none was recorded.

    Raises:
        WorkflowError: ``CaptureUnreadable`` where the line holds no input.
    """
    try:
        captured = json.loads(line)["captureData"]["endpointInput"]
        data = captured["data"]
        if captured.get("encoding") == "BASE64":
            image = binascii.a2b_base64("".join(data.split()), strict_mode=True)
            return image, str(captured.get("observedContentType", ""))
        return data.encode(), str(captured.get("observedContentType", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WorkflowError(
            "CaptureUnreadable",
            f"The captured line holds no input to show ({type(error).__name__}: {error}).",
            "Open the object in S3 to see what was captured; CaptureOptions may leave out inputs.",
        ) from error


class CaptureReader:
    """Reads one data capture object after the other into columns.

    ``read_objects`` is the plain way; this one is for objects that arrive one at a time.

    Args:
        classes: Names of the classes by their index, for answers by name.
    """

    def __init__(self, classes: Sequence[str] = LABELS) -> None:
        self._sources: list[CaptureSource] = []
        self._window = Window(classes)
        self._chunks: list[CaptureBatch] = []
        self._errors: list[CaptureError] = []

    def __len__(self) -> int:
        """Captures so far, without those of the last few megabytes."""
        return sum(map(len, self._chunks))

    def add(self, key: str, data: bytes) -> None:
        """Read an object; of its bytes, the payloads are let go of."""
        gzipped = data.startswith(_GZIP)
        if gzipped:
            data, damage = unzipped(data)
            if damage:
                # lines=0: how many lines the damage has swallowed is not known.
                self._errors.append(CaptureError(key, 0, "damaged gzip", damage, lines=0))
        self._window.add(len(self._sources), data)
        self._sources.append(CaptureSource.of(key, gzipped=gzipped))
        if self._window.size >= _WINDOW_BYTES or len(self._window) >= _WINDOW_LINES:
            self._read_window()

    def _read_window(self) -> None:
        """Turn the window's lines into columns."""
        rows, places, unread = self._window.read()
        self._errors += [self._to_error(line) for line in unread]
        self._chunks.append(_to_batch(rows, places))

    def batch(self) -> CaptureBatch:
        """Return all columns, each event once."""
        self._read_window()
        batch = _join_batches(self._chunks)
        first = self._first_of_each_event(batch)
        if not first.all():
            batch = batch.where(first)
        errors = _limit_errors(self._sources, self._errors)
        return replace(batch, sources=tuple(self._sources), errors=errors)

    def _first_of_each_event(self, batch: CaptureBatch) -> NDArray[np.bool_]:
        """Return which captures bring a new event; an error for every line that brings none."""
        first = np.ones(len(batch), np.bool_)
        if len(set(batch.event_ids)) == len(batch):
            return first
        seen: dict[str, tuple[int, int]] = {}
        for i, event_id in enumerate(batch.event_ids):
            line = (int(batch.source[i]), int(batch.lines[i]))
            # Rows of one batch request share an event id; only another line repeats it.
            first[i] = seen.setdefault(event_id, line) == line
            # One error for the line, not one for each row of its batch.
            if not first[i] and batch.rows[i] == 0:
                self._errors.append(_duplicate_error(self._sources[line[0]], batch, i))
        return first

    def _to_error(self, line: Unread) -> CaptureError:
        return CaptureError(
            key=self._sources[line.source].key,
            line=line.number,
            reason=line.error.reason,
            detail=line.error.detail,
            offset=line.offset,
            length=line.length,
            event_id=line.event_id,
            lines=line.lines,
        )


def _duplicate_error(source: CaptureSource, batch: CaptureBatch, i: int) -> CaptureError:
    return CaptureError(
        key=source.key,
        line=int(batch.lines[i]),
        reason=DUPLICATE,
        detail="this event was captured before",
        offset=int(batch.offsets[i]),
        length=int(batch.lengths[i]),
        event_id=batch.event_ids[i],
    )


def _to_batch(rows: Columns, places: Places) -> CaptureBatch:
    """Return the columns of one window; sources and errors come with the whole."""
    labels, confidences = _find_largest(rows.values, rows.widths)
    return CaptureBatch(
        sources=(),
        source=places.source,
        event_ids=rows.event_ids.tolist(),
        inference_ids=rows.inference_ids.tolist(),
        custom_attributes=rows.custom_attributes.tolist(),
        times=rows.times,
        values=rows.values,
        widths=rows.widths,
        labels=labels,
        confidences=confidences,
        rows=rows.numbers,
        lines=places.number,
        offsets=places.offset,
        lengths=places.length,
        errors=(),
    )


def _join_batches(chunks: Sequence[CaptureBatch]) -> CaptureBatch:
    """Return the columns of all windows, one after the other."""
    return CaptureBatch(
        sources=(),
        source=np.concatenate([chunk.source for chunk in chunks]),
        event_ids=list(chain.from_iterable(chunk.event_ids for chunk in chunks)),
        inference_ids=list(chain.from_iterable(chunk.inference_ids for chunk in chunks)),
        custom_attributes=list(chain.from_iterable(chunk.custom_attributes for chunk in chunks)),
        times=np.concatenate([chunk.times for chunk in chunks]),
        values=np.concatenate([chunk.values for chunk in chunks]),
        widths=np.concatenate([chunk.widths for chunk in chunks]),
        labels=np.concatenate([chunk.labels for chunk in chunks]),
        confidences=np.concatenate([chunk.confidences for chunk in chunks]),
        rows=np.concatenate([chunk.rows for chunk in chunks]),
        lines=np.concatenate([chunk.lines for chunk in chunks]),
        offsets=np.concatenate([chunk.offsets for chunk in chunks]),
        lengths=np.concatenate([chunk.lengths for chunk in chunks]),
        errors=(),
    )


def unzipped(data: bytes) -> tuple[bytes, str]:
    """Decompress all members of a gzip; what comes before damage is kept, and the damage told."""
    parts: list[bytes] = []
    room = MAX_UNZIPPED_BYTES
    while data.startswith(_GZIP):
        # 16 more selects the gzip header and checksum (zlib manual, inflateInit2).
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            # Bounded: a few kilobytes can unpack to gigabytes.
            parts.append(member.decompress(data, room))
        except zlib.error as error:
            return b"".join(parts), str(error)
        room -= len(parts[-1])
        if not member.eof:
            return b"".join(parts), "more than 1 GiB" if member.unconsumed_tail else "it is cut off"
        # A gzip file may hold several members; each is a stream of its own (RFC 1952, section 2.2).
        data = member.unused_data
    # Zero bytes at the end are padding, which gzip ignores too.
    return b"".join(parts), "" if not data.strip(b"\0") else "bytes after the last member"


def _find_largest(
    values: NDArray[np.float64], widths: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return index and value of each row's largest number, the first of equal ones."""
    labels = np.empty(len(widths), np.int32)
    confidences = np.empty(len(widths), np.float64)
    begins = np.cumsum(widths) - widths
    # Rows of one width form a matrix, so that no Python loop runs over rows.
    kinds = np.unique(widths).tolist()
    for width in kinds:
        rows = np.flatnonzero(widths == width)
        # Nearly always: then the values are that matrix already, without a copy.
        whole = len(kinds) == 1
        matrix = (
            values.reshape(-1, width) if whole else values[begins[rows, None] + np.arange(width)]
        )
        labels[rows] = matrix.argmax(axis=1)
        confidences[rows] = matrix.max(axis=1)
    return labels, confidences


def _limit_errors(
    sources: Sequence[CaptureSource], found: Sequence[CaptureError]
) -> tuple[CaptureError, ...]:
    """Return errors by object and line: ``MAX_ERRORS`` of an object, and one for the rest."""
    # Limited for each object: one damaged object must not hide the errors of the others.
    by_key: dict[str, list[CaptureError]] = {source.key: [] for source in sources if found}
    for error in found:
        by_key[error.key].append(error)
    kept: list[CaptureError] = []
    for key, errors in by_key.items():
        errors.sort(key=lambda error: error.line)
        kept += errors[:MAX_ERRORS]
        rest = errors[MAX_ERRORS:]
        if rest:
            lines = sum(error.lines for error in rest)
            kept.append(CaptureError(key, rest[0].line, "more unreadable lines", lines=lines))
    return tuple(kept)
