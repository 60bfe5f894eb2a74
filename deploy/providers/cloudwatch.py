"""CloudWatch: alarms."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from deploy.alarms import metric_queries
from deploy.cloud import Observed
from deploy.providers.clients import Aws, tag_list, tag_map
from deploy.resources import Alarm

if TYPE_CHECKING:
    from types_boto3_cloudwatch.type_defs import MetricAlarmTypeDef

_ONE = "metric"
"""Name of the metric of an alarm that has but one, as alarms of earlier releases do."""


class AlarmProvider:
    """Reads and writes :class:`Alarm`."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._cloudwatch = aws.cloudwatch

    def read(self, name: str) -> Observed | None:
        """Return what the alarm watches and whom it tells."""
        alarms = self._cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])
        if not alarms["MetricAlarms"]:
            return None
        alarm = alarms["MetricAlarms"][0]
        arn = alarm["AlarmArn"]
        tags = self._cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]
        return Observed(
            properties=_read_properties(alarm), outputs={"arn": arn}, tags=tag_map(tags)
        )

    def create(self, resource: Alarm) -> Iterator[str]:
        """Create the alarm with its tags."""
        yield "Creating the alarm"
        self._cloudwatch.put_metric_alarm(**_alarm_request(resource), Tags=tag_list(resource.tags))

    def update(self, resource: Alarm, _observed: Observed) -> Iterator[str]:
        """Replace all but the tags."""
        yield "Updating the alarm"
        # PutMetricAlarm ignores Tags of an alarm that exists (API reference), so they are left out.
        self._cloudwatch.put_metric_alarm(**_alarm_request(resource))

    def delete(self, name: str) -> Iterator[str]:
        """Delete the alarm."""
        yield "Deleting the alarm"
        self._cloudwatch.delete_alarms(AlarmNames=[name])


def _read_properties(alarm: "MetricAlarmTypeDef") -> dict[str, Any]:
    queries = alarm.get("Metrics", ())
    stats = {one["Id"]: one["MetricStat"] for one in queries if "MetricStat" in one}
    first = next(iter(stats.values()), None)
    return {
        "description": alarm.get("AlarmDescription", ""),
        "metrics": {name: _read_metric(stat["Metric"]) for name, stat in stats.items()}
        or {_ONE: _read_metric(alarm)},
        "expression": ", ".join(one["Expression"] for one in queries if "Expression" in one),
        "topic": ", ".join(alarm.get("AlarmActions", ())) or None,
        "period_seconds": first["Period"] if first else alarm.get("Period"),
        "periods": alarm.get("EvaluationPeriods"),
        # CloudWatch leaves it out where it equals the periods.
        "datapoints": alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods"),
        "statistic": first["Stat"] if first else alarm.get("Statistic"),
        "threshold": alarm.get("Threshold"),
        "comparison": alarm.get("ComparisonOperator"),
        "missing_data": alarm.get("TreatMissingData"),
    }


def _read_metric(described: Any) -> dict[str, Any]:  # noqa: ANN401 - an alarm and a metric alike
    return {
        "namespace": described.get("Namespace"),
        "name": described.get("MetricName"),
        "dimensions": {one["Name"]: one["Value"] for one in described.get("Dimensions", ())},
    }


def _alarm_request(alarm: Alarm) -> dict[str, Any]:
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "ActionsEnabled": True,
        "AlarmActions": [alarm.topic],
        "EvaluationPeriods": alarm.periods,
        "DatapointsToAlarm": alarm.datapoints,
        "Threshold": alarm.threshold,
        "ComparisonOperator": alarm.comparison,
        "TreatMissingData": alarm.missing_data,
        "Metrics": metric_queries(alarm),
    }
