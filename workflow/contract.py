"""The contract of an execution: its input, its output and its errors. Standard library only.

This file and the table of known errors are shipped in the zip of every function, so the dashboard,
the deployment and the functions read one definition. An execution starts with the input of the
original project, ``{"s3_bucket", "s3_key", "image_data": "", "inferences": []}``, and every
function takes and gives that flat object. Keys that the contract does not know pass through
untouched.

More than 400 lines because every function ships it: what an execution takes, gives and fails with
is one contract.
"""

import base64
import binascii
import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflow import addresses, answer_rows, answers, formats
from workflow.known_errors import Blame, KnownError, Match, Repair, find

State = dict[str, Any]
"""The flat JSON object that travels from function to function."""

LABELS = ("bicycle", "motorcycle")
"""The classes in the order of the endpoint's answer, where no model names them."""

MAX_IMAGE_BYTES = 6_291_456
"""The largest body InvokeEndpoint takes (SageMaker Runtime API reference, InvokeEndpoint)."""

MAX_INLINE_BYTES = 144 * 1024
"""The largest image kept in the state: 192 KiB as base64, well under the 256 KiB of a payload."""

REJECTED = "THRESHOLD_CONFIDENCE_NOT_MET"
"""The error of an execution whose confidence is below the threshold: a rejection, no fault."""

_MAX_WRAPPINGS = 4
# SageMaker passes the container's own status on as OriginalStatusCode (InvokeEndpoint, ModelError).
_MODEL_REFUSES = frozenset({400, 402, 406, 410, 411, 413, 414, 415, 416, 417, 422})
"""Statuses of a container that are about the request, so about the image."""

_STORAGE_NOT_FOUND = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404"})
_NOT_FOUND = 404
_PASSING_STATUSES = frozenset({0, 408, 409, 423, 425, 429, 499})
_FIRST_SERVER_ERROR = 500
_UNREACHED = "could not be reached"
_UNKNOWN = "This error is not known here: look it up, and ask a person before trying again."
_NAMES_QUOTED = 200
_REJECTION = re.compile(
    r"Confidence (?P<confidence>\S+) for (?P<label>.+?) is below the threshold (?P<threshold>\S+): "
)


class ContractError(Exception):
    """An error that a function raises; the name of its class is the error in the history."""


class InvalidInput(ContractError):  # noqa: N818 - class names are error names on AWS
    """The execution input is not the object of this contract."""


class ImageNotFound(ContractError):  # noqa: N818 - see InvalidInput
    """The bucket or the key does not exist."""


class ImageAccessDenied(ContractError):  # noqa: N818 - see InvalidInput
    """S3 refuses to give the object to the function's role."""


class ImageTooLarge(ContractError):  # noqa: N818 - see InvalidInput
    """The image is larger than the endpoint takes."""


class NotAnImage(ContractError):  # noqa: N818 - see InvalidInput
    """The bytes are neither PNG nor JPEG."""


class ImageChanged(ContractError):  # noqa: N818 - see InvalidInput
    """The object was overwritten between two states of one execution."""


class StorageUnavailable(ContractError):  # noqa: N818 - see InvalidInput
    """S3 is throttling or not answering; trying again may help."""


class ServiceRefused(ContractError):  # noqa: N818 - see InvalidInput
    """AWS refuses a call for a reason that is neither the image's nor passes by itself."""


class EndpointNotFound(ContractError):  # noqa: N818 - see InvalidInput
    """The SageMaker endpoint does not exist."""


class EndpointAccessDenied(ContractError):  # noqa: N818 - see InvalidInput
    """The function's role may not invoke the endpoint."""


class EndpointUnavailable(ContractError):  # noqa: N818 - see InvalidInput
    """The endpoint is throttling, starting or failing; trying again may help."""


class ModelRejected(ContractError):  # noqa: N818 - see InvalidInput
    """The model's container refused the image."""


class BadInference(ContractError):  # noqa: N818 - see InvalidInput
    """The inferences are not one probability for each class."""


TRANSIENT = (StorageUnavailable, EndpointUnavailable)
"""The errors that ``step_function.json`` retries; every other one would only fail again."""


@dataclass(frozen=True, slots=True)
class ImageLocation:
    """Where an image lies in S3."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Rejection:
    """The numbers in the cause of a rejected execution."""

    label: str
    confidence: float
    threshold: float


def execution_input(location: ImageLocation) -> State:
    """Return the input that starts an execution, as in the original project."""
    return {
        "s3_bucket": location.bucket,
        "s3_key": location.key,
        "image_data": "",
        "inferences": [],
    }


def unwrap(event: object) -> State:
    """Read the flat object, also out of ``{"statusCode", "body"}`` with a dict or JSON as body.

    Keys beside ``body`` are kept unless the body has them too.

    Raises:
        InvalidInput: The event is no such object, or says that an earlier function failed.
    """
    state = event
    for _ in range(_MAX_WRAPPINGS):
        if isinstance(state, str):
            state = _parse_object(state)
        if not isinstance(state, Mapping):
            raise InvalidInput(
                f"The input is {_json_kind(state)}, not an object. Start the execution with "
                '{"s3_bucket": "...", "s3_key": "...", "image_data": "", "inferences": []}.'
            )
        if "body" not in state:
            return dict(state)
        _check_status(state)
        # A ResultSelector or a test event may wrap the state; what stands beside the body still
        # counts.
        beside = {key: value for key, value in state.items() if key not in ("statusCode", "body")}
        body = _parse_object(state["body"]) if isinstance(state["body"], str) else state["body"]
        state = {**beside, **body} if isinstance(body, Mapping) else body
    raise InvalidInput(
        f"The input is wrapped in more than {_MAX_WRAPPINGS} bodies. Give the innermost one."
    )


def image_location(state: Mapping[str, Any]) -> ImageLocation:
    """Return where the image of an execution lies.

    Either field may hold a whole address (``s3://bucket/key``, an ARN, a URL), as far as the other
    one is empty or says the same.

    Raises:
        InvalidInput: Bucket or key is missing, no text, or cannot be one.
    """
    bucket, key = (_text_field(state, name) for name in ("s3_bucket", "s3_key"))
    try:
        if addresses.is_whole(key) or (addresses.is_whole(bucket) and not key):
            return _whole_location(bucket, key)
        if bucket and key:
            return ImageLocation(addresses.checked_bucket(bucket), key)
    except addresses.AddressError as error:
        raise InvalidInput(str(error)) from None
    raise InvalidInput(
        f"The input has no {'s3_key' if bucket else 's3_bucket'}. Give the bucket and the key of "
        'an image, such as {"s3_bucket": "my-bucket", "s3_key": "images/bicycle.png"}.'
    )


def other_locations(location: ImageLocation) -> tuple[ImageLocation, ...]:
    """Return where the image may lie instead: S3 events send keys URL-encoded."""
    keys = addresses.decoded_keys(location.key)[1:]
    return tuple(ImageLocation(location.bucket, key) for key in keys)


def _text_field(state: Mapping[str, Any], name: str) -> str:
    value = state.get(name)
    return value if isinstance(value, str) else ""


def _whole_location(bucket: str, key: str) -> ImageLocation:
    """Return where one field says all; the other one may say the same."""
    address = addresses.read_address(key or bucket)
    if key and bucket and addresses.checked_bucket(bucket) != address.bucket:
        raise addresses.AddressError(
            f"The input names two buckets, {bucket} and {address.bucket}.",
            "Give the bucket in s3_bucket and the key alone in s3_key.",
        )
    return ImageLocation(address.bucket, address.keys[0])


def content_type(image: bytes, name: str) -> str:
    """Return the content type that the first bytes of an image prove.

    Args:
        image: The whole image, or at least its first ``formats.HEAD_BYTES``.
        name: What to call the image in the error.

    Raises:
        NotAnImage: The bytes are neither PNG nor JPEG; says what they are where that is known.
    """
    kind = formats.image_type(image)
    if kind is None:
        other = formats.other_format(image)
        raise NotAnImage(f"{name} is {other.name}. {other.way_on}")
    return kind


def check_size(size: int, name: str) -> None:
    """Refuse an image that the endpoint would refuse.

    Args:
        size: Bytes of the image.
        name: What to call the image in the error.

    Raises:
        ImageTooLarge: The size is over ``MAX_IMAGE_BYTES``.
    """
    if size > MAX_IMAGE_BYTES:
        raise ImageTooLarge(
            f"{name} has {size:,} bytes; the endpoint takes {MAX_IMAGE_BYTES:,} at most. "
            "Submit a smaller image."
        )


def with_image(state: State, image: bytes) -> State:
    """Put an image into the state: as base64 while it is small, else as a checked reference."""
    location = image_location(state)
    kind = content_type(image, str(location))
    check_size(len(image), str(location))
    rest = {key: value for key, value in state.items() if key != "image_ref"}
    if len(image) <= MAX_INLINE_BYTES:
        # Inferences are emptied: those of an earlier run belong to another image.
        return {**rest, "image_data": base64.b64encode(image).decode(), "inferences": []}
    reference = {
        "size": len(image),
        "sha256": hashlib.sha256(image).hexdigest(),
        "content_type": kind,
    }
    return {**rest, "image_data": "", "image_ref": reference, "inferences": []}


def inline_image(state: Mapping[str, Any]) -> bytes | None:
    """Return the image that the state carries itself, or None where it lies in S3.

    Raises:
        NotAnImage: ``image_data`` is no base64.
    """
    data = state.get("image_data")
    if not data:
        return None
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise NotAnImage(
            "image_data is not base64. Leave it empty to have the image read from S3."
        ) from None


def check_reference(state: Mapping[str, Any], image: bytes) -> None:
    """Make sure that an image read again is the one that was referred to, if any was.

    Raises:
        ImageChanged: It is not.
    """
    reference = state.get("image_ref")
    if not isinstance(reference, Mapping):
        return
    # Nothing keeps anybody from overwriting the object between two states.
    if hashlib.sha256(image).hexdigest() != reference.get("sha256"):
        raise ImageChanged(
            f"{image_location(state)} was overwritten while the execution ran. "
            "Start a new execution for the new image."
        )


def inference_id(execution_arn: str) -> str:
    """Return the one key on which an execution, its capture, its image and its label join: a UUID.

    It is within the 64 characters of InvokeEndpoint's ``InferenceId``.
    """
    # Derived and not random: whoever knows the execution finds its capture and its label.
    return str(uuid.uuid5(uuid.NAMESPACE_URL, execution_arn))


def read_classes(text: str | None) -> tuple[str, ...]:
    """Read the names of the classes that a function is given; ``LABELS`` where it is given none.

    Args:
        text: A JSON list of two or more different names, in the order of the endpoint's answer.

    Raises:
        ValueError: It is no such list.
    """
    if not text:
        return LABELS
    names = json.loads(text)
    named = isinstance(names, list) and all(isinstance(one, str) and one for one in names)
    if not named or len(set(names)) < max(2, len(names)):
        raise ValueError(f"{text[:80]!r} is not a JSON list of two or more different class names")
    return tuple(names)


def read_inferences(value: object, classes: Sequence[str] = LABELS) -> list[float]:
    """Read one probability for each class, from an answer in any shape that is known.

    Args:
        value: What an endpoint answered, as text or parsed; see ``workflow.answers``.
        classes: Names of the classes.

    Raises:
        BadInference: It holds none, or the numbers are no probabilities of these classes.
    """
    if not value or value == "null":
        raise BadInference("There are no inferences. Run ClassifyImage before FilterInferences.")
    try:
        rows = answers.read_value(value, classes)
    except answer_rows.OutputError as error:
        raise BadInference(
            f"The endpoint's answer is {_json_kind(value)} that cannot be used ({error}). "
            f"Use an endpoint that answers the probabilities of {_join_names(classes)}."
        ) from None
    if len(rows) != 1:
        raise BadInference(
            f"The endpoint gave {len(rows)} answers for one image. Use an endpoint that answers "
            "each request by itself."
        )
    return _check_probabilities(rows[0], classes)


def _join_names(classes: Sequence[str]) -> str:
    """Return names of classes for a sentence, shortened where they are many."""
    text = " and ".join((", ".join(classes[:-1]), classes[-1]))
    return text if len(text) <= _NAMES_QUOTED else f"{text[:_NAMES_QUOTED]}..."


def _check_probabilities(row: answer_rows.Row, classes: Sequence[str]) -> list[float]:
    values = list(row.values)
    if row.names and row.names != tuple(classes):
        raise BadInference(
            f"The endpoint knows the classes {', '.join(row.names)[:_NAMES_QUOTED]}, but this "
            f"workflow decides between {_join_names(classes)}. Use an endpoint of these classes."
        )
    if len(values) != len(classes):
        raise BadInference(
            f"The endpoint gave {len(values)} probabilities for {len(classes)} classes "
            f"({_join_names(classes)}). Use an endpoint that was trained on these classes."
        )
    outside = [value for value in values if not 0 <= value <= 1]
    if outside:
        raise BadInference(
            f"'{outside[0]}' is not a probability between 0 and 1. "
            "Look at the last layer of the model."
        )
    if not answer_rows.is_sound(values):
        raise BadInference(
            f"The probabilities {values} sum to {sum(values):.3f}, not to 1. "
            "Look at the last layer of the model."
        )
    return values


def with_inferences(
    state: State, inferences: Sequence[float], classes: Sequence[str] = LABELS
) -> State:
    """Add the inferences with their label and confidence, and drop the image."""
    # Of equal probabilities the first, as NumPy's argmax does for captures.
    best = max(range(len(inferences)), key=lambda index: inferences[index])
    rest = {key: value for key, value in state.items() if key != "image_data"}
    return {
        **rest,
        "inferences": list(inferences),
        "label": classes[best],
        "confidence": inferences[best],
    }


def with_decision(state: State, threshold: float, classes: Sequence[str] = LABELS) -> State:
    """Add whether the confidence meets the threshold (at or above it does).

    A state that does not gets its ``rejection`` too: the cause the execution will fail with.
    """
    inferences = read_inferences(state.get("inferences"), classes)
    decided = with_inferences(state, inferences, classes)
    decided["threshold"] = threshold
    decided["meets_threshold"] = decided["confidence"] >= threshold
    # A state that runs again may carry the rejection of an earlier threshold.
    decided.pop("rejection", None)
    if not decided["meets_threshold"]:
        image = f"s3://{state.get('s3_bucket')}/{state.get('s3_key')}"
        decided["rejection"] = (
            f"Confidence {decided['confidence']} for {decided['label']} "
            f"is below the threshold {threshold}: {image}"
        )
    return decided


def storage_error(
    code: str, message: str | None, location: ImageLocation, status: int = 0
) -> ContractError:
    """Return what an error of GetObject means for an execution.

    Args:
        code: AWS's error code, or the class name of a botocore exception.
        message: What was said; may be empty.
        location: The object that was asked for.
        status: HTTP status of the answer, 0 where there was none.
    """
    told = _quote_error(code, message)
    if code in _STORAGE_NOT_FOUND or status == _NOT_FOUND:
        missing = "bucket" if code == "NoSuchBucket" else "object"
        return ImageNotFound(
            f"There is no {missing} for {location}. Upload the image first, or correct the key."
        )
    known = find((code,), message or "", status=status)
    if known is None:
        return ServiceRefused(f"S3 cannot give {location} ({told}). {_UNKNOWN}")
    return _known_storage_error(known.row, code, told, location)


def _known_storage_error(
    row: KnownError, code: str, told: str, location: ImageLocation
) -> ContractError:
    if row.passes:
        what = "could not be reached for" if _UNREACHED in row.cause else "could not give"
        return StorageUnavailable(f"S3 {what} {location} now ({told}).")
    if row.blame is Blame.PERMISSION:
        return ImageAccessDenied(
            f"S3 refuses {location} ({code}). Either the object does not exist (S3 says so only to "
            "roles that may list the bucket), or the function's role may not read this prefix: "
            "submit images under the upload prefix of the workflow's own bucket."
        )
    if row.blame is Blame.INPUT and row.repair is Repair.SURROUNDINGS:
        return ImageNotFound(f"S3 cannot give {location} ({told}). {row.remedy}")
    if row.blame is Blame.INPUT:
        return InvalidInput(f"S3 does not take {location} ({told}). {row.remedy}")
    return ServiceRefused(f"S3 cannot give {location} ({told}). {row.remedy}")


def endpoint_error(
    code: str, message: str | None, endpoint: str, model_status: object = None, status: int = 0
) -> ContractError:
    """Return what an error of InvokeEndpoint means for an execution.

    Args:
        code: AWS's error code, or the class name of a botocore exception.
        message: What was said, by the container itself for a ``ModelError``; may be empty.
        endpoint: The endpoint's name.
        model_status: ``OriginalStatusCode`` of a ``ModelError``, as AWS gives it.
        status: HTTP status of the answer, 0 where there was none.
    """
    # The SageMaker inference toolkit appends its traceback to what the container says.
    message = (message or "").partition("\nTraceback (most recent call last)")[0]
    told = _quote_error(code, message)
    if code == "ModelError":
        return _container_error(told, message, endpoint, _parse_status(model_status))
    known = find((code,), message or "", status=status)
    if known is None:
        return ServiceRefused(f"The endpoint {endpoint} refuses the request ({told}). {_UNKNOWN}")
    if code == "ValidationError" and known.row.blame is Blame.INPUT:
        return ModelRejected(f"The endpoint {endpoint} refuses the request: {told}")
    return _known_endpoint_error(known, told, endpoint)


def _known_endpoint_error(known: Match, told: str, endpoint: str) -> ContractError:
    row = known.row
    if row.passes:
        what = _UNREACHED if _UNREACHED in row.cause else "cannot answer now"
        return EndpointUnavailable(f"The endpoint {endpoint} {what} ({told}).")
    if row.blame is Blame.PERMISSION:
        return EndpointAccessDenied(
            f"The function's role may not invoke the endpoint {endpoint}: allow "
            f"sagemaker:InvokeEndpoint on it, or deploy again. ({told})"
        )
    if "endpoint" in known.found:
        return EndpointNotFound(
            f"There is no endpoint {endpoint}. Deploy again, or correct its name. ({told})"
        )
    return ServiceRefused(f"The endpoint {endpoint} refuses the request ({told}). {row.remedy}")


def _container_error(told: str, message: str | None, endpoint: str, status: int) -> ContractError:
    """Blame the image only for a status that says so: SageMaker gives 0 for no answer in time."""
    if status in _MODEL_REFUSES:
        return ModelRejected(f"The model refuses the image: {message or told}")
    if status in _PASSING_STATUSES or status >= _FIRST_SERVER_ERROR:
        return EndpointUnavailable(f"The endpoint {endpoint} cannot answer now ({told}).")
    return ServiceRefused(
        f"The model's container refuses the request with status {status} ({told}). Read the "
        f"container's log in CloudWatch, group /aws/sagemaker/Endpoints/{endpoint}."
    )


def _parse_status(value: object) -> int:
    """Return a status as a number, 0 where there is none."""
    text = str(value).strip()
    return int(text) if text.isdecimal() else 0


def _quote_error(code: str, message: str | None) -> str:
    return f"{code}: {message}" if message else code


def read_rejection(cause: str | None) -> Rejection | None:
    """Return the numbers in the cause that ``with_decision`` gives a rejection, or None."""
    match = _REJECTION.match(cause or "")
    if match is None:
        return None
    try:
        confidence, threshold = float(match["confidence"]), float(match["threshold"])
    except ValueError:
        return None
    return Rejection(label=match["label"], confidence=confidence, threshold=threshold)


def log_line(event: str, **fields: object) -> str:
    """Return one structured log line: a JSON object with ``event`` first."""
    return json.dumps({"event": event, **fields}, default=str)


def _parse_object(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput(
            f"The input is text that is not JSON: {text[:80]!r}. Give a JSON object."
        ) from None


def _check_status(state: Mapping[str, Any]) -> None:
    status = str(state.get("statusCode", 200))
    if status.isdecimal() and int(status) >= 400:  # noqa: PLR2004 - HTTP's first error
        raise InvalidInput(
            f"The input says that an earlier function failed with status {status}: "
            f"{str(state['body'])[:200]}. Fix that function first."
        )


def _json_kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "a truth value"}
    if value is None:
        return "null"
    return kinds.get(type(value), "a number")
