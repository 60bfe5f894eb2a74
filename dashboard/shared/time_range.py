"""The time range and the zone that every page shows: read from the address, and written to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

RANGES: Final[Mapping[str, timedelta]] = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "3d": timedelta(days=3),
    "7d": timedelta(days=7),
    "14d": timedelta(days=14),
    "90d": timedelta(days=90),
    "All": timedelta(days=90),
}
DEFAULT: Final = "14d"
LONGEST: Final = "All"
"""Everything: executions of 90 days, for Step Functions keeps them so long, and all captures."""

UTC_NAME: Final = "UTC"
DAY_AND_MINUTE: Final = "%Y-%m-%d %H:%M"
DAY_AND_SECOND: Final = "%Y-%m-%d %H:%M:%S"
CLOCK: Final = "%H:%M:%S"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """What time pages show, and in which zone they say it.

    Attributes:
        span: Back from now.
        zone: Where the reader's clock is.
        everything: Whether what is older than the span is shown too, where it is kept.
    """

    span: timedelta
    zone: ZoneInfo
    everything: bool = False

    def axis_limits(self, now: datetime) -> tuple[datetime, datetime]:
        """Begin and end of the range in its zone, for an axis."""
        end = now.astimezone(self.zone)
        return end - self.span, end

    def day_end(self, day: date) -> datetime:
        """Return the moment at which a day of the zone ends."""
        return datetime.combine(day + timedelta(days=1), time(), self.zone)

    def to_local(self, rows: pl.DataFrame, column: str = "time") -> pl.DataFrame:
        """Return rows with a column of times as the reader's clock shows them.

        Plotly and Streamlit draw the time that they are given. Times without a zone are in UTC.
        """
        aware = pl.col(column).dt.replace_time_zone("UTC")
        return rows.with_columns(aware.dt.convert_time_zone(self.zone.key))

    def format_moment(self, moment: datetime, form: str = DAY_AND_MINUTE) -> str:
        """Return a moment as ``format_moment`` does, in the zone."""
        return format_moment(moment, self.zone, form)


def format_moment(moment: datetime, zone: ZoneInfo, form: str = DAY_AND_MINUTE) -> str:
    """Return a moment in a zone, with UTC beside it where that differs.

    Args:
        moment: Aware.
        zone: Where the reader's clock is.
        form: ``DAY_AND_MINUTE``, ``DAY_AND_SECOND`` or ``CLOCK``.
    """
    local = moment.astimezone(zone)
    text = local.strftime(form)
    # Whoever lives in UTC need not read it twice.
    if not local.utcoffset():
        return f"{text} UTC"
    return f"{text} ({moment.astimezone(ZoneInfo(UTC_NAME)):%H:%M} UTC)"


def wall_clock(rows: pl.DataFrame, zone: ZoneInfo, column: str = "time") -> pl.DataFrame:
    """Return rows with a column of times as a wall clock shows them, without a zone.

    Days then begin at midnight of the zone and are equally long, also where summer time begins.
    """
    local = pl.col(column).dt.convert_time_zone(zone.key)
    return rows.with_columns(local.dt.replace_time_zone(None))


def time_range(span: str, zone: str, browser_zone: str | None) -> TimeRange:
    """Read a range; what is not known counts as the default.

    Args:
        span: One of ``RANGES``.
        zone: ``UTC``, or anything else for the browser's.
        browser_zone: The browser's zone by its IANA name, where it tells.
    """
    found = time_zone(zone, browser_zone)
    return TimeRange(RANGES.get(span, RANGES[DEFAULT]), found, everything=span == LONGEST)


def time_zone(zone: str, browser_zone: str | None) -> ZoneInfo:
    """Return the zone that is chosen; UTC where the browser's is not known."""
    name = UTC_NAME if zone == UTC_NAME or not browser_zone else browser_zone
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(UTC_NAME)
