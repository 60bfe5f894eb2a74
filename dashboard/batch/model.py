"""View models of the Batch page: batches, how far one has come, and what became of its photos."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from dashboard.shared import numbers
from workflow.batch_results import PhotoResult, certainty
from workflow.batches import BatchEstimate, MapRunProgress
from workflow.causes import read_cause

SHOWN: Final = 5_000
"""Rows of results that are shown at most."""

_TABLE: Final = {
    "outcome": pl.String,
    "label": pl.String,
    "confidence": pl.Float64,
    "photo": pl.String,
    "error": pl.String,
    "cause": pl.String,
}


@dataclass(frozen=True, slots=True)
class BatchAddress:
    """What the address of the page asks for.

    Attributes:
        source: What is to be classified; empty for nothing.
        batch: Name of the batch that is shown; empty for the newest.
    """

    source: str = ""
    batch: str = ""


def progress_says(progress: MapRunProgress | None, status: str, now: datetime) -> str:
    """Return how far a batch has come, in one line.

    Args:
        progress: Of its Map Run, None before that began.
        status: Of its execution.
        now: The time, aware.
    """
    if progress is None:
        begun = status == "RUNNING"
        return "It is reading the list of photos." if begun else "It ended before it started."
    ended = progress.done + progress.failed
    parts = [f"{ended:,} of {numbers.format_count(progress.total, 'photo')}"]
    if progress.failed:
        parts.append(f"{progress.failed:,} in child executions that failed or were stopped")
    if status == "RUNNING":
        parts.append(f"{progress.concurrency:,} child executions at once")
        left = progress.seconds_left(now)
        if left is not None:
            parts.append(f"about {numbers.format_duration(left)} left at this pace")
    elif progress.stopped is not None:
        parts.append(f"after {numbers.format_age(progress.started, progress.stopped)}")
    if progress.redrives:
        parts.append(f"redriven {numbers.format_count(progress.redrives, 'time')}")
    return ", ".join(parts) + "."


def estimate_says(estimate: BatchEstimate) -> str:
    """Return the time and the price of a batch, in one line."""
    seconds, usd = estimate.seconds, estimate.usd
    time = "an unknown time" if seconds is None else f"about {numbers.format_duration(seconds)}"
    price = "an unknown price" if usd is None else f"about {usd:,.2f} USD"
    return f"{time} and {price}".capitalize().replace("usd", "USD")


def results_table(results: Sequence[PhotoResult], outcome: str) -> pl.DataFrame:
    """Return the photos of an outcome, those with the least confidence first.

    Args:
        results: What became of the photos.
        outcome: One of ``OUTCOMES``; empty for all.
    """
    chosen = [one for one in results if outcome in ("", one.outcome)]
    chosen.sort(key=certainty)
    rows = [
        (one.outcome, one.label, one.confidence, one.address, one.error, _format_message(one))
        for one in chosen[:SHOWN]
    ]
    return pl.DataFrame(rows, schema=_TABLE, orient="row")


def class_shares(labels: Mapping[str, int]) -> pl.DataFrame:
    """Return the number and the share, 0 to 1, of classified photos by class."""
    total = sum(labels.values())
    rows = [(name, number, number / total) for name, number in labels.items()]
    schema = {"class": pl.String, "photos": pl.Int64, "share": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def photos_to_repeat(results: Iterable[PhotoResult]) -> Iterator[PhotoResult]:
    """Yield the photos to classify again: those that failed or were unreadable."""
    for one in results:
        if one.outcome in ("failed", "unreadable") and one.address:
            yield one


def _format_message(result: PhotoResult) -> str | None:
    return result.cause and read_cause(result.error, result.cause).message
