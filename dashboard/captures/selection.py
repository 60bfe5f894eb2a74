"""A selection: bars of a confidence histogram, and which records are behind them.

A chart of many classes draws the smallest together. Their bar says which classes it leaves out, not
which it holds: so it means the same records when there are new ones, whichever class is large then.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

_TEXT: Final = re.compile(
    r"([01](?:\.\d+)?)-([01](?:\.\d+)?)(?: (of|but) (\d+(?:,\d+)*))?", re.ASCII
)

_NEAR: Final = 1e-6  # an address has six digits of a bar's ends


@dataclass(frozen=True, slots=True)
class Selection:
    """Bars that were selected in a confidence histogram.

    Attributes:
        low: Lower end of the confidence, inclusive.
        high: Upper end, exclusive, or inclusive where it is 1.
        labels: Classes of the bars, sorted; at least one unless ``others``.
        others: Whether the bars are of all classes but ``labels``: of all where there is none.
    """

    low: float
    high: float
    labels: tuple[int, ...] = ()
    others: bool = True

    @classmethod
    def of_text(cls, text: str) -> "Selection | None":
        """Read what ``text`` wrote; None where it is something else."""
        found = _TEXT.fullmatch(text)
        if not found:
            return None
        low, high = float(found[1]), float(found[2])
        labels = tuple(sorted({int(label) for label in (found[4] or "").split(",") if label}))
        return cls(low, high, labels, others=found[3] != "of") if low < high <= 1 else None

    def format_text(self) -> str:
        """Write it for an address: ``0.99-1 of 0``, ``0.98-0.99 but 0,1,2``, ``0.5-1``."""
        bars = f"{self.low:.6g}-{self.high:.6g}"
        if not self.labels:
            return bars
        return f"{bars} {'but' if self.others else 'of'} {','.join(map(str, self.labels))}"

    def of_class(self) -> pl.Expr:
        """Return whether the class of a record, or of a count of records, is one of the bars'."""
        named = pl.col("label").is_in(self.labels)
        return ~named if self.others else named

    def includes(self, bar: "Selection") -> bool:
        """Return whether a bar of today's chart is among those that were selected.

        Where classes have been drawn together since, their bar is among them if it was then.
        """
        if bar.low < self.low - _NEAR or bar.high > self.high + _NEAR:
            return False
        if bar.others:
            return self.others
        return self.others != (bar.labels[0] in self.labels)

    def describe_classes(self, known: Iterable[int], name: Callable[[int], str]) -> str:
        """Return the classes in words, such as "bicycle" or "23 other classes".

        Args:
            known: The classes there are now.
            name: Name of a class.
        """
        if not self.others:
            return _join_names(self.labels, name)
        if not self.labels:
            return "all classes"
        count = len({*known}.difference(self.labels))
        return f"{count:,} other class{'' if count == 1 else 'es'}"

    def left_out(self, name: Callable[[int], str]) -> str:
        """Return the classes that the bars leave out in words; empty where they leave out none."""
        return _join_names(self.labels, name) if self.others else ""


def combine_bars(bars: Sequence[Selection]) -> Selection:
    """Combine bars, at least one, from the lowest confidence to the highest."""
    named = {label for bar in bars if not bar.others for label in bar.labels}
    rest = [{*bar.labels} for bar in bars if bar.others]
    labels = set[int].intersection(*rest) - named if rest else named
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    return Selection(low, high, tuple(sorted(labels)), others=bool(rest))


def _join_names(labels: Sequence[int], name: Callable[[int], str]) -> str:
    *first, last = [name(label) for label in labels] or [""]
    return f"{', '.join(first)} and {last}" if first else last
