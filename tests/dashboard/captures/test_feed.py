"""The capture feed, from objects in a real local cloud to counts, records and verdicts."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from dashboard.aws.captured_images import CaptureLine, captured_input
from dashboard.aws.cloud import Connection
from dashboard.captures import feed as capture_feed
from dashboard.captures.feed import CaptureFeed
from dashboard.captures.periods import Period
from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.selection import Selection
from tests.builders import png
from tests.captured import NOW
from workflow.errors import WorkflowError
from workflow.intervals import Share
from workflow.reviews import GroundTruth, ground_truth_lines
from workflow.spans import Span

pytestmark = pytest.mark.cloud

SECONDS = 60
ALL = InferenceFilters()


def record(number: int, probability: float, minute: int) -> bytes:
    moment = NOW - timedelta(hours=2) + timedelta(minutes=minute)
    image = base64.b64encode(png(color="red")).decode()
    captured = {
        "endpointInput": {
            "observedContentType": "image/png",
            "mode": "INPUT",
            "data": image,
            "encoding": "BASE64",
        },
        "endpointOutput": {
            "observedContentType": "application/json",
            "mode": "OUTPUT",
            "data": json.dumps([probability, 1 - probability]),
            "encoding": "JSON",
        },
    }
    event = {
        "eventId": f"event-{number}",
        "inferenceId": f"inference-{number}",
        "inferenceTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    }
    line = {"captureData": captured, "eventMetadata": event, "eventVersion": "0"}
    return json.dumps(line).encode() + b"\n"


def put(connection: Connection, name: str, body: bytes) -> None:
    settings = connection.settings
    hour = f"{NOW - timedelta(hours=2):%Y/%m/%d/%H}"
    key = f"{settings.capture_prefix}/feed-endpoint/AllTraffic/{hour}/{name}.jsonl"
    connection.client("s3").put_object(Bucket=settings.bucket, Key=key, Body=body)


@pytest.fixture(scope="module")
def feed(deployed: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaptureFeed]:
    lines = [record(n, 0.5 + n / 200, n) for n in range(100)]
    put(deployed, "00-00-000-a", b"".join(lines[:50]) + b"not a capture\n")
    put(deployed, "30-00-000-b", b"".join(lines[50:]))
    made = CaptureFeed(deployed, tmp_path_factory.mktemp("captures"))
    made.watch()
    until(lambda: made.as_of is not None)
    yield made
    made.close()


@pytest.fixture
def labels(deployed: Connection) -> Iterator[dict[str, str]]:
    """A place for labels, empty again afterwards: other tests share the bucket."""
    place = {"Bucket": deployed.settings.bucket, "Key": "ground_truth/2026/11/23/12/a.jsonl"}
    yield place
    deployed.client("s3").delete_object(**place)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


ONLY = InferenceFilters(endpoint="feed-endpoint")


def test_every_record_is_counted(feed: CaptureFeed) -> None:
    counts = feed.counts(ONLY, Period.HOUR, NOW)

    assert counts["count"].sum() == 100
    assert feed.period(ONLY, NOW) in set(Period)
    assert ("feed-endpoint", "AllTraffic", 0) in feed.names().rows()


def test_a_day_leaves_out_the_others(feed: CaptureFeed) -> None:
    before = InferenceFilters(endpoint="feed-endpoint", until=datetime(2020, 1, 2, tzinfo=UTC))

    assert feed.counts(before, Period.HOUR, NOW).is_empty()
    assert feed.confidences(before).is_empty()


def test_the_records_behind_a_bar_lead_to_their_images(feed: CaptureFeed) -> None:
    rows = feed.records(ONLY, Selection(0.9, 1.0), limit=5, offset=2)

    assert rows["event_id"].to_list() == [f"event-{n}" for n in (97, 96, 95, 94, 93)]
    line = CaptureLine.of(rows.row(0, named=True))
    assert captured_input(feed.bucket, line) == (png(color="red"), "image/png")


def test_unreadable_lines_and_deliveries_are_told(feed: CaptureFeed) -> None:
    mine = pl.col("key").str.contains("feed-endpoint")
    assert feed.errors().filter(mine)["lines"].sum() == 1
    assert feed.deliveries(ALL, 10).height >= 2
    assert feed.reads_objects


def test_deliveries_are_those_of_the_endpoint_variant_and_time(feed: CaptureFeed) -> None:
    assert feed.deliveries(replace(ONLY, label=1), 10).height == 2
    assert feed.deliveries(replace(ONLY, variant="Other"), 10).is_empty()
    assert feed.deliveries(replace(ONLY, until=datetime(2020, 1, 2, tzinfo=UTC)), 10).is_empty()
    assert feed.deliveries(InferenceFilters(endpoint="other"), 10).is_empty()


def test_a_sample_is_the_same_twice(feed: CaptureFeed) -> None:
    at = NOW - timedelta(hours=1, minutes=30)
    sides = ([Span(end=at)], [Span(at)])

    first, again = ([feed.sample(ONLY, side, 10) for side in sides] for _ in range(2))

    assert [side.height for side in first] == [10, 10]
    assert all(one.equals(other) for one, other in zip(first, again, strict=True))
    assert (first[0]["inference_time"] < at).all()


def test_a_sample_of_several_spans_holds_nothing_between_them(feed: CaptureFeed) -> None:
    start, end = NOW - timedelta(hours=1, minutes=50), NOW - timedelta(hours=1, minutes=20)

    times = feed.sample(ONLY, [Span(end=start), Span(end)], 1_000)["inference_time"]

    assert 0 < times.len() < 100
    assert not times.is_between(start, end, closed="left").any()
    assert feed.sample(ONLY, [], 10).is_empty()


def test_a_time_of_its_own_is_counted_to_the_moment(feed: CaptureFeed) -> None:
    start = NOW - timedelta(hours=1, minutes=50)
    another_day = replace(
        ONLY, since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2020, 1, 2, tzinfo=UTC)
    )

    counts = feed.counted(another_day, Span(start, start + timedelta(minutes=2)), NOW)

    assert counts["count"].sum() == 2
    assert feed.counted(ONLY, Span(end=NOW - timedelta(days=1)), NOW).is_empty()


def test_ground_truth_is_joined_once_it_is_there(
    feed: CaptureFeed, deployed: Connection, labels: dict[str, str]
) -> None:
    assert feed.judged(ALL).is_empty()
    lines = b"".join(
        json.dumps(
            {
                "groundTruthData": {"data": data, "encoding": "CSV"},
                "eventMetadata": {"eventId": event},
                "eventVersion": "0",
            }
        ).encode()
        + b"\n"
        for event, data in (("inference-99", "0"), ("event-98", "motorcycle"), ("x", "junk"))
    )
    deployed.client("s3").put_object(Body=lines, **labels)

    feed.resume()
    until(lambda: not feed.judged(ALL).is_empty())

    assert feed.judged(ALL).select(pl.col("correct").sum(), pl.len()).row(0) == (1, 2)
    assert Share(1, 2).value == 0.5
    assert feed.judged(ONLY)["count"].sum() == 2
    assert feed.judged(InferenceFilters(endpoint="another")).is_empty()
    assert feed.judged(InferenceFilters(label=1)).is_empty()
    assert feed.judged(InferenceFilters(until=datetime(2020, 1, 2, tzinfo=UTC))).is_empty()
    assert feed.truth_of(["inference-99", "event-99"]) == 0
    assert feed.truth_of(["inference-98", "event-98"]) == 1
    assert feed.truth_of(["inference-97", "event-97"]) is None


def test_ground_truth_is_read_though_captures_are_refused(
    deployed: Connection,
    labels: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise WorkflowError("AccessDenied", "You may not.", "Ask.")

    label = ground_truth_lines([GroundTruth("labelled", "bicycle")])
    deployed.client("s3").put_object(Body=label, **labels)
    monkeypatch.setattr(capture_feed, "sync_captures", refuse)
    feed = CaptureFeed(deployed, tmp_path)

    feed.watch()
    until(lambda: feed.problem is not None)
    feed.close()

    assert feed.truth_of(["labelled"]) == 0
    assert feed.truth_errors().filter(pl.col("key") == labels["Key"]).is_empty()


def test_a_stopped_sync_stays_stopped_until_resumed(
    feed: CaptureFeed, deployed: Connection
) -> None:
    feed.pause()
    until(lambda: not feed.syncing)
    put(deployed, "45-00-000-c", record(200, 0.99, 110))
    feed.watch()
    before = feed.counts(ONLY, Period.HOUR, NOW)["count"].sum()

    feed.resume(full=True)
    until(lambda: feed.counts(ONLY, Period.HOUR, NOW)["count"].sum() == before + 1)

    assert not feed.paused


def test_a_bucket_that_is_not_there_is_a_problem_and_no_crash(
    empty: Connection, tmp_path: Path
) -> None:
    feed = CaptureFeed(empty, tmp_path)

    def seen() -> bool:
        feed.watch()  # as a page does at every tick: a busy cloud may seem gone for a moment
        return feed.problem is not None

    until(seen)

    assert isinstance(feed.problem, WorkflowError)
    assert feed.counts(ALL, Period.HOUR, NOW).is_empty()
    assert feed.names().is_empty()
    feed.close()


def test_captures_of_another_endpoint_are_read_where_it_writes_them(
    deployed: Connection, tmp_path: Path
) -> None:
    """The endpoint of this deployment, told to another as its existing one, with its own place."""
    s3, sagemaker = deployed.client("s3"), deployed.client("sagemaker")
    name, own = deployed.settings.endpoint, deployed.settings.bucket
    other = replace(
        deployed, settings=replace(deployed.settings, stage="other", existing_endpoint=name)
    )
    uri = sagemaker.describe_endpoint(EndpointName=name)["DataCaptureConfig"]["DestinationS3Uri"]
    prefix = uri.removeprefix(f"s3://{own}/")
    key = f"{prefix}/{name}/AllTraffic/{NOW - timedelta(hours=3):%Y/%m/%d/%H}/theirs.jsonl"
    s3.put_object(Bucket=own, Key=key, Body=record(7000, 0.75, 1))
    feed = CaptureFeed(other, tmp_path)

    feed.watch()
    until(lambda: feed.as_of is not None)
    feed.close()

    assert str(feed.place) == f"s3://{own}/{prefix}/{name}"
    assert feed.bucket.name == own != other.settings.bucket
    assert set(feed.names()["endpoint"]) == {name}
    s3.delete_object(Bucket=own, Key=key)
