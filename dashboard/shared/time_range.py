"""The time range and the zone that every page shows: read from the address, and written to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
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
}
DEFAULT: Final = "14d"
LONGEST: Final = "90d"
"""All executions: Step Functions keeps them so long."""

UTC_NAME: Final = "UTC"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """What time pages show, and in which zone they say it.

    Attributes:
        span: Back from now.
        zone: Where the reader's clock is.
    """

    span: timedelta
    zone: ZoneInfo

    def between(self, now: datetime) -> tuple[datetime, datetime]:
        """Begin and end of the range in its zone, for an axis."""
        end = now.astimezone(self.zone)
        return end - self.span, end

    def local(self, rows: pl.DataFrame, column: str = "time") -> pl.DataFrame:
        """Return rows with a column of times as the reader's clock shows them.

        Plotly and Streamlit draw the time that they are given. Times without a zone are in UTC.
        """
        aware = pl.col(column).dt.replace_time_zone("UTC")
        return rows.with_columns(aware.dt.convert_time_zone(self.zone.key))

    def said(self, moment: datetime) -> str:
        """Return a moment in the zone, with UTC beside it where that differs."""
        local = moment.astimezone(self.zone)
        text = f"{local:%Y-%m-%d %H:%M}"
        if not local.utcoffset():
            return f"{text} UTC"
        utc = moment.astimezone(ZoneInfo(UTC_NAME))
        return f"{text} ({utc:%H:%M} UTC)"


def time_range(span: str, zone: str, browser_zone: str | None) -> TimeRange:
    """Read a range; what is not known counts as the default.

    Args:
        span: One of ``RANGES``.
        zone: ``UTC``, or anything else for the browser's.
        browser_zone: The browser's zone by its IANA name, where it tells.
    """
    name = UTC_NAME if zone == UTC_NAME or not browser_zone else browser_zone
    try:
        found = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        found = ZoneInfo(UTC_NAME)
    return TimeRange(RANGES.get(span, RANGES[DEFAULT]), found)
