"""The edge to CloudWatch: how often an endpoint was invoked, and how full its disk is."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained

_TIME: Final = pl.Datetime("us", "UTC")
_MAX_POINTS: Final = 100_800  # of one GetMetricData answer
_KEPT: Final = (
    (timedelta(days=15), timedelta(minutes=1)),
    (timedelta(days=63), timedelta(minutes=5)),
)  # CloudWatch keeps points of a minute for so long, then only coarser ones


def invocations(
    cloud: Connection,
    endpoint: str,
    variant: str,
    start: datetime,
    end: datetime,
    *,
    every: timedelta,
) -> pl.DataFrame:
    """Invocations of a production variant.

    Args:
        cloud: Where to ask.
        endpoint: Its name.
        variant: Name of the production variant.
        start: From when, inclusive.
        end: To when, exclusive.
        every: Length of a period, one that is ``kept``: nothing is answered for a finer one.

    Returns:
        ``time`` (start of the period), ``count``; only periods with any, sorted.

    Raises:
        WorkflowError: Under AWS's code, such as ``AccessDenied``.
    """
    points = _points(
        cloud,
        {"Namespace": "AWS/SageMaker", "MetricName": "Invocations"},
        {"EndpointName": endpoint, "VariantName": variant},
        statistic="Sum",
        window=(start, end),
        every=every,
    )
    frame = pl.DataFrame(points, schema={"time": _TIME, "count": pl.Float64}, orient="row")
    return frame.with_columns(pl.col("count").cast(pl.Int64)).filter(pl.col("count") > 0)


def disk_percent(cloud: Connection, endpoint: str, variant: str, now: datetime) -> float | None:
    """Highest disk utilization of the variant's instances in the last hour; None where unknown."""
    points = _points(
        cloud,
        {"Namespace": "/aws/sagemaker/Endpoints", "MetricName": "DiskUtilization"},
        {"EndpointName": endpoint, "VariantName": variant},
        statistic="Maximum",
        window=(now - timedelta(hours=1), now),
        every=timedelta(minutes=5),
    )
    return max((value for _, value in points), default=None)


def _points(
    cloud: Connection,
    metric: dict[str, str],
    dimensions: dict[str, str],
    *,
    statistic: str,
    window: tuple[datetime, datetime],
    every: timedelta,
) -> list[tuple[datetime, float]]:
    start, end = window
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    query: dict[str, Any] = {
        "Id": "m",
        "MetricStat": {
            "Metric": {**metric, "Dimensions": named},
            "Period": int(every.total_seconds()),
            "Stat": statistic,
        },
    }
    with explained("cloudwatch:GetMetricData", f"{metric['MetricName']} of {named[0]['Value']}"):
        pages = (
            cloud.client("cloudwatch")
            .get_paginator("get_metric_data")
            .paginate(
                MetricDataQueries=[query],
                StartTime=start,
                EndTime=end,
                ScanBy="TimestampAscending",
                MaxDatapoints=_MAX_POINTS,
            )
        )
        return sorted(_values(pages))


def kept(every: timedelta, age: timedelta) -> timedelta:
    """The shortest period, no shorter than ``every``, by which points of an age are still kept."""
    finest = next((length for oldest, length in _KEPT if age <= oldest), timedelta(hours=1))
    return max(every, finest)


def _values(pages: Iterable[dict[str, Any]]) -> Iterable[tuple[datetime, float]]:
    for page in pages:
        for result in page["MetricDataResults"]:
            yield from zip(result["Timestamps"], result["Values"], strict=True)
