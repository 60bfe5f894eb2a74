"""What the Executions page shows: filters, rates, durations, states and the list."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from workflow.executions import Outcome

LISTED = 500
"""Rows of the list that are sent to the browser; the filters find the others."""

BARS = 48
"""Bars of a chart over time, about."""

WIDTHS = tuple(
    timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 180, 360, 720, 1440, 2880)
)


@dataclass(frozen=True, slots=True)
class ExecutionFilters:
    """What the list is narrowed to, and which execution is open; all of it in the address.

    Attributes:
        outcome: How they ended; none means all.
        version: State machine version.
        image: Part of the image's S3 location.
        error: Part of the error's name.
        name: Part of the execution's name.
        group: Digest of the group of failures that they belong to.
        execution: ARN of the execution that is open.
        compare: ARN of the execution beside it.
    """

    outcome: tuple[Outcome, ...] = ()
    version: str = ""
    image: str = ""
    error: str = ""
    name: str = ""
    group: str = ""
    execution: str = ""
    compare: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no ARN: AWS could only say that it knows no such execution.

        Raises:
            ValueError: ``execution`` or ``compare`` is none.
        """
        if not all(arn.startswith("arn:") for arn in (self.execution, self.compare) if arn):
            raise ValueError("An execution is named by its ARN.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Shares of the executions that have ended; NaN where none has.

    Attributes:
        count: Executions, those that run included.
        per_hour: Executions started an hour.
        accepted: Share that ended well, as far as it was examined.
        rejected: Share below the threshold, said loudly.
        faulted: Share that failed or timed out for any other reason.
        silent: Share that succeeded but is wrong, of those that were examined.
        p50: Median duration in seconds.
        p95: The duration in seconds that 95 in 100 do not exceed.
    """

    count: int
    per_hour: float
    accepted: float
    rejected: float
    faulted: float
    silent: float
    p50: float
    p95: float


def select_executions(
    listing: pl.DataFrame, filters: ExecutionFilters, *, since: datetime
) -> pl.DataFrame:
    """Return the rows of ``execution_tables.listing`` since a time that the filters let through."""
    keep = [pl.col("started_at") > since]
    if filters.outcome:
        keep.append(pl.col("outcome").is_in([one.value for one in filters.outcome]))
    if filters.version:
        keep.append(pl.col("version") == filters.version)
    texts = {"image": filters.image, "error": filters.error, "name": filters.name}
    keep += [
        pl.col(column).str.to_lowercase().str.contains(text.lower(), literal=True)
        for column, text in texts.items()
        if text
    ]
    return listing.filter(*keep)


def select_arns(listing: pl.DataFrame, arns: Sequence[str]) -> pl.DataFrame:
    """Return the rows of some executions, in the order of the listing."""
    return listing.filter(pl.col("arn").is_in(list(arns)))


def selection_span(rows: pl.DataFrame, *, now: datetime) -> timedelta:
    """Return the time that a selection spans: back to its oldest execution, an hour at least."""
    oldest = rows["started_at"].min()
    span = now - oldest if isinstance(oldest, datetime) else timedelta()
    return max(span, timedelta(hours=1))


def compute_rates(rows: pl.DataFrame, span: timedelta) -> Rates:
    """Return how a selection went.

    Args:
        rows: Rows of ``execution_tables.listing``.
        span: The time they were started in.
    """
    counts = dict(rows.group_by("outcome").len().iter_rows())
    ended = rows.height - counts.get(Outcome.RUNNING.value, 0)
    well = counts.get(Outcome.ACCEPTED.value, 0) + counts.get(Outcome.UNEXAMINED.value, 0)
    silent = counts.get(Outcome.SILENT.value, 0)
    examined = counts.get(Outcome.ACCEPTED.value, 0) + silent
    p50, p95 = (rows["seconds"].quantile(at, "linear") for at in (0.5, 0.95))
    return Rates(
        count=rows.height,
        per_hour=rows.height / (span / timedelta(hours=1)),
        accepted=_share(well, ended),
        rejected=_share(counts.get(Outcome.REJECTED.value, 0), ended),
        faulted=_share(counts.get(Outcome.FAULTED.value, 0), ended),
        silent=_share(silent, examined),
        p50=math.nan if p50 is None else p50,
        p95=math.nan if p95 is None else p95,
    )


def outcomes_over_time(rows: pl.DataFrame, span: timedelta) -> pl.DataFrame:
    """Count executions by start and outcome: ``time``, ``outcome``, ``count``, no empty bins."""
    return (
        rows.group_by(pl.col("started_at").dt.truncate(bar_width(span)).alias("time"), "outcome")
        .agg(count=pl.len())
        .sort("time", "outcome")
    )


def durations_over_time(rows: pl.DataFrame, visits: pl.DataFrame, span: timedelta) -> pl.DataFrame:
    """Return durations of Task states by entry: ``time``, ``state``, ``p50``, ``p95`` (seconds).

    The other types take no time of their own.

    Args:
        rows: The selection of executions.
        visits: ``execution_tables.VISITS``; those of other executions are left out.
        span: The time that the selection spans.
    """
    return (
        _visits_of(rows, visits)
        .filter(pl.col("type") == "Task")
        .group_by(pl.col("entered_at").dt.truncate(bar_width(span)).alias("time"), "state")
        .agg(
            p50=pl.col("seconds").quantile(0.5, "linear"),
            p95=pl.col("seconds").quantile(0.95, "linear"),
        )
        .drop_nulls("p50")
        .sort("state", "time")
    )


def summarize_states(rows: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """Return what became of each state in the histories read, in the order they were first entered.

    Returns:
        ``state``, ``visits``, ``succeeded``, ``failed``, ``retries``, ``p50``, ``p95`` (seconds).
    """
    return states_of(_visits_of(rows, visits))


def states_of(visits: pl.DataFrame) -> pl.DataFrame:
    """Return what became of each state, of all the visits given."""
    failed = pl.col("status").is_in(["FAILED", "TIMED_OUT"])
    return (
        visits.sort("entered_at")
        .group_by("state", maintain_order=True)
        .agg(
            visits=pl.len(),
            succeeded=pl.col("status").is_in(["SUCCEEDED", "CAUGHT"]).sum(),
            failed=failed.sum(),
            retries=pl.col("retries").sum(),
            p50=pl.col("seconds").quantile(0.5, "linear"),
            p95=pl.col("seconds").quantile(0.95, "linear"),
        )
    )


def list_versions(listing: pl.DataFrame) -> list[str]:
    """Return the state machine versions seen, newest first."""
    seen = listing["version"].drop_nulls().unique().to_list()
    return sorted(seen, key=lambda one: (one.isdecimal(), int(one) if one.isdecimal() else one))[
        ::-1
    ]


def bar_width(span: timedelta) -> timedelta:
    """Return the width of a chart's bar over so much time: a round one, for about ``BARS``."""
    return next((width for width in WIDTHS if width * BARS >= span), WIDTHS[-1])


def read_histories(rows: pl.DataFrame, visits: pl.DataFrame) -> int:
    """Return of how many of the selected executions a history was read."""
    return int(_visits_of(rows, visits)["arn"].n_unique())


def drawn_from(rows: pl.DataFrame, visits: pl.DataFrame) -> str:
    """Return which share of a selection the graph is drawn from, by outcome where it is not all.

    Every history of a failure is read, those of successes only as far as they were opened.
    """
    read = rows.join(visits, on=["arn", "redrive_count"], how="semi")
    if read.height == rows.height:
        return f"Drawn from all {rows.height:,} executions of this selection."
    counts = dict(read.group_by("outcome").len().iter_rows())
    whole = rows.group_by("outcome").len().sort("len", "outcome", descending=[True, False])
    parts = [f"{counts.get(how, 0):,} of {count:,} {how}" for how, count in whole.iter_rows()]
    return (
        f"Drawn from {read.height:,} of {rows.height:,} executions, those whose history was read:"
        f" {', '.join(parts)}. Numbers in the graph are of these."
    )


def _visits_of(rows: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    return visits.join(rows.select("arn", "redrive_count"), on=["arn", "redrive_count"], how="semi")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
