"""Intrinsics: ``States.Format`` and the other functions of JSONPath states.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

import base64
import binascii
import hashlib
import json
import math
import random
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from workflow.asl import paths
from workflow.asl.data import Scope, json_equal, to_json
from workflow.asl.failures import LanguageError, StatesRuntimeError
from workflow.asl.paths import InvalidPath, Path, PathNotFound

_NAME: Final = re.compile(r"States\.(\w+)\(")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
# A backslash stands before a quote, a brace or another one, and nowhere else.
_STRING: Final = re.compile(r"'((?:[^'\\]|\\['{}\\])*)'")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_HOLE: Final = re.compile(r"\\(.)|\{\}", re.DOTALL)
_WORDS: Final = {"true": True, "false": False, "null": None}
_RANGE_LIMIT: Final = 1000
_TEXT_LIMIT: Final = 10_000
_HASHES: Final = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


class InvalidCall(ValueError):  # noqa: N818 - the text is invalid, not the program
    """Text that is no call of an intrinsic function."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string in a call, with its escapes: ``States.Format`` reads them otherwise than others."""

    raw: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a boolean or null in a call."""

    value: Any


@dataclass(frozen=True, slots=True)
class IntrinsicCall:
    """A call: ``States.`` is left out of the name; ``text`` is the call as it was written."""

    name: str
    arguments: "tuple[Text | Literal | Path | IntrinsicCall, ...]"
    text: str


def is_call(text: str) -> bool:
    """Return whether a text is meant to be a call rather than a path."""
    return text.startswith("States.")


@lru_cache(1024)
def parse(text: str) -> IntrinsicCall:
    """Parse a call.

    Raises:
        InvalidCall: The text is no call, names no function that there is, or gives it the wrong
            number of arguments.
    """
    call, end = _parse_call(text, 0)
    if text[end:].strip():
        raise InvalidCall(f"'{text}' goes on after the call.")
    return call


def referenced_paths(call: IntrinsicCall) -> list[Path]:
    """Return every path in a call and the calls within."""
    found: list[Path] = []
    for argument in call.arguments:
        if isinstance(argument, Path):
            found.append(argument)
        elif isinstance(argument, IntrinsicCall):
            found += referenced_paths(argument)
    return found


def evaluate(call: IntrinsicCall, scope: Scope) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a call.

    Raises:
        LanguageError: ``States.IntrinsicFailure`` for a value that the function does not take,
            ``States.Runtime`` for a path that leads nowhere.
    """
    values = [_argument_value(argument, call, scope) for argument in call.arguments]
    try:
        return _FUNCTIONS[call.name].function(*values)
    except _Refused as refusal:
        detail = f"The function '{call.text}' had the following error: {refusal}"
        raise LanguageError("States.IntrinsicFailure", detail) from None


def _argument_value(
    argument: Text | Literal | Path | IntrinsicCall, call: IntrinsicCall, scope: Scope
) -> Any:  # noqa: ANN401
    if isinstance(argument, Text):
        # Format has to tell an escaped brace from a placeholder: its text keeps the escapes.
        return argument if call.name == "Format" else _unescape_text(argument.raw)
    if isinstance(argument, Literal):
        return argument.value
    if isinstance(argument, IntrinsicCall):
        return evaluate(argument, scope)
    try:
        return paths.evaluate(argument, scope)
    except PathNotFound:
        seen = to_json(scope.context if argument.root == "$$" else scope.input)
        raise StatesRuntimeError(
            f"The function '{call.text}' had the following error: The JsonPath argument for the "
            f"field '{argument.text}' could not be found in the input '{seen}'"
        ) from None


# -- reading -----------------------------------------------------------------------------------


def _parse_call(text: str, start: int) -> tuple[IntrinsicCall, int]:
    match = _NAME.match(text, start)
    if match is None:
        raise InvalidCall(f"'{text}' is no call of an intrinsic function.")
    if match[1] not in _FUNCTIONS:
        raise InvalidCall(f"There is no intrinsic function 'States.{match[1]}'.")
    arguments: list[Text | Literal | Path | IntrinsicCall] = []
    # Blanks are allowed around every argument, but not between a name and its bracket.
    at = _skip_blanks(text, match.end())
    while text[at : at + 1] != ")":
        argument, at = _parse_operand(text, at)
        arguments.append(argument)
        at = _skip_blanks(text, at)
        if text[at : at + 1] == ",":
            at = _skip_blanks(text, at + 1)
            if text[at : at + 1] == ")":
                raise InvalidCall(f"'{text}' lacks an argument after its last comma.")
        elif text[at : at + 1] != ")":
            raise InvalidCall(f"'{text}' lacks a comma or a bracket at character {at + 1}.")
    least, most = _FUNCTIONS[match[1]].counts
    if not least <= len(arguments) <= most:
        raise InvalidCall(f"'States.{match[1]}' does not take {len(arguments)} arguments.")
    return IntrinsicCall(match[1], tuple(arguments), text[start : at + 1]), at + 1


def _parse_operand(text: str, at: int) -> tuple[Text | Literal | Path | IntrinsicCall, int]:
    if text.startswith("States.", at):
        return _parse_call(text, at)
    if text.startswith("$", at):
        end = _path_end(text, at)
        try:
            return paths.parse(text[at:end].rstrip()), end
        except InvalidPath as error:
            raise InvalidCall(str(error)) from None
    if match := _STRING.match(text, at):
        return Text(match[1]), match.end()
    if match := _NUMBER.match(text, at):
        number = float(match[0]) if set(match[0]) & set(".eE") else int(match[0])
        return Literal(number), match.end()
    for word, value in _WORDS.items():
        if text.startswith(word, at):
            return Literal(value), at + len(word)
    raise InvalidCall(f"'{text}' has an argument that cannot be read at character {at + 1}.")


def _path_end(text: str, at: int) -> int:
    """Return where a path among arguments ends: at a comma or bracket outside its own."""
    depth, quote = 0, ""
    while at < len(text):
        char = text[at]
        if quote:
            # A backslash hides the character behind it, a quote among them.
            at += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"" and depth:
            quote = char
        elif char in "[(":
            depth += 1
        elif char in ",)" and not depth:
            return at
        elif char in "])":
            depth -= 1
        at += 1
    return min(at, len(text))


def _skip_blanks(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


# -- the functions -----------------------------------------------------------------------------


class _Refused(Exception):  # noqa: N818 - the reason, for ``evaluate`` alone
    """Why a function does not take a value."""


def _unescape_text(raw: str) -> str:
    return _ESCAPE.sub(r"\1", raw)


def _format_template(template: Any, *values: Any) -> str:  # noqa: ANN401 - any JSON value
    raw = template.raw if isinstance(template, Text) else template
    if not isinstance(raw, str):
        raise _Refused("The template must be a string.")
    # Escapes match too, so that an escaped brace is passed over and not counted.
    holes = sum(match[0] == "{}" for match in _HOLE.finditer(raw))
    if holes != len(values):
        raise _Refused(
            f"The number of placeholders, {holes}, is not the number of values, {len(values)}."
        )
    given = iter(values)
    return _HOLE.sub(lambda match: match[1] or _format_value(next(given)), raw)


def _format_value(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a value in formatted text: a string as it is, an object as ``{a=1, b=[x, y]}``."""
    if isinstance(value, Text):
        return _unescape_text(value.raw)
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_format_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_format_value, value)) + "]"
    return to_json(value)


def _string_to_json(text: Any) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(_require_text(text)) if _require_text(text).strip() else None
    except ValueError:
        raise _Refused("The argument is not a JSON string.") from None


def _partition_array(items: Any, size: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    step = _require_integer(size)
    if step < 1:
        raise _Refused("The chunk size must be a positive integer.")
    array = _require_array(items)
    return [array[start : start + step] for start in range(0, len(array), step)]


def _make_range(first: Any, last: Any, step: Any) -> list[int]:  # noqa: ANN401 - any JSON value
    start, end, by = _require_integer(first), _require_integer(last), _require_integer(step)
    if by == 0:
        raise _Refused("The increment must not be zero.")
    # The last number belongs to the result, unlike in Python's range.
    found = range(start, end + (1 if by > 0 else -1), by)
    if len(found) > _RANGE_LIMIT:
        raise _Refused(f"The array must not contain more than {_RANGE_LIMIT} elements.")
    return list(found)


def _get_item(items: Any, index: Any) -> Any:  # noqa: ANN401 - any JSON value
    array, at = _require_array(items), _require_integer(index)
    if not 0 <= at < len(array):
        raise _Refused(f"The index {at} is not within the bounds of the array.")
    return array[at]


def _remove_duplicates(items: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    found: list[Any] = []
    for item in _require_array(items):
        if not any(json_equal(item, other) for other in found):
            found.append(item)
    return found


def _encode_base64(text: Any) -> str:  # noqa: ANN401 - any JSON value
    return base64.b64encode(_require_short_text(text).encode()).decode()


def _decode_base64(text: Any) -> str:  # noqa: ANN401 - any JSON value
    try:
        return base64.b64decode(_require_short_text(text), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _Refused("The argument is not valid Base64 text.") from None


def _hash_text(data: Any, algorithm: Any) -> str:  # noqa: ANN401 - any JSON value
    if algorithm not in _HASHES:
        raise _Refused(f"The algorithm must be one of {', '.join(_HASHES)}.")
    text = data if isinstance(data, str) else to_json(data)
    return hashlib.new(
        _HASHES[algorithm], _require_short_text(text).encode(), usedforsecurity=False
    ).hexdigest()


def _merge_objects(first: Any, second: Any, deep: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    if not isinstance(first, dict) or not isinstance(second, dict):
        raise _Refused("The first two arguments must be JSON objects.")
    if deep is not False:
        raise _Refused("Only shallow merging is supported: the third argument must be false.")
    return {**first, **second}


def _draw_integer(first: Any, last: Any, *seed: Any) -> int:  # noqa: ANN401 - any JSON value
    start, end = _require_integer(first), _require_integer(last)
    if start >= end:
        raise _Refused("The start number must be less than the end number.")
    # The same seed gives the same number on AWS too, though another one than here.
    chance = random.Random(*(_require_integer(part) for part in seed))  # noqa: S311 - no secret
    return chance.randrange(start, end)


def _split_text(text: Any, separators: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    marks = "".join(map(re.escape, _require_text(separators)))
    parts = re.split(f"[{marks}]", _require_text(text)) if marks else [_require_text(text)]
    # Separators side by side give no empty parts, unlike str.split.
    return [part for part in parts if part]


def _require_array(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, list):
        raise _Refused("The argument must be an array.")
    return value


def _require_text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if not isinstance(value, str):
        raise _Refused("The argument must be a string.")
    return value


def _require_short_text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if len(_require_text(value)) > _TEXT_LIMIT:
        raise _Refused(f"The text must not be longer than {_TEXT_LIMIT} characters.")
    return str(value)


def _require_integer(value: Any) -> int:  # noqa: ANN401 - any JSON value
    """Return a number, rounded to the nearest integer as AWS does."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refused("The argument must be a number.")
    # Halves round up, also -1.5 to -1; Python's round would take the even neighbour.
    return math.floor(value + 0.5)


def _contains_item(items: Any, wanted: Any) -> bool:  # noqa: ANN401 - any JSON value
    return any(json_equal(item, wanted) for item in _require_array(items))


@dataclass(frozen=True, slots=True)
class _Function:
    function: Callable[..., Any]
    counts: tuple[int, int]


_MANY: Final = 1000


def _make_array(*values: Any) -> Sequence[Any]:  # noqa: ANN401 - any JSON value
    return list(values)


_FUNCTIONS: Final = {
    "Array": _Function(_make_array, (0, _MANY)),
    "ArrayContains": _Function(_contains_item, (2, 2)),
    "ArrayGetItem": _Function(_get_item, (2, 2)),
    "ArrayLength": _Function(lambda items: len(_require_array(items)), (1, 1)),
    "ArrayPartition": _Function(_partition_array, (2, 2)),
    "ArrayRange": _Function(_make_range, (3, 3)),
    "ArrayUnique": _Function(_remove_duplicates, (1, 1)),
    "Base64Decode": _Function(_decode_base64, (1, 1)),
    "Base64Encode": _Function(_encode_base64, (1, 1)),
    "Format": _Function(_format_template, (1, _MANY)),
    "Hash": _Function(_hash_text, (2, 2)),
    "JsonMerge": _Function(_merge_objects, (3, 3)),
    "JsonToString": _Function(to_json, (1, 1)),
    "MathAdd": _Function(
        lambda left, right: _require_integer(left) + _require_integer(right), (2, 2)
    ),
    "MathRandom": _Function(_draw_integer, (2, 3)),
    "StringSplit": _Function(_split_text, (2, 2)),
    "StringToJson": _Function(_string_to_json, (1, 1)),
    "UUID": _Function(lambda: str(uuid.uuid4()), (0, 0)),
}
