"""The edge of batches: counts what is to be classified, starts it, follows it, and reads results.

Sources: Step Functions Developer Guide, "Redriving Map Runs"; API reference, "DescribeMapRun",
"UpdateMapRun". AWS has no pause: what is under way is stopped and redriven, or slowed down.
"""

import csv
import gzip
import io
import itertools
import json
import re
import statistics
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from workflow import batch_results, batches
from workflow.batch_results import PhotoResult
from workflow.batches import BatchOptions, BatchSource, Kind, MapRunProgress
from workflow.errors import WorkflowError

_FUNCTION: Final = re.compile(r'"(arn:[^"]+:function:[^"]+)"')
_COUNTED: Final = 200_000
"""Items that are counted before a batch starts; more are "or more"."""
_LISTED: Final = 20
_GOES_ON: Final = frozenset({"RUNNING", "SUCCEEDED"})
_CHUNK: Final = 1 << 20
"""Bytes of a result file that are read at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchExecution:
    """One batch.

    Attributes:
        arn: ARN of its execution.
        name: Name of its execution.
        status: As Step Functions gives it.
        started: When it started, aware.
        stopped: When it ended, None while it runs.
        source: Address of what it classifies.
        error: What ended it, with its cause; empty where nothing did.
        redrivable: Whether it can be redriven.
        progress: How far it has come; None before its Map Run began.
    """

    arn: str
    name: str
    status: str
    started: datetime
    stopped: datetime | None
    source: str
    error: str
    redrivable: bool
    progress: MapRunProgress | None


class BatchMachine(StrEnum):
    """What there is of the state machine of batches."""

    ABSENT = "absent"
    OUTDATED = "outdated"
    CURRENT = "current"


def describe_machine(cloud: Connection) -> BatchMachine:
    """Return whether batches can be run, and call the functions that new executions call."""
    try:
        called = _list_functions(cloud, cloud.settings.batch_machine_arn)
    except WorkflowError as error:
        if error.code == "StateMachineDoesNotExist":
            return BatchMachine.ABSENT
        raise
    alias = cloud.settings.alias_arn
    with explained("states:DescribeStateMachineAlias", alias):
        routes = cloud.client("stepfunctions").describe_state_machine_alias(
            stateMachineAliasArn=alias
        )["routingConfiguration"]
    # An alias may route to two versions: most new executions run the heavier one.
    live = max(routes, key=lambda route: route["weight"])["stateMachineVersionArn"]
    same = called == _list_functions(cloud, live)
    return BatchMachine.CURRENT if same else BatchMachine.OUTDATED


def _list_functions(cloud: Connection, arn: str) -> set[str]:
    """Return the functions that a state machine, or a version of one, calls."""
    with explained("states:DescribeStateMachine", arn):
        found = cloud.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
    return set(_FUNCTION.findall(found["definition"]))


def count_source(cloud: Connection, source: BatchSource) -> batches.SourceCount:
    """Count what a source holds, up to a limit.

    Raises:
        WorkflowError: ``BatchSourceForbidden``, ``BatchManifestInvalid``, or under AWS's code.
    """
    batches.check_source(source, cloud.settings.bucket, cloud.settings.upload_prefix)
    items = _read_items(cloud, source)
    counted = list(itertools.islice(items, _COUNTED))
    # One more is asked for, which tells whether these are all.
    return batches.count_items(counted, complete=next(items, None) is None)


def photo_seconds(cloud: Connection) -> float | None:
    """Return the median duration of recent executions of one photo; None where there is none."""
    with explained("states:ListExecutions", cloud.settings.state_machine):
        found = cloud.client("stepfunctions").list_executions(
            stateMachineArn=cloud.settings.alias_arn, statusFilter="SUCCEEDED", maxResults=50
        )["executions"]
    took = [(one["stopDate"] - one["startDate"]).total_seconds() for one in found]
    return statistics.median(took) if took else None


def new_name() -> str:
    """Return a name for a batch that begins now: in order of time, and no other's."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}-{uuid.uuid4().hex[:6]}"


def start_batch(cloud: Connection, source: BatchSource, options: BatchOptions, name: str) -> str:
    """Start a batch; return the ARN of its execution.

    Args:
        cloud: Where.
        source: What to classify.
        options: How.
        name: Of the execution; the same name and input start it once, also after it has ended.
    """
    client, given = cloud.client("stepfunctions"), batches.batch_input(source, options)
    arn = execution_arn(cloud, name)
    with explained("states:StartExecution", name):
        try:
            client.start_execution(
                stateMachineArn=cloud.settings.batch_machine_arn, name=name, input=given
            )
        except client.exceptions.ExecutionAlreadyExists:
            # AWS accepts the same again only while it runs.
            if client.describe_execution(executionArn=arn)["input"] != given:
                raise
    return arn


def execution_arn(cloud: Connection, name: str) -> str:
    """Return the ARN of the execution of a batch."""
    return cloud.settings.arn("states", f"execution:{cloud.settings.batch_machine}:{name}")


def list_latest(cloud: Connection) -> tuple[BatchExecution, ...]:
    """Return the latest batches, the newest first."""
    with explained("states:ListExecutions", cloud.settings.batch_machine):
        found = cloud.client("stepfunctions").list_executions(
            stateMachineArn=cloud.settings.batch_machine_arn, maxResults=_LISTED
        )["executions"]
    return tuple(read_batch(cloud, one["executionArn"]) for one in found)


def read_batch(cloud: Connection, arn: str) -> BatchExecution:
    """Return a batch with its progress."""
    client = cloud.client("stepfunctions")
    with explained("states:DescribeExecution", arn):
        found = client.describe_execution(executionArn=arn)
    with explained("states:ListMapRuns", arn):
        runs = client.list_map_runs(executionArn=arn)["mapRuns"]
    with explained("states:DescribeMapRun", arn):
        described = client.describe_map_run(mapRunArn=runs[0]["mapRunArn"]) if runs else None
    given = json.loads(found["input"])
    told = [found.get(name) for name in ("error", "cause")]
    return BatchExecution(
        arn=arn,
        name=found["name"],
        status=found["status"],
        started=found["startDate"],
        stopped=found.get("stopDate"),
        source=f"s3://{given.get('bucket', '')}/{given.get('key', '')}",
        error=": ".join(filter(None, told)),
        redrivable=found.get("redriveStatus") == "REDRIVABLE",
        progress=None if described is None else batches.read_map_run(described),
    )


def pause_batch(cloud: Connection, arn: str) -> None:
    """Stop a batch; what is under way is done again when it goes on."""
    with explained("states:StopExecution", arn):
        cloud.client("stepfunctions").stop_execution(
            executionArn=arn, error="Batch.Paused", cause="Somebody paused the batch."
        )


def resume_batch(cloud: Connection, arn: str) -> None:
    """Go on with a batch that was paused or failed: what succeeded is not done again.

    One that goes on already, as after an answer that was lost, is left alone.
    """
    client = cloud.client("stepfunctions")
    with explained("states:RedriveExecution", arn):
        try:
            client.redrive_execution(executionArn=arn)
        except client.exceptions.ExecutionNotRedrivable:
            if client.describe_execution(executionArn=arn)["status"] not in _GOES_ON:
                raise


def set_concurrency(cloud: Connection, map_run: str, concurrency: int) -> None:
    """Change how many child executions run at once, 1 to 10,000."""
    with explained("states:UpdateMapRun", map_run):
        cloud.client("stepfunctions").update_map_run(mapRunArn=map_run, maxConcurrency=concurrency)


def read_results(cloud: Connection, batch: BatchExecution) -> Iterator[PhotoResult]:
    """Read what became of each photo of a batch, as far as it was written.

    The result files are streamed: those of millions of photos do not fit into memory.
    """
    if batch.progress is None:
        return
    folder = f"{batches.RESULTS_PREFIX}{batch.name}/{batch.progress.arn.rpartition(':')[2]}"
    try:
        manifest = json.loads(_read_object(cloud, cloud.settings.bucket, f"{folder}/manifest.json"))
    except WorkflowError as error:
        if error.code == "NoSuchKey":
            return
        raise
    for group in ("FAILED", "SUCCEEDED"):
        for file in manifest["ResultFiles"][group]:
            lines = _read_lines(cloud, manifest["DestinationBucket"], file["Key"])
            yield from batch_results.read_results(lines, failed=group == "FAILED")


def _read_lines(cloud: Connection, bucket: str, key: str) -> Iterator[bytes]:
    with explained("s3:GetObject", f"s3://{bucket}/{key}"):
        body = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
        # Line by line: a result file may be larger than the memory.
        yield from body.iter_lines(_CHUNK)


def write_manifest(cloud: Connection, photos: Iterable[PhotoResult], name: str) -> BatchSource:
    """Write a manifest of photos, to classify them again."""
    key = f"{batches.RESULTS_PREFIX}{name}.manifest"
    # On disk: a batch may hold millions of photos.
    with tempfile.TemporaryFile() as file:
        for one in photos:
            file.write(f"{json.dumps({'source-ref': one.address})}\n".encode())
        file.seek(0)
        with explained("s3:PutObject", key):
            cloud.client("s3").upload_fileobj(file, cloud.settings.bucket, key)
    return BatchSource(Kind.JSONL, cloud.settings.bucket, key)


def _read_items(cloud: Connection, source: BatchSource) -> Iterator[Mapping[str, Any]]:
    if source.kind is Kind.PREFIX:
        pages = cloud.client("s3").get_paginator("list_objects_v2")
        with explained("s3:ListObjectsV2", str(source)):
            for page in pages.paginate(Bucket=source.bucket, Prefix=source.key):
                yield from page.get("Contents", ())
        return
    content = _read_object(cloud, source.bucket, source.key)
    try:
        if source.kind is Kind.JSONL:
            for line in content.decode().splitlines():
                if line.strip():
                    yield _require_object(json.loads(line))
        elif source.kind is Kind.CSV:
            yield from csv.DictReader(io.StringIO(content.decode()))
        else:
            yield from _read_inventory(cloud, _require_object(json.loads(content)))
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise WorkflowError(
            "BatchManifestInvalid",
            f"{source} is no {source.kind} that names photos: {error}.",
            "Give JSON lines with source-ref or s3_key, CSV with a column s3_key, or the"
            " manifest.json of an S3 inventory in CSV.",
        ) from None


def _read_inventory(cloud: Connection, manifest: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    if manifest["fileFormat"] != "CSV":
        raise WorkflowError(
            "InventoryFormatUnsupported",
            f"The S3 inventory is in {manifest['fileFormat']}; a batch reads inventories in CSV.",
            "Have the bucket's inventory written as CSV, or give its keys as JSON lines: s3_key.",
        )
    names = [name.strip() for name in manifest["fileSchema"].split(",")]
    bucket = manifest["destinationBucket"].rpartition(":")[2]
    for file in manifest["files"]:
        rows = gzip.decompress(_read_object(cloud, bucket, file["key"])).decode()
        for row in csv.reader(io.StringIO(rows)):
            yield dict(zip(names, row, strict=False))


def _require_object(found: object) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise ValueError(f"{json.dumps(found)[:80]} is not an object")  # noqa: TRY004 - a bad file
    return found


def _read_object(cloud: Connection, bucket: str, key: str) -> bytes:
    with explained("s3:GetObject", f"s3://{bucket}/{key}"):
        content: bytes = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return content
