"""Queries: JSONata, evaluated by jsonata-python with the functions that Step Functions adds.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import hashlib
import json
import math
import random
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import jsonata
from jsonata.utils import Utils

from workflow.asl.data import Scope, to_json, type_name
from workflow.asl.failures import QueryError

_HASHES: Final = ("MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512")
_RANGE_LIMIT: Final = 1000
# An expression that calls itself without end would never come back.
_LONGEST_MILLISECONDS: Final = 5_000
_MISSING: Final = object()


def expression_of(value: object) -> str | None:
    """Return the JSONata of a field without its ``{%`` and ``%}``; None where it is none."""
    if isinstance(value, str) and value.startswith("{%") and value.endswith("%}"):
        return value[2:-2].strip()
    return None


@lru_cache(1024)
def syntax_fault(text: str) -> str | None:
    """Return what is wrong with the syntax of an expression; None where nothing is."""
    try:
        parsed = jsonata.Jsonata(text)
    except jsonata.JException as error:
        return _format_error(error)
    # The parser of the library lets its own Python errors out on some malformed expressions.
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError):
        return "The expression cannot be read."
    return "The expression cannot be read." if parsed.get_errors() else None


def evaluate(text: str, scope: Scope, location: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of an expression.

    Args:
        text: The expression without its marks.
        scope: What it can refer to; ``$states`` is made of it.
        location: The field that holds it, such as ``Output/result``.

    Raises:
        QueryError: It fails, gives nothing, or gives what is not JSON.
    """
    about = f"The JSONata expression '{text}' specified for the field '{location}'"
    try:
        # An expression keeps marks of its evaluation, so each evaluation has one of its own.
        query = jsonata.Jsonata(text, timeout=_LONGEST_MILLISECONDS)
        # With nulls kept as they are, None means that the expression found nothing.
        query.set_output_convert_nulls(False)
        found = query.evaluate(None, _build_bindings(scope))
    except jsonata.JException as error:
        detail = f"{about} threw an error during evaluation. {_format_error(error)}"
        raise QueryError(detail, location) from None
    except RecursionError:
        detail = f"{about} threw an error during evaluation. U1001: Stack overflow error"
        raise QueryError(detail, location) from None
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError):
        # The library leaves some faults of an expression to Python; their names mean nothing here.
        raise QueryError(f"{about} threw an error during evaluation.", location) from None
    if found is None:
        raise QueryError(f"{about} returned nothing (undefined).", location)
    value = _to_json_value(found)
    if value is _MISSING:
        raise QueryError(f"{about} returned an unsupported result type.", location)
    return value


def expect_type(value: Any, kind: str, text: str, location: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value, if it is of the JSON type that a field needs.

    Raises:
        QueryError: It is of another one.
    """
    found = type_name(value)
    if found != kind:
        raise QueryError(
            f"The JSONata expression '{text}' specified for the field '{location}' returned an "
            f"unexpected result type. Expected '{kind}', but was '{found}' for value: "
            f"{to_json(value)}",
            location,
        )
    return value


def _format_error(error: jsonata.JException) -> str:
    """Return an error as JSONata words it: code and sentence."""
    text = str(error)
    return text if text.startswith(str(error.error)) else f"{error.error}: {text}"


def _build_bindings(scope: Scope) -> dict[str, Any]:
    states = {"input": scope.input, "context": scope.context, **scope.states}
    bound = {name: Utils.NULL_VALUE if v is None else v for name, v in scope.variables.items()}
    functions: Mapping[str, Callable[..., Any]] = _FUNCTIONS
    made = {name: jsonata.Jsonata.JLambda(function) for name, function in functions.items()}
    # The order is one of precedence: a variable hides a function, and nothing hides $states.
    return {**made, **bound, "states": states}


def _to_json_value(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a result as plain JSON, or ``_MISSING`` for what is not JSON."""
    if value is None or value is Utils.NULL_VALUE:
        return None
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) and math.isfinite(value):
        return int(value) if value == int(value) and abs(value) < 1e15 else value  # noqa: PLR2004 - JavaScript writes larger numbers otherwise
    if isinstance(value, dict):
        made = {str(key): _to_json_value(item) for key, item in value.items()}
        return _MISSING if any(item is _MISSING for item in made.values()) else made
    if isinstance(value, list | tuple | range):
        items = [_to_json_value(item) for item in value]
        return _MISSING if any(item is _MISSING for item in items) else items
    return _MISSING


# -- functions that Step Functions adds --------------------------------------------------------


def _partition_items(items: list[Any], size: float) -> list[list[Any]]:
    step = int(size)
    if step < 1:
        raise ValueError("size")
    return [list(items[start : start + step]) for start in range(0, len(items), step)]


def _make_range(first: float, last: float, step: float) -> list[float]:
    found: list[float] = []
    value = first
    while (value <= last if step > 0 else value >= last) and len(found) <= _RANGE_LIMIT:
        found.append(value)
        value += step
    if step == 0 or len(found) > _RANGE_LIMIT:
        raise ValueError("range")
    return found


def _hash_text(data: str, algorithm: str) -> str:
    if algorithm not in _HASHES:
        raise ValueError(algorithm)
    name = algorithm.replace("-", "").lower()
    return hashlib.new(name, data.encode(), usedforsecurity=False).hexdigest()


def _draw_number(seed: float | None = None) -> float:
    return random.Random(seed).random()  # noqa: S311 - no secret


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "partition": _partition_items,
    "range": _make_range,
    "hash": _hash_text,
    "random": _draw_number,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": json.loads,
}
