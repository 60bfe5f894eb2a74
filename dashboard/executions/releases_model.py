"""Releases: when executions began to run another version, as the executions themselves tell."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from dashboard.shared.marker_charts import DEPLOYED, ROLLED_BACK, Marker


@dataclass(frozen=True, slots=True)
class VersionRelease:
    """A version that executions began to run.

    Attributes:
        at: Start of the first execution that ran it.
        version: The version.
        rolled_back: Whether executions had run it before: somebody went back to it.
    """

    at: datetime
    version: str
    rolled_back: bool = False

    @property
    def words(self) -> str:
        """What happened, for a chart: ``v4``, ``back to v1``."""
        return f"back to v{self.version}" if self.rolled_back else f"v{self.version}"


def find_releases(listing: pl.DataFrame) -> tuple[VersionRelease, ...]:
    """Return the releases and rollbacks that a listing shows, in order.

    A version is released when it is first run. It is rolled back to where a version that was
    released after it ran for the last time and it is run on. While an alias sends executions to
    two versions, that is no rollback: the later one still runs.

    Args:
        listing: ``started_at`` and ``version`` of executions; those without a version are left out.
    """
    runs = listing.drop_nulls("version").select("started_at", "version").sort("started_at")
    spans = runs.group_by("version").agg(
        first=pl.col("started_at").min(), last=pl.col("started_at").max()
    )
    found = [VersionRelease(first, version) for version, first, _ in spans.iter_rows()]
    released = dict(zip(spans["version"], spans["first"], strict=True))
    for version, _, last in spans.iter_rows():
        after = runs.filter(pl.col("started_at") > last).head(1)
        for at, following in after.iter_rows():
            # An older version ran after the last run of a newer one: somebody went back to it.
            if released[following] < released[version]:
                found.append(VersionRelease(at, following, rolled_back=True))
    found.sort(key=lambda one: (one.at, one.version))
    return tuple(found)


def release_markers(listing: pl.DataFrame) -> list[Marker]:
    """Return the releases and rollbacks of a listing as markers of a time axis."""
    return [
        (one.at, one.words, ROLLED_BACK if one.rolled_back else DEPLOYED)
        for one in find_releases(listing)
    ]
