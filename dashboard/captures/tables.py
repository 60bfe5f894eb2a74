"""Capture tables: what the store keeps of data capture files, and how a batch becomes rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dashboard.aws.error_tables import ERRORS, TIME
from workflow.captures import CaptureBatch

CAPTURES: Mapping[str, Any] = {
    "event_id": pl.String,
    "inference_id": pl.String,
    "inference_time": TIME,
    "hour": TIME,
    "endpoint": pl.String,
    "variant": pl.String,
    "probabilities": pl.List(pl.Float64),
    "label": pl.Int32,
    "confidence": pl.Float64,
    "key": pl.String,
    "line": pl.Int32,
    "offset": pl.Int64,
    "length": pl.Int64,
    "row": pl.Int32,
    "custom_attributes": pl.List(pl.String),
    "gzipped": pl.Boolean,
}
"""One row a ``workflow.captures.Capture``; ``hour`` is the hour of invocation by the key.

``inference_time`` is null where the line has none that can be read. Those of a rollout's shadow
variant have a table of their own, ``shadows``: no caller saw them.
"""


OBJECTS: Mapping[str, Any] = {
    "key": pl.String,
    "etag": pl.String,
    "size": pl.Int64,
    "last_modified": TIME,
    "read_at": TIME,
}
"""One row an object that was read; ``etag`` is empty where S3 refused it or gave fewer bytes than
listed, so that it is tried again whenever it is listed."""

PASSES: Mapping[str, Any] = {
    "finished_at": TIME,
    "full": pl.Boolean,
    "listed": pl.Int64,
    "read": pl.Int64,
    "directories": pl.List(pl.String),
    "settled": pl.List(TIME),
}
"""One row a sync pass that came to its end: in each directory (prefix/endpoint/variant) of
``directories``, all objects up to the hour in ``settled`` were read."""

TABLES: Mapping[str, Mapping[str, Any]] = {
    "captures": CAPTURES,
    "shadows": CAPTURES,
    "errors": ERRORS,
    "objects": OBJECTS,
    "passes": PASSES,
}
"""Every table by its name in the store."""


def capture_rows(batch: CaptureBatch) -> pl.DataFrame:
    """Return one row of ``CAPTURES`` for each capture of the batch."""
    source = pl.Series(batch.source, dtype=pl.UInt32)
    columns = {
        "event_id": pl.Series(batch.event_ids, dtype=pl.String),
        "inference_id": pl.Series(batch.inference_ids, dtype=pl.String),
        "inference_time": pl.Series(batch.times).dt.replace_time_zone("UTC"),
        "hour": _source_hours(batch).gather(source),
        "endpoint": pl.Series([s.endpoint for s in batch.sources], dtype=pl.String).gather(source),
        "variant": pl.Series([s.variant for s in batch.sources], dtype=pl.String).gather(source),
        "probabilities": _split_lists(batch.values, batch.widths),
        "label": pl.Series(batch.labels),
        "confidence": pl.Series(batch.confidences),
        "key": pl.Series([s.key for s in batch.sources], dtype=pl.String).gather(source),
        "line": pl.Series(batch.lines),
        "offset": pl.Series(batch.offsets),
        "length": pl.Series(batch.lengths),
        "row": pl.Series(batch.rows),
        "custom_attributes": _attribute_lists(batch),
        "gzipped": pl.Series([s.gzipped for s in batch.sources], dtype=pl.Boolean).gather(source),
    }
    return pl.DataFrame(columns, schema=pl.Schema(CAPTURES))


def _source_hours(batch: CaptureBatch) -> pl.Series:
    """Return the hour of each source, by way of numbers: polars takes long over aware times."""
    hours = [source.hour for source in batch.sources]
    seconds = [hour and int(hour.timestamp()) for hour in hours]
    return (pl.Series(seconds, dtype=pl.Int64) * 1_000_000).cast(TIME)


def _attribute_lists(batch: CaptureBatch) -> pl.Series:
    """Return custom attributes as lists of texts; hardly any caller sends some."""
    kind = pl.List(pl.String)
    if not any(batch.custom_attributes):
        return pl.repeat(None, len(batch), dtype=kind, eager=True)
    return pl.Series(batch.custom_attributes, dtype=kind)


def _split_lists(values: NDArray[np.float64], widths: NDArray[np.int64]) -> pl.Series:
    """Split values into lists of these widths."""
    kind = pl.List(pl.Float64)
    if not len(widths):
        return pl.Series([], dtype=kind)
    if (widths == widths[0]).all():
        return pl.Series(values.reshape(len(widths), -1)).cast(kind)
    # The slow way: models of different numbers of classes in one batch are rare.
    rows = pl.DataFrame({"row": np.repeat(np.arange(len(widths)), widths), "value": values})
    return rows.group_by("row", maintain_order=True).agg("value")["value"]
