"""Redaction: what leaves an execution when its data is exported, without secrets and image bytes.

``workflow.secret_forms`` knows the forms of secrets in text; here they are found in JSON, in text
that is JSON and in JSON that a sentence quotes.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from workflow.secret_forms import (
    ACCOUNT_PLACEHOLDER,
    REDACTED,
    SAMPLE_BASE64,
    SAMPLE_IMAGE,
    SECRET_NAME,
    without_secrets,
)

NOT_BASE64: Final = "(redacted, was no base64)"

_MAX_NESTING: Final = 32
_MAX_PIECES: Final = 500
"""How many brackets of one text are tried as the start of JSON."""

_MIN_BYTES: Final = 32
"""So many whole numbers of a byte each are data, not counts."""

_MIN_PIXELS: Final = 192
_IMAGE_STARTS: Final = tuple(
    tuple(start) for start in (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")
)
_COUNT: Final = re.compile(r"tokens|count|length|size|ttl|expir|seconds|days|age$", re.IGNORECASE)
_NAMING: Final = re.compile(r"\w*(?:name|key|header|field|option)|k", re.IGNORECASE)
_NAMED: Final = re.compile(r"\w*value|v|val|content", re.IGNORECASE)
_PATH: Final = re.compile(r"\$\$?(?:[.\[][\w.\[\]'*-]*)?|\{%\s*\$states[\w.]*\s*%\}")
_OPENING: Final = re.compile(r"[\[{]")
_DECODER: Final = json.JSONDecoder()


def redact(value: Any, depth: int = _MAX_NESTING) -> Any:  # noqa: ANN401 - JSON of any shape
    """Return the value without secrets, image bytes and account ids; its shape stays.

    JSON inside text, as in a body, is redacted likewise and stays text.
    """
    if depth == 0:
        return REDACTED
    if isinstance(value, Mapping):
        return _redact_object(value, depth - 1)
    if isinstance(value, list):
        return _redact_list(value, depth - 1)
    return redact_text(value, depth) if isinstance(value, str) else value


def redact_text(text: str, depth: int = _MAX_NESTING) -> str:
    """Return text, or JSON as text, without secrets, image bytes and account ids."""
    if depth <= 0:
        return REDACTED
    if text.lstrip()[:1] in ("{", "[", '"'):
        try:
            return json.dumps(redact(json.loads(text), depth - 1))
        except (ValueError, RecursionError):
            pass  # then it is a sentence that begins so
    return without_secrets("".join(_with_pieces_redacted(text, depth)))


def _with_pieces_redacted(text: str, depth: int) -> Iterator[str]:
    """Yield the text in parts, each object and list of JSON within it redacted."""
    start = searched = 0
    for _ in range(_MAX_PIECES):
        opening = _OPENING.search(text, searched)
        if opening is None:
            break
        try:
            value, end = _DECODER.raw_decode(text, opening.start())
        except ValueError:
            searched = opening.end()
            continue
        except RecursionError:  # nested so deep it is not JSON; each bracket would be as slow
            break
        yield text[start : opening.start()]
        yield json.dumps(redact(value, depth - 1))
        start = searched = end
    yield text[start:]


def _redact_object(value: Mapping[str, Any], depth: int) -> dict[str, Any]:
    # A Node.js Buffer or typed array as JSON: {"0": 137, "1": 80, ...}.
    numbers = list(value.values())
    if _is_bytes(numbers) and list(value) == [str(place) for place in range(len(numbers))]:
        return {str(place): byte for place, byte in enumerate(_replacement_bytes(numbers))}
    named = _holds_named_secret(value)
    redacted: dict[str, Any] = {}
    for key, item in value.items():
        name = redact_text(str(key), depth)
        while name in redacted:  # two secrets as keys are two entries still
            name += "'"
        secret = (named and _NAMED.fullmatch(str(key))) or (
            value.get("kind") == "Secret" and key in ("data", "stringData")  # of Kubernetes
        )
        redacted[name] = _redact_secret(item) if secret else _redact_entry(str(key), item, depth)
    return redacted


def _holds_named_secret(value: Mapping[str, Any]) -> bool:
    """Return whether it is a pair such as ``{"Name": "DB_PASSWORD", "Value": ...}``."""
    names = [item for key, item in value.items() if _NAMING.fullmatch(str(key))]
    named = any(isinstance(name, str) and SECRET_NAME.search(name) for name in names)
    return named or value.get("Type") == "SecureString"  # a parameter of Systems Manager


def _redact_entry(key: str, item: Any, depth: int) -> Any:  # noqa: ANN401 - JSON of any shape
    number = isinstance(item, int | float)
    if key == "image_data" and isinstance(item, str) and item:
        return SAMPLE_BASE64 if _is_base64(item) else NOT_BASE64
    if number and re.search("account|owner", key, re.IGNORECASE) and len(str(item)) == 12:  # noqa: PLR2004
        return int(ACCOUNT_PLACEHOLDER)
    if not SECRET_NAME.search(key) or (number and _COUNT.search(key)):
        return redact(item, depth)
    if isinstance(item, str) and _PATH.fullmatch(item):
        return item  # a definition says where the value is, not what it is
    return _redact_secret(item)


def _redact_secret(item: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    return item if isinstance(item, bool) or item in (None, "", [], {}) else REDACTED


def _redact_list(items: list[Any], depth: int) -> list[Any]:
    numbers = list(_flatten_list(items, depth))
    # Flattened: an image may be rows of pixels of channels.
    if _is_bytes(numbers) or (numbers != items and _are_pixels(numbers)):
        return list(_replacement_bytes(numbers))
    redacted = [redact(item, depth) for item in items]
    # A command line such as ["--password", "x"], or a pair of header and value.
    for place, (option, item) in enumerate(pairwise(items), start=1):
        named = isinstance(option, str) and SECRET_NAME.search(option)
        pair = len(items) == 2 or (isinstance(option, str) and option.startswith("-"))  # noqa: PLR2004
        if named and pair and isinstance(item, str) and not re.search(r"[\s=]", option):
            redacted[place] = _redact_secret(item)
    return redacted


def _flatten_list(items: Sequence[Any], depth: int) -> Iterator[Any]:
    for item in items:
        if isinstance(item, list) and depth > 0:
            yield from _flatten_list(item, depth - 1)
        else:
            yield item


def _are_pixels(numbers: Sequence[Any]) -> bool:
    return len(numbers) >= _MIN_PIXELS and all(isinstance(one, int | float) for one in numbers)


def _is_bytes(numbers: Sequence[Any]) -> bool:
    """Return whether these are bytes, signed or not, of data, an image or text with a secret."""
    if not numbers or not all(type(one) is int and -128 <= one < 256 for one in numbers):  # noqa: PLR2004
        return False
    text = "".join(chr(one % 256) for one in numbers)
    return len(numbers) >= _MIN_BYTES or _is_image(numbers) or without_secrets(text) != text


def _is_image(numbers: Sequence[int]) -> bool:
    first = tuple(one % 256 for one in numbers[:4])
    return any(first[: len(start)] == start for start in _IMAGE_STARTS)


def _replacement_bytes(numbers: Sequence[Any]) -> bytes:
    return SAMPLE_IMAGE if _is_bytes(numbers) and _is_image(numbers) else REDACTED.encode()


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return False
    return True
