"""Invocations as CloudWatch counts them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from dashboard.aws import metrics
from dashboard.aws.cloud import Connection
from tests.dashboard.aws.unconnected import unconnected
from workflow.errors import WorkflowError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def connection() -> Connection:
    return unconnected()


def answer(points: list[tuple[datetime, float]], **more: Any) -> dict[str, Any]:
    result = {
        "Id": "m",
        "Timestamps": [moment for moment, _ in points],
        "Values": [value for _, value in points],
    }
    return {"MetricDataResults": [result], **more}


def query(period: int, stat: str = "Sum") -> dict[str, Any]:
    namespace = "AWS/SageMaker" if stat == "Sum" else "/aws/sagemaker/Endpoints"
    name = "Invocations" if stat == "Sum" else "DiskUtilization"
    dimensions = [
        {"Name": "EndpointName", "Value": "e"},
        {"Name": "VariantName", "Value": "v"},
    ]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}
    return {
        "MetricDataQueries": [
            {"Id": "m", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}
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
        stub.add_response("get_metric_data", answer([]), query(period))

        kept = metrics.kept(every, reach)
        found = metrics.invocations(connection, "e", "v", NOW - reach, NOW, every=kept)

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

        found = metrics.invocations(connection, "e", "v", NOW, NOW + 3 * MINUTE, every=MINUTE)

    assert found.rows() == [(NOW, 5), (NOW + 2 * MINUTE, 7)]


def test_a_refusal_keeps_its_code(connection: Connection) -> None:
    with Stubber(connection.client("cloudwatch")) as stub:
        stub.add_client_error("get_metric_data", "AccessDenied", "no")

        with pytest.raises(WorkflowError) as caught:
            metrics.invocations(connection, "e", "v", NOW, NOW, every=MINUTE)

    assert caught.value.code == "AccessDenied"


@pytest.mark.parametrize(("points", "percent"), [([], None), ([(NOW, 40.0), (NOW, 81.5)], 81.5)])
def test_the_fullest_disk_counts(
    connection: Connection, points: list[tuple[datetime, float]], percent: float | None
) -> None:
    with Stubber(connection.client("cloudwatch")) as stub:
        stub.add_response("get_metric_data", answer(points), query(300, "Maximum"))

        assert metrics.disk_percent(connection, "e", "v", NOW) == percent
