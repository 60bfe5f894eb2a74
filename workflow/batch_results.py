"""Results of batches: what became of each photo, as the result files of a Map Run say."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from workflow.errors import WorkflowError

OUTCOMES: Final = ("accepted", "rejected", "unreadable", "failed")
KEPT: Final = 5_000
"""Photos of each outcome that a summary keeps."""
BINS: Final = 20
"""Equal bins of confidence from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoResult:
    """What became of one photo.

    Attributes:
        address: ``s3://bucket/key``, or what the source named.
        outcome: ``accepted``, ``rejected``, ``unreadable``, or ``failed`` with its execution.
        label: The class; None where there is none.
        confidence: Its probability; None where there is none.
        error: Name of the error; None where there is none.
        cause: What the error tells.
        inference_id: By which captures and labels join; None where there is none.
    """

    address: str
    outcome: str
    label: str | None = None
    confidence: float | None = None
    error: str | None = None
    cause: str | None = None
    inference_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSummary:
    """What became of all photos of a batch.

    Attributes:
        counts: Photos by outcome, each of ``OUTCOMES``.
        labels: Photos by class, the most frequent first.
        confidence: Photos by outcome and bin of confidence, where there is a confidence.
        kept: The least certain photos of each outcome, up to ``KEPT`` of each.
    """

    counts: Mapping[str, int]
    labels: Mapping[str, int]
    confidence: Mapping[str, tuple[int, ...]]
    kept: tuple[PhotoResult, ...]


def summarise(results: Iterable[PhotoResult]) -> BatchSummary:
    """Count results one after the other; memory does not grow with their number.

    Args:
        results: In any order.
    """
    counts = Counter(dict.fromkeys(OUTCOMES, 0))
    labels, bins = Counter[str](), dict[str, list[int]]()
    kept = dict[str, list[PhotoResult]]()
    for one in results:
        counts[one.outcome] += 1
        if one.label is not None:
            labels[one.label] += 1
        if one.confidence is not None:
            place = min(max(int(one.confidence * BINS), 0), BINS - 1)
            bins.setdefault(one.outcome, [0] * BINS)[place] += 1
        same = kept.setdefault(one.outcome, [])
        same.append(one)
        # Sorted only every so often: on average a photo costs a constant time.
        if len(same) >= 2 * KEPT:
            same[:] = sorted(same, key=certainty)[:KEPT]
    return BatchSummary(
        counts=dict(counts),
        labels=dict(labels.most_common()),
        confidence={name: tuple(found) for name, found in bins.items()},
        kept=tuple(one for same in kept.values() for one in sorted(same, key=certainty)[:KEPT]),
    )


def certainty(result: PhotoResult) -> tuple[bool, float]:
    """Return a key that sorts photos without a confidence first, then the least certain."""
    return result.confidence is not None, result.confidence or 0.0


def read_results(lines: Iterable[str | bytes], *, failed: bool) -> Iterator[PhotoResult]:
    """Read lines of a result file, one at a time.

    Args:
        lines: JSON lines.
        failed: Whether they tell of child executions that failed, whose photos their inputs name.

    Raises:
        WorkflowError: ``BatchResultInvalid`` where a line is not what a batch writes.
    """
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
            results = _read_failed(found) if failed else [_read_result(found)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WorkflowError(
                "BatchResultInvalid",
                f"Line {number} of the results is not what a batch writes: {error!r}.",
                "Look at the file in S3: something else may have written it.",
            ) from None
        yield from results


def _read_result(found: Mapping[str, Any]) -> PhotoResult:
    return PhotoResult(
        address=_photo_address(found),
        outcome=found["outcome"],
        label=found.get("label"),
        confidence=found.get("confidence"),
        error=found.get("error"),
        cause=found.get("cause"),
        inference_id=found.get("inference_id"),
    )


def _read_failed(found: Mapping[str, Any]) -> list[PhotoResult]:
    return [
        PhotoResult(
            address=_photo_address(item),
            outcome="failed",
            error=found.get("Error", found["Status"]),
            cause=found.get("Cause"),
        )
        for item in json.loads(found["Input"])["Items"]
    ]


def _photo_address(item: Mapping[str, Any]) -> str:
    bucket, key = item["s3_bucket"], item["s3_key"]
    return f"s3://{bucket}/{key}" if bucket else str(key)
