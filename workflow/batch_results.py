"""Results of batches: what became of each photo, as the result files of a Map Run say."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workflow.errors import WorkflowError


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


def read_results(lines: Iterable[str], *, failed: bool) -> list[PhotoResult]:
    """Read lines of a result file.

    Args:
        lines: JSON lines.
        failed: Whether they tell of child executions that failed, whose photos their inputs name.

    Raises:
        WorkflowError: ``BatchResultInvalid`` where a line is not what a batch writes.
    """
    results: list[PhotoResult] = []
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
            results += _failed(found) if failed else [_result(found)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WorkflowError(
                "BatchResultInvalid",
                f"Line {number} of the results is not what a batch writes: {error!r}.",
                "Look at the file in S3: something else may have written it.",
            ) from None
    return results


def _result(found: Mapping[str, Any]) -> PhotoResult:
    return PhotoResult(
        address=_address(found),
        outcome=found["outcome"],
        label=found.get("label"),
        confidence=found.get("confidence"),
        error=found.get("error"),
        cause=found.get("cause"),
        inference_id=found.get("inference_id"),
    )


def _failed(found: Mapping[str, Any]) -> list[PhotoResult]:
    return [
        PhotoResult(
            address=_address(item),
            outcome="failed",
            error=found.get("Error", found["Status"]),
            cause=found.get("Cause"),
        )
        for item in json.loads(found["Input"])["Items"]
    ]


def _address(item: Mapping[str, Any]) -> str:
    bucket, key = item["s3_bucket"], item["s3_key"]
    return f"s3://{bucket}/{key}" if bucket else str(key)
