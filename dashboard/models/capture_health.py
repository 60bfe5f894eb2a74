"""What the *Inferences* page shows of data health: are all inferences captured, soon, and once?"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import polars as pl

from dashboard.tables import Period
from workflow.captures import DUPLICATE
from workflow.monitoring import CaptureState

SETTLED_AFTER = timedelta(minutes=30)
"""SageMaker delivers captures minutes late; younger periods are not yet judged."""

LATE = timedelta(minutes=15)
"""An object that came later than this after its last record is late."""

DISK_LIMIT = 75.0
"""Percent of disk above which SageMaker may stop capturing (developer guide, data capture)."""

_SIGMAS = 4  # a sampled hour this far below its mean is no chance
_EDGE = 2  # invocations at the border of a period may be counted in its neighbour
_FEW = 5  # expected records below which silence means little


class Finding(StrEnum):
    """A kind of thing that is wrong with the captures."""

    OFF = "capture is off"
    SILENCE = "silence"
    GAP = "gap"
    SURPLUS = "surplus"
    LATE = "late"
    DUPLICATES = "duplicates"
    UNREADABLE = "unreadable"
    UNTIMED = "no usable time"


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One thing that is wrong.

    Attributes:
        kind: What.
        sentence: With its numbers, and what to do about it.
    """

    kind: Finding
    sentence: str


def expected_and_captured(
    invocations: pl.DataFrame, captured: pl.DataFrame, sampling_percentage: float
) -> pl.DataFrame:
    """Captures expected and found, by time.

    Args:
        invocations: ``time``, ``count`` of CloudWatch, one row a period with any.
        captured: ``time``, ``count`` of the captures, in the same periods.
        sampling_percentage: Share of the invocations that is captured, 0 to 100.

    Returns:
        ``time``, ``invocations``, ``expected``, ``captured``; sorted, from the first invocation.
    """
    both = invocations.rename({"count": "invocations"}).join(
        captured.rename({"count": "captured"}), on="time", how="full", coalesce=True
    )
    rows = both.with_columns(pl.col("invocations", "captured").fill_null(0)).sort("time")
    if not invocations.is_empty():
        rows = rows.filter(pl.col("time") >= invocations["time"].min())
    return rows.select(
        "time",
        "invocations",
        expected=pl.col("invocations") * sampling_percentage / 100,
        captured="captured",
    )


def health(
    rows: pl.DataFrame,
    state: CaptureState | None,
    period: Period,
    *,
    now: datetime,
) -> tuple[HealthFinding, ...]:
    """What is wrong with the number of captures.

    Args:
        rows: Of ``expected_and_captured``.
        state: Of the endpoint; None where it cannot be asked.
        period: The length of a row's time.
        now: Rows that may still fill up are not judged.
    """
    settled = rows.filter(pl.col("time") <= now - SETTLED_AFTER - period.length)
    return tuple(_findings(settled, state, period))


def _findings(
    settled: pl.DataFrame, state: CaptureState | None, period: Period
) -> Iterable[HealthFinding]:
    if state is not None and not state.enabled:
        yield HealthFinding(
            Finding.OFF,
            "Data capture is switched off, so nothing new will appear here. Deploy again with a"
            " sampling percentage above 0.",
        )
    silent = _silent(settled)
    if not silent.is_empty() and (state is None or state.enabled):
        yield HealthFinding(Finding.SILENCE, _silence_sentence(silent, state))
    judged = settled.head(settled.height - silent.height)
    share = (state.sampling_percentage if state else 100.0) / 100
    spread = (pl.col("invocations") * share * (1 - share)).sqrt() * _SIGMAS + _EDGE
    gaps = judged.filter(pl.col("captured") < pl.col("expected") - spread)
    if not gaps.is_empty():
        missing = float(gaps.select((pl.col("expected") - pl.col("captured")).sum()).item())
        yield HealthFinding(
            Finding.GAP,
            f"About {missing:,.0f} records are missing in {_periods(gaps, period)}, first at"
            f" {gaps['time'][0]:%Y-%m-%d %H:%M} UTC. Objects may have been deleted by the bucket's"
            " lifecycle, or not be readable: look at the bucket, then check all objects again.",
        )
    surplus = judged.filter(pl.col("captured") > pl.col("invocations") + spread)
    if not surplus.is_empty():
        yield HealthFinding(
            Finding.SURPLUS,
            f"There are more records than invocations in {_periods(surplus, period)}. Batch"
            " requests make several records each; else another endpoint of this name wrote them.",
        )


def _silent(settled: pl.DataFrame) -> pl.DataFrame:
    """The last rows, where invocations went on and captures did not."""
    heard = settled.with_row_index().filter(pl.col("captured") > 0)["index"].max()
    tail = settled.slice(0 if heard is None else int(heard) + 1)  # type: ignore[arg-type]
    return tail if tail["expected"].sum() >= _FEW else tail.clear()


def _silence_sentence(silent: pl.DataFrame, state: CaptureState | None) -> str:
    start = f"{silent['time'][0]:%Y-%m-%d %H:%M} UTC"
    said = f"Nothing was captured since {start}, though {silent['invocations'].sum():,} invocations"
    disk = state.disk_percent if state else None
    if disk is not None and disk >= DISK_LIMIT:
        return (
            f"{said} came in. The instance's disk is {disk:.0f} % full, and SageMaker stops"
            " capturing without a word when it fills: update the endpoint to get fresh instances."
        )
    return (
        f"{said} came in. SageMaker stops capturing without a word when the instance's disk fills"
        " or its role may not write to the bucket: check both, then update the endpoint."
    )


def _periods(rows: pl.DataFrame, period: Period) -> str:
    return f"{rows.height:,} {period}{'s' if rows.height != 1 else ''}"


def reading_findings(errors: pl.DataFrame, untimed: int) -> tuple[HealthFinding, ...]:
    """What is wrong with the lines themselves.

    Args:
        errors: ``reason`` and ``lines`` of the store's errors.
        untimed: Records without a usable time.
    """
    lines = pl.col("lines").sum()
    by_reason = dict(errors.group_by("reason").agg(lines).iter_rows())
    duplicates = by_reason.pop(DUPLICATE, 0)
    found = []
    if by_reason:
        found.append(
            HealthFinding(
                Finding.UNREADABLE,
                f"{sum(by_reason.values()):,} lines are no capture that can be read; they are"
                " listed below with their reasons.",
            )
        )
    if duplicates:
        found.append(
            HealthFinding(
                Finding.DUPLICATES,
                f"{duplicates:,} records came more than once and are counted once.",
            )
        )
    if untimed:
        found.append(
            HealthFinding(
                Finding.UNTIMED,
                f"{untimed:,} records have no usable time (absent, before SageMaker, or in the"
                " future): they are counted, but in no chart over time.",
            )
        )
    return tuple(found)


def lateness(objects: pl.DataFrame) -> tuple[timedelta | None, tuple[HealthFinding, ...]]:
    """How long after its last record an object came, in the median, and whether some came late.

    Args:
        objects: ``last_modified`` of each object and ``last`` time of a record in it.
    """
    delays = objects.drop_nulls().select(delay=pl.col("last_modified") - pl.col("last"))["delay"]
    if delays.is_empty():
        return None, ()
    late = int((delays > LATE).sum())
    median = delays.median()
    delay = median if isinstance(median, timedelta) else timedelta(0)
    if not late:
        return delay, ()
    worst = delays.max()
    minutes = worst / timedelta(minutes=1) if isinstance(worst, timedelta) else math.nan
    return delay, (
        HealthFinding(
            Finding.LATE,
            f"{late:,} objects came more than {LATE // timedelta(minutes=1)} minutes after their"
            f" last record, the latest after {minutes:,.0f} minutes. Recent charts may still fill"
            " up.",
        ),
    )
