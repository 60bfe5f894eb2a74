"""Alarms: evaluated every few seconds over the metric data; a change of state tells SNS."""

import datetime as dt
import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localcloud import metric_math
from localcloud.errors import AwsError
from localcloud.service import now, paginate
from localcloud.statistics import compute_statistic
from localcloud.tags import Tagged, tag_list, tag_map
from localcloud.wire import Params
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from localcloud.cloud import LocalCloud

Values = Callable[
    [str, str, Sequence[Mapping[str, str]], tuple[float, float], float], dict[float, list[float]]
]

_SECONDS = 2.0
_HISTORY_LIMIT = 500
_KEPT = [
    "AlarmName",
    "AlarmDescription",
    "ActionsEnabled",
    "OKActions",
    "AlarmActions",
    "InsufficientDataActions",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "Metrics",
]
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
_ACTIONS = {
    "OK": "OKActions",
    "ALARM": "AlarmActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}


class Alarms:
    """The metric alarms of the account.

    Args:
        cloud: Where they are kept and what their actions reach.
        values: Gives the values of a metric by period.
    """

    def __init__(self, cloud: "LocalCloud", values: Values) -> None:
        self._cloud = cloud
        self._values = values
        self._alarms = cloud.store.load_table("cloudwatch.alarm")
        self._tagged = Tagged(self._alarms)
        self._history = cloud.store.load_table("cloudwatch.alarm-history")
        self._lock = threading.RLock()
        self._stop = threading.Event()

    def start(self) -> None:
        """Evaluate from now on."""
        threading.Thread(target=self._watch_alarms, daemon=True, name="alarms").start()

    def close(self) -> None:
        """Stop evaluating."""
        self._stop.set()

    def put_alarm(self, p: Params) -> Params:
        """Answer PutMetricAlarm."""
        name = p["AlarmName"]
        if p.get("ComparisonOperator") not in _COMPARISONS:
            raise AwsError(
                "ValidationError", f"{p.get('ComparisonOperator')} is no comparison supported here."
            )
        _check_watched(p)
        with self._lock:
            old = self._alarms.get(name)
            made = now()
            # A new configuration keeps state and tags: PutMetricAlarm resets neither of them.
            state = old or {
                "AlarmArn": self._cloud.build_arn("cloudwatch", f"alarm:{name}"),
                "StateValue": "INSUFFICIENT_DATA",
                "StateReason": "Unchecked: Initial alarm creation",
                "StateUpdatedTimestamp": made,
                "StateTransitionedTimestamp": made,
                "tags": tag_map(p.get("Tags", [])),
            }
            kept = ("AlarmArn", "StateValue", "StateReason", "StateUpdatedTimestamp")
            fields = {key: state[key] for key in (*kept, "StateTransitionedTimestamp", "tags")}
            self._alarms[name] = {
                "ActionsEnabled": True,
                "OKActions": [],
                "AlarmActions": [],
                "InsufficientDataActions": [],
                "Dimensions": [],
                **{key: p[key] for key in _KEPT if key in p},
                **fields,
                "AlarmConfigurationUpdatedTimestamp": made,
            }
            what = "updated" if old else "created"
            self._note_history(name, "ConfigurationUpdate", f'Alarm "{name}" {what}', {})
        return {}

    def describe_alarms(self, p: Params) -> Params:
        """Answer DescribeAlarms."""
        names = p.get("AlarmNames") or sorted(self._alarms)
        prefix, state = p.get("AlarmNamePrefix", ""), p.get("StateValue")
        alarms = [self._alarms[name] for name in names if name in self._alarms and _is_metric(p)]
        found = [
            _describe_alarm(alarm)
            for alarm in alarms
            if alarm["AlarmName"].startswith(prefix)
            and state in (None, alarm["StateValue"])
            and _has_action(alarm, p.get("ActionPrefix", ""))
        ]
        shown, token = paginate(found, p, size="MaxRecords", token="NextToken", default=50)  # noqa: S106 - a paging token
        out: Params = {"MetricAlarms": shown, "CompositeAlarms": []}
        return out | ({"NextToken": token} if token else {})

    def list_history(self, p: Params) -> Params:
        """Answer DescribeAlarmHistory, newest first."""
        names = [p["AlarmName"]] if p.get("AlarmName") else list(self._history)
        names = names if _is_metric(p) else []
        kind = p.get("HistoryItemType")
        start, end = to_seconds(p.get("StartDate") or 0.0), to_seconds(p.get("EndDate") or math.inf)
        items = [
            {**item, "Timestamp": _to_datetime(item["Timestamp"])}
            for name in names
            for item in self._history.get(name, {"items": []})["items"]
            if kind in (None, item["HistoryItemType"]) and start <= item["Timestamp"] <= end
        ]
        items.sort(
            key=lambda item: item["Timestamp"], reverse=p.get("ScanBy") != "TimestampAscending"
        )
        shown, token = paginate(items, p, size="MaxRecords", token="NextToken", default=100)  # noqa: S106 - a paging token
        return {"AlarmHistoryItems": shown} | ({"NextToken": token} if token else {})

    def delete_alarms(self, names: Sequence[str]) -> Params:
        """Answer DeleteAlarms; unknown names are ignored."""
        with self._lock:
            for name in names:
                self._alarms.pop(name, None)
                self._history.pop(name, None)
        return {}

    def set_enabled(self, names: Sequence[str], *, enabled: bool) -> Params:
        """Answer EnableAlarmActions and DisableAlarmActions."""
        with self._lock:
            for name in names:
                if name in self._alarms:
                    self._alarms[name] = {**self._alarms[name], "ActionsEnabled": enabled}
        return {}

    def add_tags(self, arn: str, tags: Sequence[dict[str, str]]) -> Params:
        """Answer TagResource."""
        return self._tagged.add_tags(self._find_by_arn(arn)["AlarmName"], tag_map(tags))

    def remove_tags(self, arn: str, keys: Sequence[str]) -> Params:
        """Answer UntagResource."""
        return self._tagged.remove_tags(self._find_by_arn(arn)["AlarmName"], keys)

    def list_tags(self, arn: str) -> Params:
        """Answer ListTagsForResource."""
        return {"Tags": tag_list(self._find_by_arn(arn)["tags"])}

    def set_state(self, name: str, state: str, reason: str) -> None:
        """Put an alarm into a state, note it, and do what its actions say."""
        with self._lock:
            alarm = self._alarms.get(name)
            if alarm is None:
                raise AwsError("ResourceNotFound", f"Alarm {name} was not found.", 404)
            old = alarm["StateValue"]
            moved = now()
            alarm = {
                **alarm,
                "StateValue": state,
                "StateReason": reason,
                "StateUpdatedTimestamp": moved,
            }
            if old != state:
                alarm["StateTransitionedTimestamp"] = moved
            self._alarms[name] = alarm
        # AWS acts on a change of state alone: a state that lasts sends one message.
        if old == state:
            return
        summary = f"Alarm updated from {old} to {state}"
        data = {"oldState": {"stateValue": old}, "newState": {"stateValue": state,
                "stateReason": reason}}  # fmt: skip
        self._note_history(name, "StateUpdate", summary, data)
        if alarm["ActionsEnabled"]:
            self._run_actions(alarm, old)

    def _run_actions(self, alarm: Params, old: str) -> None:
        state = alarm["StateValue"]
        message = json.dumps(
            {
                "AlarmName": alarm["AlarmName"],
                "AlarmDescription": alarm.get("AlarmDescription"),
                "AWSAccountId": self._cloud.account,
                "NewStateValue": state,
                "NewStateReason": alarm["StateReason"],
                "StateChangeTime": _to_datetime(alarm["StateUpdatedTimestamp"]).isoformat(),
                "Region": self._cloud.region,
                "AlarmArn": alarm["AlarmArn"],
                "OldStateValue": old,
                "Trigger": {
                    k: alarm[k] for k in ("MetricName", "Namespace", "Metrics") if k in alarm
                },
            }
        )
        # SNS takes subjects of up to 100 characters.
        subject = f'{state}: "{alarm["AlarmName"]}" in {self._cloud.region}'[:100]
        for arn in alarm[_ACTIONS[state]]:
            if ":sns:" in arn:
                self._cloud.topics.deliver_message(arn, message, subject)
                text = f"Successfully executed action {arn}"
                self._note_history(alarm["AlarmName"], "Action", text, {"actionState": "Succeeded"})

    def _note_history(self, name: str, kind: str, summary: str, data: Params) -> None:
        item = {
            "AlarmName": name,
            "AlarmType": "MetricAlarm",
            "Timestamp": now(),
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": json.dumps(data),
        }
        items = [*self._history.get(name, {"items": []})["items"], item]
        self._history[name] = {"items": items[-_HISTORY_LIMIT:]}

    def _find_by_arn(self, arn: str) -> Params:
        alarm = self._alarms.get(arn.partition(":alarm:")[2])
        if alarm is None:
            raise AwsError("ResourceNotFoundException", f"{arn} was not found.", 404)
        return alarm

    def _watch_alarms(self) -> None:
        while not self._stop.wait(_SECONDS):
            try:
                self._evaluate_all()
            except WorkflowError as error:  # such as a full disk, which may get room again
                self._cloud.warn(str(error))

    def _evaluate_all(self) -> None:
        # A copy of the names is iterated, so that any of them may be gone by its turn.
        for name in self._alarms:
            alarm = self._alarms.get(name)
            if alarm is not None:
                state, reason = evaluate_alarm(alarm, self._values, time.time())
                # Asked again: it may have been deleted while its metric was read.
                if state != alarm["StateValue"] and name in self._alarms:
                    self.set_state(name, state, reason)


def evaluate_alarm(alarm: Params, values: Values, moment: float) -> tuple[str, str]:
    """Return the state that an alarm should be in, and why.

    The period under way counts as soon as it has a value, so that an alarm goes off sooner than
    AWS's, which waits for whole periods.
    """
    period = _alarm_period(alarm)
    periods = int(alarm["EvaluationPeriods"])
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    current = moment // period * period
    window = (current - periods * period, current + period)
    found = _watched_values(alarm, values, window, period)
    # The window is one period too long: the oldest goes if the current one has a value, else that.
    found.pop(window[0] if current in found else current, None)
    points = [found[start] for start in sorted(found)]
    over = _COMPARISONS[alarm["ComparisonOperator"]]
    threshold = float(alarm["Threshold"])
    breaching = [point for point in points if over(point, threshold)]
    missing = periods - len(points)
    treatment = alarm.get("TreatMissingData", "missing")
    if len(breaching) + (missing if treatment == "breaching" else 0) >= needed:
        text = ", ".join(f"{point:g}" for point in breaching)
        return "ALARM", (
            f"Threshold Crossed: {len(breaching)} out of the last {periods} datapoints [{text}] "
            f"crossed the threshold ({threshold:g})."
        )
    if points or treatment == "notBreaching":
        return "OK", f"Threshold not crossed: {len(points)} datapoints, threshold {threshold:g}."
    if treatment == "ignore":
        return alarm["StateValue"], alarm["StateReason"]
    return "INSUFFICIENT_DATA", f"Insufficient Data: {missing} datapoints were unknown."


def _alarm_period(alarm: Params) -> float:
    stats = (one["MetricStat"] for one in alarm.get("Metrics", ()) if "MetricStat" in one)
    return float(next(stats, alarm)["Period"])


def _watched_values(
    alarm: Params, values: Values, window: tuple[float, float], period: float
) -> dict[float, float]:
    """Return the watched values of a metric or an expression, by the start of each period."""

    def series(metric: Params, name: str) -> dict[float, float]:
        dimensions = metric.get("Dimensions", [])
        found = values(metric["Namespace"], metric["MetricName"], dimensions, window, period)
        return {start: compute_statistic(name, given) for start, given in found.items()}

    if "MetricName" in alarm:
        return series(alarm, alarm.get("ExtendedStatistic") or alarm["Statistic"])
    queries = alarm["Metrics"]
    stats = {one["Id"]: one["MetricStat"] for one in queries if "MetricStat" in one}
    metrics = {name: series(stat["Metric"], stat["Stat"]) for name, stat in stats.items()}
    (watched,) = (one for one in queries if one.get("ReturnData", True))
    if "Expression" in watched:
        return metric_math.compute_expression(watched["Expression"], metrics)
    return metrics[watched["Id"]]


def _check_watched(p: Params) -> None:
    """Refuse an alarm that watches nothing, too much, or what cannot be computed here."""
    if "MetricName" in p:
        return
    queries = p.get("Metrics", [])
    stats = {one["Id"]: one for one in queries if "MetricStat" in one}
    watched = [one for one in queries if one.get("ReturnData", True)]
    if len(watched) != 1 or not stats:
        raise AwsError(
            "ValidationError", "Exactly one element of the metrics list should return data."
        )
    if len({stat["MetricStat"]["Period"] for stat in stats.values()}) > 1:
        raise AwsError("ValidationError", "All metrics of an alarm must have the same period.")
    if "Expression" in watched[0]:
        metric_math.check_expression(watched[0]["Expression"], stats)


def _is_metric(params: Params) -> bool:
    """Return whether a request asks for metric alarms, the only ones that exist here."""
    return "MetricAlarm" in (params.get("AlarmTypes") or ["MetricAlarm"])


def _has_action(alarm: Params, prefix: str) -> bool:
    actions = [action for field in _ACTIONS.values() for action in alarm[field]]
    return not prefix or any(action.startswith(prefix) for action in actions)


def to_seconds(moment: Any) -> float:  # noqa: ANN401 - each protocol has times of its own
    """Return a time of a request as seconds since 1970."""
    if isinstance(moment, str):
        moment = dt.datetime.fromisoformat(moment)
    if isinstance(moment, dt.datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    return float(moment)


def _describe_alarm(alarm: Params) -> dict[str, Any]:
    shown = {k: v for k, v in alarm.items() if k != "tags"}
    return {k: _to_datetime(v) if k.endswith("Timestamp") else v for k, v in shown.items()}


def _to_datetime(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
