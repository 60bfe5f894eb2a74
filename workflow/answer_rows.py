"""Answer rows: what an endpoint says about one image, in the order of the classes.

Standard library only: this file is shipped with ``answers`` in the zip of every Lambda function.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

SUM_TOLERANCE = 0.01
"""How far the sum of a row may be from one: outputs are rounded, quantized softmax drifts."""

SINGLE = "single value, no probability per class"
"""Reason of a row of one number."""

CLASS_INDEX = re.compile(r"(?:label|class|category)?[ _-]?(\d{1,9})")
"""Names of classes that are no more than their index, such as ``LABEL_1``; in lower case."""

_DETAIL_CHARACTERS = 80
_TWO = 2
_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE
)


class OutputError(Exception):
    """An endpoint's answer is not a row of probabilities.

    Attributes:
        reason: A short stable phrase that names the kind, such as ``empty output``.
        detail: The numbers or the text involved.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def kept(self) -> "OutputError":
        """Return a copy without a traceback, whose frames would keep the object in memory."""
        return OutputError(self.reason, self.detail)


@dataclass(frozen=True, slots=True)
class Row:
    """What an answer says about one image; ``is_sound`` tells whether they are probabilities.

    Attributes:
        values: One number a class: by the index of the class, or in the order of ``names``.
        names: Name of each class, where the answer gives names that are no indexes; else empty.
        chosen: The class that the answer calls the likeliest, where it says so; else empty.
    """

    values: tuple[float, ...]
    names: tuple[str, ...] = ()
    chosen: str = ""


def is_sound(row: Sequence[float]) -> bool:
    """Return whether a row is two or more probabilities that sum to 1."""
    within = all(0 <= value <= 1 + SUM_TOLERANCE for value in row)
    return len(row) > 1 and within and abs(math.fsum(row) - 1) <= SUM_TOLERANCE


def fault(row: Sequence[float]) -> OutputError:
    """Name what is wrong with a row that is not sound."""
    if not row:
        return OutputError("empty output", "the answer is an empty list")
    if len(row) == 1:
        return OutputError(SINGLE, f"the value is {row[0]!r}")
    if not all(map(math.isfinite, row)):
        return OutputError("not finite", f"the {len(row)} values hold NaN or infinity")
    if min(row) < 0:
        return OutputError("negative value", f"the smallest of {len(row)} values is {min(row)!r}")
    total = f"the {len(row)} values sum to {math.fsum(row):.6g}"
    return OutputError("values do not sum to 1", total)


def number_of(value: object) -> float | None:
    """Return a number, also one written as text; None for anything else, truth values among it."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, str):
            text = value.strip().strip('"').strip()
            return float(text) if _NUMBER.fullmatch(text) else None
    except OverflowError:
        pass
    return None


def shortened(value: object) -> str:
    """Return a value as it is quoted in an error."""
    text = repr(value)
    return text if len(text) <= _DETAIL_CHARACTERS else f"{text[:_DETAIL_CHARACTERS]}..."


def in_order(row: Row, classes: Sequence[str]) -> Row:
    """Return a row by the index of the class, or by name where the classes are others."""
    known = {name.casefold(): index for index, name in enumerate(classes)}
    if not row.names:
        return _orient_pair(row, known)
    names = [_class_name(name) for name in row.names]
    if len(set(names)) < len(names):
        raise OutputError("a class is named twice", shortened(list(row.names)))
    if set(known) <= set(names) and not is_sound(row.values):
        among = tuple(row.values[names.index(name)] for name in known)
        # The other numbers count something else, such as a latency.
        if is_sound(among):
            return Row(among, tuple(classes))
    # LABEL_0, LABEL_1 and the like are no names: the index decides.
    indexes = [CLASS_INDEX.fullmatch(name) for name in names]
    if all(indexes):
        return _by_index(row, [int(found[1]) for found in indexes if found])
    order = sorted(range(len(names)), key=lambda i: (known.get(names[i], len(known)), names[i]))
    return Row(
        tuple(row.values[i] for i in order),
        tuple(
            classes[known[names[i]]] if names[i] in known else row.names[i].strip() for i in order
        ),
    )


def _class_name(name: str) -> str:
    return name.strip().strip('"').removeprefix("__label__").casefold()


def _by_index(row: Row, indexes: list[int]) -> Row:
    first, size = min(indexes), len(indexes)
    # Indexes begin at 0 or 1 without a gap; else the answer holds only its best classes.
    if size > 1 and (first > 1 or sorted(indexes) != list(range(first, first + size))):
        raise OutputError("some of the classes alone", f"classes {shortened(sorted(indexes))}")
    return Row(tuple(value for _, value in sorted(zip(indexes, row.values, strict=True))))


def _orient_pair(row: Row, known: Mapping[str, int]) -> Row:
    """Swap two probabilities where the answer calls the other class the likelier one."""
    wanted = known.get(_class_name(row.chosen))
    if wanted is None or len(row.values) != _TWO or len(known) != _TWO:
        return row
    likelier = row.values[1] > row.values[0]
    turned = bool(wanted) != likelier and row.values[0] != row.values[1]
    return replace(row, values=row.values[::-1]) if turned else row
