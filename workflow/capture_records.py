"""Capture records: one line of a data capture file as the fields that are read of it.

A line is decoded with the types that SageMaker gives it, many at a time. What does not have them
is decoded once more with whatever types it has, to be read all the same or to be named.
"""

import json
from collections.abc import Sequence
from typing import Final

import msgspec

from workflow.answer_rows import OutputError

BINARY: Final = "binary data"

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

    @property
    def complete(self) -> bool:
        """Whether it has an answer and an event id: SageMaker leaves out neither."""
        return bool(self.captureData.endpointOutput.data and self.eventMetadata.eventId)


_RECORDS: Final = msgspec.json.Decoder(Record)


def decode(lines: Sequence[bytes]) -> Sequence[Record | None]:
    """Decode lines that have SageMaker's types.

    Returns:
        A record a line, None for a line that is to be read by ``record_of``.
    """
    together = _decoded_together(lines)
    records = [_decode_line(line) for line in lines] if together is None else together
    return [record if record and record.complete else None for record in records]


def _decoded_together(lines: Sequence[bytes]) -> Sequence[Record] | None:
    """Decode all lines in one step where each is plainly one JSON value.

    No JSON value holds a brace, a line end and a brace: where all lines begin and end with one,
    none can share a value with its neighbour.
    """
    if {line[:1] for line in lines} != {b"{"} or {line[-1:] for line in lines} != {b"}"}:
        return None
    try:
        records = _RECORDS.decode_lines(b"\n".join(lines))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return records if len(records) == len(lines) else None


def _decode_line(line: bytes) -> Record | None:
    try:
        return _RECORDS.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def record_of(line: bytes) -> Record:
    """Decode a line in full, with the types it has.

    Raises:
        OutputError: The line is no captured inference.
    """
    try:
        value = json.loads(line.decode("utf-8-sig"))  # of bytes it would guess UTF-16
    except json.JSONDecodeError as error:
        raise OutputError("not JSON", error.msg) from None
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
    if not data or not isinstance(data, str | list | dict):
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


def document_reason(data: bytes) -> str | None:
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
