"""Submitting images: store in S3, start an execution each, and follow them to their end."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from dashboard.aws.archives import RefusedFile
from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explain, explained
from dashboard.aws.executions import VISIBLE_SECONDS, ExecutionReader, open_reader
from dashboard.aws.images import Upload, VerifiedPhoto, verify
from dashboard.aws.intake import take_in
from workflow.addresses import AddressError, read_address
from workflow.contract import MAX_IMAGE_BYTES, ImageLocation, execution_input
from workflow.errors import WorkflowError
from workflow.execution_rules import rules_of
from workflow.executions import Execution, HistoryEvent, Outcome, Status, parse_event
from workflow.known_errors import passes_by_itself, read_error
from workflow.submissions import (
    Batch,
    Classified,
    Faulted,
    Refusal,
    Running,
    StoredImage,
    Submission,
    Verdict,
    batch_key,
    decode_batch,
    encode_batch,
    execution_name,
    upload_key,
    verdict,
)
from workflow.timelines import StateVisit, settle, timeline
from workflow.watched import WatchedWorkflow, filled_input

T = TypeVar("T")

AT_ONCE = 8
"""Executions of a batch in flight: a full queue for the endpoint, and within every quota."""

FIRST_LOOK_SECONDS = 0.15
LAST_LOOK_SECONDS = 2.0

PATIENCE_SECONDS = 60.0
"""How long an execution is followed on while AWS gives nothing but errors that pass."""

_DESCRIBE = ("states:DescribeStateMachine", "states:DescribeStateMachineAlias")
_NO_INFERENCE = (
    "The execution SUCCEEDED; there is no inference in the output.",
    "Open the execution to see its output. Name the classes on the Workflows page if it has any.",
)
_TRIES = 3
"""How often what is done once for an image is tried, each time with botocore's own retries."""

Step: TypeAlias = Batch | tuple[int, Submission]
"""What a batch reports: itself once, then how far the image of an index has come."""

Report = Callable[[Step], None]
"""Told of every step, from several threads."""


@dataclass(frozen=True, slots=True)
class _Desk:
    """What following a batch needs at hand."""

    connection: Connection
    states: ExecutionReader
    batch: Batch
    report: Report


def is_deployed(connection: Connection) -> bool:
    """Return whether there is a state machine to start executions of; one call.

    Raises:
        WorkflowError: AWS's own code for any answer but yes and no.
    """
    watched, client = connection.watched, connection.client("stepfunctions")
    arn = watched.started_through
    try:
        if arn != watched.state_machine_arn:
            client.describe_state_machine_alias(stateMachineAliasArn=arn)
        else:
            client.describe_state_machine(stateMachineArn=arn)
    except ClientError as error:
        if read_error(error).code in {"ResourceNotFound", "StateMachineDoesNotExist"}:
            return False
        raise explain(error, _DESCRIBE[arn != watched.state_machine_arn], arn) from error
    except BotoCoreError as error:
        raise explain(error, _DESCRIBE[arn != watched.state_machine_arn], arn) from error
    return True


def _plan_image(connection: Connection, photo: VerifiedPhoto) -> StoredImage:
    """Return where a photo will lie: under the upload prefix, by its content."""
    watched = connection.watched
    key = upload_key(watched.upload_prefix, photo.name, photo.sha256)
    return StoredImage(photo.name, ImageLocation(watched.bucket, key), photo.sha256)


def _existing(connection: Connection, text: str) -> StoredImage:
    """Return an image that lies in S3 already, by its key or by its address in any form of AWS.

    Raises:
        WorkflowError: ``AddressInvalid`` for what is not an address of an object; AWS's own code
            where it is not there or is not to be read; ``ImageTooLarge`` before anything is
            started.
    """
    try:
        address = read_address(text)
    except AddressError as error:
        raise WorkflowError("AddressInvalid", error.message, error.remedy) from None
    bucket = address.bucket or connection.watched.bucket
    name, size = _find_size(connection, bucket, address.keys)
    if size > MAX_IMAGE_BYTES:
        raise WorkflowError(
            "ImageTooLarge",
            f"s3://{bucket}/{name} has {size:,} bytes; the endpoint takes "
            f"{MAX_IMAGE_BYTES:,} at most.",
            "Submit a smaller image.",
        )
    return StoredImage(name, ImageLocation(bucket, name))


def _find_size(connection: Connection, bucket: str, keys: Sequence[str]) -> tuple[str, int]:
    """Return the first of the keys that is there, and its size in bytes."""
    first, *others = keys
    client = connection.client("s3")
    try:
        with explained("s3:HeadObject", f"s3://{bucket}/{first}"):
            return first, client.head_object(Bucket=bucket, Key=first)["ContentLength"]
    except WorkflowError:
        for other in others:  # an event's key is URL-encoded
            with suppress(ClientError, BotoCoreError):
                return other, client.head_object(Bucket=bucket, Key=other)["ContentLength"]
        raise


def _save_batch(connection: Connection, batch: Batch) -> None:
    bucket, key = connection.watched.bucket, batch_key(batch.id)
    with explained("s3:PutObject", f"s3://{bucket}/{key}"):
        connection.client("s3").put_object(
            Bucket=bucket, Key=key, Body=encode_batch(batch), ContentType="application/json"
        )


@dataclass(slots=True)
class Unsent:
    """A batch that was taken in.

    Attributes:
        batch: What it consists of.
        photos: Those that S3 has not taken yet, by key.
    """

    batch: Batch
    photos: dict[str, VerifiedPhoto]


def prepare(
    connection: Connection,
    batch_id: str,
    uploads: Iterable[Upload | RefusedFile],
    keys: Iterable[str],
) -> Unsent:
    """Take files and S3 keys in as one batch; what is wrong with one of them is its refusal.

    Args:
        connection: The cloud.
        batch_id: A new one; under it ``resume`` finds the batch again.
        uploads: Files, archives among them, and what could not be had at all.
        keys: Keys or ``s3://`` addresses of images that are in S3 already.
    """
    intake = take_in(uploads)
    found, missing = _find_images(connection, keys)
    planned = [_plan_image(connection, photo) for photo in intake.photos]
    batch = Batch(
        id=batch_id,
        created_at=datetime.now(UTC),
        images=(*planned, *found),
        refused=tuple(_convert_refusal(item) for item in (*intake.refused, *missing)),
    )
    keys_of_photos = (image.location.key for image in planned)
    return Unsent(batch, dict(zip(keys_of_photos, intake.photos, strict=True)))


def submit(connection: Connection, unsent: Unsent, report: Report) -> None:
    """Submit a batch and follow each image to its verdict; done twice, each image runs once.

    Args:
        connection: The cloud.
        unsent: The batch; photos leave it as S3 takes them.
        report: Told the batch as soon as it is in S3, then every step of every image.

    Raises:
        WorkflowError: Where the batch as a whole cannot go on; what is wrong with one image
            becomes its verdict, and the others go on.
    """
    # Saved before anything starts: a batch that is cut off is found again by its id.
    _retry_transient(partial(_save_batch, connection, unsent.batch))
    report(unsent.batch)
    _run_batch(connection, unsent.batch, unsent.photos, report)


def resume(connection: Connection, batch_id: str, report: Report) -> None:
    """Find a batch again and follow what is left of it; what never started, starts now.

    Raises:
        WorkflowError: ``BatchInvalid``, ``BatchDamaged``, or AWS's own code.
    """
    key, bucket = batch_key(batch_id), connection.watched.bucket
    with explained("s3:GetObject", f"s3://{bucket}/{key}"):
        answer = connection.client("s3").get_object(Bucket=bucket, Key=key)
        batch = decode_batch(answer["Body"].read())
    report(batch)
    _run_batch(connection, batch, {}, report)


def fetch_stored_thumbnail(connection: Connection, image: StoredImage) -> bytes:
    """Return a small JPEG of a stored image.

    Raises:
        WorkflowError: The image is not there, or is not an image.
    """
    location = image.location
    with explained("s3:GetObject", str(location)):
        answer = connection.client("s3").get_object(Bucket=location.bucket, Key=location.key)
        data = answer["Body"].read(MAX_IMAGE_BYTES + 1)
    return verify(Upload(image.name, data)).thumbnail


def _find_images(
    connection: Connection, keys: Iterable[str]
) -> tuple[list[StoredImage], list[RefusedFile]]:
    found, missing = [], []
    for key in keys:
        try:
            found.append(_retry_transient(partial(_existing, connection, key)))
        except WorkflowError as error:
            missing.append(RefusedFile(key, error))
    return found, missing


def _convert_refusal(item: RefusedFile) -> Refusal:
    return Refusal(item.name, item.error.code, item.error.message, item.error.remedy)


def _run_batch(
    connection: Connection, batch: Batch, photos: dict[str, VerifiedPhoto], report: Report
) -> None:
    watched = connection.watched
    reader = open_reader(connection.session, connection.pacer, watched.state_machine_arn)
    desk = _Desk(connection, reader, batch, report)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [
            pool.submit(_submit_image, desk, index, image, photos)
            for index, image in enumerate(batch.images)
        ]
    # Only when all have ended: what one of them raises must not stop the others.
    for job in jobs:
        job.result()


def _submit_image(
    desk: _Desk, index: int, image: StoredImage, photos: dict[str, VerifiedPhoto]
) -> None:
    submission = Submission(image=image)
    try:
        if photo := photos.get(image.location.key):
            _retry_transient(partial(_store_photo, desk.connection, image, photo))
            photos.pop(image.location.key, None)
        name = execution_name(desk.batch, index)
        arn = _retry_transient(partial(_start_execution, desk.connection, name, image))
        submission = replace(submission, execution_arn=arn)
        for progress in _follow_execution(desk, submission):
            desk.report((index, progress))
    except WorkflowError as error:
        failed = Faulted(Outcome.FAULTED, "", error.code, error.message, error.remedy)
        desk.report((index, replace(submission, verdict=failed)))


def _store_photo(connection: Connection, image: StoredImage, photo: VerifiedPhoto) -> None:
    bucket, key = image.location.bucket, image.location.key
    with explained("s3:PutObject", str(image.location)):
        connection.client("s3").put_object(
            Bucket=bucket, Key=key, Body=photo.data, ContentType=photo.content_type
        )


def _start_execution(connection: Connection, name: str, image: StoredImage) -> str:
    """Start the execution of that name through the alias, or find the one that has it."""
    watched = connection.watched
    request = {
        "stateMachineArn": watched.started_through,
        "name": name,
        "input": _build_input(watched, image.location),
    }
    client = connection.client("stepfunctions")
    try:
        answer = connection.pacer.call("StartExecution", lambda: client.start_execution(**request))
    except ClientError as error:
        # A repeated start, or a batch taken up again: names come from the batch and the index.
        if read_error(error).code == "ExecutionAlreadyExists":
            machine = watched.state_machine_arn.replace(":stateMachine:", ":execution:")
            return f"{machine}:{name}"
        raise explain(error, "states:StartExecution", watched.started_through) from error
    except BotoCoreError as error:
        raise explain(error, "states:StartExecution", watched.started_through) from error
    return str(answer["executionArn"])


def _build_input(watched: WatchedWorkflow, location: ImageLocation) -> str:
    """Return the input of an execution, as the workflow takes it."""
    if watched.deployed:
        return json.dumps(execution_input(location), ensure_ascii=False)
    return filled_input(watched.input_template, location.bucket, location.key)


def _follow_execution(desk: _Desk, submission: Submission) -> Iterator[Submission]:
    """Yield how far the execution has come, again and again until it has ended."""
    watched, pause = desk.connection.watched, FIRST_LOOK_SECONDS
    begun = Execution(
        arn=submission.execution_arn,
        name=submission.execution_arn.rpartition(":")[2],
        state_machine_arn=watched.state_machine_arn,
        status=Status.RUNNING,
        started_at=datetime.now(UTC),
    )
    last_heard = time.monotonic()
    while True:
        # Since the last answer, not since the start: an execution may well take an hour.
        silence = time.monotonic() - last_heard
        history = _read_history(desk, submission.execution_arn, silence)
        if history is None:
            time.sleep(pause)
            continue
        last_heard = time.monotonic()
        visits = timeline(history)
        found = _find_verdict(watched, settle(begun, history), visits)
        yield replace(submission, verdict=found, visits=visits)
        if not isinstance(found, Running):
            return
        time.sleep(pause)
        # Soon at first, since most end within seconds; later rarely, for the quota is the
        # account's.
        pause = min(pause * 1.5, LAST_LOOK_SECONDS)


def _find_verdict(
    watched: WatchedWorkflow, execution: Execution, visits: tuple[StateVisit, ...]
) -> Verdict:
    """Return what became of a submission; outputs of other workflows are read in any form."""
    rules = rules_of(watched)
    found = verdict(execution, visits, threshold=rules.threshold)
    if not rules.foreign or rules.outcome(execution, visits) is not Outcome.ACCEPTED:
        return found
    inference = rules.inference(execution, visits)
    if inference is None:
        return Faulted(Outcome.UNEXAMINED, "", "NoInference", *_NO_INFERENCE)
    label = inference.label or "unnamed class"
    return Classified(label, inference.confidence, inference.threshold or rules.threshold)


def _read_history(desk: _Desk, arn: str, silence: float) -> list[HistoryEvent] | None:
    """Return the history so far; None where it cannot be read now, which proves nothing.

    Args:
        desk: What following needs.
        arn: Of the execution.
        silence: Seconds since the history was had last, or since the execution was started.
    """
    try:
        return [parse_event(raw) for raw in desk.states.read_history(arn)]
    except WorkflowError as error:
        unseen = error.code == "ExecutionDoesNotExist" and silence < VISIBLE_SECONDS
        if not unseen and (silence >= PATIENCE_SECONDS or not passes_by_itself(error.code)):
            raise
        return None


def _retry_transient(ask: Callable[[], T]) -> T:
    """Do what may be done twice, again where it failed for a reason that passes by itself."""
    for _ in range(_TRIES - 1):
        try:
            return ask()
        except WorkflowError as error:
            if not passes_by_itself(error.code):
                raise
        time.sleep(FIRST_LOOK_SECONDS)
    return ask()
