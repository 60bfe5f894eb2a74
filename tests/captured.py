"""Tables of captures that tests build."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from dashboard.capture_tables import CAPTURES
from dashboard.tables import Period, count_captures

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
