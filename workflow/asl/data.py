"""Data: what the fields of a state can see, and JSON as Step Functions writes it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Scope:
    """What a path or an expression can refer to.

    Attributes:
        input: What ``$`` means in JSONPath and ``$states.input`` in JSONata.
        context: The context object: ``$$`` in JSONPath, ``$states.context`` in JSONata.
        variables: The workflow variables by name.
        states: What ``$states`` holds beside input and context: ``result``, ``errorOutput``.
    """

    input: Any
    context: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    states: Mapping[str, Any] = field(default_factory=dict)


def to_json(value: object) -> str:
    """Return JSON without spaces, with other characters than ASCII as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def read_json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of JSON text.

    Raises:
        ValueError: The text is not JSON; Python's NaN and Infinity are none.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("The JSON is nested too deeply.") from None


def json_or_none(text: str | None) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of JSON text that somebody else wrote; None where it is not JSON."""
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")


def json_size(value: object) -> int:
    """Return how many bytes a value takes as JSON."""
    # JSON may hold a lone surrogate ("\ud800"), which strict UTF-8 refuses to encode.
    return len(to_json(value).encode(errors="surrogatepass"))


def type_name(value: object) -> str:
    """Return the name of a JSON value's type, as messages of the language write it."""
    if value is None:
        return "null"
    names = {bool: "boolean", str: "string", int: "number", float: "number", list: "array"}
    return names.get(type(value), "object")


def json_equal(left: object, right: object) -> bool:
    """Return whether two JSON values are the same; ``true`` is not ``1``."""
    # In Python True == 1, also deep inside lists and dictionaries.
    return left == right and _type_shape(left) == _type_shape(right)


def _type_shape(value: object) -> object:
    """Return the shape of a value with its booleans told from numbers."""
    if isinstance(value, dict):
        return {key: _type_shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_type_shape(item) for item in value]
    return isinstance(value, bool)
