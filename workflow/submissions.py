"""Submissions: an image handed in, the execution that it starts, and what becomes of it.

``Submission -> StoredImage -> execution input -> Execution -> Classified | Rejected | Faulted |
Running``. A batch is a list of submissions with a name of its own; its manifest in S3 is what lets
anybody find it again.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TypeAlias

from workflow.causes import is_rejection, read_cause
from workflow.contract import (
    TRANSIENT,
    ContractError,
    ImageLocation,
    ModelRejected,
    read_rejection,
)
from workflow.errors import WorkflowError
from workflow.executions import Execution, Outcome, parse_time
from workflow.remedies import diagnose
from workflow.silent import outcome, read_inference, silent_failure
from workflow.timelines import StateVisit, failure_of

_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]+")
_MAX_NAME = 200
_SHA_CHARACTERS = 12
# ModelRejected ends with the words of the container, which need not say what to do.
_SAYS_ITS_REMEDY = {
    kind.__name__ for kind in set(ContractError.__subclasses__()) - {*TRANSIENT, ModelRejected}
}
_BATCH = re.compile(r"[a-z0-9]{8,32}")


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image of a batch and where it lies.

    Attributes:
        name: What people call it: its file name, or its S3 key.
        location: Bucket and key.
        sha256: Hex digest of its bytes; empty where it lay in S3 already.
    """

    name: str
    location: ImageLocation
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was not submitted, and why."""

    name: str
    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Images submitted together.

    Attributes:
        id: 8 to 32 lower-case letters and digits.
        created_at: Aware, UTC.
        images: Each starts one execution.
        refused: Those that went no further.
    """

    id: str
    created_at: datetime
    images: tuple[StoredImage, ...]
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Running:
    """The execution is under way, or has not begun."""


@dataclass(frozen=True, slots=True)
class Classified:
    """The confidence met the threshold."""

    label: str
    confidence: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """The confidence was below the threshold: a result, not a fault; None where not recorded."""

    label: str | None
    confidence: float | None
    threshold: float


@dataclass(frozen=True, slots=True)
class Faulted:
    """The execution failed, was aborted, or succeeded with a wrong output.

    Attributes:
        state: Name of the state it happened in, empty where unknown.
        error: The error's name, as in the history.
        message: What was said about it.
        remedy: What to do about it; empty where the message ends with it, as most of the
            workflow's own errors do.
    """

    outcome: Outcome
    state: str
    error: str
    message: str
    remedy: str = ""


_NO_CAUSE = "No cause was recorded."
_UNRECORDED = Faulted(
    Outcome.UNEXAMINED,
    "",
    "OutputNotRecorded",
    "It succeeded, but AWS left its output out of the history.",
    "Open the execution: its states show how far the image came.",
)
_UNLABELLED = Faulted(
    Outcome.SILENT,
    "",
    "Silent.NoLabel",
    "The output names no class.",
    "Use an endpoint that answers a probability for each class that the workflow names.",
)

Verdict: TypeAlias = Running | Classified | Rejected | Faulted


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """How far one image of a batch has come.

    Attributes:
        image: The image.
        execution_arn: Empty until the execution has started.
        verdict: What became of it so far.
        visits: The states visited so far.
    """

    image: StoredImage
    execution_arn: str = ""
    verdict: Verdict = Running()
    visits: tuple[StateVisit, ...] = ()


def upload_key(prefix: str, name: str, sha256: str) -> str:
    """Return the S3 key of an uploaded image: by its content, with its name kept for people.

    The same file is the same object, however often it is submitted.
    """
    safe = _UNSAFE.sub("_", name).strip("._ ") or "image"
    return f"{prefix}{sha256[:_SHA_CHARACTERS]}/{safe[-_MAX_NAME:]}"


def execution_name(batch: Batch, index: int) -> str:
    """Return the execution name of an image: at most 80 characters, the same every time.

    StartExecution with a name that is taken starts nothing, so a batch that was cut off can be
    submitted again as a whole.
    """
    return f"{batch.id}-{index:04d}"


def batch_key(batch_id: str) -> str:
    """Return the S3 key of a batch's manifest.

    Raises:
        WorkflowError: ``BatchInvalid`` for what cannot be the id of a batch.
    """
    if not _BATCH.fullmatch(batch_id):
        raise WorkflowError(
            "BatchInvalid",
            f"{batch_id[:40]!r} is not the id of a batch.",
            "Check the address, or start again on the Classify page.",
        )
    return f"batches/{batch_id}.json"


def encode_batch(batch: Batch) -> bytes:
    """Return the manifest of a batch, as JSON."""
    return json.dumps({**asdict(batch), "created_at": batch.created_at.isoformat()}).encode()


def decode_batch(content: bytes) -> Batch:
    """Read a manifest.

    Raises:
        WorkflowError: ``BatchDamaged``.
    """
    try:
        raw = json.loads(content)
        images = (
            StoredImage(item["name"], ImageLocation(**item["location"]), item["sha256"])
            for item in raw["images"]
        )
        refused = (Refusal(**item) for item in raw["refused"])
        return Batch(
            id=raw["id"],
            created_at=parse_time(raw["created_at"]),
            images=tuple(images),
            refused=tuple(refused),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise WorkflowError(
            "BatchDamaged",
            f"The manifest of this batch cannot be read: {error}.",
            "Its executions are on the Executions page; submit the images again if need be.",
        ) from None


def verdict(execution: Execution, visits: Iterable[StateVisit], *, threshold: float) -> Verdict:
    """Return what became of a submission, by its execution.

    Args:
        execution: As its history proves it.
        visits: The states visited.
        threshold: What to assume where the execution does not say what it was measured against.
    """
    visits = tuple(visits)
    match outcome(execution, threshold=threshold):
        case Outcome.RUNNING:
            return Running()
        case Outcome.ACCEPTED:
            return _verdict_of_success(execution, threshold)
        case Outcome.REJECTED:
            return _verdict_of_rejection(execution, visits, threshold)
        case Outcome.SILENT | Outcome.UNEXAMINED:
            return _verdict_of_silent(execution, visits, threshold)
        case Outcome.ABORTED:
            said = execution.cause or "It was stopped before it ended."
            return Faulted(
                Outcome.ABORTED, "", execution.error or "Aborted", said, "Submit the image again."
            )
        case _:
            return _verdict_of_failure(execution, visits, threshold)


def _verdict_of_success(execution: Execution, threshold: float) -> Verdict:
    inference = read_inference(execution.output)
    if inference is None or inference.label is None:
        return _UNLABELLED
    least = threshold if inference.threshold is None else inference.threshold
    return Classified(inference.label, inference.confidence, least)


def _verdict_of_rejection(
    execution: Execution, visits: tuple[StateVisit, ...], threshold: float
) -> Rejected:
    numbers = read_rejection(execution.cause)
    if numbers is not None:
        return Rejected(numbers.label, numbers.confidence, numbers.threshold)
    inferences = [found for visit in visits if (found := read_inference(visit.output))]
    if inferences:
        return Rejected(inferences[-1].label, inferences[-1].confidence, threshold)
    return Rejected(None, None, threshold)


def _verdict_of_silent(
    execution: Execution, visits: tuple[StateVisit, ...], threshold: float
) -> Verdict:
    failure = silent_failure(execution, visits, threshold=threshold)
    if failure is None:
        return _UNRECORDED
    remedy = diagnose(failure).remedy
    return Faulted(Outcome.SILENT, failure.state, failure.error, failure.cause, remedy)


def _verdict_of_failure(
    execution: Execution, visits: tuple[StateVisit, ...], threshold: float
) -> Verdict:
    failure = failure_of(execution, visits)
    if failure is None:
        return Faulted(Outcome.FAULTED, "", execution.status.value, _NO_CAUSE)
    if is_rejection(failure.error, failure.cause):  # one that a Catch led to a Fail state
        said = replace(execution, error=failure.error, cause=failure.cause)
        return _verdict_of_rejection(said, visits, threshold)
    error = failure.error or execution.status.value
    cause = read_cause(error, failure.cause)
    remedy = "" if error in _SAYS_ITS_REMEDY else diagnose(failure).remedy
    return Faulted(Outcome.FAULTED, failure.state, error, cause.message or _NO_CAUSE, remedy)
