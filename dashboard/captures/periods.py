"""Periods: by what length of time records are counted and drawn."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import polars as pl

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

MAX_STEPS: Final = 500
"""A chart over time is some 500 pixels wide: a step that is narrower than one cannot be seen."""


class Period(StrEnum):
    """By what length of time records are counted."""

    TEN_SECONDS = "10 seconds"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def length(self) -> timedelta:
        """The length itself."""
        return _LENGTHS[self]

    @property
    def every(self) -> str:
        """The same as polars writes a duration."""
        return _EVERY[self]

    def floor(self, moment: datetime) -> datetime:
        """Return the start of the period, in UTC, that a moment lies in."""
        return _EPOCH + (moment - _EPOCH) // self.length * self.length

    @classmethod
    def of(cls, span: timedelta) -> "Period":
        """Return the period that makes a span a chart of at most some hundred steps."""
        return next((period for period, limit in _LONGEST.items() if span <= limit), cls.DAY)


_LENGTHS: Final = {
    Period.TEN_SECONDS: timedelta(seconds=10),
    Period.MINUTE: timedelta(minutes=1),
    Period.HOUR: timedelta(hours=1),
    Period.DAY: timedelta(days=1),
}
_EVERY: Final = {
    Period.TEN_SECONDS: "10s",
    Period.MINUTE: "1m",
    Period.HOUR: "1h",
    Period.DAY: "1d",
}
_LONGEST: Final = {
    Period.TEN_SECONDS: timedelta(minutes=20),
    Period.MINUTE: timedelta(hours=3),
    Period.HOUR: timedelta(days=16),
}


@dataclass(frozen=True, slots=True)
class TimeStep:
    """What one point of a chart over time stands for: a period, or several where there are many.

    Attributes:
        name: As in "records per week".
        length: The length itself.
        every: The same in polars' notation; weeks start on Mondays.
    """

    name: str
    length: timedelta
    every: str


_STEPS: Final = (
    *(TimeStep(str(period), period.length, period.every) for period in Period),
    TimeStep("week", timedelta(weeks=1), "1w"),
    TimeStep("month of 4 weeks", timedelta(weeks=4), "4w"),
    TimeStep("quarter of 13 weeks", timedelta(weeks=13), "13w"),
)


def step_of(times: pl.Series, period: Period, most: int) -> TimeStep:
    """Return the shortest step, at least a period, of which at most so many span the times."""
    for step in _STEPS[list(Period).index(period) :]:
        starts = times.dt.truncate(step.every)
        first, last = starts.min(), starts.max()
        if first is None or (last - first) // step.length < most:  # type: ignore[operator]
            return step
    return _STEPS[-1]


def every_step(times: pl.Series, step: TimeStep) -> pl.DataFrame:
    """Return the ``time`` at which each step starts, from the first of the times to the last."""
    first, last = times.dt.truncate(step.every).min(), times.max()
    return pl.select(time=pl.datetime_range(first, last, step.length))  # type: ignore[arg-type]


def step_from(lengths: pl.Series, period: Period) -> TimeStep:
    """Return the step of that length, which all rows have; the period where there is no row."""
    length = lengths.max() or period.length
    return next(step for step in _STEPS if step.length == length)


def coarsen_steps(rows: pl.DataFrame, step: TimeStep) -> pl.DataFrame:
    """Add up rows by ``time`` by a longer step; sorted by time."""
    return regroup_rows(rows, pl.col("time").dt.truncate(step.every)).sort("time")


_NUMBERS: Final = ("count", "rejected", "invocations", "expected", "captured")


def regroup_rows(rows: pl.DataFrame, key: pl.Expr) -> pl.DataFrame:
    """Replace one key of rows, and add up the numbers of those whose keys are the same then."""
    keys = [name for name in rows.columns if name not in _NUMBERS]
    return (
        rows.with_columns(key)
        .group_by(keys, maintain_order=True)
        .agg(pl.exclude(keys).sum())
        .select(rows.columns)
    )
