"""The Athena feed answers the page's questions with few queries."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import polars as pl
import pytest

from dashboard import athena_feed
from dashboard.athena import RECORD_COLUMNS
from dashboard.athena_feed import AthenaFeed
from dashboard.models.inferences import InferenceFilters
from dashboard.models.selection import Selection
from dashboard.tables import COUNTS, Period
from tests.captured import NOW, captured, counted
from tests.dashboard.aws.unconnected import unconnected
from workflow.errors import WorkflowError
from workflow.spans import Span


class Shelf:
    """A bucket with one endpoint and its variant."""

    name = "bucket"

    def __init__(self) -> None:
        self.endpoints = ["endpoint"]
        self.variants = ["AllTraffic"]

    @classmethod
    def of(cls, *_: object) -> "Shelf":
        return cls()

    def children(self, prefix: str) -> tuple[list[str], list[Any]]:
        names = self.endpoints if prefix == "data_capture" else self.variants
        return [f"{prefix}/{name}" for name in names], []


class Queries:
    """Athena, with its answers at hand; remembers what it was asked."""

    def __init__(self, *_: object) -> None:
        self.asked: list[str] = []

    def execute(self, sql: str) -> str:
        self.asked.append(sql)
        return "id"

    def rows(self, sql: str, schema: pl.Schema) -> pl.DataFrame:
        self.asked.append(sql)
        if schema == COUNTS:
            odd = pl.lit(datetime(1970, 1, 1, tzinfo=UTC), COUNTS["time"])
            counts = counted(captured(100))
            return pl.concat([counts, counts.head(1).with_columns(time=odd)])
        return captured(5).select(RECORD_COLUMNS.names())


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> AthenaFeed:
    monkeypatch.setattr(athena_feed, "Bucket", Shelf)
    monkeypatch.setattr(athena_feed, "AthenaQueries", Queries)
    return AthenaFeed(unconnected())


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
    feed.counts(InferenceFilters(label="bicycle"), Period.HOUR, NOW)

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
    feed.counts(InferenceFilters(until=date(2026, 3, 7)), Period.HOUR, NOW)
    feed.counts(InferenceFilters(since=date(2020, 1, 1)), Period.DAY, NOW)

    hours = [sql.split("hour >= '")[1][:13] for sql in asked(feed) if sql.startswith("WITH")]
    assert hours == ["2026/11/17/00", "2026/03/01/00", "2020/01/01/00"]


def test_absurd_times_are_no_times(feed: AthenaFeed) -> None:
    counts = feed.counts(ALL, Period.HOUR, NOW)

    assert counts.filter(pl.col("time").is_null())["count"].sum() > 0
    assert counts["time"].min() > datetime(2026, 1, 1, tzinfo=UTC)


def test_the_period_is_never_finer_than_an_hour(feed: AthenaFeed) -> None:
    assert feed.period(ALL, NOW) is Period.HOUR
    assert feed.period(InferenceFilters(since=date(2026, 1, 1)), NOW) is Period.DAY


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
    days = InferenceFilters(since=date(2026, 11, 23), until=date(2026, 11, 23))

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
    assert feed.judged(ALL).is_empty()
    assert feed.names().rows() == [("endpoint", "AllTraffic", 0), ("endpoint", "AllTraffic", 1)]
    assert (feed.syncing, feed.paused, feed.progress, feed.problem) == (False, False, None, None)
    feed.watch()
    feed.pause()
    assert feed.version == feed.version


def test_bins_that_lie_between_are_refused(feed: AthenaFeed) -> None:
    with pytest.raises(WorkflowError) as caught:
        feed.confidences(ALL)

    assert caught.value.code == "BinsDoNotAlign"
