"""Whether every inference that should be captured was: invocations and records, by time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from dashboard.captures.aggregates import COUNTS, EARLIEST
from dashboard.captures.periods import Period
from dashboard.captures.record_filters import InferenceFilters
from dashboard.data_health.model import (
    Health,
    HealthFinding,
    HealthFindingKind,
    combine_health,
)
from dashboard.shared.time_range import DAY_AND_MINUTE, format_moment
from workflow.configurations import Sampling
from workflow.monitoring import CaptureState
from workflow.spans import Span

DISK_LIMIT = 75.0
"""Percent of disk above which SageMaker may stop capturing (developer guide, data capture)."""

SETTLED_AFTER = timedelta(minutes=30)
"""SageMaker delivers captures minutes late; younger periods are not yet judged."""

_SIGMAS = 4  # a sampled hour this far below its mean is no chance
_EDGE = 2  # invocations at the border of a period may be counted in its neighbour
_FEW = 5  # expected records below which silence means little


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficCounts:
    """Invocations and records of one production variant, in the time that is shown.

    Attributes:
        endpoint: Name of its endpoint.
        variant: Its name.
        state: Of the endpoint's data capture.
        captured: ``time``, ``count`` of its records, of all classes.
        samplings: The times in which it is known what share was captured.
        invocations: ``time``, ``count``, ``failed`` of CloudWatch, in the same periods; None where
            it was not asked.
        refusal: Why it was not.
    """

    endpoint: str
    variant: str
    state: CaptureState
    captured: pl.DataFrame
    samplings: tuple[Sampling, ...] = ()
    invocations: pl.DataFrame | None = None
    refusal: str = ""

    @property
    def subject(self) -> str:
        """Endpoint and variant, in words."""
        return f"{self.endpoint}, {self.variant}"

    def rows(self, period: Period) -> pl.DataFrame:
        """Return ``expected_and_captured``; no row where invocations are not known."""
        none = self.captured.clear().with_columns(failed=pl.lit(0, pl.Int64))
        invocations = none if self.invocations is None else self.invocations
        return expected_and_captured(invocations, self.captured, self.samplings, period)


def list_endpoints(names: pl.DataFrame, filters: InferenceFilters, own: str) -> list[str]:
    """List the shown endpoints: the one chosen, or all with records and the workflow's own."""
    if filters.endpoint:
        return [filters.endpoint]
    return sorted({*names["endpoint"], own} - {""})


def list_variants(
    names: pl.DataFrame, filters: InferenceFilters, endpoint: str, state: CaptureState
) -> list[str]:
    """List the shown variants of an endpoint: those with records, and those it has now."""
    captured = names.filter(pl.col("endpoint") == endpoint)["variant"]
    known = {*captured, *state.variants}
    return sorted(known & {filters.variant} if filters.variant else known)


def metric_period(period: Period, kept: timedelta) -> Period:
    """Return by which period invocations and records are compared.

    Args:
        period: By which the records are shown.
        kept: The shortest period that CloudWatch has for the time shown.
    """
    # A day is too long to find a gap in, and CloudWatch counts by the minute at the finest.
    finest = max(period.length, kept)
    return Period.MINUTE if finest <= Period.MINUTE.length else Period.HOUR


def compared_window(
    filters: InferenceFilters, counts: pl.DataFrame, now: datetime
) -> tuple[datetime, datetime] | None:
    """Return from when (inclusive) to when (exclusive) both are compared.

    Args:
        filters: Their days; where the first is open, the first record begins.
        counts: A frame of ``tables.COUNTS``, as the filters let through.
        now: Later is nothing.

    Returns:
        None where that is no time at all.
    """
    start, end = filters.window()
    first = start or counts["time"].min()
    soon = now + Period.MINUTE.length
    last = min(end or soon, soon)
    return (first, last) if isinstance(first, datetime) and first < last else None


def captured_by_time(counts: pl.DataFrame, endpoint: str, variant: str) -> pl.DataFrame:
    """Return ``time`` and ``count`` of a variant's records with a usable time."""
    mine = counts.filter(pl.col("endpoint") == endpoint, pl.col("variant") == variant)
    return mine.drop_nulls("time").group_by("time").agg(pl.col("count").sum())


def expected_and_captured(
    invocations: pl.DataFrame,
    captured: pl.DataFrame,
    samplings: Sequence[Sampling],
    period: Period,
) -> pl.DataFrame:
    """Return captures expected and found, by time.

    Args:
        invocations: ``time``, ``count``, ``failed`` of CloudWatch, one row a period with any.
        captured: ``time``, ``count`` of the captures, in the same periods.
        samplings: The times in which it is known what share of the invocations is captured.
        period: The length of a row's time.

    Returns:
        ``time``, ``invocations``, ``failed``, ``share`` (0 to 1), ``expected``, ``captured``;
        sorted, from the first invocation; no row where there is none. Share and expected are null
        in a period that does not lie in one of ``samplings`` as a whole.
    """
    # A full join: a period with captures alone is a surplus, one with invocations alone a gap.
    both = invocations.rename({"count": "invocations"}).join(
        captured.rename({"count": "captured"}), on="time", how="full", coalesce=True
    )
    counted = both.with_columns(pl.col("invocations", "failed", "captured").fill_null(0))
    first = pl.lit(invocations["time"].min(), COUNTS["time"])
    rows = counted.sort("time").filter(pl.col("time") >= first)
    return rows.with_columns(share=_expected_share(samplings, period)).select(
        "time",
        "invocations",
        "failed",
        "share",
        # AWS does not say whether it captures failed invocations: none is missed.
        expected=(pl.col("invocations") - pl.col("failed")) * pl.col("share"),
        captured="captured",
    )


def _expected_share(samplings: Sequence[Sampling], period: Period) -> pl.Expr:
    share = pl.lit(None, pl.Float64)
    for one in samplings:
        share = pl.when(_is_within(one.span, period)).then(one.percentage / 100).otherwise(share)
    return share


def _is_within(span: Span, period: Period) -> pl.Expr:
    """Return whether the whole of a row's time lies in a span."""
    bounds = [pl.lit(value=True)]
    if span.start is not None:
        bounds.append(pl.col("time") >= span.start)
    if span.end is not None:
        bounds.append(pl.col("time") + period.length <= span.end)
    return pl.all_horizontal(bounds)


def sum_traffic(traffic: Sequence[TrafficCounts], period: Period) -> pl.DataFrame:
    """Return what was expected and captured of one or more, added up by time.

    Returns:
        ``time``, ``expected``, ``captured``; expected is null where it is not known of all.
    """
    rows = pl.concat(one.rows(period) for one in traffic)
    unknown = pl.col("expected").is_null().any()
    return (
        rows.group_by("time")
        .agg(
            expected=pl.when(unknown).then(None).otherwise(pl.col("expected").sum()),
            captured=pl.col("captured").sum(),
        )
        .sort("time")
    )


def judge_volumes(
    traffic: Sequence[TrafficCounts], period: Period, *, read_at: datetime | None, zone: ZoneInfo
) -> Health:
    """Return whether every invocation that should be captured was, each variant by itself.

    Args:
        traffic: What is shown.
        period: The length of a row's time.
        read_at: When all captures there were had been read; None where that has not yet been.
        zone: Where the reader's clock is.
    """
    found = combine_health(_judge_volume(one, period, read_at, zone) for one in traffic)
    if traffic and found == Health():
        return Health(unjudged=("Volume: no invocation and no record in that time.",))
    return found


def _judge_volume(
    traffic: TrafficCounts, period: Period, read_at: datetime | None, zone: ZoneInfo
) -> Health:
    rows, now = traffic.rows(period), read_at or EARLIEST
    named = {HealthFindingKind.OFF: traffic.endpoint}
    findings = tuple(
        replace(finding, subject=named.get(finding.kind, traffic.subject))
        for finding in find_problems(rows, traffic.state, period, now=now, zone=zone)
    )
    done = filter_settled(rows, period, now)
    judged = _filter_judged(done)
    said = (_describe_compared(traffic, judged, period, zone),) if judged.height else ()
    unjudged = tuple(_not_compared(traffic, rows, done, period, read_at=read_at, zone=zone))
    return Health(findings, said, unjudged)


def _filter_judged(settled: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of which it is known what share was captured."""
    return settled.filter(pl.col("share").is_not_null())


def _describe_compared(
    traffic: TrafficCounts, rows: pl.DataFrame, period: Period, zone: ZoneInfo
) -> str:
    failed = rows["failed"].sum()
    vain = (
        f" ({failed:,} of them failed; AWS does not say whether it captures those, so they are"
        " neither missed nor too many)"
        if failed
        else ""
    )
    return (
        f"{rows['invocations'].sum():,} invocations{vain} and {rows['captured'].sum():,} records of"
        f" {traffic.subject}, {_format_span(rows, period, zone)}, by {period}"
    )


def _not_compared(
    traffic: TrafficCounts,
    rows: pl.DataFrame,
    done: pl.DataFrame,
    period: Period,
    *,
    read_at: datetime | None,
    zone: ZoneInfo,
) -> Iterable[str]:
    who = f"Volume of {traffic.subject}"
    records = traffic.captured["count"].sum()
    young = rows.slice(done.height)
    unknown = done.filter(pl.col("share").is_null(), pl.col("invocations") > 0)
    if unknown.height:
        yield (
            f"{who}: {unknown['invocations'].sum():,} invocations in "
            f"{_format_periods(unknown, period)},"
            f" first at {format_moment(unknown['time'][0], zone)}. What share of them was to be"
            " captured is not known: the endpoint's configuration changed then, or it no longer"
            " exists."
        )
    if traffic.invocations is None:
        yield f"{who}: {traffic.refusal}"
    elif traffic.invocations.is_empty() and records:
        yield f"{who}: CloudWatch has no invocation of it in that time, for {records:,} records."
    elif young.height and read_at is None:
        yield f"{who}: the captures have not all been read yet."
    elif young["invocations"].sum():
        yield (
            f"{who}: {young['invocations'].sum():,} invocations since"
            f" {format_moment(young['time'][0], zone)} are too young. Captures come minutes late,"
            f" so a {period} is judged by what is read {SETTLED_AFTER // timedelta(minutes=1)}"
            " minutes after its end or later."
        )


def _format_span(rows: pl.DataFrame, period: Period, zone: ZoneInfo) -> str:
    first, last = rows["time"][0].astimezone(zone), rows["time"][-1] + period.length
    return f"{first:{DAY_AND_MINUTE}} to {format_moment(last, zone)}"


def judge_unasked(endpoint: str, refusal: str) -> Health:
    """Report an endpoint that does not say what share it captures: nothing can be expected."""
    return Health(unjudged=(f"Volume of {endpoint}: {refusal}",))


def judge_nameless(counts: pl.DataFrame) -> Health:
    """Report records whose key names no endpoint: they cannot be compared with invocations."""
    records = counts.filter(pl.col("endpoint") == "")["count"].sum()
    if not records:
        return Health()
    return Health(unjudged=(f"Volume of {records:,} records whose key names no endpoint.",))


def filter_settled(rows: pl.DataFrame, period: Period, now: datetime) -> pl.DataFrame:
    """Return the rows that no longer fill up."""
    return rows.filter(pl.col("time") <= now - SETTLED_AFTER - period.length)


def find_problems(
    rows: pl.DataFrame,
    state: CaptureState,
    period: Period,
    *,
    now: datetime,
    zone: ZoneInfo,
) -> tuple[HealthFinding, ...]:
    """Return what is wrong with the number of captures.

    Args:
        rows: Of ``expected_and_captured``.
        state: Of the endpoint.
        period: The length of a row's time.
        now: Rows that may still fill up are not judged, nor those of an unknown share.
        zone: Where the reader's clock is.
    """
    return tuple(_iterate_findings(filter_settled(rows, period, now), state, period, zone))


def _iterate_findings(
    settled: pl.DataFrame, state: CaptureState, period: Period, zone: ZoneInfo
) -> Iterable[HealthFinding]:
    on = state.share > 0
    if not on:
        yield HealthFinding(
            HealthFindingKind.OFF,
            "Data capture is switched off, so nothing new will appear here. Deploy again with a"
            " sampling percentage above 0.",
        )
    silent = _trailing_silence(settled)
    if on and not silent.is_empty():
        yield HealthFinding(
            HealthFindingKind.SILENCE, _silence_sentence(silent, state, period, zone)
        )
    heard = settled if silent.is_empty() else settled.filter(pl.col("time") < silent["time"][0])
    judged = _filter_judged(heard)
    # Sampling is binomial: the deviation grows with the root of what is expected.
    spread = (pl.col("expected") * (1 - pl.col("share"))).sqrt() * _SIGMAS + _EDGE
    gaps = judged.filter(pl.col("captured") < pl.col("expected") - spread)
    if not gaps.is_empty():
        missing = float(gaps.select((pl.col("expected") - pl.col("captured")).sum()).item())
        yield HealthFinding(
            HealthFindingKind.GAP,
            f"About {missing:,.0f} records are missing in {_format_periods(gaps, period)}, first at"
            f" {format_moment(gaps['time'][0], zone)}. Objects may have been deleted by the"
            " bucket's lifecycle, or records not be readable or have no usable time: look at the"
            " bucket, then check all objects again.",
        )
    surplus = judged.filter(pl.col("captured") > pl.col("invocations") + spread)
    if not surplus.is_empty():
        yield HealthFinding(
            HealthFindingKind.SURPLUS,
            f"There are more records than invocations in {_format_periods(surplus, period)}. Batch"
            " requests make several records each; else another endpoint of this name wrote them.",
        )


def _trailing_silence(settled: pl.DataFrame) -> pl.DataFrame:
    """Return the last rows, where invocations went on and captures did not."""
    heard = settled.with_row_index().filter(pl.col("captured") > 0)["index"].max()
    tail = _filter_judged(settled.slice(0 if heard is None else int(heard) + 1))  # type: ignore[arg-type]
    return tail if tail["expected"].sum() >= _FEW else tail.clear()


def _silence_sentence(
    silent: pl.DataFrame, state: CaptureState, period: Period, zone: ZoneInfo
) -> str:
    said = (
        f"Nothing was captured from {_format_span(silent, period, zone)}, though"
        f" {silent['invocations'].sum():,} invocations"
    )
    disk = state.disk_percent
    if disk is not None and disk >= DISK_LIMIT:
        return (
            f"{said} came in. The instance's disk is {disk:.0f} % full, and SageMaker stops"
            " capturing silently when it fills: update the endpoint to get fresh instances."
        )
    return (
        f"{said} came in. SageMaker stops capturing silently when the instance's disk fills"
        " or its role may not write to the bucket: check both, then update the endpoint."
    )


def _format_periods(rows: pl.DataFrame, period: Period) -> str:
    return f"{rows.height:,} {period}{'s' if rows.height != 1 else ''}"
