"""Event patterns: what EventBridge takes for one, and what they match, by moto's code. Pure.

Source: EventBridge User Guide, "Creating event patterns" and "Comparison operators for use in event
patterns"; quota of 2,048 characters.
"""

import ipaddress
import json
from collections.abc import Callable, Mapping
from typing import Any

from moto.events.models import EventPattern

from localcloud.errors import AwsError

_LONGEST = 2048
_NUMERIC = frozenset({"=", "<", "<=", ">", ">="})
_MOST = 1e9 * 5
"""Numbers are compared between plus and minus five billion."""


def check_pattern(pattern: str) -> None:
    """Refuse what EventBridge refuses.

    Raises:
        AwsError: ``InvalidEventPatternException``, with the reason.
    """
    if len(pattern) > _LONGEST:
        raise _refusal_error(f"it has more than {_LONGEST} characters")
    try:
        given = json.loads(pattern)
    except (ValueError, RecursionError) as error:
        raise _refusal_error(str(error)) from error
    if not isinstance(given, dict) or not given:
        raise _refusal_error("Filter is not an object")
    check_object(given)


def check_object(given: Mapping[str, Any]) -> None:
    """Refuse an object of a pattern.

    Raises:
        AwsError: ``InvalidEventPatternException``, with the reason.
    """
    for name, value in given.items():
        if name == "$or":
            _check_or(value)
        elif isinstance(value, dict):
            if not value:
                raise _refusal_error("Empty objects are not allowed")
            check_object(value)
        elif isinstance(value, list):
            _check_values(name, value)
        else:
            raise _refusal_error(f'"{name}" must be an object or an array')


def matches_event(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Return whether an event matches a pattern; of an array, one element has to."""
    return bool(EventPattern(None, dict(pattern)).matches_event(_merge_objects(event)))


def _merge_objects(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return objects of an array as one object of arrays: moto looks into no object of an array."""
    if isinstance(value, Mapping):
        return {name: _merge_objects(inner) for name, inner in value.items()}
    if not isinstance(value, list) or not any(isinstance(one, dict) for one in value):
        return value
    # AWS looks into each object of an array: one element that matches is enough.
    together: dict[str, list[Any]] = {}
    for one in value:
        for name, inner in one.items() if isinstance(one, dict) else ():
            together.setdefault(name, []).extend(inner if isinstance(inner, list) else [inner])
    return _merge_objects(together)


def _check_or(value: Any) -> None:  # noqa: ANN401 - whatever JSON holds
    fits = isinstance(value, list) and len(value) > 1
    if not fits or not all(isinstance(one, dict) and one for one in value):
        raise _refusal_error('"$or" must be an array of two objects or more')
    for one in value:
        check_object(one)


def _check_values(name: str, values: list[Any]) -> None:
    if not values:
        raise _refusal_error("Empty arrays are not allowed")
    for value in values:
        if isinstance(value, list):
            raise _refusal_error(f'"{name}" holds an array within an array')
        if isinstance(value, dict):
            _check_operator(value)


def _check_operator(given: dict[str, Any]) -> None:
    if len(given) != 1:
        raise _refusal_error("Only one key allowed in match expression")
    ((name, value),) = given.items()
    if name not in _OPERATORS:
        raise _refusal_error(f"Unrecognized match type {name}")
    if not _OPERATORS[name](value):
        raise _refusal_error(f"The value of {name} does not fit")


def _is_text(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, str) and bool(value)


def _is_affix(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, str) or (
        isinstance(value, dict)
        and value.keys() == {"equals-ignore-case"}
        and isinstance(value["equals-ignore-case"], str)
    )


def _is_number(value: Any) -> bool:  # noqa: ANN401
    return type(value) in (int, float) and -_MOST <= value <= _MOST


def _is_range(value: Any) -> bool:  # noqa: ANN401
    if not isinstance(value, list) or len(value) not in (2, 4):
        return False
    signs, numbers = value[::2], value[1::2]
    if not all(sign in _NUMERIC for sign in signs if isinstance(sign, str)):
        return False
    if not all(isinstance(sign, str) for sign in signs) or not all(map(_is_number, numbers)):
        return False
    if len(signs) == 1:
        return True
    low, high = signs
    return bool(low[0] == ">" and high[0] == "<" and numbers[0] < numbers[1])


def _is_cidr(value: Any) -> bool:  # noqa: ANN401
    try:
        return (
            isinstance(value, str)
            and "/" in value
            and bool(ipaddress.ip_network(value, strict=False))
        )
    except ValueError:
        return False


def _is_wildcard(value: Any) -> bool:  # noqa: ANN401
    return _is_text(value) and "**" not in value


def _is_exception(value: Any) -> bool:  # noqa: ANN401
    if isinstance(value, dict):
        if len(value) != 1:
            return False
        ((name, inner),) = value.items()
        fits = _EXCEPTIONS.get(name)
        listed = inner if isinstance(inner, list) else [inner]
        return fits is not None and bool(listed) and all(map(fits, listed))
    listed = value if isinstance(value, list) else [value]
    texts, numbers = (all(isinstance(one, str) for one in listed), all(map(_is_number, listed)))
    return bool(listed) and (texts or numbers)


_EXCEPTIONS: dict[str, Callable[[Any], bool]] = {
    "prefix": _is_text,
    "suffix": _is_text,
    "equals-ignore-case": _is_text,
    "wildcard": _is_wildcard,
}
_OPERATORS: dict[str, Callable[[Any], bool]] = {
    "prefix": _is_affix,
    "suffix": _is_affix,
    "equals-ignore-case": lambda value: isinstance(value, str),
    "wildcard": _is_wildcard,
    "anything-but": _is_exception,
    "exists": lambda value: isinstance(value, bool),
    "numeric": _is_range,
    "cidr": _is_cidr,
}


def _refusal_error(reason: str) -> AwsError:
    return AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")
