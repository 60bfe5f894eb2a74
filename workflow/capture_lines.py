"""Capture lines: from objects' bytes to one record a line, with the payload jumped over.

The captured input is nearly all of a line's bytes. It is found by its quotes alone and never
examined: a record whose image is damaged is still a record.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workflow.answer_rows import OutputError
from workflow.capture_columns import Columns, Records, Refused
from workflow.capture_forms import HEAD, SPARE, Forms, Tails
from workflow.capture_records import Record, decode, document_reason, record_of

_BOM: Final = b"\xef\xbb\xbf"
_BACKSLASH: Final = ord("\\")
_BLOCK: Final = 1 << 17  # stays in a core's own cache while it is looked through twice
_HEADS: Final = 4
# Text without escapes. Fields may stand before the payload, such as observedContentType and mode.
_TEXT: Final = rb'[ \t]*"[ !#-\[\]-~]*"[ \t]*'
_INPUT: Final = rb'"endpointInput"[ \t]*:[ \t]*\{(?:%b:%b,)*?[ \t]*"data"[ \t]*:[ \t]*"' % (
    _TEXT,
    _TEXT,
)
# How SageMaker begins a line; of other writers' lines the input is searched for anywhere.
_FIRST: Final = re.compile(rb'[ \t]*\{[ \t]*"captureData"[ \t]*:[ \t]*\{[ \t]*' + _INPUT)
_ANYWHERE: Final = re.compile(_INPUT)


@dataclass(frozen=True, slots=True)
class Places:
    """Where lines lie, as columns with one entry a line.

    Attributes:
        source: Index of the object.
        number: Line in the object, from 1.
        offset: Where it begins in the object, in bytes.
        length: Its length in bytes, without its line end.
    """

    source: NDArray[np.int32]
    number: NDArray[np.int32]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]

    def at(self, i: int) -> tuple[int, int, int, int]:
        """Return one line's place."""
        return int(self.source[i]), int(self.number[i]), int(self.offset[i]), int(self.length[i])

    def take(self, index: NDArray[np.int64]) -> "Places":
        """Return some of the lines, by their index."""
        return Places(
            self.source[index], self.number[index], self.offset[index], self.length[index]
        )


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a line, one of its rows, or the object as a whole (``number`` 0) is no capture.

    Attributes:
        source: Index of the object.
        number: Line in the object, from 1.
        offset: Where it begins in the object, in bytes.
        length: Its length in bytes.
        error: The reason.
        event_id: SageMaker's id of the invocation, where the line gives one.
        lines: Number of lines it stands for.
    """

    source: int
    number: int
    offset: int
    length: int
    error: OutputError
    event_id: str | None = None
    lines: int = 1


class Window:
    """Lines of several objects, which are decoded together.

    Args:
        classes: Names of the classes by their index, for answers by name.

    Attributes:
        size: Bytes that are held.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._forms = Forms()
        self._heads: tuple[bytes, ...] = ()
        self._tails = bytearray()  # kept for the next window: new memory costs more than its bytes
        self._clear_lines()

    def _clear_lines(self) -> None:
        self.size = 0
        self._sources: list[int] = []
        self._begins: list[int] = []
        self._counts: list[int] = []
        self._ends: list[int] = []
        self._filled = 0
        self._sizes: list[int] = []
        self._whole: dict[int, bytes] = {}
        self._strange: dict[int, bytes] = {}

    def __len__(self) -> int:
        """Number of lines."""
        return len(self._ends)

    def add(self, source: int, data: bytes) -> None:
        """Take in an object's lines; of its bytes, only what is needed is kept."""
        begin = len(_BOM) if data.startswith(_BOM) else 0
        tails = self._cut_tails(data, begin)
        joined = b"".join(tails)
        self._append_tails(joined)
        self._sizes += map(len, tails)
        self._sources.append(source)
        self._begins.append(begin)
        self._counts.append(len(tails))
        self.size += len(joined)
        if not joined:  # it may be something else than captures
            self._strange[source] = data
            self.size += len(data)

    def _append_tails(self, joined: bytes) -> None:
        """Append tails to those of the window."""
        end = self._filled + len(joined)
        self._tails[self._filled : end] = joined
        self._filled = end

    def _cut_tails(self, data: bytes, position: int) -> list[bytes]:
        """Find the lines, and of each the tail that begins where its payload ends.

        Memory is scanned by ``bytes.find`` alone.
        """
        find, starts, size = data.find, data.startswith, len(data)
        tails: list[bytes] = []
        keep_tail, keep_end = tails.append, self._ends.append
        # Lines are long where the first block ends none: two whole scans would read memory twice.
        far = find(b"\n", 0, _BLOCK) < 0
        head, head_size = HEAD, len(HEAD)
        while position < size:
            if not starts(head, position):
                found = self._head_at(data, position)
                if not found:
                    position = self._keep_whole(data, position, tails)
                    continue
                head, head_size = found, len(found)
            begin = position + head_size
            if far:
                close, end = _find_far_ends(data, begin)
            else:
                close, end = find(b'"', begin), find(b"\n", begin)
                if end < 0:
                    end = size
            # Else the quote is escaped or on another line, and only a full decode tells more.
            if begin <= close < end and data[close - 1] != _BACKSLASH:
                keep_tail(data[close:end])
                keep_end(end)
                position = end + 1
            else:
                position = self._keep_whole(data, position, tails)
        return tails

    def _head_at(self, data: bytes, position: int) -> bytes:
        """Return what stands before the payload of a line; b"" where SageMaker would not write so.

        The last few are remembered: callers send images of one type or two.
        """
        for head in self._heads:
            if data.startswith(head, position):
                return head
        found = _FIRST.match(data, position)
        if not found:
            return b""
        self._heads = (found[0], *self._heads[: _HEADS - 1])
        return found[0]

    def _keep_whole(self, data: bytes, position: int, tails: list[bytes]) -> int:
        """Keep a whole line that is not as SageMaker writes it, with an empty tail.

        Returns:
            Where the next line begins.
        """
        end = _line_end(data, position)
        line = _without_payload(data[position:end])
        self._whole[len(self)] = line
        self.size += len(line)
        tails.append(b"")
        self._ends.append(end)
        return end + 1

    def read(self) -> tuple[Columns, Places, list[Unread]]:
        """Decode all lines and let go of them.

        Returns:
            The rows of probabilities, the place of each, and what is none.
        """
        # Rows are read some bytes beyond the last tail, so that memory must be there.
        self._append_tails(bytes(SPARE))
        tails = Tails(self._tails, self._sizes)
        parts = self._forms.read(tails)
        # What no common form fits is decoded line by line.
        left = np.ones(len(self), np.bool_)
        for part in parts:
            left[part.index] = False
        each, failures = self._decode_lines(tails, np.flatnonzero(left))
        read = [part.rows(self._classes) for part in [*parts, *each]]
        rows, unsound = Columns.joined([columns for columns, _ in read]).sound()
        places = self._locate_lines(self._with_carriage_return(tails))
        refused = [refusal for _, refusals in read for refusal in refusals] + unsound
        unread = self._report_failures(failures, places) + [_to_unread(r, places) for r in refused]
        self._clear_lines()
        return rows, places.take(rows.index), unread

    def _decode_lines(
        self, tails: Tails, index: NDArray[np.int64]
    ) -> tuple[list[Records], dict[int, OutputError]]:
        """Decode these lines one by one; of those that are no records, say why."""
        places = index.tolist()
        lines = [self._whole[i] if i in self._whole else HEAD + tails[i] for i in places]
        failures: dict[int, OutputError] = {}
        kept: dict[int, Record] = {}
        for i, line, record in zip(places, lines, decode(lines), strict=True):
            try:
                # A blank line is no error, and no record either.
                if record or line.strip():
                    kept[i] = record or record_of(line)
            except OutputError as error:
                failures[i] = error.kept()
        return Records.of(list(kept.values()), np.array(list(kept), np.int64)), failures

    def _locate_lines(self, with_carriage_return: list[int]) -> Places:
        counts = np.array(self._counts, np.int64)
        first = np.cumsum(counts) - counts
        ends = np.array(self._ends, np.int64)
        starts = np.empty_like(ends)
        starts[1:] = ends[:-1] + 1
        # An object's first line follows its byte order mark, not another object's last line.
        starts[first[counts > 0]] = np.array(self._begins, np.int64)[counts > 0]
        numbers = np.arange(1, len(ends) + 1) - np.repeat(first, counts)
        source = np.repeat(np.array(self._sources, np.int32), counts)
        lengths = ends - starts
        # The line feed is not in the length already; of a Windows line end, one byte is left.
        lengths[with_carriage_return] -= 1
        return Places(source, numbers.astype(np.int32), starts, lengths)

    def _with_carriage_return(self, tails: Tails) -> list[int]:
        """Return the lines that end with a carriage return before their line feed."""
        found = [i for i, line in self._whole.items() if line.endswith(b"\r")]
        if b"\r" in tails:
            found += [i for i in range(len(self)) if tails[i].endswith(b"\r")]
        return found

    def _report_failures(self, failures: dict[int, OutputError], places: Places) -> list[Unread]:
        """Return failures with their places; a single one for an object that is no capture file."""
        found: list[Unread] = []
        if not failures:
            return found
        first = 0
        for source, count in zip(self._sources, self._counts, strict=True):
            failed = [i for i in range(first, first + count) if i in failures]
            first += count
            reason = self._other_reason(source, count) if failed and len(failed) == count else None
            if reason:
                size = len(self._strange[source])
                error = OutputError(reason, "")
                found.append(Unread(source, 0, 0, size, error, lines=count))
            else:
                found += [Unread(*places.at(i), failures[i]) for i in failed]
        return found

    def _other_reason(self, source: int, count: int) -> str | None:
        """Return what an object is none of whose lines is a record, as far as it can be told."""
        data = self._strange.get(source, b"")
        # One line that is no record is named as a line, unless it is binary.
        single = count == 1 and b"\0" not in data[:1024]
        return None if single else document_reason(data)


def _to_unread(refused: Refused, places: Places) -> Unread:
    return Unread(*places.at(refused.index), refused.error, refused.event_id)


def _line_end(data: bytes, position: int) -> int:
    end = data.find(b"\n", position)
    return len(data) if end < 0 else end


def _find_far_ends(data: bytes, begin: int) -> tuple[int, int]:
    """Return where a long payload closes, -1 if not on its line, and where its line ends.

    Each block is looked through for both while it is in the cache: memory is read once.
    """
    for block in range(begin, len(data), _BLOCK):
        close = data.find(b'"', block, block + _BLOCK)
        feed = data.find(b"\n", block, close if close >= 0 else block + _BLOCK)
        if feed >= 0:
            return -1, feed
        if close >= 0:
            return close, _line_end(data, close)
    return -1, len(data)


def _without_payload(line: bytes) -> bytes:
    """Return the line without the captured input, wherever it stands.

    A record is read alike with it and without: nothing below ``endpointInput`` is looked at.
    """
    found = _ANYWHERE.search(line)
    close = line.find(b'"', found.end()) if found else -1
    # Where an escape makes the end of the payload uncertain, the line is decoded with it.
    if not found or close < 0 or line[close - 1] == _BACKSLASH:
        return line
    return line[: found.end()] + line[close:]
