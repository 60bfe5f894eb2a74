"""Tables of captures that tests build."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dashboard.captures.aggregates import count_captures
from dashboard.captures.periods import Period
from dashboard.captures.tables import CAPTURES, PASSES, TABLES
from dashboard.shared.store import SegmentStore
from workflow.contract import LABELS

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def captured(
    size: int,
    *,
    hours: float = 1,
    seed: int = 0,
    skill: float = 8,
    endpoints: Sequence[str] = ("endpoint",),
    variants: Sequence[str] = ("AllTraffic",),
) -> pl.DataFrame:
    """Captures of a two-class model in the last hours before ``NOW``, oldest first."""
    rng = np.random.default_rng(seed)
    first = rng.beta(skill, 0.6, size)
    swap = rng.random(size) < 0.4
    first = np.where(swap, 1 - first, first)
    step = timedelta(hours=hours) / max(size, 1)
    start = NOW - timedelta(hours=hours)
    columns = {
        "event_id": [f"event-{seed}-{i}" for i in range(size)],
        "inference_id": [f"inference-{seed}-{i}" for i in range(size)],
        "inference_time": [start + i * step for i in range(size)],
        "hour": [start] * size,
        "endpoint": [endpoints[i % len(endpoints)] for i in range(size)],
        "variant": [variants[i // 2 % len(variants)] for i in range(size)],
        "probabilities": [[p, 1 - p] for p in first.tolist()],
        "label": (first < 0.5).astype(np.int32),
        "confidence": np.maximum(first, 1 - first),
        "key": [f"captures/{i // 10}.jsonl" for i in range(size)],
        "line": [i % 10 + 1 for i in range(size)],
        "offset": [100 * (i % 10) for i in range(size)],
        "length": [99] * size,
        "row": [0] * size,
        "custom_attributes": [[] for _ in range(size)],
        "gzipped": [False] * size,
    }
    return pl.DataFrame(columns, schema=pl.Schema(CAPTURES))


def counted(captures: pl.DataFrame, period: Period = Period.HOUR) -> pl.DataFrame:
    """The counts of captures, as the page makes them."""
    return count_captures(captures, period, now=NOW)


def many_captures(size: int, *, classes: int) -> pl.DataFrame:
    """Captures of two weeks and of many classes, some frequent, most rare.

    Only the newest thousand have a probability for each class; the others' would be gigabytes.
    """
    block = captured(10_000, hours=24 * 14)
    copies = -(-size // block.height)
    rows = pl.concat(
        block.with_columns(event_id=pl.col("event_id") + f"-{copy}") for copy in range(copies)
    ).head(size)
    if classes == len(LABELS):
        return rows
    rng = np.random.default_rng(classes)
    labels = pl.Series("label", (rng.random(size) ** 3 * classes).astype(np.int32))
    rows = rows.with_columns(labels).sort("inference_time")
    confidence = rows["confidence"].tail(1_000).to_numpy()
    shares = np.repeat(((1 - confidence) / (classes - 1))[:, None], classes, axis=1)
    shares[np.arange(1_000), rows["label"].tail(1_000)] = confidence
    newest = rows.tail(1_000).with_columns(pl.Series("probabilities", shares).arr.to_list())
    return pl.concat([rows.head(size - 1_000), newest])


def filled(root: Path, captures: pl.DataFrame) -> None:
    """A store in a directory that has read these captures, in one pass."""
    store = SegmentStore(root, TABLES)
    store.append("captures", captures)
    row: dict[str, Any] = {"finished_at": datetime.now(UTC), "full": True, "listed": 0, "read": 0}
    done = {**row, "directories": [], "settled": []}
    store.append("passes", pl.DataFrame([done], schema=pl.Schema(PASSES)))
