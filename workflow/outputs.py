"""Outputs: what endpoints answered, as captured: many rows of probabilities in one step.

SageMaker data capture stores an endpoint's answer as text in one of three encodings (JSON, CSV,
BASE64). Bare lists of numbers are read together; ``workflow.answers`` reads whatever else there is.
"""

import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from workflow.answer_rows import SUM_TOLERANCE, OutputError, shortened
from workflow.answers import read_text
from workflow.contract import LABELS

_NUMBERS: Final = msgspec.json.Decoder(list[float])


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
        """Return each answer by itself."""
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
        # Each answer begins and ends a list. A further bracket would end or nest the list below:
        # the decoder refuses that, so that none borrows from another.
        opened = (letters[answers.begins] == ord("[")).all()
        if not (opened and (letters[answers.ends - 1] == ord("]")).all()):
            return None
        commas = np.flatnonzero(letters == ord(","))
        # All answers become one JSON list, which one call decodes; commas take the spaces between.
        letters[answers.begins] = letters[answers.ends - 1] = ord(" ")
        letters[answers.ends[:-1]] = ord(",")
        values = _NUMBERS.decode(b"[%b]" % letters.tobytes())
    except (OutputError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    widths = _count_between(commas, answers) + 1
    # An empty list has no comma and counted as one value: read such answers one by one.
    if len(values) != widths.sum():
        return None
    return np.fromiter(values, np.float64, len(values)), widths


def _count_between(commas: NDArray[np.int64], answers: Answers) -> NDArray[np.int64]:
    """Return how many of some places lie in each answer, where all of them lie in one."""
    count = len(answers.begins)
    each, rest = divmod(len(commas), max(count, 1))
    if each and not rest:  # as many in each as in any other: so it is hardly ever otherwise
        places = commas.reshape(count, each)
        if (places[:, 0] > answers.begins).all() and (places[:, -1] < answers.ends).all():
            return np.full(count, each, np.int64)
    return np.diff(np.searchsorted(commas, answers.ends), prepend=0)


def probability_rows(
    data: str, encoding: str, classes: Sequence[str] = LABELS
) -> list[list[float]]:
    """Read one answer of any shape: one row of numbers, or one an image of a batch request.

    Args:
        data: The captured text, as ``answers.read_text`` takes it, or that in base64.
        encoding: ``JSON``, ``CSV`` or ``BASE64``. Only BASE64 changes how the text is read, for
            content types and encodings do not always agree with it.
        classes: Names of the classes by their index, for an answer by name.

    Raises:
        OutputError: The text holds no numbers. Whether they are probabilities is told by ``sound``.
    """
    return [list(row.values) for row in read_text(_decode_text(data, encoding), classes)]


def sound(values: NDArray[np.float64], widths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which rows are probabilities: two or more, each within 0 and 1, summing to 1.

    Args:
        values: All rows, one after the other.
        widths: Length of each row; sums to the length of ``values``.
    """
    rows = np.repeat(np.arange(len(widths)), widths)
    outside = ~((values >= 0) & (values <= 1 + SUM_TOLERANCE))
    outside_count = np.bincount(rows, weights=outside, minlength=len(widths))
    sums = np.bincount(rows, weights=values, minlength=len(widths))
    fits = np.abs(sums - 1) <= SUM_TOLERANCE
    good: NDArray[np.bool_] = (widths > 1) & (outside_count == 0) & fits
    return good


def _as_json_list(data: str, encoding: str) -> bytes:
    text = _decode_text(data, encoding).strip()
    if "\n" in text or "\r" in text:
        raise OutputError("not one row", "a line of CSV is a row")
    return (text if text[:1] == "[" else f"[{text}]").encode()


def _decode_text(data: str, encoding: str) -> str:
    if encoding in ("JSON", "CSV"):
        return data
    if encoding != "BASE64":
        raise OutputError("unknown encoding", f"the encoding is {shortened(encoding)}")
    try:
        # Strict: lenient decoding would skip letters that are no base64 and answer with rubbish.
        return binascii.a2b_base64(data, strict_mode=True).decode("utf-8-sig")
    except ValueError as error:
        raise OutputError("output is not base64 of text", str(error)) from None
