"""Waiting: how long a Wait state waits."""

import datetime as dt
from typing import Any

from localcloud.states.fields import Fields
from workflow.asl import paths
from workflow.asl.data import to_json
from workflow.asl.failures import LanguageError, QueryError, StatesRuntimeError
from workflow.asl.paths import PathNotFound
from workflow.asl.times import read_time

_LONGEST = 2**31 - 1


def seconds_to_wait(fields: Fields, given: Any, now: float) -> float:  # noqa: ANN401 - any JSON value
    """Return how many seconds to wait; nothing for a time that is past.

    Args:
        fields: The fields of the Wait state.
        given: Its input after InputPath.
        now: Seconds since 1970.

    Raises:
        LanguageError: The number or the time cannot be used.
    """
    state = fields.state
    if "TimestampPath" in state or "Timestamp" in state:
        delay = _read_timestamp(fields, given).timestamp() - now
    else:
        delay = _read_seconds(fields, given)
    if delay > _LONGEST:
        raise StatesRuntimeError("Wait state delay is too long.")
    return max(0.0, delay)


def _read_seconds(fields: Fields, given: Any) -> float:  # noqa: ANN401 - any JSON value
    path = fields.state.get("SecondsPath")
    if path is None:
        value = fields.read_value("Seconds", "number")
        if value < 0 or value != int(value):
            raise QueryError(
                f"The Seconds field must be a non-negative integer, but was: {value}", "Seconds"
            )
        return float(value)
    value = _resolve_path(fields, "SecondsPath", given)
    # A bool is an int in Python, and true is no number of seconds.
    if isinstance(value, bool) or not isinstance(value, int):
        raise StatesRuntimeError(
            f"The SecondsPath parameter cannot be parsed as a long value: {path} == "
            f"{to_json(value)}"
        )
    if value < 0:
        raise StatesRuntimeError(
            f"The SecondsPath parameter references a negative value: {path} == {value}"
        )
    return float(value)


def _read_timestamp(fields: Fields, given: Any) -> dt.datetime:  # noqa: ANN401 - any JSON value
    path = fields.state.get("TimestampPath")
    value = fields.read_value("Timestamp", "string") if path is None else None
    if path is not None:
        value = _resolve_path(fields, "TimestampPath", given)
    moment = read_time(value)
    if moment is not None:
        return moment
    shown = value if isinstance(value, str) else to_json(value)
    failure: LanguageError
    if path is None:
        failure = QueryError(
            "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format "
            f"string: {shown}",
            "Timestamp",
        )
    else:
        failure = StatesRuntimeError(
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset "
            f"date-time format string: {path} == {shown}"
        )
    raise failure


def _resolve_path(fields: Fields, field: str, given: Any) -> Any:  # noqa: ANN401 - any JSON value
    path = fields.state[field]
    try:
        return paths.evaluate(paths.parse(path), fields.build_scope(given))
    except PathNotFound:
        raise StatesRuntimeError(
            f"The {field} parameter does not reference an input value: {path}"
        ) from None
