"""When an alarm goes off: a pure function of its definition, the values and the time."""

from typing import Any

import pytest

from localcloud.alarms import evaluate_alarm
from localcloud.errors import AwsError
from localcloud.statistics import compute_statistic

MINUTE = 60.0
NOW = 1_800_000_000.0 + 30  # the middle of a minute


def alarm(**fields):
    return {
        "Namespace": "N",
        "MetricName": "m",
        "Dimensions": [],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "StateValue": "OK",
        "StateReason": "before",
        **fields,
    }


def state(given, points, moment=NOW):
    """The state with points of (minutes ago, value)."""

    def values(_namespace, _name, _dimensions, window, period):
        found: dict[Any, Any] = {}
        for ago, value in points:
            at = moment - ago * MINUTE
            if window[0] <= at < window[1]:
                found.setdefault(at // period * period, []).append(value)
        return found

    return evaluate_alarm(given, values, moment)[0]


def test_a_value_in_the_minute_under_way_counts_at_once():
    assert state(alarm(), [(0, 1.0)]) == "ALARM"


def test_a_value_just_before_the_minute_began_still_counts():
    assert state(alarm(TreatMissingData="notBreaching"), [(1, 1.0)]) == "ALARM"


def test_an_older_value_does_not():
    assert state(alarm(TreatMissingData="notBreaching"), [(2, 1.0)]) == "OK"


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [
        ("missing", "INSUFFICIENT_DATA"),
        ("notBreaching", "OK"),
        ("breaching", "ALARM"),
        ("ignore", "OK"),
    ],
)
def test_missing_data_is_treated_as_asked(treatment, expected):
    assert state(alarm(TreatMissingData=treatment), []) == expected


def test_so_many_of_so_many_periods_have_to_breach():
    given = alarm(EvaluationPeriods=3, DatapointsToAlarm=2)
    assert state(given, [(0, 1.0), (1, 0.0), (2, 1.0)]) == "ALARM"
    assert state(given, [(0, 1.0), (1, 0.0), (2, 0.0)]) == "OK"


def test_a_quantile_can_be_compared():
    given = alarm(ExtendedStatistic="p90", Threshold=8.0)
    assert state(given, [(0, float(value)) for value in range(11)]) == "ALARM"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("SampleCount", 4.0), ("Sum", 10.0), ("Average", 2.5), ("Minimum", 1.0), ("Maximum", 4.0),
     ("p50", 2.5), ("p100", 4.0)],
)  # fmt: skip
def test_statistics(name, expected):
    assert compute_statistic(name, [4.0, 1.0, 3.0, 2.0]) == expected


def test_an_unknown_statistic_is_refused():
    with pytest.raises(AwsError, match="tm99"):
        compute_statistic("tm99", [1.0])


def queries(expression, **ids):
    metric = {"Namespace": "N", "Dimensions": []}
    return [
        *(
            {
                "Id": name,
                "MetricStat": {
                    "Metric": {**metric, "MetricName": watched},
                    "Period": 60,
                    "Stat": "Sum",
                },
                "ReturnData": False,
            }
            for name, watched in ids.items()
        ),
        {"Id": "e", "Expression": expression, "ReturnData": True},
    ]


def test_an_expression_of_several_metrics_can_be_watched():
    given = alarm(Metrics=queries("100 * bad / all", bad="bad", all="all"), Threshold=50.0)
    for field in ("Namespace", "MetricName", "Dimensions", "Statistic", "Period"):
        del given[field]

    def values(_namespace, name, _dimensions, window, period):
        return {NOW // period * period: [{"bad": 6.0, "all": 10.0}[name]]}

    assert evaluate_alarm(given, values, NOW)[0] == "ALARM"
    assert evaluate_alarm({**given, "Threshold": 61.0}, values, NOW)[0] == "OK"
