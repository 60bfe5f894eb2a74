"""Reviews: ground truth labels in Model Monitor's own JSON Lines, read and written.

The format is AWS's: "Ingest Ground Truth labels and merge them with predictions", SageMaker
developer guide. A label joins its capture by the capture's inference id, else its event id.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from workflow.captures import CaptureError


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What one captured inference should have been.

    Attributes:
        event_id: The inference id of the capture where it has one, else its event id.
        label: As labelled: for image classification the index of the class, such as ``1``.
        labelled_at: When it was labelled, where the line tells.
    """

    event_id: str
    label: str
    labelled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GroundTruthBatch:
    """The labels of one object, in the order of its lines, and the lines that give none."""

    truths: tuple[GroundTruth, ...]
    errors: tuple[CaptureError, ...]


def read_ground_truth(data: bytes, key: str) -> GroundTruthBatch:
    """Read one ground truth object.

    Args:
        data: The object's bytes.
        key: Its S3 key, to name errors by.

    Returns:
        Labels and errors; no bytes make this raise.
    """
    truths: list[GroundTruth] = []
    errors: list[CaptureError] = []
    offset = 0
    for number, line in enumerate(data.split(b"\n"), 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if text.strip():
            truth = _truth(text)
            if isinstance(truth, GroundTruth):
                truths.append(truth)
            else:
                reason, detail = truth
                errors.append(CaptureError(key, number, reason, detail, offset, len(line)))
        offset += len(line) + 1
    return GroundTruthBatch(tuple(truths), tuple(errors))


def ground_truth_lines(truths: Iterable[GroundTruth]) -> bytes:
    """Write labels as Model Monitor's merge job takes them, one line each."""
    return b"".join(json.dumps(_line(truth)).encode() + b"\n" for truth in truths)


def ground_truth_key(prefix: str, labelled_at: datetime, name: str) -> str:
    """The key for an object of labels: ``{prefix}/yyyy/mm/dd/hh/{name}.jsonl``, hour in UTC."""
    return f"{prefix}/{labelled_at.astimezone(UTC):%Y/%m/%d/%H}/{name}.jsonl"


def _line(truth: GroundTruth) -> dict[str, object]:
    event = {"eventId": truth.event_id}
    if truth.labelled_at:
        event["inferenceTime"] = f"{truth.labelled_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {
        "groundTruthData": {"data": truth.label, "encoding": "CSV"},
        "eventMetadata": event,
        "eventVersion": "0",
    }


def _truth(line: bytes) -> GroundTruth | tuple[str, str]:
    """The label of a line, or the reason and detail why it gives none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return "not JSON", str(error)
    if not isinstance(record, dict):
        return "not ground truth", f"the line is a JSON {type(record).__name__}"
    if "captureData" in record:
        return "a capture, not ground truth", ""
    labelled, event = record.get("groundTruthData"), record.get("eventMetadata")
    if not isinstance(labelled, dict) or not isinstance(labelled.get("data"), str | int):
        return "not ground truth", "the line has no groundTruthData.data"
    about = event if isinstance(event, dict) else {}
    event_id = about.get("eventId")
    if not isinstance(event_id, str) or not event_id.isprintable():
        return "no event id", "the label cannot be joined with a capture"
    label = str(labelled["data"]).strip()
    return GroundTruth(event_id, label, _time(about.get("inferenceTime")))


def _time(text: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
        return time.astimezone(UTC) if time and time.tzinfo else None
    except (ValueError, OverflowError):
        return None
