"""Batches: what is to be classified, what that costs and takes, and how far it has come."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from workflow.errors import WorkflowError

RESULTS_PREFIX: Final = "batch/"
"""Key prefix of the results; a folder for each batch, and in it one for its Map Run."""

PHOTOS_AT_ONCE: Final = 4
"""Photos that a child execution classifies at the same time."""

PRICES_AS_OF: Final = "November 2026"
_PRICED_REGION: Final = "us-east-1"
# USD, list prices without free tier and taxes: https://aws.amazon.com/lambda/pricing/ (arm64),
# https://aws.amazon.com/step-functions/pricing/ (Express), https://aws.amazon.com/s3/pricing/.
_LAMBDA_REQUEST: Final = 0.20 / 1e6
_LAMBDA_GB_SECOND: Final = 0.0000133334
_EXPRESS_REQUEST: Final = 1.00 / 1e6
_EXPRESS_GB_SECOND: Final = 0.00001667
_S3_GET: Final = 0.0004 / 1e3
_FUNCTIONS: Final = 3
_FUNCTION_GB: Final = 0.5
_EXPRESS_GB: Final = 0.0625
_PERCENT: Final = 100

PHOTO_ENDINGS: Final = (".jpg", ".jpeg", ".png")


class Kind(StrEnum):
    """What a batch reads."""

    PREFIX = "prefix"
    JSONL = "jsonl"
    CSV = "csv"
    INVENTORY = "inventory"


@dataclass(frozen=True, slots=True)
class BatchSource:
    """Where the photos of a batch are named.

    Attributes:
        kind: A prefix of photos, or a file that names them.
        bucket: The bucket.
        key: The prefix, or the key of the file.
    """

    kind: Kind
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How a batch is run.

    Attributes:
        batch_size: Photos of one child execution, 1 to 100.
        concurrency: Child executions at once, 1 to 10,000.
        tolerated_percent: Share of photos in failed child executions that ends the batch, 0 to 100.
    """

    batch_size: int = 20
    concurrency: int = 2
    tolerated_percent: float = 5.0

    def __post_init__(self) -> None:
        rules = {
            "The batch size is a whole number from 1 to 100.": 1 <= self.batch_size <= 100,  # noqa: PLR2004 - what fits into five minutes of an express execution
            "The number of child executions at once is a whole number from 1 to 10,000.": 1
            <= self.concurrency
            <= 10_000,  # noqa: PLR2004 - the limit of AWS
            "The tolerated share is a percentage from 0 to 100.": 0
            <= self.tolerated_percent
            <= _PERCENT,
        }
        for text, holds in rules.items():
            if not holds:
                raise WorkflowError("BatchOptionInvalid", text, "Correct it and try again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCount:
    """What a source holds.

    Attributes:
        photos: Items that look like photos by their names.
        others: Items that do not; each ends as one unreadable result.
        complete: Whether all items were counted.
        examples: Some names of the others.
    """

    photos: int
    others: int
    complete: bool
    examples: tuple[str, ...] = ()

    @property
    def items(self) -> int:
        """How many items there are, as far as they were counted."""
        return self.photos + self.others


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEstimate:
    """What a batch will take.

    Attributes:
        items: Photos, other files included.
        children: Child executions.
        seconds: How long; None where no execution tells how long a photo takes.
        usd: What it costs beside the endpoint; None where that is unknown.
        says: The same for people, with what it rests on.
    """

    items: int
    children: int
    seconds: float | None
    usd: float | None
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRunProgress:
    """How far a batch has come, in photos.

    Attributes:
        arn: ARN of its Map Run.
        status: ``RUNNING``, ``SUCCEEDED``, ``FAILED`` or ``ABORTED``.
        started: When it started, aware.
        stopped: When it ended, None while it runs.
        total: Photos.
        done: Those in child executions that succeeded.
        running: Those in child executions under way.
        failed: Those in child executions that failed, timed out or were aborted.
        concurrency: Child executions at once.
        redrives: How often it was redriven.
    """

    arn: str
    status: str
    started: datetime
    stopped: datetime | None
    total: int
    done: int
    running: int
    failed: int
    concurrency: int
    redrives: int

    @property
    def share(self) -> float:
        """Which share of the photos has ended well or not, 0 to 1; 1 where there is none."""
        return 1.0 if not self.total else min(1.0, (self.done + self.failed) / self.total)

    def seconds_left(self, now: datetime) -> float | None:
        """Return how long the rest takes at the pace so far; None where there is no pace yet."""
        ended = self.done + self.failed
        # After a redrive the start is that of the first run: its pace would be too slow.
        if self.status != "RUNNING" or not ended or self.redrives:
            return None
        return (now - self.started).total_seconds() / ended * (self.total - ended)


def read_source(text: str) -> BatchSource:
    """Read what a person gives: a prefix, or a file that names photos, by its ending.

    Raises:
        WorkflowError: ``BatchSourceInvalid``.
    """
    bucket, _, key = text.strip().removeprefix("s3://").partition("/")
    if not text.strip().startswith("s3://") or not bucket:
        raise WorkflowError(
            "BatchSourceInvalid",
            f"{text!r} is not an address of S3.",
            "Give s3://bucket/prefix/, or a manifest.json, .csv, .jsonl or .manifest in S3.",
        )
    if key.endswith("manifest.json"):
        return BatchSource(Kind.INVENTORY, bucket, key)
    if key.endswith((".jsonl", ".manifest")):
        return BatchSource(Kind.JSONL, bucket, key)
    return BatchSource(Kind.CSV if key.endswith(".csv") else Kind.PREFIX, bucket, key)


def check_source(source: BatchSource, bucket: str, prefix: str) -> None:
    """Refuse a prefix of photos that the functions may not read.

    Args:
        source: What is to be classified.
        bucket: The bucket of the deployment.
        prefix: The key prefix that the functions may read.

    Raises:
        WorkflowError: ``BatchSourceForbidden``.
    """
    if source.kind is Kind.PREFIX and not (
        source.bucket == bucket and source.key.startswith(prefix)
    ):
        raise WorkflowError(
            "BatchSourceForbidden",
            f"The functions may read photos below s3://{bucket}/{prefix} only, not {source}.",
            f"Copy them there first: aws s3 sync {source} s3://{bucket}/{prefix}batch/",
        )
    if source.kind is not Kind.PREFIX and source.bucket != bucket:
        raise WorkflowError(
            "BatchSourceForbidden",
            f"The state machine may read manifests of the bucket {bucket} only, not {source}.",
            f"Copy the file there first: aws s3 cp {source} s3://{bucket}/{RESULTS_PREFIX}",
        )


def batch_input(source: BatchSource, options: BatchOptions) -> str:
    """Return the input of the execution of a batch, as JSON text."""
    return json.dumps(
        {
            "kind": source.kind,
            "bucket": source.bucket,
            "key": source.key,
            "batch_size": options.batch_size,
            "concurrency": options.concurrency,
            "tolerated_percent": options.tolerated_percent,
        }
    )


def count_items(items: Iterable[Mapping[str, Any]], *, complete: bool) -> SourceCount:
    """Count items by whether their names look like those of photos.

    Args:
        items: Objects of a listing, rows of an inventory, or lines of a manifest.
        complete: Whether these are all.
    """
    photos, others, examples = 0, 0, list[str]()
    for item in items:
        key = str(item.get("source-ref") or item.get("s3_key") or item.get("Key") or "")
        if key.lower().endswith(PHOTO_ENDINGS):
            photos += 1
        else:
            others += 1
            examples += [key or "an item without s3_key"][: 3 - len(examples)]
    return SourceCount(photos=photos, others=others, complete=complete, examples=tuple(examples))


def estimate(
    counted: SourceCount,
    options: BatchOptions,
    *,
    photo_seconds: float | None,
    region: str,
) -> BatchEstimate:
    """Return what a batch will take.

    Args:
        counted: What is to be classified.
        options: How.
        photo_seconds: Median duration of recent executions of one photo; None where there is none.
        region: Where; prices are known for us-east-1.

    Raises:
        WorkflowError: ``BatchEmpty``.
    """
    if not counted.items:
        raise WorkflowError(
            "BatchEmpty",
            "The source holds nothing to classify.",
            "Look for a typing error in the prefix, or upload the photos first.",
        )
    children = -(-counted.items // options.batch_size)
    at_once = min(options.concurrency, children) * min(PHOTOS_AT_ONCE, options.batch_size)
    seconds = None if photo_seconds is None else counted.items * photo_seconds / at_once
    usd = None
    if photo_seconds is not None and region == _PRICED_REGION:
        usd = counted.items * (
            _FUNCTIONS * _LAMBDA_REQUEST
            + photo_seconds * _FUNCTION_GB * _LAMBDA_GB_SECOND
            + photo_seconds / PHOTOS_AT_ONCE * _EXPRESS_GB * _EXPRESS_GB_SECOND
            + 2 * _S3_GET
        )
        usd += children * _EXPRESS_REQUEST
    return BatchEstimate(
        items=counted.items,
        children=children,
        seconds=seconds,
        usd=usd,
        says=_describe_estimate(counted, at_once, photo_seconds, region),
    )


def _describe_estimate(
    counted: SourceCount, at_once: int, photo_seconds: float | None, region: str
) -> str:
    parts = [f"{counted.photos:,} photos" + ("" if counted.complete else " or more")]
    if counted.others:
        named = ", ".join(counted.examples)
        parts.append(
            f"{counted.others:,} other item{'' if counted.others == 1 else 's'}, such as {named}:"
            " each ends as an unreadable result"
        )
    if photo_seconds is None:
        parts.append("no execution has ended yet, so nothing tells how long a photo takes")
    else:
        parts.append(
            f"{at_once} photos at once at {photo_seconds:.2f} s each, the median of recent"
            " executions, if the endpoint keeps up"
        )
    known = f"list prices of {PRICES_AS_OF}, the endpoint not included"
    parts.append(known if region == _PRICED_REGION else f"prices of {region} are unknown")
    return "; ".join(parts) + "."


def read_map_run(described: Mapping[str, Any]) -> MapRunProgress:
    """Read what DescribeMapRun gives."""
    counts = described["itemCounts"]
    return MapRunProgress(
        arn=described["mapRunArn"],
        status=described["status"],
        started=described["startDate"],
        stopped=described.get("stopDate"),
        total=counts["total"],
        done=counts["succeeded"],
        running=counts["running"],
        failed=counts["failed"] + counts["timedOut"] + counts["aborted"],
        concurrency=described["maxConcurrency"],
        redrives=described.get("redriveCount", 0),
    )
