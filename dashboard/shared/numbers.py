"""How numbers are written, the same on every page: counts, shares, rates and durations."""

import math
from datetime import datetime

_UNITS = ((60, 1, "s"), (3_600, 60, "min"), (48 * 3_600, 3_600, "h"), (math.inf, 86_400, "d"))
"""Up to how many seconds a time is told in a unit of how many seconds."""

_IN_SECONDS = 100  # up to so many seconds, 42.5 s says more than 0.7 min
_WHOLE = 10  # from here on a rate needs no decimals


def format_count(number: int, one: str, many: str = "") -> str:
    """Return a number of things: ``1 image``, ``1,234 images``.

    Args:
        number: How many.
        one: The word for one of them.
        many: The word for several; ``one`` with an s where empty.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def format_share(value: float) -> str:
    """Return a share of 0 to 1 in percent, ``93.0%``; a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.1%}"


def format_interval(low: float, high: float) -> str:
    """Return an interval of shares: ``91.2% to 94.5%``."""
    return f"{format_share(low)} to {format_share(high)}"


def format_points(difference: float) -> str:
    """Return a difference of two shares in percentage points, ``+1.5 points``."""
    return f"{100 * difference:+.1f} points"


def per_hour(rate: float) -> str:
    """Return a rate: ``0.4 an hour``, ``1,060 an hour``."""
    return f"{rate:,.0f} an hour" if rate >= _WHOLE else f"{rate:.1f} an hour"


def format_duration(seconds: float | None) -> str:
    """Return a duration: ``85 ms``, ``1.24 s``, ``3.1 min``, ``13.5 h``; a dash for none or NaN."""
    if seconds is None or math.isnan(seconds):
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _IN_SECONDS:
        return f"{seconds:.3g} s"
    length, unit = next((length, unit) for most, length, unit in _UNITS[1:] if seconds < most)
    return f"{seconds / length:,.1f} {unit}"


def format_age(moment: datetime, now: datetime) -> str:
    """Return the time between two moments, rounded down: ``4 s``, ``12 min``, ``3 h``, ``2 d``."""
    # Clocks of two machines disagree: what is newer than now is 0 s old.
    seconds = max(0, int((now - moment).total_seconds()))
    length, unit = next((length, unit) for most, length, unit in _UNITS if seconds < most)
    return f"{seconds // length:,} {unit}"
