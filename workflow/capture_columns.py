"""Capture columns: the records of many lines, field by field, and the rows that they answer.

An answer holds one row of probabilities, or one row an input of a batch request.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from workflow.answer_rows import OutputError, fault
from workflow.capture_records import Record
from workflow.capture_times import times_of
from workflow.outputs import Answers, bulk_rows, probability_rows, sound

Objects = NDArray[np.object_]


def objects(values: Collection[object]) -> Objects:
    """Return a column of Python objects, lists among them."""
    return np.fromiter(values, np.object_, len(values))


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that is no probabilities, or an answer that holds no row.

    Attributes:
        index: Line of its record, as in ``Columns``.
        event_id: Event id of its record.
        error: The reason.
    """

    index: int
    event_id: str
    error: OutputError


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows as columns with one entry a row; see ``workflow.captures.Capture``.

    Attributes:
        index: Line that each row's record stands on, from 0.
        event_ids, inference_ids, custom_attributes: Text, text or None, list of texts or None.
        times: ``datetime64[us]`` in UTC.
        numbers: Row within its answer, from 0.
        widths: How many of ``values`` belong to each row.
        values: All rows, one after the other.
    """

    index: NDArray[np.int64]
    event_ids: Objects
    inference_ids: Objects
    custom_attributes: Objects
    times: NDArray[np.datetime64]
    numbers: NDArray[np.int32]
    widths: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence["Columns"]) -> "Columns":
        """Return all rows of one part or more, in the order of their lines."""
        names = [field.name for field in fields(cls)]
        whole = cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))
        return whole.take(np.argsort(whole.index, kind="stable"))

    def __len__(self) -> int:
        return len(self.index)

    def take(self, order: NDArray[np.int64]) -> "Columns":
        """Return some of the rows, in the order given."""
        widths = self.widths[order]
        begins = (np.cumsum(self.widths) - self.widths)[order]
        # For each value of the result, how far away it stands in the old column.
        shifts = np.repeat(begins - (np.cumsum(widths) - widths), widths)
        return Columns(
            index=self.index[order],
            event_ids=self.event_ids[order],
            inference_ids=self.inference_ids[order],
            custom_attributes=self.custom_attributes[order],
            times=self.times[order],
            numbers=self.numbers[order],
            widths=widths,
            values=self.values[np.arange(len(shifts)) + shifts],
        )

    def sound(self) -> tuple["Columns", list[Refused]]:
        """Return the rows that are probabilities, and the others."""
        good = sound(self.values, self.widths)
        if good.all():
            return self, []
        ends = np.cumsum(self.widths)
        refused = []
        for i in np.flatnonzero(~good).tolist():
            error = fault(self.values[ends[i] - self.widths[i] : ends[i]].tolist())
            if self.numbers[i]:
                error = OutputError(error.reason, f"row {self.numbers[i]}: {error.detail}")
            refused.append(Refused(int(self.index[i]), self.event_ids[i], error))
        return self.take(np.flatnonzero(good)), refused


@dataclass(frozen=True, slots=True)
class Records:
    """Records whose answers have one encoding, as columns with one entry a record.

    Attributes:
        index, event_ids, inference_ids, custom_attributes, times: As in ``Columns``.
        answers: What the endpoint answered, as captured, in UTF-8.
        encoding: Their encoding.
    """

    index: NDArray[np.int64]
    event_ids: Objects
    inference_ids: Objects
    custom_attributes: Objects
    times: NDArray[np.datetime64]
    answers: Answers
    encoding: str

    @classmethod
    def of(cls, records: Sequence[Record], index: NDArray[np.int64]) -> list["Records"]:
        """Turn records into columns: a part for each encoding, and at least one."""
        encodings = [record.captureData.endpointOutput.encoding for record in records]
        parts = []
        for encoding in dict.fromkeys(encodings or ["JSON"]):
            chosen = [i for i, its in enumerate(encodings) if its == encoding]
            at = np.array(chosen, np.int64)
            parts.append(cls._from_records([records[i] for i in chosen], index[at], encoding))
        return parts

    @classmethod
    def _from_records(
        cls, records: Sequence[Record], index: NDArray[np.int64], encoding: str
    ) -> "Records":
        events = [record.eventMetadata for record in records]
        datas = [record.captureData.endpointOutput.data for record in records]
        return cls(
            index=index,
            event_ids=objects([event.eventId for event in events]),
            inference_ids=objects([event.inferenceId for event in events]),
            custom_attributes=objects([event.customAttributes for event in events]),
            times=times_of([event.inferenceTime for event in events]),
            # JSON escapes may hold half a surrogate pair, which strict UTF-8 refuses.
            answers=Answers.of([data.encode(errors="surrogatepass") for data in datas]),
            encoding=encoding,
        )

    def __len__(self) -> int:
        return len(self.index)

    def rows(self, classes: Sequence[str]) -> tuple[Columns, list[Refused]]:
        """Return the rows of all answers by class, and the answers that hold none."""
        bulk = bulk_rows(self.answers, self.encoding)
        if bulk:
            return self._build_columns(*bulk, slice(None), np.zeros(len(self), np.int32)), []
        refused = []
        rows: list[list[float]] = []
        record: list[int] = []
        numbers: list[int] = []
        for i, answer in enumerate(self.answers.texts()):
            try:
                text = answer.decode(errors="surrogatepass")
                found = probability_rows(text, self.encoding, classes)
            except OutputError as error:
                refused.append(Refused(int(self.index[i]), self.event_ids[i], error.kept()))
            else:
                rows += found
                record += [i] * len(found)
                numbers += range(len(found))
        widths = np.fromiter(map(len, rows), np.int64, len(rows))
        values = np.fromiter((value for row in rows for value in row), np.float64)
        of_each = np.array(record, np.int64)
        return self._build_columns(values, widths, of_each, np.array(numbers, np.int32)), refused

    def _build_columns(
        self,
        values: NDArray[np.float64],
        widths: NDArray[np.int64],
        record: NDArray[np.int64] | slice,
        numbers: NDArray[np.int32],
    ) -> Columns:
        """Return rows of numbers with the fields of their records."""
        return Columns(
            index=self.index[record],
            event_ids=self.event_ids[record],
            inference_ids=self.inference_ids[record],
            custom_attributes=self.custom_attributes[record],
            times=self.times[record],
            numbers=numbers,
            widths=widths,
            values=values,
        )
