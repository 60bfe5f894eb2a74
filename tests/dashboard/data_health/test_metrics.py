"""Invocations as CloudWatch counts them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from dashboard.aws.cloud import Connection
from dashboard.data_health import metrics
from tests.dashboard.aws.unconnected import unconnected
from workflow.errors import WorkflowError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def connection() -> Connection:
    return unconnected()


Points = list[tuple[datetime, float]]
INVOCATIONS = ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors")


def answer(*points: Points, **more: Any) -> dict[str, Any]:
    """A page with the points of each metric that was asked for."""
    results = [
        {
            "Id": f"m{number}",
            "Timestamps": [moment for moment, _ in one],
            "Values": [value for _, value in one],
        }
        for number, one in enumerate(points)
    ]
    return {"MetricDataResults": results, **more}


def query(period: int, stat: str = "Sum") -> dict[str, Any]:
    namespace = "AWS/SageMaker" if stat == "Sum" else "/aws/sagemaker/Endpoints"
    names = INVOCATIONS if stat == "Sum" else ("DiskUtilization",)
    dimensions = [
        {"Name": "EndpointName", "Value": "e"},
        {"Name": "VariantName", "Value": "v"},
    ]
    metrics = [
        {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions} for name in names
    ]
    return {
        "MetricDataQueries": [
            {
                "Id": f"m{number}",
                "MetricStat": {"Metric": metric, "Period": period, "Stat": stat},
            }
            for number, metric in enumerate(metrics)
        ],
        "StartTime": ANY,
        "EndTime": ANY,
        "ScanBy": "TimestampAscending",
        "MaxDatapoints": ANY,
    }


@pytest.mark.parametrize(
    ("reach", "every", "period"),
    [
        (timedelta(days=1), MINUTE, 60),
        (timedelta(days=30), MINUTE, 300),
        (timedelta(days=90), MINUTE, 3600),
        (timedelta(days=1), timedelta(hours=1), 3600),
    ],
)
def test_points_are_asked_for_as_fine_as_they_are_kept(
    connection: Connection, reach: timedelta, every: timedelta, period: int
) -> None:
    with Stubber(connection.client("cloudwatch")) as stub:
        stub.add_response("get_metric_data", answer([], [], []), query(period))

        kept = metrics.shortest_kept(every, reach)
        found = metrics.read_invocations(connection, "e", "v", NOW - reach, NOW, every=kept)

    assert found.is_empty()


def test_every_page_is_read_and_empty_periods_are_left_out(connection: Connection) -> None:
    with Stubber(connection.client("cloudwatch")) as stub:
        page = query(60)
        stub.add_response(
            "get_metric_data", answer([(NOW, 5.0), (NOW + MINUTE, 0.0)], NextToken="t"), page
        )
        stub.add_response(
            "get_metric_data", answer([(NOW + 2 * MINUTE, 7.0)]), {**page, "NextToken": "t"}
        )

        found = metrics.read_invocations(connection, "e", "v", NOW, NOW + 3 * MINUTE, every=MINUTE)

    assert found.rows() == [(NOW, 5, 0), (NOW + 2 * MINUTE, 7, 0)]


def test_failed_invocations_are_counted_of_both_kinds_and_never_more_than_all(
    connection: Connection,
) -> None:
    later, alone = NOW + MINUTE, NOW + 2 * MINUTE
    with Stubber(connection.client("cloudwatch")) as stub:
        stub.add_response(
            "get_metric_data",
            answer(
                [(NOW, 9.0), (later, 1.0)], [(NOW, 2.0), (later, 0.0)], [(later, 3.0), (alone, 1.0)]
            ),
            query(60),
        )

        found = metrics.read_invocations(connection, "e", "v", NOW, NOW + 3 * MINUTE, every=MINUTE)

    assert found.rows() == [(NOW, 9, 2), (later, 1, 1)]


def test_a_refusal_keeps_its_code(connection: Connection) -> None:
    with Stubber(connection.client("cloudwatch")) as stub:
        stub.add_client_error("get_metric_data", "AccessDenied", "no")

        with pytest.raises(WorkflowError) as caught:
            metrics.read_invocations(connection, "e", "v", NOW, NOW, every=MINUTE)

    assert caught.value.code == "AccessDenied"


@pytest.mark.parametrize(("points", "percent"), [([], None), ([(NOW, 40.0), (NOW, 81.5)], 81.5)])
def test_the_fullest_disk_counts(
    connection: Connection, points: list[tuple[datetime, float]], percent: float | None
) -> None:
    with Stubber(connection.client("cloudwatch")) as stub:
        stub.add_response("get_metric_data", answer(points), query(300, "Maximum"))

        assert metrics.disk_percent(connection, "e", "v", NOW) == percent
