"""Outputs: what an endpoint answered, as probability rows or as the reason why it is none.

SageMaker data capture stores an endpoint's answer as text in one of three encodings (JSON, CSV,
BASE64). One answer holds one row of probabilities, or one row an input of a batch request.
"""

import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

SUM_TOLERANCE: Final = 0.01
"""How far the sum of a row may be from one: outputs are rounded, quantized softmax drifts."""

_MAX_NESTING: Final = 8
_DETAIL_CHARACTERS: Final = 80
_NUMBER: Final = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE
)
_NUMBERS: Final = msgspec.json.Decoder(list[float])


class OutputError(Exception):
    """An endpoint's answer is no row of probabilities.

    Attributes:
        reason: A short stable phrase that names the kind, such as ``empty output``.
        detail: The numbers or the text involved.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers in one buffer, with room for a separator behind each.

    Attributes:
        letters: The buffer; spaces stand between the answers.
        begins: Where each answer begins.
        ends: Where each answer ends; a space follows.
    """

    letters: NDArray[np.uint8]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[bytes]) -> "Answers":
        """Lay texts side by side."""
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        ends = np.cumsum(sizes + 1) - 1
        return cls(np.frombuffer(b" ".join([*texts, b""]), np.uint8), ends - sizes, ends)

    @classmethod
    def rows(cls, letters: NDArray[np.uint8], sizes: NDArray[np.int64]) -> "Answers":
        """Take the first letters of each row of a matrix, in which each row has one to spare."""
        count, width = letters.shape
        kept = np.arange(width, dtype=np.int32) < sizes.astype(np.int32)[:, None]
        begins = np.arange(count) * width
        return cls(np.where(kept, letters, np.uint8(ord(" "))).ravel(), begins, begins + sizes)

    def texts(self) -> list[bytes]:
        """Each answer by itself."""
        whole = self.letters.tobytes()
        spans = zip(self.begins.tolist(), self.ends.tolist(), strict=True)
        return [whole[begin:end] for begin, end in spans]


def bulk_rows(
    answers: Answers, encoding: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Read many answers of one row each in one step.

    Args:
        answers: The ``data`` of each answer, in UTF-8.
        encoding: The ``encoding`` of all of them.

    Returns:
        All rows one after the other and the width of each, one row an answer; None where any
        answer needs ``probability_rows``.
    """
    try:
        if encoding != "JSON":
            lists = [_as_json_list(answer.decode(), encoding) for answer in answers.texts()]
            answers = Answers.of(lists)
        letters = answers.letters.copy()
        # Each answer begins and ends a list and holds no further one: none borrows from another.
        if not (_only(letters, "[", answers.begins) and _only(letters, "]", answers.ends - 1)):
            return None
        commas = np.flatnonzero(letters == ord(","))
        letters[answers.begins] = letters[answers.ends - 1] = ord(" ")
        letters[answers.ends[:-1]] = ord(",")
        values = _NUMBERS.decode(b"[%b]" % letters.tobytes())
    except (OutputError, msgspec.MsgspecError, ValueError, RecursionError):
        return None
    widths = _between(commas, answers) + 1
    if len(values) != widths.sum():
        return None
    return np.fromiter(values, np.float64, len(values)), widths


def _only(letters: NDArray[np.uint8], letter: str, places: NDArray[np.int64]) -> bool:
    """Whether a letter stands in these places and in no other."""
    code = ord(letter)
    everywhere = bool((letters[places] == code).all())
    return everywhere and np.count_nonzero(letters == code) == len(places)


def _between(commas: NDArray[np.int64], answers: Answers) -> NDArray[np.int64]:
    """How many of some places lie in each answer, where all of them lie in one."""
    count = len(answers.begins)
    each, rest = divmod(len(commas), max(count, 1))
    if each and not rest:  # as many in each as in any other: so it is hardly ever otherwise
        places = commas.reshape(count, each)
        if (places[:, 0] > answers.begins).all() and (places[:, -1] < answers.ends).all():
            return np.full(count, each, np.int64)
    return np.diff(np.searchsorted(commas, answers.ends), prepend=0)


def probability_rows(data: str, encoding: str) -> list[list[float]]:
    """Read one answer: one row of numbers, or one a line (CSV) or inner list (JSON).

    Args:
        data: The captured text: JSON, CSV, or either in base64. A JSON list may hold numbers,
            numbers as strings, or further lists; the innermost lists are the rows.
        encoding: ``JSON``, ``CSV`` or ``BASE64``. Only BASE64 changes how the text is read, for
            content types and encodings do not always agree with it.

    Raises:
        OutputError: The text holds no numbers. Whether they are probabilities is told by ``sound``.
    """
    text = _decoded(data, encoding).strip()
    if not text:
        raise OutputError("empty output", "the captured answer holds no text")
    if text.startswith(("[", "{", '"[')):
        return _rows_of(_parsed(text), _MAX_NESTING)
    return [
        [_number(cell) for cell in line.split(",")] for line in text.splitlines() if line.strip()
    ]


def sound(values: NDArray[np.float64], widths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which rows are probabilities: two or more, each within 0 and 1, summing to 1.

    Args:
        values: All rows, one after the other.
        widths: Length of each row; sums to the length of ``values``.
    """
    rows = np.repeat(np.arange(len(widths)), widths)
    outside = ~((values >= 0) & (values <= 1 + SUM_TOLERANCE))
    outside_count = np.bincount(rows, weights=outside, minlength=len(widths))
    sums = np.bincount(rows, weights=np.where(outside, 0, values), minlength=len(widths))
    fits = np.abs(sums - 1) <= SUM_TOLERANCE
    good: NDArray[np.bool_] = (widths > 1) & (outside_count == 0) & fits
    return good


def fault(row: Sequence[float]) -> OutputError:
    """Name what is wrong with a row that is not ``sound``."""
    if not row:
        return OutputError("empty output", "the captured answer is an empty list")
    if len(row) == 1:
        return OutputError("single value, no probability per class", f"the value is {row[0]!r}")
    if not np.isfinite(row).all():
        return OutputError("not finite", f"the {len(row)} values hold NaN or infinity")
    if min(row) < 0:
        return OutputError("negative value", f"the smallest of {len(row)} values is {min(row)!r}")
    total = f"the {len(row)} values sum to {float(np.sum(row)):.6g}"
    return OutputError("values do not sum to 1", total)


def _as_json_list(data: str, encoding: str) -> bytes:
    text = _decoded(data, encoding).strip()
    if not text or "\n" in text or "\r" in text:
        raise OutputError("not one row", "a line of CSV is a row")
    return (text if text[:1] == "[" else f"[{text}]").encode()


def _decoded(data: str, encoding: str) -> str:
    if encoding in ("JSON", "CSV"):
        return data
    if encoding != "BASE64":
        raise OutputError("unknown encoding", f"the encoding is {_shortened(encoding)}")
    try:
        return binascii.a2b_base64(data, strict_mode=True).decode("utf-8-sig")
    except ValueError as error:
        raise OutputError("output is not base64 of text", str(error)) from None


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OutputError("output is not JSON", str(error)) from None


def _rows_of(value: object, depth: int) -> list[list[float]]:
    if depth and isinstance(value, str) and value.lstrip()[:1] == "[":
        return _rows_of(_parsed(value), depth - 1)
    if not isinstance(value, list):
        raise OutputError("no list of numbers", f"the answer is {_shortened(value)}")
    if depth and value and all(isinstance(item, list) for item in value):
        return list(chain.from_iterable(_rows_of(item, depth - 1) for item in value))
    return [[_number(item) for item in value]]


def _number(cell: object) -> float:
    try:
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            return float(cell)
        if isinstance(cell, str):
            text = cell.strip().strip('"').strip()
            if _NUMBER.fullmatch(text):
                return float(text)
    except OverflowError:
        pass
    raise OutputError("no list of numbers", f"{_shortened(cell)} is not a number")


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _DETAIL_CHARACTERS else f"{text[:_DETAIL_CHARACTERS]}..."
