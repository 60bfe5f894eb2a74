"""Capture lines: from an object's bytes to one record a line, with the payload jumped over.

The captured input is nearly all of a line's bytes. It is found by its quotes alone and never
examined: a record whose image is damaged is still a record.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from workflow.outputs import OutputError

BINARY: Final = "binary data"

_BOM: Final = b"\xef\xbb\xbf"
_PAYLOAD: Final = b'"data":"'
_PAYLOAD_SIZE: Final = len(_PAYLOAD)
_WORTH_SKIPPING: Final = 64
_BACKSLASH: Final = ord("\\")
_DOCUMENTS: Final = {
    "groundTruthData": "ground truth, not a capture",
    "violations": "constraint violations, not captures",
    "dataset": "baseline statistics, not captures",
    "features": "baseline constraints, not captures",
}


class Output(msgspec.Struct, gc=False):
    """``captureData.endpointOutput`` of a line."""

    data: str = ""
    encoding: str = "JSON"


class CaptureData(msgspec.Struct, gc=False):
    """``captureData`` of a line."""

    endpointOutput: Output  # noqa: N815 - AWS's name


class Event(msgspec.Struct, gc=False):
    """``eventMetadata`` of a line."""

    eventId: str  # noqa: N815 - AWS's name
    inferenceTime: str = ""  # noqa: N815 - AWS's name
    inferenceId: str | None = None  # noqa: N815 - AWS's name
    customAttributes: list[str] | None = None  # noqa: N815 - AWS's name


class Record(msgspec.Struct, gc=False):
    """One line, as far as it is read."""

    captureData: CaptureData  # noqa: N815 - AWS's name
    eventMetadata: Event  # noqa: N815 - AWS's name


_RECORDS: Final = msgspec.json.Decoder(Record)


@dataclass(frozen=True, slots=True)
class Places:
    """Where lines lie, as columns with one entry a line.

    Attributes:
        source: Index of the object.
        number: Line in the object, from 1.
        offset: Where it begins in the object, in bytes.
        length: Its length in bytes, without its line end.
    """

    source: NDArray[np.int32]
    number: NDArray[np.int32]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> "Places":
        """Some of the lines, by index or by mask."""
        return Places(
            self.source[index], self.number[index], self.offset[index], self.length[index]
        )


@dataclass(frozen=True, slots=True)
class Records:
    """Records as columns with one entry a record; see ``workflow.captures.Capture``."""

    event_ids: list[str]
    inference_ids: list[str | None]
    custom_attributes: list[list[str] | None]
    times: list[str]
    datas: list[str]
    encodings: list[str]
    places: Places

    @classmethod
    def of(cls, records: Sequence[Record], places: Places) -> "Records":
        """Turn records into columns."""
        events = [record.eventMetadata for record in records]
        outputs = [record.captureData.endpointOutput for record in records]
        return cls(
            event_ids=[event.eventId for event in events],
            inference_ids=[event.inferenceId for event in events],
            custom_attributes=[event.customAttributes for event in events],
            times=[event.inferenceTime for event in events],
            datas=[output.data for output in outputs],
            encodings=[output.encoding for output in outputs],
            places=places,
        )

    def __len__(self) -> int:
        return len(self.event_ids)

    def take(self, index: NDArray[np.int64]) -> "Records":
        """Some of the records, in the order of the index."""
        order = index.tolist()
        return Records(
            event_ids=[self.event_ids[i] for i in order],
            inference_ids=[self.inference_ids[i] for i in order],
            custom_attributes=[self.custom_attributes[i] for i in order],
            times=[self.times[i] for i in order],
            datas=[self.datas[i] for i in order],
            encodings=[self.encodings[i] for i in order],
            places=self.places.take(index),
        )


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a line, or the object as a whole (``number`` 0), is no record.

    Attributes:
        source: Index of the object.
        number: Line in the object, from 1.
        offset: Where it begins in the object, in bytes.
        length: Its length in bytes.
        error: The reason.
        lines: Number of lines it stands for.
    """

    source: int
    number: int
    offset: int
    length: int
    error: OutputError
    lines: int = 1


@dataclass(slots=True)
class Window:
    """Objects that are decoded together, while their bytes are at hand.

    Attributes:
        sources: Index of each object.
        datas: Bytes of each object.
        counts: Lines of each object.
        texts: Each line without its payload.
        starts: Where each line begins in its object, in bytes.
        ends: Where each line ends, before its line feed.
        size: Bytes of all objects.
    """

    sources: list[int] = field(default_factory=list)
    datas: list[bytes] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    size: int = 0

    def add(self, source: int, data: bytes) -> None:
        """Take in an object and find its lines."""
        before = len(self.texts)
        self._cut(data, len(_BOM) if data.startswith(_BOM) else 0)
        self.sources.append(source)
        self.datas.append(data)
        self.counts.append(len(self.texts) - before)
        self.size += len(data)

    def _cut(self, data: bytes, position: int) -> None:
        """Find the lines and leave out of each the first long string that is called data.

        Memory is scanned by ``bytes.find`` alone. Where that string turns out not to have been
        the input (keys may come in any order), the record is decoded again in full.
        """
        find, size = data.find, len(data)
        keep_text, keep_start, keep_end = self.texts.append, self.starts.append, self.ends.append
        while position < size:
            end = find(b"\n", position)
            if end < 0:
                end = size
            begin = find(_PAYLOAD, position, end) + _PAYLOAD_SIZE
            close = find(b'"', begin, end)
            if (
                close - begin < _WORTH_SKIPPING
                or data[close - 1] == _BACKSLASH
                or begin < _PAYLOAD_SIZE
            ):
                keep_text(data[position:end])
            else:
                keep_text(data[position:begin] + data[close:end])
            keep_start(position)
            keep_end(end)
            position = end + 1

    def read(self) -> tuple[Records, list[Unread]]:
        """Decode all lines.

        Returns:
            The records, and the lines that are none.
        """
        last_bytes = {text[-1:] for text in self.texts}
        places = self._places(crlf=b"\r" in last_bytes)
        decoded = self._decoded(together=last_bytes == {b"}"})
        if None not in decoded:
            records = Records.of(cast("Sequence[Record]", decoded), places)
            if all(records.datas) and all(records.event_ids):
                return records, []
        return self._repaired(decoded, places)

    def _decoded(self, *, together: bool) -> Sequence[Record | None]:
        """Decode every line's text, all in one step where each is plainly one record.

        No JSON value holds a brace, a line end and a brace: where all lines begin and end with
        one, none can share a value with its neighbour.

        Args:
            together: Whether all lines end with a brace.
        """
        if together and {text[:1] for text in self.texts} == {b"{"}:
            try:
                records = _RECORDS.decode_lines(b"\n".join(self.texts))
            except (msgspec.MsgspecError, ValueError, RecursionError):
                pass
            else:
                if len(records) == len(self.texts):
                    return records
        return [_decoded_line(text) for text in self.texts]

    def _places(self, *, crlf: bool) -> Places:
        counts = np.array(self.counts, np.int64)
        first = np.cumsum(counts) - counts
        starts = np.array(self.starts, np.int64)
        ends = np.array(self.ends, np.int64)
        if crlf:
            ends -= np.array([text.endswith(b"\r") for text in self.texts], np.int64)
        numbers = np.arange(1, len(starts) + 1) - np.repeat(first, counts)
        source = np.repeat(np.array(self.sources, np.int32), counts)
        return Places(source, numbers.astype(np.int32), starts, ends - starts)

    def _repaired(
        self, records: Sequence[Record | None], places: Places
    ) -> tuple[Records, list[Unread]]:
        """Decode doubtful lines in full; of what stays unreadable, say why."""
        kept: list[Record] = []
        indices: list[int] = []
        unread: list[Unread] = []
        index = 0
        for source, data, count in zip(self.sources, self.datas, self.counts, strict=True):
            failures = []
            for i in range(index, index + count):
                line = data[self.starts[i] : self.ends[i]]
                try:
                    record = _whole(records[i], line)
                except OutputError as error:
                    place = (source, int(places.number[i]), self.starts[i], int(places.length[i]))
                    failures.append(Unread(*place, error))
                else:
                    if record:
                        kept.append(record)
                        indices.append(i)
            index += count
            unread += _summed_up(failures, count, source, data)
        return Records.of(kept, places.take(np.array(indices, np.int64))), unread


def _decoded_line(text: bytes) -> Record | None:
    try:
        return _RECORDS.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _whole(record: Record | None, line: bytes) -> Record | None:
    """The record, decoded again in full where it is doubtful; None for a blank line."""
    if record and record.captureData.endpointOutput.data and record.eventMetadata.eventId:
        return record
    return record_of(line) if line.strip() else None


def _summed_up(failures: list[Unread], count: int, source: int, data: bytes) -> list[Unread]:
    """One reason for an object none of whose lines is a record and that is something else."""
    if not failures or len(failures) < count or (count == 1 and b"\0" not in data[:1024]):
        return failures
    reason = _document(data)
    return [Unread(source, 0, 0, len(data), OutputError(reason, ""), count)] if reason else failures


def _document(data: bytes) -> str | None:
    """Name an object that is something else than JSON Lines, as far as it can be told."""
    if b"\0" in data[:1024]:
        return BINARY
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    keys = value.keys() if isinstance(value, dict) else ()
    for key, reason in _DOCUMENTS.items():
        if key in keys:
            return reason
    return "one JSON document, not JSON Lines"


def record_of(line: bytes) -> Record:
    """Decode a line in full, with the types it has.

    Raises:
        OutputError: The line is no captured inference.
    """
    try:
        value = json.loads(line.decode("utf-8-sig"))  # of bytes it would guess UTF-16
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
    return Record(
        CaptureData(_output_of(output)), _event_of(event if isinstance(event, dict) else {})
    )


def _output_of(output: dict[str, object]) -> Output:
    data = output.get("data", "")
    if not data or not isinstance(data, str | list):
        raise OutputError("empty output", f"the captured answer is {data!r:.80}")
    text = data if isinstance(data, str) else json.dumps(data)
    return Output(text, str(output.get("encoding", "JSON")))


def _event_of(event: dict[str, object]) -> Event:
    event_id, time = event.get("eventId"), event.get("inferenceTime")
    inference_id, attributes = event.get("inferenceId"), event.get("customAttributes")
    if not event_id or not isinstance(event_id, str):
        raise OutputError("no event id", "the line cannot be told from others")
    listed = attributes if isinstance(attributes, list) else [attributes]
    return Event(
        event_id,
        time if isinstance(time, str) else "",
        inference_id if isinstance(inference_id, str) else None,
        [str(item) for item in listed] if attributes else None,
    )
