"""A look at inferences: what was selected, counted, as its views are given it."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from dashboard.captures.periods import Period
from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.source import CaptureSource
from workflow.class_names import ClassNames


@dataclass(frozen=True, slots=True)
class Look:
    """What one is looking at: the selection, counted.

    Attributes:
        feed: Where single records come from.
        filters: What was selected.
        counts: The selection's counts.
        period: By which they were counted.
        threshold: Where records part into accepted and rejected; 0 where none is known.
        now: The moment of looking.
        names: Of the classes.
    """

    feed: CaptureSource
    filters: InferenceFilters
    counts: pl.DataFrame
    period: Period
    threshold: float
    now: datetime
    names: ClassNames

    @classmethod
    def of(
        cls,
        feed: CaptureSource,
        filters: InferenceFilters,
        threshold: float,
        now: datetime,
        names: ClassNames,
    ) -> "Look":
        """Return the selection that filters make, counted by the period that suits it."""
        period = feed.period(filters, now)
        counts = feed.counts(filters, period, now)
        return cls(feed, filters, counts, period, threshold, now, names)
