"""The selected captures with their counts, as the views of the Inferences page take them."""

from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from dashboard.captures.periods import Period
from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.source import InferenceFeed
from workflow.class_names import ClassNames


@dataclass(frozen=True, slots=True)
class CountedSelection:
    """The selected captures with their counts.

    Attributes:
        feed: Where single records come from.
        filters: What was selected.
        counts: The selection's counts.
        period: By which they were counted.
        threshold: Where records part into accepted and rejected; 0 where none is known.
        now: When they were counted; aware.
        names: Of the classes.
        zone: Where the reader's clock is.
    """

    feed: InferenceFeed
    filters: InferenceFilters
    counts: pl.DataFrame
    period: Period
    threshold: float
    now: datetime
    names: ClassNames
    zone: ZoneInfo

    @classmethod
    def of(
        cls,
        feed: InferenceFeed,
        filters: InferenceFilters,
        threshold: float,
        now: datetime,
        *,
        names: ClassNames,
        zone: ZoneInfo,
    ) -> "CountedSelection":
        """Return the selection that filters make, counted by the period that suits it.

        It begins with a whole period, lest what is counted by periods differs from its records.
        """
        period = feed.period(filters, now)
        if filters.since is not None:
            filters = replace(filters, since=period.floor(filters.since))
        counts = feed.counts(filters, period, now)
        return cls(feed, filters, counts, period, threshold, now, names, zone)
