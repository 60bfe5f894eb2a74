"""Capture forms: reading many lines at once that differ in nothing but their values.

An endpoint writes all its lines in a few forms. A form is learned from one line by decoding it.
Another line that has the same bytes outside the values, and values that hold nothing but plain
characters, is by that the same JSON: its values are taken from their places, undecoded.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workflow.capture_columns import Records, objects
from workflow.capture_records import decode
from workflow.capture_times import times_in
from workflow.outputs import Answers

HEAD: Final = b'{"captureData":{"endpointInput":{"data":"'
"""What a tail needs in front of it to be the JSON of its line, but for the payload."""

SPARE: Final = 64
"""Bytes that must follow the last tail, for rows that are read beyond it."""

_FEW: Final = 64  # lines for which a form is not worth its cost: that of decoding so many
_MOST: Final = 16  # forms looked for at a time
_WORD: Final = 8

Index = NDArray[np.int64]
Span = tuple[int, int]


class Tails:
    """The ends of lines, each from the quote on that closes its payload, laid side by side.

    Args:
        memory: The tails, ``SPARE`` bytes, and anything.
        sizes: Lengths of the tails, one a line; 0 where a line was not cut.
    """

    def __init__(self, memory: bytearray, sizes: list[int]) -> None:
        self._memory = memory
        lengths = np.array(sizes, np.int64)
        self.ends = np.cumsum(lengths)
        self.starts = self.ends - lengths
        self._letters = np.frombuffer(memory, np.uint8, int(lengths.sum()))
        self._plain_only = self._has_plain_letters_only()

    def __getitem__(self, i: int) -> bytes:
        """Return one tail."""
        return bytes(self._memory[self.starts[i] : self.ends[i]])

    def words(self, begins: Index, width: int) -> NDArray[np.uint64]:
        """Return ``width`` bytes from each place on, and up to seven more, as rows of words."""
        size = -(-width // _WORD) * _WORD
        places = max(len(self._memory) - size + 1, 0)
        # Overlapping views, one at each byte: indexing them copies only the rows that are asked
        # for.
        found = np.ndarray((places,), f"V{size}", self._memory, strides=(1,))[begins]
        return found.view(np.uint64).reshape(len(begins), size // _WORD)

    def answers(self, begins: Index, ends: Index) -> Answers:
        """Return what stands between two places each."""
        sizes = ends - begins
        widest = int(sizes.max(initial=0))
        if widest - sizes.min(initial=widest) < SPARE - _WORD:  # else rows would waste memory
            return Answers.rows(self.words(begins, widest + 1).view(np.uint8), sizes)
        spans = zip(begins.tolist(), ends.tolist(), strict=True)
        return Answers.of([bytes(self._memory[begin:end]) for begin, end in spans])

    def __contains__(self, letter: bytes) -> bool:
        """Return whether a byte stands in any of them."""
        return self._memory.find(letter, 0, self._letters.size) >= 0

    def _has_plain_letters_only(self) -> bool:
        """Return whether all letters of all tails are plain or quotes."""
        low, high = ord(" "), ord("~")
        printable = (
            self._letters.min(initial=high) >= low and self._letters.max(initial=low) <= high
        )
        return bool(printable) and b"\\" not in self

    def plain_letters(self, letters: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which of some letters of the tails stand for themselves in a JSON string."""
        return letters != ord('"') if self._plain_only else _are_plain(letters)

    def plain(self, begins: Index, ends: Index) -> NDArray[np.bool_]:
        """Return where nothing stands between two places that means something to JSON."""
        # Running counts: a span is clear where the count is the same at both its ends.
        marks = ~_are_plain(self._letters)
        before = np.concatenate([[0], np.cumsum(marks)])
        clear: NDArray[np.bool_] = before[ends] == before[begins]
        return clear


@dataclass(frozen=True, slots=True)
class _Stencil:
    """Bytes that stand in every line of a form, with holes between them.

    Attributes:
        width: Length in bytes.
        mask: All ones where a byte is given, zero in the holes; in words.
        text: The bytes, zero in the holes; in words.
    """

    width: int
    mask: NDArray[np.uint64]
    text: NDArray[np.uint64]

    @classmethod
    def cut_from(cls, text: bytes, holes: Iterable[Span] = ()) -> "_Stencil":
        """Return the stencil of a text with holes in it."""
        mask = np.zeros(-(-len(text) // _WORD) * _WORD, np.uint8)
        mask[: len(text)] = 0xFF
        for begin, end in holes:
            mask[begin:end] = 0
        letters = np.frombuffer(text.ljust(len(mask), b"\0"), np.uint8) & mask
        return cls(len(text), mask.view(np.uint64), letters.view(np.uint64))

    def matching_rows(self, words: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which rows have these bytes."""
        # Transposed, so that `all` reduces long contiguous rows instead of many short ones.
        same = np.equal((words & self.mask).T, self.text[:, None], order="C")
        fit: NDArray[np.bool_] = same.all(axis=0)
        return fit


@dataclass(frozen=True, slots=True)
class Form:
    """What the tails of one form have in common.

    Attributes:
        front: Up to the answer, which alone may be of any length.
        back: From the answer to the end, with the other values as holes.
        event_id: Where the event id stands, in bytes from the end of the answer.
        inference_id: Where the inference id stands; nowhere, (0, 0), if there is none.
        time: Where the inference time stands; nowhere if there is none.
        encoding: The encoding of the answer.
        custom_attributes: Of all lines.
    """

    front: _Stencil
    back: _Stencil
    event_id: Span
    inference_id: Span
    time: Span
    encoding: str
    custom_attributes: list[str] | None

    @classmethod
    def of(cls, tail: bytes) -> "Form | None":
        """Learn the form of one tail; None where its values cannot be told from the rest."""
        record = decode([HEAD + tail])[0]
        # With escapes, a value in the tail reads otherwise than the decoded one and cannot be
        # found.
        if record is None or b"\\" in tail:
            return None
        event, output = record.eventMetadata, record.captureData.endpointOutput
        values = {"event_id": event.eventId, "time": event.inferenceTime or None}
        values["inference_id"] = event.inferenceId
        try:
            begin, end = _find_value(tail, output.data, 0)
            holes = {n: _find_value(tail, v, end) for n, v in values.items() if v is not None}
        except LookupError:
            return None
        return cls(
            front=_Stencil.cut_from(tail[:begin]),
            back=_Stencil.cut_from(tail[end:], holes.values()),
            event_id=holes["event_id"],
            inference_id=holes.get("inference_id", (0, 0)),
            time=holes.get("time", (0, 0)),
            encoding=output.encoding,
            custom_attributes=event.customAttributes,
        )

    def read(self, tails: Tails, index: Index) -> Records:
        """Read those of the lines that have this form."""
        sizes = tails.ends[index] - tails.starts[index]
        index = index[sizes > self.front.width + self.back.width]  # an answer is not empty
        # Front and back are tested apart: only the answer between them varies in length.
        index = index[self.front.matching_rows(tails.words(tails.starts[index], self.front.width))]
        words = tails.words(tails.ends[index] - self.back.width, self.back.width)
        fit = self.back.matching_rows(words)
        index, letters = index[fit], words[fit].view(np.uint8)
        answers = tails.answers(*self._locate_answers(tails, index))
        values = (answers.letters, *self._cut_values(letters))
        if not all(tails.plain_letters(value).all() for value in values):
            plain = self._find_plain(tails, index, letters)
            index, letters = index[plain], letters[plain]
            answers = tails.answers(*self._locate_answers(tails, index))
        return self._build_records(index, letters, answers)

    def _build_records(self, index: Index, letters: NDArray[np.uint8], answers: Answers) -> Records:
        """Return the values of lines that have this form, and nothing but plain letters in them."""
        ids, inferences, times = self._cut_values(letters)
        return Records(
            index=index,
            event_ids=_to_texts(ids),
            inference_ids=_to_texts(inferences)
            if any(self.inference_id)
            else objects([None] * len(index)),
            custom_attributes=objects([self.custom_attributes] * len(index)),
            times=times_in(times),
            answers=answers,
            encoding=self.encoding,
        )

    def _cut_values(self, letters: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Return event id, inference id and time of each line, a row of letters each."""
        return [letters[:, slice(*span)] for span in (self.event_id, self.inference_id, self.time)]

    def _find_plain(
        self, tails: Tails, index: Index, letters: NDArray[np.uint8]
    ) -> NDArray[np.bool_]:
        """Return which of fitting lines have values that hold nothing but plain characters."""
        plain = tails.plain(*self._locate_answers(tails, index))
        for value in self._cut_values(letters):
            plain &= _are_plain(value).all(axis=1)
        return plain

    def _locate_answers(self, tails: Tails, index: Index) -> tuple[Index, Index]:
        """Return where the answers begin and end."""
        return tails.starts[index] + self.front.width, tails.ends[index] - self.back.width


class Forms:
    """The forms that many of the last lines had; others are forgotten."""

    def __init__(self) -> None:
        self._known: list[Form] = []

    def read(self, tails: Tails) -> list[Records]:
        """Read all lines that have their form in common with many others."""
        left = tails.ends > tails.starts
        parts: list[Records] = []
        known, self._known = iter(self._known), []
        for _ in range(_MOST):
            rest = np.flatnonzero(left)
            if len(rest) < _FEW:
                break
            # A line from the middle is as likely as any to have a frequent form.
            form = next(known, None) or Form.of(tails[rest[len(rest) // 2]])
            if form is None:
                break
            part = form.read(tails, rest)
            parts.append(part)
            left[part.index] = False
            # A form that fits few lines is forgotten: the next window would pay for it in vain.
            if len(part) >= _FEW:
                self._known.append(form)
        return parts


def _find_value(tail: bytes, value: str, after: int) -> Span:
    """Return begin and end of a value in a tail without escapes, counted from a place before it.

    Raises:
        LookupError: It does not stand in one place alone, or not after that place.
    """
    quoted = re.escape(f'"{value}"'.encode())
    # A lookahead also finds occurrences that overlap.
    found = [match.start() + 1 - after for match in re.finditer(b"(?=%b)" % quoted, tail)]
    if not value or len(found) != 1 or found[0] < 0:
        raise LookupError(value)
    return found[0], found[0] + len(value.encode())


def _are_plain(letters: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which letters stand for themselves in a JSON string: printable ASCII but for two."""
    printable = letters - np.uint8(ord(" ")) <= ord("~") - ord(" ")
    plain: NDArray[np.bool_] = printable & (letters != ord('"')) & (letters != ord("\\"))
    return plain


def _to_texts(letters: NDArray[np.uint8]) -> NDArray[np.object_]:
    """Return rows of plain letters as texts."""
    # One decode of all rows joined by line feeds, which plain letters never are, instead of one
    # each.
    lines = np.full((len(letters), letters.shape[1] + 1), ord("\n"), np.uint8)
    lines[:, :-1] = letters
    return objects(lines.tobytes().decode("latin-1").split("\n")[:-1])
