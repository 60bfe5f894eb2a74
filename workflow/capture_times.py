"""Capture times: when endpoints answered, many texts at a time.

SageMaker writes ``2024-01-31T23:59:59Z``; other ISO 8601 forms are read one by one.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = len("2024-01-31T23:59:59Z")

_LOWEST: Final = np.frombuffer(b"0000-00-00T00:00:00Z", np.uint8)
_RANGE: Final = np.frombuffer(b"9999-99-99T99:99:99Z", np.uint8) - _LOWEST
_YEAR_1: Final = np.datetime64("0001-01-01")


def times_of(texts: Sequence[str]) -> NDArray[np.datetime64]:
    """Read times as microseconds in UTC; NaT where a text is not a time."""
    joined = "".join(texts)
    if joined.isascii() and set(map(len, texts)) == {WIDTH}:
        return times_in(np.frombuffer(joined.encode(), np.uint8).reshape(len(texts), WIDTH))
    return np.array([_parse_time(text) for text in texts], "datetime64[us]")


def times_in(letters: NDArray[np.uint8]) -> NDArray[np.datetime64]:
    """Read times of one width, a row of ASCII letters each, as ``times_of`` does."""
    if letters.shape[1] == WIDTH:
        rows = np.ascontiguousarray(letters)
        if (rows - _LOWEST <= _RANGE).all():
            # A view of all letters but the Z: NumPy parses datetime64 without a zone only.
            seconds = np.ndarray(len(rows), f"S{WIDTH - 1}", rows, strides=(WIDTH,))
            try:
                times = seconds.astype("datetime64[us]")
            except ValueError:  # a day or an hour that does not exist: told one by one
                pass
            else:
                if (times >= _YEAR_1).all():  # there is no year 0
                    return times
    return np.array([_parse_time(bytes(row).decode()) for row in letters], "datetime64[us]")


def _parse_time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        # SageMaker's times are UTC also where they name no zone.
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, OverflowError):
        return None
