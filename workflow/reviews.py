"""Reviews: ground truth labels in Model Monitor's own JSON Lines, read and written.

The format is AWS's: "Ingest Ground Truth labels and merge them with predictions", SageMaker
developer guide. A label joins its capture by the capture's inference id, else its event id.
"""

import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

from workflow.answer_rows import number_of, shortened
from workflow.captures import CaptureError
from workflow.contract import LABELS

_MOST_CLASSES: Final = 1 << 31  # a class is kept in 32 bits
_MAX_NESTING: Final = 4
_REVIEW: Final = "reviewMetadata"  # a key of ours: Model Monitor ignores what it does not know
_SEPARATORS: Final = str.maketrans("", "", "_- ")
NEITHER: Final = -1
"""The class of a photo that shows none of the model's classes: whatever the model said is wrong."""

NEITHER_NAME: Final = "neither"
"""How a label names that class."""

UNDECIDED: Final = "cannot tell"
"""The answer of a reviewer who looked and could not tell: no truth, but no missing label either."""

_LABEL_KEYS: Final = (
    *("classname", "labelname", "label", "class", "groundtruth", "category", "value", "data"),
    *("answer", "target", "y"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Who gave a label on the review page, and what was seen of the photo.

    Attributes:
        reviewer: Login or name.
        draw: Id of the draw that chose the photo.
        settles: Whether the answer settles a disagreement of others.
        brightness: Mean luma, 0 to 1; None where it was not measured.
        sharpness: As in ``image_statistics``.
        pixels: Width times height.
    """

    reviewer: str
    draw: str = ""
    settles: bool = False
    brightness: float | None = None
    sharpness: float | None = None
    pixels: float | None = None


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What one captured inference should have been.

    Attributes:
        event_id: The inference id of the capture where it has one, else its event id.
        label: As labelled, decoded: the index of the class, such as ``1``, its name, or JSON that
            holds either; ``class_of`` reads it.
        labelled_at: When it was labelled, where the line tells.
        review: Who labelled it on the review page; None for a label of another program.
    """

    event_id: str
    label: str
    labelled_at: datetime | None = None
    review: Review | None = None


@dataclass(frozen=True, slots=True)
class GroundTruthBatch:
    """The labels of one object, in the order of its lines, and the lines that give none."""

    truths: tuple[GroundTruth, ...]
    errors: tuple[CaptureError, ...]


def read_ground_truth(data: bytes, key: str, classes: Sequence[str] = LABELS) -> GroundTruthBatch:
    """Read one ground truth object.

    Args:
        data: The object's bytes.
        key: Its S3 key, to name errors by.
        classes: Names of the model's classes, by their index.

    Returns:
        A label or an error for every line that is not blank; no bytes make this raise.
    """
    truths: list[GroundTruth] = []
    errors: list[CaptureError] = []
    offset = 0
    for number, line in enumerate(data.split(b"\n"), 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if text.strip():
            truth = _parse_truth(text, classes)
            if isinstance(truth, GroundTruth):
                truths.append(truth)
            else:
                reason, detail = truth
                errors.append(CaptureError(key, number, reason, detail, offset, len(line)))
        offset += len(line) + 1
    return GroundTruthBatch(tuple(truths), tuple(errors))


def ground_truth_lines(truths: Iterable[GroundTruth]) -> bytes:
    """Write labels as Model Monitor's merge job takes them, one line each."""
    return b"".join(json.dumps(_build_line(truth)).encode() + b"\n" for truth in truths)


def ground_truth_key(prefix: str, labelled_at: datetime, name: str) -> str:
    """Return the key of a label object: ``{prefix}/yyyy/mm/dd/hh/{name}.jsonl``, hour in UTC."""
    return f"{prefix}/{labelled_at.astimezone(UTC):%Y/%m/%d/%H}/{name}.jsonl"


def _build_line(truth: GroundTruth) -> dict[str, object]:
    event = {"eventId": truth.event_id}
    if truth.labelled_at:
        event["inferenceTime"] = f"{truth.labelled_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    line: dict[str, object] = {
        "groundTruthData": {"data": truth.label, "encoding": "CSV"},
        "eventMetadata": event,
        "eventVersion": "0",
    }
    if truth.review:
        at = truth.labelled_at and truth.labelled_at.astimezone(UTC).isoformat()
        line[_REVIEW] = {
            **asdict(truth.review),
            "at": at,
        }  # two answers in one second have an order
    return line


def _parse_truth(line: bytes, classes: Sequence[str]) -> GroundTruth | tuple[str, str]:
    """Return the label of a line, or the reason and detail why it gives none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return "not JSON", str(error)
    if not isinstance(record, dict):
        return "not ground truth", f"the line is a JSON {type(record).__name__}"
    return _read_truth(record, classes)


def _read_truth(
    record: Mapping[str, object], classes: Sequence[str]
) -> GroundTruth | tuple[str, str]:
    if "captureData" in record and "groundTruthData" not in record:  # a merge writes both
        return "a capture, not ground truth", ""
    labelled, event = record.get("groundTruthData"), record.get("eventMetadata")
    if not isinstance(labelled, dict) or labelled.get("data") is None:
        return "not ground truth", "the line has no groundTruthData.data"
    about = event if isinstance(event, dict) else {}
    event_id = about.get("eventId") or about.get("inferenceId")
    if not isinstance(event_id, str) or not event_id.isprintable():
        return "no event id", "the label cannot be joined with a capture"
    label = _read_label(labelled["data"], str(labelled.get("encoding") or "CSV"), classes)
    time = _parse_time(about.get("inferenceTime"))
    if not isinstance(label, str):
        return label
    said = record.get(_REVIEW)
    exact = _parse_time(said.get("at")) if isinstance(said, dict) else None
    return GroundTruth(event_id, label, exact or time, _read_review(said))


def _read_review(said: object) -> Review | None:
    """Return the review in a line; None where there is none of ours."""
    if not isinstance(said, dict) or not isinstance(said.get("reviewer"), str):
        return None
    numbers = {name: number_of(said.get(name)) for name in ("brightness", "sharpness", "pixels")}
    draw = said.get("draw")
    return Review(
        reviewer=said["reviewer"],
        draw=draw if isinstance(draw, str) else "",
        settles=said.get("settles") is True,
        **numbers,
    )


def _read_label(data: object, encoding: str, classes: Sequence[str]) -> str | tuple[str, str]:
    """Return what names a class, or the reason and detail why it names none."""
    try:
        label = _decode_label(data, encoding)
    except ValueError as error:
        return "label cannot be decoded", str(error)
    if label != UNDECIDED and class_of(label, classes) is None:
        return "no class", f"{shortened(label)} is not a class"
    return label


def _decode_label(data: object, encoding: str) -> str:
    """Return the label as text.

    Raises:
        ValueError: The encoding is unknown, or the text is not encoded so.
    """
    text = data.strip() if isinstance(data, str) else json.dumps(data)
    match encoding.upper():
        case "CSV" | "JSON":  # content types and encodings do not always agree
            return text
        case "BASE64":
            return binascii.a2b_base64(text, strict_mode=True).decode("utf-8-sig").strip()
        case _:
            raise ValueError(f"the encoding is {shortened(encoding)}")


def class_of(label: str, classes: Sequence[str] = LABELS) -> int | None:
    """Return the index of the class that a label names, or ``NEITHER``; None where it names none.

    A label is an index, a name of the classes, a one-hot list (``[0, 1]`` or ``0,1``), or a JSON
    object that holds one of these as ``label`` or by class.
    """
    return _class_of(label, tuple(map(_normalise_name, classes)), _MAX_NESTING)


def _normalise_name(name: str) -> str:
    """Return a name as it is compared: without case and quotes."""
    return name.strip().strip('"').strip().casefold()


def _class_of(value: object, classes: tuple[str, ...], depth: int) -> int | None:
    number = number_of(value)
    if number is not None:
        return int(number) if 0 <= number < _MOST_CLASSES and number.is_integer() else None
    if not depth:
        return None
    if isinstance(value, str):
        return _class_in_text(value, classes, depth)
    if isinstance(value, Mapping):
        return _class_in_object(value, classes, depth)
    if isinstance(value, list):
        return _class_of(value[0], classes, depth - 1) if len(value) == 1 else _one_hot_index(value)
    return None


def _class_in_text(text: str, classes: tuple[str, ...], depth: int) -> int | None:
    name = _normalise_name(text)
    if name in classes:
        return classes.index(name)
    if name == NEITHER_NAME:
        return NEITHER
    if text.lstrip()[:1] in ("[", "{", '"'):
        try:
            return _class_of(json.loads(text), classes, depth - 1)
        except (ValueError, RecursionError):
            return None
    return _one_hot_index(text.split(","))


def _class_in_object(
    value: Mapping[str, object], classes: tuple[str, ...], depth: int
) -> int | None:
    plain = {key.translate(_SEPARATORS).casefold(): item for key, item in value.items()}
    names = [name.translate(_SEPARATORS) for name in classes]
    # Probabilities or one-hot by class; else one of the usual keys names the class.
    if set(names) <= set(plain):
        return _one_hot_index([plain[name] for name in names])
    held = (_class_of(plain[key], classes, depth - 1) for key in _LABEL_KEYS if key in plain)
    return next((found for found in held if found is not None), None)


def _one_hot_index(cells: list[object] | list[str]) -> int | None:
    """Return the one place that is 1 among zeros."""
    numbers = [number_of(cell) for cell in cells]
    if numbers.count(1.0) == 1 and numbers.count(0.0) == len(numbers) - 1 > 0:
        return numbers.index(1.0)
    return None


def _parse_time(text: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
        return time.astimezone(UTC) if time and time.tzinfo else None
    except (ValueError, OverflowError):
        return None
