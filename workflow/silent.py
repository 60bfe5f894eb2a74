"""Silent failures: executions that SUCCEEDED but are wrong, and how every execution turned out.

Outputs come in many shapes: flat, ``{"statusCode", "body"}`` with the body as object or as JSON
text, nested several deep, a Lambda invocation's whole answer with its ``Payload``, or a list of
those. All of them are looked through: of 67 real executions 4 failed, while 19 succeeded with an
error, without a usable inference, or below the threshold.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus

from workflow.answer_rows import OutputError, Row, fault, is_sound, number_of
from workflow.answers import read_text, read_value
from workflow.causes import is_rejection, read_cause
from workflow.contract import LABELS, REJECTED
from workflow.executions import Execution, Failure, Kind, Outcome, Status
from workflow.thresholds import LOWEST
from workflow.timelines import StateVisit

_MAX_NESTING: Final = 16
_WRAPPERS: Final = ("Payload", "body", "Output")
_BUCKETS: Final = ("s3_bucket", "bucket", "Bucket", "s3Bucket", "S3Bucket", "bucket_name")
_KEYS: Final = ("s3_key", "key", "Key", "s3Key", "S3Key", "object_key")
_ADDRESSES: Final = ("s3_uri", "s3Uri", "S3Uri", "image_uri", "imageUri")
_ANSWERS: Final = ("predictions", "prediction", "probabilities", "inference")
_ERROR_NAMES: Final = ("errorType", "Error")
_ERROR_MESSAGES: Final = ("errorMessage", "Cause", "error")
_TRUTHS: Final = {"true": True, "false": False}
_FIRST_CLIENT_ERROR: Final = 400
_FIRST_SERVER_ERROR: Final = 500
_DETAIL_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What an output says about the image.

    Attributes:
        probabilities: One for each class, in the order of ``LABELS`` where there are two.
        label: As the output says, else by the highest probability; None for classes without name.
        confidence: The highest probability.
        threshold: What the run itself compared with, None where the output does not say.
        meets_threshold: As the output says, None where it does not.
    """

    probabilities: tuple[float, ...]
    label: str | None
    confidence: float
    threshold: float | None = None
    meets_threshold: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentFinding:
    """Why a success is wrong: an error name of the form ``Silent.X``, and a sentence."""

    error: str
    cause: str


def outcome(
    execution: Execution, visits: Iterable[StateVisit] = (), *, threshold: float
) -> Outcome:
    """Return how an execution turned out.

    Args:
        execution: As described; a success without output is UNEXAMINED, never ACCEPTED.
        visits: Its states, where known: the last inference counts that one of them gave, where
            the output of the execution holds none.
        threshold: Confidence to demand where the output does not say what it was compared with.
    """
    match execution.status:
        case Status.RUNNING | Status.PENDING_REDRIVE:
            return Outcome.RUNNING
        case Status.ABORTED:
            return Outcome.ABORTED
        case Status.FAILED | Status.TIMED_OUT:
            rejected = is_rejection(execution.error, execution.cause)
            return Outcome.REJECTED if rejected else Outcome.FAULTED
        case Status.SUCCEEDED:
            if execution.output is None:
                return Outcome.UNEXAMINED
            wrong = find_silent(execution.output, visits, threshold=threshold)
            return Outcome.SILENT if wrong else Outcome.ACCEPTED


def silent_failure(
    execution: Execution,
    visits: Iterable[StateVisit] = (),
    *,
    threshold: float,
    image: str | None = None,
) -> Failure | None:
    """Return the failure of an execution that SUCCEEDED but is wrong, else None.

    With the visits, the failure is of the first state whose output says that something went wrong:
    later states often turn an error into a harmless-looking result.
    """
    if execution.status is not Status.SUCCEEDED or execution.output is None:
        return None
    finding = find_silent(execution.output, threshold=threshold)
    if finding is None:
        return None
    outputs = [visit for visit in visits if visit.output is not None]
    state = outputs[-1].name if outputs else ""
    for visit in outputs:
        said = _said_error(tuple(layers(visit.output)))
        if said:
            state, finding = visit.name, said
            break
    return Failure(
        execution_arn=execution.arn,
        state=state,
        error=finding.error,
        cause=finding.cause,
        failed_at=execution.stopped_at or execution.started_at,
        kind=Kind.SILENT,
        version=execution.version,
        image=image,
        attempt=execution.redrive_count,
    )


def find_silent(
    output: str, visits: Iterable[StateVisit] = (), *, threshold: float
) -> SilentFinding | None:
    """Return what is wrong with the output of a success, or None.

    Args:
        output: The execution's output, JSON text of any of the shapes above.
        visits: As for ``outcome``.
        threshold: As for ``outcome``.
    """
    found = tuple(layers(output))
    said = _said_error(found)
    if said:
        return said
    try:
        inference = _find_inference(found) or last_inference(visits)
    except OutputError as error:
        name = "EmptyInference" if error.reason == "empty output" else "MalformedInference"
        return SilentFinding(error=f"Silent.{name}", cause=f"The inferences are unusable: {error}.")
    if inference is None:
        return SilentFinding(
            error="Silent.NoInference", cause="The output holds no inferences at all."
        )
    least = threshold if inference.threshold is None else inference.threshold
    if inference.confidence < least:
        comparison = f"is below the threshold {least:g}"
    elif inference.meets_threshold is False:
        comparison = "does not meet the threshold, as the output itself says"
    else:
        return None
    return SilentFinding(
        error="Silent.BelowThreshold",
        cause=f"The confidence {inference.confidence:.4f} {comparison}; the execution succeeded.",
    )


def read_inference(output: str | None, classes: Sequence[str] = LABELS) -> Inference | None:
    """Return the inference in an output of any shape; None where there is no usable one.

    Args:
        output: JSON text, None where it is not known.
        classes: Names of the classes by index, for outputs that do not name them.
    """
    try:
        return _find_inference(tuple(layers(output)), classes)
    except OutputError:
        return None


def last_inference(visits: Iterable[StateVisit]) -> Inference | None:
    """Return the last usable inference of a state, if possible one with a class, or None."""
    found = [read for visit in visits if (read := read_inference(visit.output))]
    named = [inference for inference in found if inference.label]
    return next(reversed(named or found), None)


def image_of(text: str | None) -> str | None:
    """Return ``s3://bucket/key`` of the image that an input or output names, or None.

    A list of keys is a batch: the first stands for it.
    """
    return next((image for layer in layers(text) if (image := _image_in(layer))), None)


def layers(value: object, depth: int = _MAX_NESTING) -> Iterator[Mapping[str, Any]]:
    """Yield each object in a payload, outermost first: in JSON text, bodies, results and lists."""
    # Text of text: a body that was encoded twice.
    while isinstance(value, str) and depth:
        value, depth = _parse_json(value), depth - 1
    if isinstance(value, Mapping):
        yield value
        if depth:
            for name, item in value.items():
                # A ResultPath puts an answer under any name; only a wrapper's text is JSON.
                if name in _WRAPPERS or isinstance(item, Mapping):
                    yield from layers(item, depth - 1)
    elif isinstance(value, list) and depth:
        for item in value:
            if isinstance(item, Mapping | str):
                yield from layers(item, depth - 1)


def _image_in(layer: Mapping[str, Any]) -> str | None:
    """Return the image that an object names, as this workflow, others or S3 events name it."""
    # Of an S3 notification or a queue's batch; only the first record names the image.
    records = layer.get("Records")
    if isinstance(records, list) and records and isinstance(records[0], Mapping):
        image = next((image for one in layers(records[0]) if (image := _image_in(one))), None)
        # Keys are URL-encoded in S3 notifications, and neither in the events of EventBridge nor in
        # the records of a queue:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
        return unquote_plus(image) if image and "s3" in records[0] else image
    address = next((layer[name] for name in _ADDRESSES if name in layer), None)
    if isinstance(address, str) and address.startswith("s3://"):
        return address
    bucket = next((layer[name] for name in _BUCKETS if name in layer), None)
    key = next((layer[name] for name in _KEYS if name in layer), None)
    if isinstance(bucket, Mapping) and isinstance(layer.get("object"), Mapping):
        bucket, key = bucket.get("name"), layer["object"].get("key")
    if isinstance(key, list) and key:
        key = key[0]
    if isinstance(bucket, str) and isinstance(key, str) and bucket and key:
        return f"s3://{bucket}/{key}"
    return None


def _parse_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _said_error(found: tuple[Mapping[str, Any], ...]) -> SilentFinding | None:
    """Return the innermost error that an output states: outer layers only repeat it."""
    for layer in reversed(found):
        error = next((str(layer[key]) for key in _ERROR_NAMES if layer.get(key)), "")
        told = next((str(layer[key]) for key in _ERROR_MESSAGES if layer.get(key)), "")
        body = layer.get("body")
        if is_rejection(error, told or (body if isinstance(body, str) else "")):
            return SilentFinding(
                error="Silent.Rejection", cause=f"The output says {REJECTED}, but no state failed."
            )
        if error or told:
            cause = read_cause(error, told)
            text = ": ".join(part for part in (cause.error, cause.message) if part)
            return SilentFinding(error="Silent.ErrorInOutput", cause=text[:_DETAIL_CHARACTERS])
    for layer in reversed(found):
        status = _status_code(layer)
        if status >= _FIRST_CLIENT_ERROR:
            name = "ServerError" if status >= _FIRST_SERVER_ERROR else "ClientError"
            body = str(layer.get("body", ""))[:_DETAIL_CHARACTERS]
            return SilentFinding(error=f"Silent.{name}", cause=f"statusCode {status}: {body}")
    return None


def _status_code(layer: Mapping[str, Any]) -> int:
    return int(_finite_number(layer.get("statusCode", layer.get("StatusCode"))) or 0)


def _find_inference(
    found: tuple[Mapping[str, Any], ...], classes: Sequence[str] = LABELS
) -> Inference | None:
    """Return the least confident usable inference; None without any.

    Raises:
        OutputError: There are inferences, and none of them is usable.
    """
    usable: list[Inference] = []
    problem: OutputError | None = None
    for layer in found:
        for name, value in _inference_candidates(layer):
            try:
                rows = _read_rows(value, classes)
                usable += [_build_inference(layer, row, found, classes) for row in rows]
            except OutputError as error:
                # Only our own field must hold probabilities; another name may mean something else.
                if name == "inferences":
                    problem = problem or error
        usable += _bare_confidences(layer, found)
    if not usable and problem:
        raise problem
    # The least confident: a batch is as good as its worst answer.
    return min(usable, key=lambda inference: inference.confidence, default=None)


def _inference_candidates(layer: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield what may hold probabilities: other workflows call it otherwise, or give a bare list."""
    for name in ("inferences", *_ANSWERS):
        if name in layer:
            yield name, layer[name]
    for name in _WRAPPERS:
        value = _parse_json(layer[name]) if isinstance(layer.get(name), str) else layer.get(name)
        if isinstance(value, list):
            yield name, value


def _bare_confidences(
    layer: Mapping[str, Any], found: tuple[Mapping[str, Any], ...]
) -> Iterator[Inference]:
    """Yield what a filter of other workflows leaves: high confidences, without a class."""
    for name, value in layer.items():
        # A field of another name, which a filter of somebody's own wrote.
        others = "inference" in str(name) and name != "inferences"
        if others and isinstance(value, list) and len(value) == 1:
            confidence = number_of(value[0])
            if confidence is not None and LOWEST <= confidence <= 1:
                threshold = _finite_number(_first_value(found, "threshold"))
                yield Inference(
                    probabilities=(confidence,),
                    label=None,
                    confidence=confidence,
                    threshold=threshold,
                )


def _read_rows(value: object, classes: Sequence[str]) -> list[Row]:
    rows = read_text(value, classes) if isinstance(value, str) else read_value(value, classes)
    for row in rows:
        if not is_sound(row.values):
            raise fault(row.values)
    return rows


def _build_inference(
    layer: Mapping[str, Any],
    row: Row,
    found: tuple[Mapping[str, Any], ...],
    classes: Sequence[str],
) -> Inference:
    best = max(range(len(row.values)), key=lambda index: row.values[index])
    named = layer.get("label")
    names = row.names or (classes if len(row.values) == len(classes) else ())
    threshold = _first_value(found, "threshold")
    meets = _first_value(found, "meets_threshold")
    return Inference(
        probabilities=row.values,
        label=named if isinstance(named, str) else names[best] if names else None,
        confidence=row.values[best],
        threshold=_finite_number(threshold),
        meets_threshold=_TRUTHS.get(str(meets).lower()),
    )


def _finite_number(value: object) -> float | None:
    """Return a finite number, also one written as text, as environment variables give it."""
    number = number_of(value)
    return number if number is not None and math.isfinite(number) else None


def _first_value(found: tuple[Mapping[str, Any], ...], key: str) -> Any:  # noqa: ANN401 - JSON
    return next((layer[key] for layer in found if key in layer), None)
