"""The edge to CloudWatch: how often an endpoint was invoked, in vain or not, and its disk."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained

_TIME: Final = pl.Datetime("us", "UTC")
_FAILURES: Final = ("Invocation4XXErrors", "Invocation5XXErrors")
_MAX_POINTS: Final = 100_800  # of one GetMetricData answer
_KEPT: Final = (
    (timedelta(days=15), timedelta(minutes=1)),
    (timedelta(days=63), timedelta(minutes=5)),
)  # CloudWatch keeps points of a minute for so long, then only coarser ones


def read_invocations(
    cloud: Connection,
    endpoint: str,
    variant: str,
    start: datetime,
    end: datetime,
    *,
    every: timedelta,
) -> pl.DataFrame:
    """Return the invocations of a production variant, and how many of them failed.

    Args:
        cloud: Where to ask.
        endpoint: Its name.
        variant: Name of the production variant.
        start: From when, inclusive.
        end: To when, exclusive.
        every: Length of a period, as ``shortest_kept`` gives it: a finer one has no points.

    Returns:
        ``time`` (start of the period), ``count``, ``failed`` (of the count, answered with 4XX or
        5XX); only periods with any, sorted.

    Raises:
        WorkflowError: Under AWS's code, such as ``AccessDenied``.
    """
    points = _read_points(
        cloud,
        "AWS/SageMaker",
        ("Invocations", *_FAILURES),
        {"EndpointName": endpoint, "VariantName": variant},
        statistic="Sum",
        window=(start, end),
        every=every,
    )
    schema = pl.Schema({"metric": pl.String(), "time": _TIME, "value": pl.Float64()})
    failure, value = pl.col("metric").is_in(list(_FAILURES)), pl.col("value")
    sums = (
        pl.DataFrame(points, schema=schema, orient="row")
        .group_by("time")
        .agg(count=value.filter(~failure).sum(), failed=value.filter(failure).sum())
        .cast({"count": pl.Int64, "failed": pl.Int64})
    )
    # The metrics are counted apart: at the border of a period they need not agree.
    agreed = pl.min_horizontal("failed", "count")
    return sums.filter(pl.col("count") > 0).with_columns(failed=agreed).sort("time")


def disk_percent(cloud: Connection, endpoint: str, variant: str, now: datetime) -> float | None:
    """Return the highest disk use of the variant's instances in the last hour, if known."""
    points = _read_points(
        cloud,
        "/aws/sagemaker/Endpoints",
        ("DiskUtilization",),
        {"EndpointName": endpoint, "VariantName": variant},
        statistic="Maximum",
        window=(now - timedelta(hours=1), now),
        every=timedelta(minutes=5),
    )
    return max((value for _, _, value in points), default=None)


def _read_points(
    cloud: Connection,
    namespace: str,
    names: Sequence[str],
    dimensions: dict[str, str],
    *,
    statistic: str,
    window: tuple[datetime, datetime],
    every: timedelta,
) -> list[tuple[str, datetime, float]]:
    """Name, start of the period and value of each metric, by one call a page."""
    start, end = window
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    queries: list[dict[str, Any]] = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": named},
                "Period": int(every.total_seconds()),
                "Stat": statistic,
            },
        }
        for number, name in enumerate(names)
    ]
    with explained("cloudwatch:GetMetricData", f"{names[0]} of {named[0]['Value']}"):
        pages = (
            cloud.client("cloudwatch")
            .get_paginator("get_metric_data")
            .paginate(
                MetricDataQueries=queries,
                StartTime=start,
                EndTime=end,
                # The default is the newest first, page by page.
                ScanBy="TimestampAscending",
                MaxDatapoints=_MAX_POINTS,
            )
        )
        by_id = {query["Id"]: name for query, name in zip(queries, names, strict=True)}
        return [(by_id[found], moment, value) for found, moment, value in _iterate_values(pages)]


def shortest_kept(every: timedelta, age: timedelta) -> timedelta:
    """Return the shortest period, at least ``every``, by which points of an age are kept."""
    finest = next((length for oldest, length in _KEPT if age <= oldest), timedelta(hours=1))
    return max(every, finest)


def _iterate_values(pages: Iterable[dict[str, Any]]) -> Iterable[tuple[str, datetime, float]]:
    for page in pages:
        for result in page["MetricDataResults"]:
            for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                yield result["Id"], moment, value
