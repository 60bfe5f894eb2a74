"""CloudWatch: metric data in SQLite, statistics over it, and the alarms (``alarms``)."""

import datetime as dt
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from localcloud.alarms import Alarms, to_seconds
from localcloud.cloud import LocalCloud
from localcloud.errors import AwsError
from localcloud.service import Service, paginate
from localcloud.statistics import compute_statistic
from localcloud.wire import Call, Params

_TABLES = """
CREATE TABLE IF NOT EXISTS metrics (
    id INTEGER PRIMARY KEY, namespace TEXT, name TEXT, dimensions TEXT,
    UNIQUE (namespace, name, dimensions)
);
CREATE TABLE IF NOT EXISTS metric_values (
    metric INTEGER, time REAL, value REAL, unit TEXT
);
CREATE INDEX IF NOT EXISTS metric_values_by_time ON metric_values (metric, time);
"""
# An earlier version kept the name beside each value: 5 KB of disk an execution.
_FROM_METRIC_DATA = """
BEGIN;
INSERT OR IGNORE INTO metrics (namespace, name, dimensions)
    SELECT DISTINCT namespace, name, dimensions FROM metric_data;
INSERT INTO metric_values SELECT id, time, value, unit FROM metric_data
    JOIN metrics USING (namespace, name, dimensions);
DROP TABLE metric_data;
COMMIT;
"""
_ADD_METRIC = "INSERT OR IGNORE INTO metrics (namespace, name, dimensions) VALUES (?, ?, ?)"
_OF_NAME = "(SELECT id FROM metrics WHERE name = ?)"
_OF_METRIC = "(SELECT id FROM metrics WHERE namespace = ? AND name = ? AND dimensions = ?)"
_PAGE = 100_800


class Metrics(Service):
    """The ``cloudwatch`` service."""

    name = "cloudwatch"

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        cloud.store.run_script(_TABLES)
        if cloud.store.execute("PRAGMA table_info(metric_data)"):
            cloud.store.run_script(_FROM_METRIC_DATA)
        self._alarms = Alarms(cloud, self.values_by_period)

    def start(self) -> None:
        """Begin to evaluate alarms."""
        self._alarms.start()

    def close(self) -> None:
        """Stop evaluating alarms."""
        self._alarms.close()

    # -- for the other services ----------------------------------------------------------------

    def record_count(self, namespace: str, name: str, dimensions: Mapping[str, str]) -> None:
        """Record one of something."""
        self.record_value(namespace, name, dimensions, 1.0, "Count")

    def record_value(
        self, namespace: str, name: str, dimensions: Mapping[str, str], value: float, unit: str
    ) -> None:
        """Record a value now."""
        self._insert_rows(
            [(namespace, name, _dimensions_key(dimensions), time.time(), value, unit)]
        )

    def record_past(
        self, rows: Iterable[tuple[str, str, Mapping[str, str], float, float, str]]
    ) -> None:
        """Record values at times of their own: namespace, name, dimensions, time, value, unit."""
        self._insert_rows(
            (space, name, _dimensions_key(of), at, v, unit) for space, name, of, at, v, unit in rows
        )

    def all_values(self, name: str, start: float, end: float) -> list[float]:
        """Return the values of a name in a window of seconds since 1970, of all dimensions."""
        rows = self.cloud.store.execute(
            f"SELECT value FROM metric_values WHERE metric IN {_OF_NAME} "  # noqa: S608 - own text
            "AND time >= ? AND time < ?",
            (name, start, end),
        )
        return [value for (value,) in rows]

    def forget_window(self, start: float, end: float) -> None:
        """Forget the values of a window of seconds since 1970."""
        self.cloud.store.execute(
            "DELETE FROM metric_values WHERE time >= ? AND time < ?", (start, end)
        )

    def values_by_period(
        self,
        namespace: str,
        name: str,
        dimensions: Sequence[Mapping[str, str]],
        window: tuple[float, float],
        period: float,
    ) -> dict[float, list[float]]:
        """Return values by the start of their period, for a window of seconds since 1970."""
        rows = self.cloud.store.execute(
            f"SELECT time, value FROM metric_values WHERE metric = {_OF_METRIC} "  # noqa: S608 - own text
            "AND time >= ? AND time < ?",
            (
                namespace,
                name,
                _dimensions_key({d["Name"]: d["Value"] for d in dimensions}),
                *window,
            ),
        )
        found: dict[float, list[float]] = defaultdict(list)
        for moment, value in rows:
            found[moment // period * period].append(value)
        return dict(found)

    # -- operations ----------------------------------------------------------------------------

    def put_metric_data(self, call: Call) -> Params:
        rows = []
        for datum in call.params.get("MetricData", []):
            key = _dimensions_key({d["Name"]: d["Value"] for d in datum.get("Dimensions", [])})
            moment = to_seconds(datum.get("Timestamp", time.time()))
            unit = datum.get("Unit", "None")
            for value in _datum_values(datum):
                row = (call.params["Namespace"], datum["MetricName"], key, moment, value, unit)
                rows.append(row)
        self._insert_rows(rows)
        return {}

    def get_metric_statistics(self, call: Call) -> Params:
        p = call.params
        window = to_seconds(p["StartTime"]), to_seconds(p["EndTime"])
        period = float(p["Period"])
        found = self.values_by_period(
            p["Namespace"], p["MetricName"], p.get("Dimensions", []), window, period
        )
        points = []
        for moment, values in sorted(found.items()):
            point: Params = {"Timestamp": _to_datetime(moment), "Unit": "None"}
            point |= {s: compute_statistic(s, values) for s in p.get("Statistics", [])}
            extended = p.get("ExtendedStatistics", [])
            if extended:
                point["ExtendedStatistics"] = {s: compute_statistic(s, values) for s in extended}
            points.append(point)
        return {"Label": p["MetricName"], "Datapoints": points}

    def get_metric_data(self, call: Call) -> Params:
        p = call.params
        window = to_seconds(p["StartTime"]), to_seconds(p["EndTime"])
        queries = [query for query in p["MetricDataQueries"] if query.get("ReturnData", True)]
        results = [self._query_series(query, window) for query in queries]
        if p.get("ScanBy", "TimestampDescending") == "TimestampDescending":
            for result in results:
                result["Timestamps"].reverse()
                result["Values"].reverse()
        points = [(n, at) for n, found in enumerate(results) for at in range(len(found["Values"]))]
        shown, token = paginate(points, p, size="MaxDatapoints", token="NextToken", default=_PAGE)  # noqa: S106 - a paging token
        for number, found in enumerate(results):
            mine = [at for n, at in shown if n == number]
            left = len(found["Values"]) - (mine[-1] + 1 if mine else 0)
            found["StatusCode"] = "PartialData" if token and left else "Complete"
            for field in ("Timestamps", "Values"):
                found[field] = [found[field][at] for at in mine]
        return {"MetricDataResults": results, "Messages": []} | (
            {"NextToken": token} if token else {}
        )

    def list_metrics(self, call: Call) -> Params:
        p = call.params
        rows = self.cloud.store.execute(
            "SELECT namespace, name, dimensions FROM metrics WHERE EXISTS "
            "(SELECT 1 FROM metric_values WHERE metric = id) ORDER BY 1, 2, 3"
        )
        wanted = {(d["Name"], d.get("Value")) for d in p.get("Dimensions", [])}
        metrics = []
        for namespace, name, key in rows:
            dimensions = json.loads(key)
            fits = all(n in dimensions and v in (None, dimensions[n]) for n, v in wanted)
            if (
                p.get("Namespace") in (None, namespace)
                and p.get("MetricName") in (None, name)
                and fits
            ):
                listed = [{"Name": n, "Value": v} for n, v in dimensions.items()]
                metrics.append({"Namespace": namespace, "MetricName": name, "Dimensions": listed})
        shown, token = paginate(metrics, p, size="-", token="NextToken", default=500)  # noqa: S106 - a paging token
        return {"Metrics": shown} | ({"NextToken": token} if token else {})

    def put_metric_alarm(self, call: Call) -> Params:
        return self._alarms.put_alarm(call.params)

    def describe_alarms(self, call: Call) -> Params:
        return self._alarms.describe_alarms(call.params)

    def describe_alarm_history(self, call: Call) -> Params:
        return self._alarms.list_history(call.params)

    def set_alarm_state(self, call: Call) -> Params:
        p = call.params
        self._alarms.set_state(p["AlarmName"], p["StateValue"], p["StateReason"])
        return {}

    def delete_alarms(self, call: Call) -> Params:
        return self._alarms.delete_alarms(call.params["AlarmNames"])

    def enable_alarm_actions(self, call: Call) -> Params:
        return self._alarms.set_enabled(call.params["AlarmNames"], enabled=True)

    def disable_alarm_actions(self, call: Call) -> Params:
        return self._alarms.set_enabled(call.params["AlarmNames"], enabled=False)

    def tag_resource(self, call: Call) -> Params:
        return self._alarms.add_tags(call.params["ResourceARN"], call.params["Tags"])

    def untag_resource(self, call: Call) -> Params:
        return self._alarms.remove_tags(call.params["ResourceARN"], call.params["TagKeys"])

    def list_tags_for_resource(self, call: Call) -> Params:
        return self._alarms.list_tags(call.params["ResourceARN"])

    # -- helpers -------------------------------------------------------------------------------

    def _query_series(self, query: Params, window: tuple[float, float]) -> Params:
        if "MetricStat" not in query:
            raise AwsError(
                "ValidationError",
                "The local cloud computes statistics of metrics, not metric math expressions.",
            )
        stat = query["MetricStat"]
        metric = stat["Metric"]
        period = float(stat["Period"])
        found = self.values_by_period(
            metric["Namespace"], metric["MetricName"], metric.get("Dimensions", []), window, period
        )
        times = sorted(found)
        return {
            "Id": query["Id"],
            "Label": query.get("Label", metric["MetricName"]),
            "Timestamps": [_to_datetime(moment) for moment in times],
            "Values": [compute_statistic(stat["Stat"], found[moment]) for moment in times],
        }

    def _insert_rows(self, rows: Iterable[tuple[str, str, str, float, float, str]]) -> None:
        values = list(rows)
        store = self.cloud.store
        with store.transaction():
            # Each name once, in the order given: most rows of a batch share theirs.
            for metric in dict.fromkeys(row[:3] for row in values):
                store.execute(_ADD_METRIC, metric)
            for row in values:
                store.execute(f"INSERT INTO metric_values SELECT {_OF_METRIC}, ?, ?, ?", row)


def _datum_values(datum: Params) -> list[float]:
    if "Values" in datum:
        counts = datum.get("Counts") or [1.0] * len(datum["Values"])
        pairs = zip(datum["Values"], counts, strict=True)
        return [float(value) for value, count in pairs for _ in range(int(count))]
    if "StatisticValues" in datum:
        given = datum["StatisticValues"]
        return _values_of(given)
    return [float(datum["Value"])]


def _values_of(statistics: Params) -> list[float]:
    """Return values that have the given count, sum, minimum and maximum."""
    count, total = int(statistics["SampleCount"]), float(statistics["Sum"])
    if count <= 2:  # noqa: PLR2004 - a minimum and a maximum
        return [float(statistics["Minimum"]), float(statistics["Maximum"])][:count]
    least, most = float(statistics["Minimum"]), float(statistics["Maximum"])
    return [least, most, *[(total - least - most) / (count - 2)] * (count - 2)]


def _dimensions_key(dimensions: Mapping[str, str]) -> str:
    return json.dumps(dict(dimensions), sort_keys=True)


def _to_datetime(stamp: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(stamp, dt.UTC)
