"""CloudWatch Logs: groups, streams and events, kept in SQLite."""

import time

from localcloud.cloud import LocalCloud
from localcloud.errors import AwsError
from localcloud.log_patterns import compile_pattern
from localcloud.service import Service, paginate
from localcloud.tags import Tagged
from localcloud.wire import Call, Params

_TABLE = """
CREATE TABLE IF NOT EXISTS log_events (
    id INTEGER PRIMARY KEY, log_group TEXT, stream TEXT, time INTEGER, message TEXT
);
CREATE INDEX IF NOT EXISTS log_events_by_time ON log_events (log_group, time);
CREATE INDEX IF NOT EXISTS log_events_by_stream ON log_events (log_group, stream, time);
"""
_RETENTION = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
)  # fmt: skip
_PAGE = 10_000


class Logs(Service):
    """The ``logs`` service; retention is shown but nothing is ever expired."""

    name = "logs"

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        cloud.store.run_script(_TABLE)
        self._groups = cloud.store.load_table("logs.group")
        self._tagged = Tagged(self._groups)
        self._streams = cloud.store.load_table("logs.stream")

    def append_lines(self, group: str, stream: str, messages: list[str]) -> None:
        """Write lines as a service of AWS does, making group and stream as needed."""
        if group not in self._groups:
            self._make_group(group, {})
        if f"{group}\n{stream}" not in self._streams:
            self._make_stream(group, stream)
        stamp = _now_millis()
        rows = [(group, stream, stamp, message) for message in messages if message]
        self._insert_rows(rows)

    def append_past(self, rows: list[tuple[str, str, int, str]]) -> None:
        """Write lines at times of their own: group, stream, milliseconds since 1970, message."""
        self._insert_rows(rows)

    def take_lines(self, start: int, end: int) -> list[tuple[str, str, int, str]]:
        """Take the lines of a window of milliseconds since 1970 away, in the order written."""
        window = (start, end)
        rows = self.cloud.store.execute(
            "SELECT log_group, stream, time, message FROM log_events "
            "WHERE time >= ? AND time < ? ORDER BY id",
            window,
        )
        self.cloud.store.execute("DELETE FROM log_events WHERE time >= ? AND time < ?", window)
        return [(group, stream, int(at), message) for group, stream, at, message in rows]

    # -- groups --------------------------------------------------------------------------------

    def create_log_group(self, call: Call) -> Params:
        name = call.params["logGroupName"]
        if name in self._groups:
            raise AwsError(
                "ResourceAlreadyExistsException", "The specified log group already exists"
            )
        self._make_group(name, call.params.get("tags", {}))
        return {}

    def delete_log_group(self, call: Call) -> Params:
        name = self._find_group(call.params)
        del self._groups[name]
        for key in [key for key in self._streams if key.startswith(f"{name}\n")]:
            del self._streams[key]
        self.cloud.store.execute("DELETE FROM log_events WHERE log_group = ?", (name,))
        return {}

    def describe_log_groups(self, call: Call) -> Params:
        prefix = call.params.get("logGroupNamePrefix", "")
        pattern = call.params.get("logGroupNamePattern", "")
        names = [n for n in sorted(self._groups) if n.startswith(prefix) and pattern in n]
        shown, token = paginate(names, call.params, size="limit", token="nextToken", default=50)  # noqa: S106 - a paging token
        out: Params = {"logGroups": [self._describe_group(name) for name in shown]}
        return out | ({"nextToken": token} if token else {})

    def put_retention_policy(self, call: Call) -> Params:
        name, days = self._find_group(call.params), call.params["retentionInDays"]
        if days not in _RETENTION:
            raise AwsError("InvalidParameterException", f"{days} is no retention that AWS offers.")
        self._groups[name] = {**self._groups[name], "retentionInDays": days}
        return {}

    def delete_retention_policy(self, call: Call) -> Params:
        name = self._find_group(call.params)
        group = dict(self._groups[name])
        group.pop("retentionInDays", None)
        self._groups[name] = group
        return {}

    def tag_resource(self, call: Call) -> Params:
        return self._tagged.add_tags(
            self._find_by_arn(call.params["resourceArn"]), call.params["tags"]
        )

    def untag_resource(self, call: Call) -> Params:
        return self._tagged.remove_tags(
            self._find_by_arn(call.params["resourceArn"]), call.params["tagKeys"]
        )

    def list_tags_for_resource(self, call: Call) -> Params:
        return {"tags": self._tagged.get_tags(self._find_by_arn(call.params["resourceArn"]))}

    def list_tags_log_group(self, call: Call) -> Params:
        return {"tags": self._tagged.get_tags(self._find_group(call.params))}

    # -- streams and events --------------------------------------------------------------------

    def create_log_stream(self, call: Call) -> Params:
        group, stream = self._find_group(call.params), call.params["logStreamName"]
        if f"{group}\n{stream}" in self._streams:
            raise AwsError(
                "ResourceAlreadyExistsException", "The specified log stream already exists"
            )
        self._make_stream(group, stream)
        return {}

    def describe_log_streams(self, call: Call) -> Params:
        p = call.params
        group = self._find_group(p)
        prefix = f"{group}\n{p.get('logStreamNamePrefix', '')}"
        rows = self.cloud.store.execute(
            "SELECT stream, MIN(time), MAX(time) FROM log_events WHERE log_group = ? "
            "GROUP BY stream",
            (group,),
        )
        seen = {stream: (first, last) for stream, first, last in rows}
        streams = [
            _describe_stream(self._groups[group]["arn"], self._streams[key], seen)
            for key in self._streams
            if key.startswith(prefix)
        ]
        by_time = p.get("orderBy") == "LastEventTime"
        streams.sort(
            key=lambda s: (s.get("lastEventTimestamp", 0) if by_time else 0, s["logStreamName"]),
            reverse=bool(p.get("descending")),
        )
        shown, token = paginate(streams, p, size="limit", token="nextToken", default=50)  # noqa: S106 - a paging token
        return {"logStreams": shown} | ({"nextToken": token} if token else {})

    def put_log_events(self, call: Call) -> Params:
        group, stream = self._find_group(call.params), call.params["logStreamName"]
        if f"{group}\n{stream}" not in self._streams:
            raise _stream_missing()
        events = call.params["logEvents"]
        self._insert_rows([(group, stream, e["timestamp"], e["message"]) for e in events])
        return {"nextSequenceToken": str(_now_millis())}

    def get_log_events(self, call: Call) -> Params:
        p = call.params
        group, stream = self._find_group(p), p["logStreamName"]
        if f"{group}\n{stream}" not in self._streams:
            raise _stream_missing()
        rows = self.cloud.store.execute(
            "SELECT id, stream, time, message FROM log_events WHERE log_group = ? AND stream = ? "
            "AND time >= ? AND time < ? ORDER BY time, id",
            (group, stream, p.get("startTime", 0), p.get("endTime", 1 << 62)),
        )
        start, end = _events_span(p, len(rows))
        events = [
            {"timestamp": t, "message": m, "ingestionTime": t} for _, _, t, m in rows[start:end]
        ]
        return {
            "events": events,
            "nextForwardToken": f"f/{end}",
            "nextBackwardToken": f"b/{start}",
        }

    def filter_log_events(self, call: Call) -> Params:
        p = call.params
        group = self._find_group(p)
        streams = p.get("logStreamNames")
        prefix = p.get("logStreamNamePrefix", "")
        matches = compile_pattern(p.get("filterPattern", ""))
        rows = self.cloud.store.execute(
            "SELECT id, stream, time, message FROM log_events WHERE log_group = ? "
            "AND time >= ? AND time <= ? ORDER BY time, id",
            (group, p.get("startTime", 0), p.get("endTime", 1 << 62)),
        )
        found = [
            _build_event(row)
            for row in rows
            if (not streams or row[1] in streams) and row[1].startswith(prefix) and matches(row[3])
        ]
        shown, token = paginate(found, p, size="limit", token="nextToken", default=_PAGE)  # noqa: S106 - a paging token
        out: Params = {"events": shown, "searchedLogStreams": []}
        return out | ({"nextToken": token} if token else {})

    # -- helpers -------------------------------------------------------------------------------

    def _find_group(self, params: Params) -> str:
        name = str(params.get("logGroupName") or self._find_by_arn(params["logGroupIdentifier"]))
        if name not in self._groups:
            raise _group_missing()
        return name

    def _find_by_arn(self, arn: str) -> str:
        name = arn.partition(":log-group:")[2].removesuffix(":*") or arn
        if name not in self._groups:
            raise _group_missing()
        return name

    def _make_group(self, name: str, tags: dict[str, str]) -> None:
        arn = self.cloud.build_arn("logs", f"log-group:{name}")
        self._groups[name] = {"arn": arn, "creationTime": _now_millis(), "tags": tags}

    def _make_stream(self, group: str, stream: str) -> None:
        self._streams[f"{group}\n{stream}"] = {"name": stream, "creationTime": _now_millis()}

    def _insert_rows(self, rows: list[tuple[str, str, int, str]]) -> None:
        self.cloud.store.execute_many(
            "INSERT INTO log_events (log_group, stream, time, message) VALUES (?, ?, ?, ?)", rows
        )

    def _describe_group(self, name: str) -> Params:
        group = self._groups[name]
        shown = {
            "logGroupName": name,
            "arn": f"{group['arn']}:*",
            "logGroupArn": group["arn"],
            "creationTime": group["creationTime"],
            "metricFilterCount": 0,
            "storedBytes": 0,
        }
        if "retentionInDays" in group:
            shown["retentionInDays"] = group["retentionInDays"]
        return shown


def _events_span(params: Params, count: int) -> tuple[int, int]:
    """Return (start, end) of the events to show of so many: from the head, the tail or a token.

    Raises:
        AwsError: ``InvalidParameterException`` for a token that this cloud did not give.
    """
    size = params.get("limit", _PAGE)
    forward = bool(params.get("startFromHead"))
    token = params.get("nextToken") or ("f/0" if forward else f"b/{count}")
    direction, _, number = token.partition("/")
    if direction not in ("f", "b") or not number.isdigit():
        raise AwsError("InvalidParameterException", "The specified nextToken is invalid.")
    place = min(int(number), count)
    return (place, min(place + size, count)) if direction == "f" else (max(0, place - size), place)


def _build_event(row: tuple[int, str, int, str]) -> Params:
    number, stream, stamp, message = row
    return {
        "logStreamName": stream,
        "timestamp": stamp,
        "message": message,
        "ingestionTime": stamp,
        "eventId": f"{number:056d}",
    }


def _describe_stream(group_arn: str, stream: Params, seen: dict[str, tuple[int, int]]) -> Params:
    name = stream["name"]
    shown = {
        "logStreamName": name,
        "creationTime": stream["creationTime"],
        "arn": f"{group_arn}:log-stream:{name}",
        "storedBytes": 0,
    }
    if name in seen:
        first, last = seen[name]
        shown |= {"firstEventTimestamp": first, "lastEventTimestamp": last}
    return shown


def _now_millis() -> int:
    return int(time.time() * 1000)


def _group_missing() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def _stream_missing() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
