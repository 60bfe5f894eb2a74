"""Quoted data: what AWS's own messages quote out of an execution, masked as a whole.

Step Functions and Lambda write inputs, payloads and values into their messages, at a place that the
form of the message tells. What stands there is data: it differs from execution to execution, and
nothing in it is an error. JSON is read to its end; what was cut in the middle goes to the end.
"""

import json
import re
from typing import Final

MASK: Final = "*"

_INTRODUCED: Final = re.compile(
    r"(?:\bin the input|\bto input|\bReturned payload:|\bevaluated to|\bfor value:"
    r"|\bto a number:|\bCurrent context is:|\bThe (?:Parameters|Arguments)(?= '\{)) ?(?=\S)"
)
"""What stands before data in the messages of Step Functions and of its JSON languages."""

_FORMS: Final = (
    "input",
    "payload:",
    "evaluated",
    "value",
    "Value '",
    "number:",
    "context",
    "Parameters '",
    "Arguments '",
    "token '",
    "(byte[])",
)
"""One of them is in every message that quotes data: looking for them first takes a tenth."""

_TO_THE_END: Final = re.compile(r"Current context is: ?$")
_ENCLOSED: Final = re.compile(
    r"(?<=\b[Vv]alue ')(?:(?!' at ').)*(?=' at ')"
    r"|(?<=\bUnrecognized token ').*?(?=': was expecting)"
    r"|(?<=\(byte\[\]\)\").*(?=\"(?:\[truncated|; line))",
    re.DOTALL,
)
"""``Value '<data>' at 'field' failed ...``, and what Lambda says of a payload that is not JSON."""

_QUOTED: Final = re.compile(r"'.*'(?=[\s.,;:)]|$)", re.DOTALL)
_BARE: Final = re.compile(r".*?(?=,? (?:but|which|instead of|rather than|not an?)\b|$)", re.DOTALL)
_DECODER: Final = json.JSONDecoder()


def without_data(message: str) -> str:
    """Return the message with each piece of quoted data as ``*``."""
    if not any(form in message for form in _FORMS):
        return message
    parts, start = [], 0
    while found := _INTRODUCED.search(message, start):
        parts.append(message[start : found.end()])
        start, mask = _measure_data(message, found.end(), found[0])
        parts.append(mask)
    return _ENCLOSED.sub(MASK, "".join(parts) + message[start:])


def _measure_data(message: str, start: int, introduction: str) -> tuple[int, str]:
    """Return where the data that starts there end, and what to put in their place."""
    if _TO_THE_END.search(introduction):
        return len(message), MASK
    quote = "'" if message[start] == "'" else ""
    begin, mask = start + len(quote), f"{quote}{MASK}{quote}"
    end = _end_of_json(message, begin)
    if end and message.startswith(quote, end):
        return end + len(quote), mask
    # JSON that does not end: Step Functions has cut the message, so the rest is data too.
    if message[begin : begin + 1] in ("{", "[", '"'):
        return len(message), mask
    plain = (_QUOTED if quote else _BARE).match(message, start)
    return (plain.end() if plain else len(message)), mask


def _end_of_json(message: str, start: int) -> int | None:
    if message[start : start + 1] not in ("{", "[", '"'):
        return None
    try:
        return _DECODER.raw_decode(message, start)[1]
    except (ValueError, RecursionError):
        return None
