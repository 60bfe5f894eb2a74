"""Times: the timestamps of the States Language, read as the times that they mean."""

import datetime as dt
import re
from typing import Final

_FORM: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(:\d{2})?(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})", re.ASCII
)


def read_time(text: object) -> dt.datetime | None:
    """Return the time of an ISO-8601 extended offset date-time; None where a value is none."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    minutes, seconds, fraction, offset = match.groups()
    # Nanoseconds may be written, and datetime holds microseconds.
    micros = ((fraction or "") + "000000")[:6]
    written = f"{minutes}{seconds or ':00'}.{micros}{offset.replace('Z', '+00:00')}"
    try:
        return dt.datetime.fromisoformat(written)
    except ValueError:
        return None
