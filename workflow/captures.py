"""Captures: SageMaker data capture files (JSON Lines) as columns of captured inferences.

The format is AWS's: "Capture data from real-time endpoint", SageMaker developer guide. Every line
of a file ends up as one capture (or one a row of a batch request) or as one named error. The
captured input, nearly all of a file's bytes, is jumped over and never examined: a record whose
image is damaged is still a record. ``image_of`` reads it for one line.
"""

import binascii
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, compress
from typing import Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from workflow.errors import WorkflowError
from workflow.outputs import OutputError, bulk_rows, fault, probability_rows, sound

DUPLICATE: Final = "duplicate event"
"""Reason of an error for a record whose event id was captured before."""

MAX_ERRORS: Final = 1000
"""Named errors kept of one object; further unreadable lines are counted in one more."""

MAX_UNZIPPED_BYTES: Final = 1 << 30
"""A gzip object is read up to here: SageMaker rotates its files long before."""

_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_PAYLOAD: Final = b'"data":"'
_WORTH_SKIPPING: Final = 64
_BACKSLASH: Final = ord("\\")
_RETURN: Final = ord("\r")
_TIME_SHAPE: Final = np.frombuffer(b"0000-00-00T00:00:00Z", np.uint8)
_BINARY: Final = "binary data"
_DOCUMENTS: Final = {
    "groundTruthData": "ground truth, not a capture",
    "violations": "constraint violations, not captures",
    "dataset": "baseline statistics, not captures",
    "features": "baseline constraints, not captures",
}
_KEY: Final = re.compile(
    r"(?:^|/)(?P<endpoint>[^/]+)/(?P<variant>[^/]+)/(?P<hour>\d{4}/\d\d/\d\d/\d\d)/[^/]+$"
)


class _Output(msgspec.Struct, gc=False):
    data: str = ""
    encoding: str = "JSON"


class _Data(msgspec.Struct, gc=False):
    endpointOutput: _Output  # noqa: N815 - AWS's name


class _Event(msgspec.Struct, gc=False):
    eventId: str  # noqa: N815 - AWS's name
    inferenceTime: str = ""  # noqa: N815 - AWS's name
    inferenceId: str | None = None  # noqa: N815 - AWS's name
    customAttributes: list[str] | None = None  # noqa: N815 - AWS's name


class _Record(msgspec.Struct, gc=False):
    captureData: _Data  # noqa: N815 - AWS's name
    eventMetadata: _Event  # noqa: N815 - AWS's name


_RECORDS: Final = msgspec.json.Decoder(_Record)


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
        found = _KEY.search(key)
        if not found:
            return cls(key, "", "", None, gzipped)
        try:
            hour = datetime.strptime(found["hour"], "%Y/%m/%d/%H").replace(tzinfo=UTC)
        except ValueError:
            return cls(key, "", "", None, gzipped)
        return cls(key, found["endpoint"], found["variant"], hour, gzipped)


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
        return tuple(self._capture(*place) for place in enumerate(np.cumsum(self.widths).tolist()))

    def _capture(self, i: int, end: int) -> Capture:
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
        objects: Key and bytes of each object.
    """
    lines = _Lines()
    for key, data in objects:
        lines.add(key, data)
    records = _decoded(lines)
    if all(record and record.captureData.endpointOutput.data for record in records):
        return _batch(lines, cast("list[_Record]", records), np.arange(len(records)))
    return _batch(lines, *_repaired(lines, records))


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
            return binascii.a2b_base64(data), str(captured.get("observedContentType", ""))
        return data.encode(), str(captured.get("observedContentType", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WorkflowError(
            "CaptureUnreadable",
            f"The captured line holds no input to show ({type(error).__name__}: {error}).",
            "Open the object in S3 to see what was captured; CaptureOptions may leave out inputs.",
        ) from error


@dataclass(slots=True)
class _Lines:
    """The lines of many objects: where they lie, and their text without the payload."""

    sources: list[CaptureSource] = field(default_factory=list)
    datas: list[bytes] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    errors: list[CaptureError] = field(default_factory=list)

    def add(self, key: str, data: bytes) -> None:
        gzipped = data.startswith(_GZIP)
        if gzipped:
            data, damage = _unzipped(data)
            if damage:
                self.errors.append(CaptureError(key, 0, "damaged gzip", damage, lines=0))
        self.sources.append(CaptureSource.of(key, gzipped=gzipped))
        self.datas.append(data)
        before = len(self.starts)
        self._cut(data, len(_BOM) if data.startswith(_BOM) else 0)
        self.counts.append(len(self.starts) - before)

    def _cut(self, data: bytes, position: int) -> None:
        """Find the lines and leave out of each the first long string that is called data.

        Memory is scanned by ``bytes.find`` alone. Where that string turns out not to have been
        the input (keys may come in any order), the record is decoded again in full.
        """
        find, size, number = data.find, len(data), 0
        while position < size:
            number += 1
            stop = find(b"\n", position)
            if stop < 0:
                stop = size
            end = stop - 1 if data[stop - 1] == _RETURN and stop > position else stop
            begin = find(_PAYLOAD, position, end) + len(_PAYLOAD)
            close = find(b'"', begin, end)
            if (
                begin < len(_PAYLOAD)
                or close - begin < _WORTH_SKIPPING
                or data[close - 1] == _BACKSLASH
            ):
                text = data[position:end]
            else:
                text = data[position:begin] + data[close:end]
            if text and not text.isspace():
                self.texts.append(text)
                self.starts.append(position)
                self.ends.append(end)
                self.numbers.append(number)
            position = stop + 1

    def line(self, place: int) -> bytes:
        """The whole line, payload included."""
        return self.datas[self.source(place)][self.starts[place] : self.ends[place]]

    def source(self, place: int) -> int:
        return int(np.searchsorted(np.cumsum(self.counts), place, side="right"))

    def error(self, place: int, reason: str, detail: str, event_id: str | None = None) -> None:
        self.errors.append(
            CaptureError(
                key=self.sources[self.source(place)].key,
                line=self.numbers[place],
                reason=reason,
                detail=detail,
                offset=self.starts[place],
                length=self.ends[place] - self.starts[place],
                event_id=event_id,
            )
        )


def _unzipped(data: bytes) -> tuple[bytes, str]:
    """Decompress all members; what comes before damage is kept, and the damage told."""
    parts: list[bytes] = []
    room = MAX_UNZIPPED_BYTES
    while data.startswith(_GZIP):
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            parts.append(member.decompress(data, room))
        except zlib.error as error:
            return b"".join(parts), str(error)
        room -= len(parts[-1])
        if not member.eof:
            return b"".join(parts), "more than 1 GiB" if member.unconsumed_tail else "it is cut off"
        data = member.unused_data
    return b"".join(parts), "" if not data.strip(b"\0") else "bytes after the last member"


def _decoded(lines: _Lines) -> list[_Record | None]:
    """Decode every line's text, all in one step where they are plainly one record a line."""
    text = b"\n".join(lines.texts)
    # No JSON value holds a brace, a line end and a brace: so no value can span lines here.
    if text.count(b"}\n{") == len(lines.texts) - 1:
        try:
            records = _RECORDS.decode_lines(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
        else:
            if len(records) == len(lines.texts):
                return list(records)
    return [_decoded_line(line) for line in lines.texts]


def _decoded_line(line: bytes) -> _Record | None:
    try:
        return _RECORDS.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _repaired(
    lines: _Lines, records: Sequence[_Record | None]
) -> tuple[list[_Record], NDArray[np.int64]]:
    """Decode doubtful lines in full; what stays unreadable becomes an error."""
    kept: list[_Record] = []
    places: list[int] = []
    unread: dict[int, list[tuple[int, OutputError]]] = {}
    for place, record in enumerate(records):
        try:
            whole = record or _record_of(lines.line(place))
            if not whole.captureData.endpointOutput.data or not whole.eventMetadata.eventId:
                whole = _record_of(lines.line(place))
        except OutputError as error:
            unread.setdefault(lines.source(place), []).append((place, error))
        else:
            kept.append(whole)
            places.append(place)
    for source, failures in unread.items():
        _tell(lines, source, failures)
    return kept, np.array(places, np.int64)


def _tell(lines: _Lines, source: int, failures: list[tuple[int, OutputError]]) -> None:
    """Record an object's unreadable lines, as one error where the object is no JSON Lines."""
    data = lines.datas[source]
    count = lines.counts[source]
    whole = _document(data) if len(failures) == count else None
    if whole and (count > 1 or whole == _BINARY):
        key = lines.sources[source].key
        lines.errors.append(CaptureError(key, 0, whole, "", 0, len(data), None, count))
        return
    for place, error in failures:
        lines.error(place, error.reason, error.detail)


def _document(data: bytes) -> str | None:
    """Name an object that is something else than JSON Lines, as far as it can be told."""
    if b"\0" in data[:1024]:
        return _BINARY
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    keys = value.keys() if isinstance(value, dict) else ()
    for key, reason in _DOCUMENTS.items():
        if key in keys:
            return reason
    return "one JSON document, not JSON Lines"


def _record_of(line: bytes) -> _Record:
    """Decode a line in full, with the types it has.

    Raises:
        OutputError: The line is no captured inference.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise OutputError("not JSON", str(error)) from None
    if not isinstance(value, dict):
        raise OutputError("not a capture", f"the line is a JSON {type(value).__name__}")
    for key, reason in _DOCUMENTS.items():
        if key in value:
            raise OutputError(reason, "")
    captured, event = value.get("captureData"), value.get("eventMetadata")
    if not isinstance(captured, dict):
        raise OutputError("not a capture", "the line has no captureData")
    output = captured.get("endpointOutput")
    if not isinstance(output, dict):
        raise OutputError("no output captured", "the line has no endpointOutput")
    return _Record(_Data(_output_of(output)), _event_of(event if isinstance(event, dict) else {}))


def _output_of(output: dict[str, object]) -> _Output:
    data = output.get("data", "")
    if not data or not isinstance(data, str | list):
        raise OutputError("empty output", f"the captured answer is {data!r:.80}")
    text = data if isinstance(data, str) else json.dumps(data)
    return _Output(text, str(output.get("encoding", "JSON")))


def _event_of(event: dict[str, object]) -> _Event:
    event_id, time = event.get("eventId"), event.get("inferenceTime")
    inference_id, attributes = event.get("inferenceId"), event.get("customAttributes")
    if not event_id or not isinstance(event_id, str):
        raise OutputError("no event id", "the line cannot be told from others")
    listed = attributes if isinstance(attributes, list) else [attributes]
    return _Event(
        event_id,
        time if isinstance(time, str) else "",
        inference_id if isinstance(inference_id, str) else None,
        [str(item) for item in listed] if attributes else None,
    )


def _batch(lines: _Lines, records: Sequence[_Record], places: NDArray[np.int64]) -> CaptureBatch:
    """Turn records into columns; ``places`` are their lines."""
    events = [record.eventMetadata for record in records]
    first = _first_of_each(lines, [event.eventId for event in events], places)
    if first is not None:
        records = list(compress(records, first))
        events = list(compress(events, first))
        places = places[first]
    rows, row_of, numbers = _rows(lines, records, places)
    widths = np.fromiter(map(len, rows), np.int64, len(rows))
    values = np.fromiter(chain.from_iterable(rows), np.float64, int(widths.sum()))
    good = sound(values, widths)
    if not good.all():
        for i in np.flatnonzero(~good).tolist():
            place = int(places[row_of[i]])
            wrong = fault(rows[i])
            where = f"row {numbers[i]}: " if numbers[i] else ""
            lines.error(place, wrong.reason, where + wrong.detail, events[row_of[i]].eventId)
        values, widths = values[np.repeat(good, widths)], widths[good]
        row_of, numbers = row_of[good], numbers[good]
    return _columns(
        lines,
        events,
        places=places,
        row_of=row_of,
        numbers=numbers,
        values=values,
        widths=widths,
    )


def _first_of_each(
    lines: _Lines, event_ids: list[str], places: NDArray[np.int64]
) -> NDArray[np.bool_] | None:
    """Which records bring a new event id, None where all do; the others become errors."""
    if len(set(event_ids)) == len(event_ids):
        return None
    seen: set[str] = set()
    first = np.ones(len(event_ids), np.bool_)
    for i, event_id in enumerate(event_ids):
        if event_id in seen:
            first[i] = False
            lines.error(int(places[i]), DUPLICATE, "this event was captured before", event_id)
        seen.add(event_id)
    return first


def _rows(
    lines: _Lines, records: Sequence[_Record], places: NDArray[np.int64]
) -> tuple[list[list[float]], NDArray[np.int64], NDArray[np.int32]]:
    """Rows of numbers, the record each belongs to, and its number within the record."""
    outputs = [record.captureData.endpointOutput for record in records]
    datas = [output.data for output in outputs]
    bulk = bulk_rows(datas, [output.encoding for output in outputs])
    if bulk is not None:
        return bulk, np.arange(len(bulk)), np.zeros(len(bulk), np.int32)
    rows: list[list[float]] = []
    row_of: list[int] = []
    numbers: list[int] = []
    for i, output in enumerate(outputs):
        try:
            found = probability_rows(output.data, output.encoding)
        except OutputError as error:
            event_id = records[i].eventMetadata.eventId
            lines.error(int(places[i]), error.reason, error.detail, event_id)
            continue
        rows += found
        row_of += [i] * len(found)
        numbers += range(len(found))
    return rows, np.array(row_of, np.int64), np.array(numbers, np.int32)


def _columns(
    lines: _Lines,
    events: Sequence[_Event],
    *,
    places: NDArray[np.int64],
    row_of: NDArray[np.int64],
    numbers: NDArray[np.int32],
    values: NDArray[np.float64],
    widths: NDArray[np.int64],
) -> CaptureBatch:
    if len(row_of) != len(events):
        events = [events[i] for i in row_of.tolist()]
    places = places[row_of]
    starts = np.array(lines.starts, np.int64)[places]
    labels, confidences = _largest(values, widths)
    source = np.repeat(np.arange(len(lines.counts), dtype=np.int32), lines.counts)
    return CaptureBatch(
        sources=tuple(lines.sources),
        source=source[places],
        event_ids=[event.eventId for event in events],
        inference_ids=[event.inferenceId for event in events],
        custom_attributes=[event.customAttributes for event in events],
        times=_times([event.inferenceTime for event in events]),
        values=values,
        widths=widths,
        labels=labels,
        confidences=confidences,
        rows=numbers,
        lines=np.array(lines.numbers, np.int32)[places],
        offsets=starts,
        lengths=np.array(lines.ends, np.int64)[places] - starts,
        errors=_bounded(lines),
    )


def _largest(
    values: NDArray[np.float64], widths: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Index and value of each row's largest number, the first of equal ones."""
    labels = np.empty(len(widths), np.int32)
    confidences = np.empty(len(widths), np.float64)
    begins = np.cumsum(widths) - widths
    for width in np.unique(widths).tolist():
        rows = np.flatnonzero(widths == width)
        matrix = values[begins[rows][:, None] + np.arange(width)]
        labels[rows] = matrix.argmax(axis=1)
        confidences[rows] = matrix.max(axis=1)
    return labels, confidences


def _times(texts: list[str]) -> NDArray[np.datetime64]:
    """Read times as microseconds in UTC, all in one step where all have SageMaker's form."""
    joined = "".join(texts)
    if joined.isascii() and set(map(len, texts)) == {len("2024-01-31T23:59:59Z")}:
        letters = np.frombuffer(joined.encode(), np.uint8).reshape(len(texts), -1)
        digits = (letters >= ord("0")) & (letters <= ord("9"))
        if (np.where(digits, ord("0"), letters) == _TIME_SHAPE).all():
            seconds = np.ascontiguousarray(letters[:, :-1]).view("S19").ravel()
            try:
                return seconds.astype("datetime64[us]")
            except ValueError:  # a day or an hour that does not exist: told one by one
                pass
    return np.array([_time(text) for text in texts], "datetime64[us]")


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, OverflowError):
        return None


def _bounded(lines: _Lines) -> tuple[CaptureError, ...]:
    """Errors by object and line, at most ``MAX_ERRORS`` and one for the rest of an object."""
    by_key: dict[str, list[CaptureError]] = {source.key: [] for source in lines.sources}
    for error in lines.errors:
        by_key[error.key].append(error)
    kept: list[CaptureError] = []
    for key, errors in by_key.items():
        errors.sort(key=lambda error: error.line)
        kept += errors[:MAX_ERRORS]
        rest = len(errors) - MAX_ERRORS
        if rest > 0:
            last = errors[MAX_ERRORS]
            kept.append(CaptureError(key, last.line, "more unreadable lines", lines=rest))
    return tuple(kept)
