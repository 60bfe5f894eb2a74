"""What keeps an object of captures or labels from being read, as rows of a table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from dashboard.aws.objects import ObjectMeta
from workflow.captures import CaptureError
from workflow.errors import WorkflowError

MAX_OBJECT_BYTES: Final = 256 << 20
"""Larger objects are named as errors and not read; SageMaker's are below 100 MB."""


def not_asked_for(meta: ObjectMeta) -> CaptureError:
    """Why an object will not be read as long as it is what it is."""
    if meta.readable:
        reason, said = "object too large", f"{meta.size:,} bytes; captures are at most a few MB"
    else:
        reason = "key unreadable"
        said = "folder names that are empty, as in a//b, or dots; move or delete the object"
    return CaptureError(meta.key, 0, reason, said, lines=0)


def not_read(meta: ObjectMeta, error: WorkflowError) -> CaptureError:
    """Why an object could not be read this time."""
    return CaptureError(meta.key, 0, error.code, error.message, lines=0)


TIME: Final = pl.Datetime("us", "UTC")


ERRORS: Mapping[str, Any] = {
    "key": pl.String,
    "line": pl.Int32,
    "reason": pl.String,
    "detail": pl.String,
    "offset": pl.Int64,
    "length": pl.Int64,
    "event_id": pl.String,
    "lines": pl.Int64,
    "found_at": TIME,
}
"""One row a ``workflow.captures.CaptureError`` and when it was found."""


def error_rows(errors: Sequence[CaptureError], found_at: datetime) -> pl.DataFrame:
    """Rows of ``ERRORS``, one an error."""
    kept = [{name: getattr(e, name) for name in ERRORS if name != "found_at"} for e in errors]
    return pl.DataFrame(kept, schema=pl.Schema(ERRORS)).with_columns(
        found_at=pl.lit(found_at, TIME)
    )
