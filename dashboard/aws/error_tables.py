"""The table of what could not be read of captures and labels."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from workflow.captures import CaptureError

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
    """Return one row of ``ERRORS`` for each error."""
    kept = [{name: getattr(e, name) for name in ERRORS if name != "found_at"} for e in errors]
    return pl.DataFrame(kept, schema=pl.Schema(ERRORS)).with_columns(
        found_at=pl.lit(found_at, TIME)
    )
