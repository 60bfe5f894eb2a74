"""What is wrong with the lines and objects that captures are read from."""

import math
from datetime import timedelta

import polars as pl

from dashboard.captures.aggregates import EARLIEST
from dashboard.captures.record_filters import InferenceFilters
from dashboard.data_health.model import Health, HealthFinding, HealthFindingKind
from dashboard.shared.numbers import format_duration
from workflow.captures import DUPLICATE, CaptureSource

LATE = timedelta(minutes=15)
"""An object that came later than this after its last record is late."""


def filter_errors(errors: pl.DataFrame, filters: InferenceFilters) -> pl.DataFrame:
    """Return the errors of the filters' endpoint, variant and time, judged by their key.

    Args:
        errors: Rows of ``capture_tables.ERRORS``.
        filters: What to keep; of what class a line is, that gave no record, is not known.
    """
    start, end = filters.window()

    def let_through(key: str) -> bool:
        source = CaptureSource.of(key)
        return (
            filters.endpoint in ("", source.endpoint)
            and filters.variant in ("", source.variant)
            and (start is None or (source.hour is not None and source.hour >= start))
            and (end is None or (source.hour is not None and source.hour < end))
        )

    return errors.filter(pl.col("key").is_in(list(filter(let_through, errors["key"].unique()))))


def judge_lines(errors: pl.DataFrame, records: int, untimed: int, *, known: bool) -> Health:
    """Return whether every line gave a record, once.

    Args:
        errors: ``reason`` and ``lines`` of those that did not.
        records: How many records there are.
        untimed: How many of these have no usable time.
        known: Whether errors are known of.
    """
    if not known:
        return Health(
            reading_findings(errors, untimed),
            unjudged=("Unreadable lines and duplicates: Athena leaves them out without a word.",),
        )
    read = records + int(errors["lines"].sum())
    if not read:
        return Health(unjudged=("Unreadable lines and duplicates: nothing was read.",))
    return Health(reading_findings(errors, untimed), (f"{read:,} lines that were read",))


def judge_deliveries(objects: pl.DataFrame, *, known: bool) -> tuple[timedelta | None, Health]:
    """Return how late objects come, in the median, and whether that was judged.

    Args:
        objects: As for ``measure_lateness``.
        known: Whether it is known when objects came.
    """
    if not known:
        return None, Health(unjudged=("Lateness: Athena does not know when an object came.",))
    delay, late = measure_lateness(objects)
    if delay is None:
        return None, Health(unjudged=("Lateness: no object has a record with a usable time.",))
    return delay, Health(late, (f"how soon {objects.height:,} objects came",))


def reading_findings(errors: pl.DataFrame, untimed: int) -> tuple[HealthFinding, ...]:
    """Return what is wrong with the lines themselves.

    Args:
        errors: ``reason`` and ``lines`` of the store's errors.
        untimed: Records without a usable time.
    """
    twice = pl.col("reason") == DUPLICATE
    duplicates = int(errors.filter(twice)["lines"].sum())
    unread = errors.filter(~twice)
    found = []
    if not unread.is_empty():
        found.append(
            HealthFinding(
                HealthFindingKind.UNREADABLE,
                f"{count_errors(unread)} without a capture that can be read, listed below with the"
                " reasons.",
            )
        )
    if duplicates:
        found.append(
            HealthFinding(
                HealthFindingKind.DUPLICATES,
                f"{duplicates:,} records came more than once and are counted once.",
            )
        )
    if untimed:
        found.append(
            HealthFinding(
                HealthFindingKind.UNTIMED,
                f"{untimed:,} records have no usable time (absent, before SageMaker, or in the"
                " future): they are counted, but in no chart over time.",
            )
        )
    return tuple(found)


def judge_truths(errors: pl.DataFrame) -> Health:
    """Return whether all that lies where labels do gives one.

    Args:
        errors: ``lines`` of what does not.
    """
    if errors.is_empty():
        return Health()
    said = (
        f"{count_errors(errors)} without a label that can be read, listed below with the reasons."
    )
    return Health((HealthFinding(HealthFindingKind.UNREADABLE, said, "Ground truth"),))


def count_errors(errors: pl.DataFrame) -> str:
    """Return how many lines, and whole objects, could not be read: ``3 lines and 1 object``.

    Args:
        errors: ``lines`` of each; 0 for an object that was not read.
    """
    lines, objects = int(errors["lines"].sum()), int((errors["lines"] == 0).sum())
    numbers = ((lines, "line"), (objects, "object"))
    said = [f"{count:,} {noun}{'s' if count != 1 else ''}" for count, noun in numbers if count]
    return " and ".join(said)


def by_reason(errors: pl.DataFrame) -> pl.DataFrame:
    """Return how many lines and objects have each ``reason``, the most frequent first."""
    lines = pl.col("lines")
    sums = errors.group_by("reason").agg(lines.sum(), objects=(lines == 0).sum())
    return sums.sort("lines", "objects", "reason", descending=[True, True, False])


def measure_lateness(objects: pl.DataFrame) -> tuple[timedelta | None, tuple[HealthFinding, ...]]:
    """Return the median delay of objects after their last record, and findings of late ones.

    Args:
        objects: ``last_modified`` of each object and ``last`` time of a record in it.
    """
    timed = objects.drop_nulls().filter(pl.col("last") >= EARLIEST)
    delays = timed.select(delay=pl.col("last_modified") - pl.col("last"))["delay"]
    if delays.is_empty():
        return None, ()
    late = int((delays > LATE).sum())
    median = delays.median()
    delay = median if isinstance(median, timedelta) else timedelta(0)
    if not late:
        return delay, ()
    worst = delays.max()
    seconds = worst.total_seconds() if isinstance(worst, timedelta) else math.nan
    return delay, (
        HealthFinding(
            HealthFindingKind.LATE,
            f"{late:,} objects came more than {LATE // timedelta(minutes=1)} minutes after their"
            f" last record, the latest after {format_duration(seconds)}. Recent charts "
            "may still fill"
            " up.",
        ),
    )
