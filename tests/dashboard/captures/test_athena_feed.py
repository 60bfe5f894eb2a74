"""The Athena feed answers the page's questions with few queries."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import polars as pl
import pytest

from dashboard.aws.objects import ObjectMeta
from dashboard.captures import athena_feed
from dashboard.captures import athena_queries as athena
from dashboard.captures import feed as capture_feed
from dashboard.captures.aggregates import COUNTS
from dashboard.captures.athena_feed import AthenaFeed
from dashboard.captures.athena_queries import RECORD_COLUMNS
from dashboard.captures.feed import CaptureFeed
from dashboard.captures.periods import Period
from dashboard.captures.places import capture_place
from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.selection import Selection
from tests.captured import NOW, captured, counted
from tests.dashboard.aws.unconnected import unconnected
from tests.dashboard.captures.duckdb_sql import for_duckdb
from workflow.errors import WorkflowError
from workflow.reviews import GroundTruth, ground_truth_lines
from workflow.spans import Span


class Shelf:
    """A bucket with one endpoint and its variant."""

    name = "bucket"

    def __init__(self) -> None:
        self.endpoints = ["endpoint"]
        self.variants = ["AllTraffic"]
        self.labels: dict[str, bytes] = {}
        self.failure: WorkflowError | None = None
        self.listed = 0

    @classmethod
    def of(cls, *_: object) -> "Shelf":
        return cls()

    def children(self, prefix: str) -> tuple[list[str], list[Any]]:
        names = self.endpoints if prefix == "data_capture" else self.variants
        return [f"{prefix}/{name}" for name in names], []

    def objects(self, _: str) -> Iterator[list[ObjectMeta]]:
        self.listed += 1
        if self.failure:
            raise self.failure
        yield [ObjectMeta(key, f"{hash(data)}", 9, NOW) for key, data in self.labels.items()]

    def read_whole(self, key: str) -> bytes:
        if not self.labels[key]:
            raise WorkflowError("AccessDenied", "You may not.", "Ask.")
        return self.labels[key]

    def label(self, **given: str) -> None:
        truths = (GroundTruth(event.replace("_", "-"), label) for event, label in given.items())
        self.labels[f"ground_truth/{len(self.labels)}.jsonl"] = ground_truth_lines(truths)


class Queries:
    """Athena, with its answers at hand; remembers what it was asked."""

    def __init__(self, *_: object) -> None:
        self.asked: list[str] = []

    def execute(self, sql: str) -> str:
        self.asked.append(sql)
        return "id"

    def read_rows(self, sql: str, schema: pl.Schema) -> pl.DataFrame:
        self.asked.append(sql)
        if schema == COUNTS:
            return counted(captured(100))
        rows = captured(5).with_columns(place=pl.lit(1, pl.Int32))
        return rows.select(schema.names())


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> AthenaFeed:
    monkeypatch.setattr(athena_feed, "Bucket", Shelf)
    monkeypatch.setattr(athena_feed, "AthenaQueries", Queries)
    connection = unconnected()
    return AthenaFeed(connection, capture_place(connection))


def asked(feed: AthenaFeed) -> list[str]:
    queries = feed._queries
    assert isinstance(queries, Queries)
    return queries.asked


def shelf(feed: AthenaFeed) -> Shelf:
    return cast("Shelf", feed.bucket)


def queries(feed: AthenaFeed) -> list[str]:
    return [sql for sql in asked(feed) if sql.startswith("WITH")]


ALL = InferenceFilters()


def test_the_table_is_made_once_and_a_question_asked_once(feed: AthenaFeed) -> None:
    assert feed.as_of is None

    first = feed.counts(ALL, Period.HOUR, NOW)
    again = feed.counts(ALL, Period.HOUR, NOW)
    feed.counts(InferenceFilters(label=0), Period.HOUR, NOW)

    assert first.equals(again)
    assert [sql.split()[0] for sql in asked(feed)] == ["CREATE", "CREATE", "WITH", "WITH"]
    assert feed.as_of is not None


def test_asking_anew_forgets(feed: AthenaFeed) -> None:
    feed.counts(ALL, Period.HOUR, NOW)
    feed.resume(full=True)
    feed.counts(ALL, Period.HOUR, NOW)

    assert len([sql for sql in asked(feed) if sql.startswith("WITH")]) == 2


def test_without_a_first_day_only_the_last_week_is_read(feed: AthenaFeed) -> None:
    feed.counts(ALL, Period.HOUR, NOW)
    feed.counts(InferenceFilters(until=datetime(2026, 3, 8, tzinfo=UTC)), Period.HOUR, NOW)
    feed.counts(InferenceFilters(since=datetime(2020, 1, 1, tzinfo=UTC)), Period.DAY, NOW)

    hours = [sql.split("hour >= '")[1][:13] for sql in asked(feed) if sql.startswith("WITH")]
    assert hours == [f"{NOW - timedelta(days=7):%Y/%m/%d/%H}", "2026/03/01/00", "2020/01/01/00"]


def test_the_same_is_asked_all_hour_long(feed: AthenaFeed) -> None:
    for minutes in (0, 59, 60):
        feed.counts(ALL, Period.HOUR, NOW + timedelta(minutes=minutes))

    first, second = queries(feed)
    assert "from_iso8601_timestamp('2026-11-24T12:00:00+00:00')" in first
    assert "from_iso8601_timestamp('2026-11-24T13:00:00+00:00')" in second


def test_a_record_of_the_future_is_not_the_newest_of_a_sample(
    feed: AthenaFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    future = pl.lit(datetime(2999, 1, 1, tzinfo=UTC), RECORD_COLUMNS["inference_time"])
    rows = captured(5).select(RECORD_COLUMNS.names())
    found = iter([rows.with_columns(inference_time=future), rows])
    monkeypatch.setattr(feed._queries, "read_rows", lambda *_: next(found))

    sample = feed.sample(ALL, [Span(NOW), Span(end=NOW)], 5)

    assert (sample["inference_time"] < NOW).all()


def test_the_period_is_never_finer_than_an_hour(feed: AthenaFeed) -> None:
    assert feed.period(ALL, NOW) is Period.HOUR
    assert feed.period(InferenceFilters(since=datetime(2026, 1, 1, tzinfo=UTC)), NOW) is Period.DAY


def test_records_do_not_know_their_place(feed: AthenaFeed) -> None:
    rows = feed.records(ALL, Selection(0.5, 1.0), limit=5)

    assert rows["length"].null_count() == rows["line"].null_count() == 5
    assert {"key", "event_id", "row"} <= set(rows.columns)


def test_a_sample_is_taken_on_both_sides(feed: AthenaFeed) -> None:
    at = NOW - timedelta(days=2)

    before, after = feed.sample(ALL, [Span(end=at)], 5), feed.sample(ALL, [Span(at)], 5)

    assert before.height == after.height == 5


def test_a_sample_is_cut_at_the_moment_not_at_its_day(feed: AthenaFeed) -> None:
    at = datetime(2026, 11, 21, 15, 30, 10, tzinfo=UTC)

    feed.sample(ALL, [Span(end=at)], 5)
    feed.sample(ALL, [Span(at)], 5)

    before, after = queries(feed)
    moment = "from_iso8601_timestamp('2026-11-21T15:30:10+00:00')"
    assert f"inference_time < {moment}" in before
    assert "hour >= '2026/11/14/15' AND hour < '2026/11/21/16'" in before
    assert f"inference_time >= {moment}" in after
    assert "hour >= '2026/11/21/15'" in after


def test_a_sample_of_several_spans_is_the_newest_of_all(feed: AthenaFeed) -> None:
    spans = [Span(end=NOW - timedelta(hours=2)), Span(NOW - timedelta(hours=1), NOW)]

    assert feed.sample(ALL, spans, 5).height == 5
    assert len(queries(feed)) == 2
    assert feed.sample(ALL, [], 5).is_empty()


def test_a_time_of_its_own_is_counted_whatever_the_filters_say_of_days(feed: AthenaFeed) -> None:
    start = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
    days = InferenceFilters(
        since=datetime(2026, 11, 23, tzinfo=UTC), until=datetime(2026, 11, 24, tzinfo=UTC)
    )

    counts = feed.counted(days, Span(start, start + timedelta(minutes=2)), NOW)

    (sql,) = queries(feed)
    assert counts["count"].sum() > 0
    assert "inference_time >= from_iso8601_timestamp('2026-11-21T15:30:00+00:00')" in sql
    assert "inference_time < from_iso8601_timestamp('2026-11-21T15:32:00+00:00')" in sql
    assert "2026-11-23" not in sql


def test_before_the_first_capture_nothing_is_asked(feed: AthenaFeed) -> None:
    shelf(feed).endpoints = []

    assert feed.names().is_empty()
    assert feed.records(ALL, None, limit=5).is_empty()
    assert feed.as_of is not None
    assert asked(feed) == []


def test_an_endpoint_without_a_variant_has_captured_nothing(feed: AthenaFeed) -> None:
    shelf(feed).variants = []

    assert feed.counts(ALL, Period.HOUR, NOW).is_empty()
    assert asked(feed) == []


def test_the_first_capture_is_found_at_once(feed: AthenaFeed) -> None:
    shelf(feed).endpoints = []
    feed.counts(ALL, Period.HOUR, NOW)
    shelf(feed).endpoints = ["endpoint"]

    assert not feed.counts(ALL, Period.HOUR, NOW).is_empty()


def test_a_new_endpoint_is_asked_for_without_another_table(feed: AthenaFeed) -> None:
    feed.counts(ALL, Period.HOUR, NOW)
    shelf(feed).endpoints = ["endpoint", "renamed"]
    feed.resume(full=True)
    feed.counts(ALL, Period.HOUR, NOW)

    assert [sql.split()[0] for sql in asked(feed)] == ["CREATE", "CREATE", "WITH", "WITH"]
    assert "endpoint IN ('endpoint', 'renamed')" in queries(feed)[-1]


def test_a_new_endpoint_is_found_when_answers_are_too_old(
    feed: AthenaFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.counts(ALL, Period.HOUR, NOW)
    shelf(feed).endpoints = ["endpoint", "renamed"]
    monkeypatch.setattr(athena_feed, "_KEPT_SECONDS", -1.0)
    feed.counts(ALL, Period.HOUR, NOW)

    assert "'renamed'" in queries(feed)[-1]


def test_what_athena_does_not_know_is_empty_not_invented(feed: AthenaFeed) -> None:
    assert feed.errors().is_empty()
    assert feed.deliveries(ALL, 5).is_empty()
    assert not feed.reads_objects
    assert feed.names().rows() == [("endpoint", "AllTraffic", 0), ("endpoint", "AllTraffic", 1)]
    assert (feed.syncing, feed.paused, feed.progress, feed.problem) == (False, False, None, None)
    feed.watch()
    feed.pause()
    assert feed.version == feed.version


def test_without_a_label_nothing_is_asked_about_labels(feed: AthenaFeed) -> None:
    assert feed.judged(ALL).is_empty()
    assert feed.truth_of(["inference-0-0"]) is None
    assert feed.truth_errors().is_empty()
    assert asked(feed) == []


def test_the_first_label_is_found_at_once_and_asked_about_once(feed: AthenaFeed) -> None:
    feed.judged(ALL)
    shelf(feed).label(inference_0_0="0", event_0_1="1", nobody="1")

    first, again = feed.judged(ALL), feed.judged(InferenceFilters(label=0))

    (sql,) = queries(feed)
    assert "('event-0-1'), ('inference-0-0'), ('nobody')" in sql
    assert first["count"].sum() == 2
    assert again["count"].sum() <= 2
    assert shelf(feed).listed == 2
    assert feed.truth_of(["inference-0-0", "event-0-1"]) == 0
    assert feed.truth_of(["inference-0-1", "event-0-1"]) == 1


def test_a_later_label_is_found_when_answers_are_too_old_or_asked_anew(feed: AthenaFeed) -> None:
    shelf(feed).label(inference_0_0="0")
    feed.judged(ALL)
    shelf(feed).label(inference_0_1="0")
    assert feed.judged(ALL)["count"].sum() == 1

    feed.resume(full=True)

    assert feed.judged(ALL)["count"].sum() == 2


def test_labels_before_the_first_capture_are_no_question(feed: AthenaFeed) -> None:
    shelf(feed).label(inference_0_0="0")
    shelf(feed).endpoints = []

    assert feed.judged(ALL).is_empty()
    assert asked(feed) == []


def test_labels_that_cannot_be_read_are_named_and_hide_no_others(feed: AthenaFeed) -> None:
    shelf(feed).label(inference_0_0="0")
    shelf(feed).labels["ground_truth/refused.jsonl"] = b""

    assert feed.judged(ALL)["count"].sum() == 1
    assert feed.truth_errors()["key"].to_list() == ["ground_truth/refused.jsonl"]


def test_a_bucket_that_fails_is_a_problem_and_leaves_the_page(feed: AthenaFeed) -> None:
    shelf(feed).failure = WorkflowError("ServiceUnavailable", "It is down.", "Wait.")
    assert feed.judged(ALL).is_empty()
    assert feed.problem is shelf(feed).failure

    shelf(feed).failure = None
    shelf(feed).label(inference_0_0="0")

    assert feed.judged(ALL)["count"].sum() == 1
    assert feed.problem is None


def test_answers_beyond_the_last_few_take_no_room(feed: AthenaFeed) -> None:
    for hour in range(athena_feed._KEPT + 10):
        feed.counts(ALL, Period.HOUR, NOW + timedelta(hours=hour))

    assert len(feed._reads._known) == athena_feed._KEPT


class Lake:
    """Athena, as DuckDB answers over the lines of a capture table."""

    def __init__(self, captures: pl.DataFrame) -> None:
        self._duckdb = duckdb.connect()
        answers = pl.concat_str(
            pl.lit("["),
            pl.col("probabilities").cast(pl.List(pl.String)).list.join(","),
            pl.lit("]"),
        )
        time = pl.col("inference_time").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        self._lines = captures.select(
            capturedata=pl.struct(endpointoutput=pl.struct(data=answers, encoding=pl.lit("JSON"))),
            eventmetadata=pl.struct(
                eventid="event_id", inferenceid="inference_id", inferencetime=time
            ),
            endpoint="endpoint",
            variant="variant",
            hour=pl.col("hour").dt.strftime("%Y/%m/%d/%H"),
            path="key",
        ).rename({"path": "$path"})

    def execute(self, sql: str) -> str:
        if not sql.startswith("CREATE DATABASE"):
            (self._table,) = re.findall(r"NOT EXISTS (\S+) \(", sql)
        return "id"

    def read_rows(self, sql: str, schema: pl.Schema) -> pl.DataFrame:
        self._duckdb.register("lines", self._lines.to_arrow())
        query = for_duckdb(sql).replace(self._table, "lines")
        return pl.DataFrame(self._duckdb.execute(query).fetchall(), schema=schema, orient="row")


MATCHES = [
    ALL,
    InferenceFilters(label=0),
    InferenceFilters(endpoint="second"),
    InferenceFilters(endpoint="endpoint", variant="Other", label=1),
    InferenceFilters(since=NOW - timedelta(days=1), until=NOW),
    InferenceFilters(until=NOW - timedelta(days=1)),
]


@pytest.mark.parametrize("filters", MATCHES)
def test_what_is_judged_is_what_the_store_judges(
    feed: AthenaFeed, filters: InferenceFilters, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    lines = captured(
        400, hours=60, endpoints=("endpoint", "second"), variants=("AllTraffic", "Other")
    ).with_columns(
        inference_time=pl.col("inference_time") + (now - NOW),
        hour=(pl.col("inference_time") + (now - NOW)).dt.truncate("1h"),
    )
    days = {"since": filters.since, "until": filters.until}
    moved: dict[str, Any] = {name: day + (now - NOW) for name, day in days.items() if day}
    within = replace(filters, **moved)
    shelf(feed).endpoints, shelf(feed).variants = ["endpoint", "second"], ["AllTraffic", "Other"]
    shelf(feed).label(**{f"inference_0_{n}": f"{n % 2}" for n in range(0, 400, 3)})
    shelf(feed).label(**{f"event_0_{n}": f"{n % 3 % 2}" for n in range(0, 400, 2)})
    shelf(feed).label(inference_0_3="0", inference_0_9="bicycle", inference_0_12="no class")
    monkeypatch.setattr(feed, "_queries", Lake(lines))
    monkeypatch.setattr(athena, "QUERY_BYTES", 5_000)
    monkeypatch.setattr(capture_feed, "Bucket", Shelf)
    store = CaptureFeed(unconnected(), tmp_path)
    store.store.append("captures", lines)
    cast("Shelf", store.bucket).labels = shelf(feed).labels
    store._read_labels()

    found = feed.judged(within)

    assert found.equals(store.judged(within))
    assert found["count"].sum() > 0
    for n in range(20):
        ids = [f"inference-0-{n}", f"event-0-{n}"]
        assert feed.truth_of(ids) == store.truth_of(ids)


def test_bins_that_lie_between_are_refused(feed: AthenaFeed) -> None:
    with pytest.raises(WorkflowError) as caught:
        feed.confidences(ALL)

    assert caught.value.code == "BinsDoNotAlign"
