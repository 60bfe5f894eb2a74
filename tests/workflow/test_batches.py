"""Batches: sources, estimates, progress and results, without a cloud."""

import datetime as dt
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow import batch_results, batches
from workflow.batches import BatchOptions, Kind, SourceCount
from workflow.errors import WorkflowError

NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "kind", "key"),
    [
        ("s3://b/images/", Kind.PREFIX, "images/"),
        (" s3://b ", Kind.PREFIX, ""),
        ("s3://b/batch/list.csv", Kind.CSV, "batch/list.csv"),
        ("s3://b/batch/list.jsonl", Kind.JSONL, "batch/list.jsonl"),
        ("s3://b/batch/list.manifest", Kind.JSONL, "batch/list.manifest"),
        ("s3://b/inv/2026-11-27T01-00Z/manifest.json", Kind.INVENTORY,
         "inv/2026-11-27T01-00Z/manifest.json"),
    ],
)  # fmt: skip
def test_a_source_is_known_by_its_ending(text: Any, kind: Any, key: Any) -> None:
    source = batches.read_source(text)

    assert (source.kind, source.bucket, source.key) == (kind, "b", key)


@pytest.mark.parametrize("text", ["", "images/", "s3://", "https://b/images/", "s3:///x"])
def test_what_is_no_address_is_refused(text: Any) -> None:
    with pytest.raises(WorkflowError) as caught:
        batches.read_source(text)

    assert caught.value.code == "BatchSourceInvalid"


@given(st.text())
def test_any_text_is_a_source_or_refused(text: Any) -> None:
    with suppress(WorkflowError):
        source = batches.read_source(text)
        assert source.bucket
        assert json.loads(batches.batch_input(source, BatchOptions()))["kind"] in set(Kind)


@pytest.mark.parametrize(
    "given",
    [
        {"batch_size": 0}, {"batch_size": 101}, {"concurrency": 0}, {"concurrency": 10_001},
        {"tolerated_percent": -1.0}, {"tolerated_percent": 100.5},
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(given: Any) -> None:
    with pytest.raises(WorkflowError) as caught:
        BatchOptions(**given)

    assert caught.value.code == "BatchOptionInvalid"


def counted(photos: Any = 0, others: Any = 0) -> Any:
    return SourceCount(photos=photos, others=others, complete=True, examples=("a.txt",))


def test_an_estimate_tells_time_price_and_what_it_rests_on() -> None:
    found = batches.estimate(
        counted(999_990, 10), BatchOptions(batch_size=20, concurrency=25),
        photo_seconds=0.4, region="us-east-1",
    )  # fmt: skip

    assert (found.items, found.children) == (1_000_000, 50_000)
    assert found.seconds == pytest.approx(4000)
    # 3 requests, 0.2 GB-s of Lambda and 0.1 s of 64 MB of Express a photo, two reads; children.
    assert found.usd == pytest.approx(0.60 + 2.6667 + 0.1042 + 0.80 + 0.05, abs=0.01)
    for told in ("999,990 photos", "10 other items, such as a.txt", "100 photos at once"):
        assert told in found.says


def test_an_estimate_without_executions_or_prices_says_so() -> None:
    options = BatchOptions()

    untimed = batches.estimate(counted(5), options, photo_seconds=None, region="us-east-1")
    abroad = batches.estimate(counted(5), options, photo_seconds=1.0, region="eu-west-1")

    assert (untimed.seconds, untimed.usd) == (None, None)
    assert "no execution has ended yet" in untimed.says
    assert abroad.usd is None
    assert abroad.seconds
    assert "prices of eu-west-1 are unknown" in abroad.says


def test_an_empty_source_is_refused() -> None:
    with pytest.raises(WorkflowError) as caught:
        batches.estimate(counted(), BatchOptions(), photo_seconds=1.0, region="us-east-1")

    assert caught.value.code == "BatchEmpty"


def described(**counts: Any) -> Any:
    none = dict.fromkeys(("pending", "running", "failed", "timedOut", "aborted", "succeeded"), 0)
    return {
        "mapRunArn": "arn:map-run",
        "status": "RUNNING",
        "startDate": NOW - dt.timedelta(seconds=60),
        "maxConcurrency": 2,
        "itemCounts": {**none, **counts},
    }


def test_the_rest_of_a_batch_takes_as_long_as_its_pace_tells() -> None:
    found = batches.read_map_run(
        described(total=100, succeeded=20, failed=5, timedOut=3, aborted=2, running=10)
    )

    assert (found.done, found.failed, found.running, found.share) == (20, 10, 10, 0.3)
    assert found.seconds_left(NOW) == pytest.approx(140)
    assert batches.read_map_run(described(total=100)).seconds_left(NOW) is None
    assert batches.read_map_run(described(total=0)).share == 1.0


def test_results_are_read_from_both_files() -> None:
    fine = {"s3_bucket": "b", "s3_key": "k.png", "outcome": "accepted", "label": "bicycle",
            "confidence": 0.97}  # fmt: skip
    items = [{"s3_bucket": "", "s3_key": "s3://b/x.png"}]
    failed = {"Status": "FAILED", "Error": "EndpointNotFound", "Cause": "gone",
              "Input": json.dumps({"Items": items})}  # fmt: skip

    (read,) = batch_results.read_results([json.dumps(fine)], failed=False)
    (lost,) = batch_results.read_results([json.dumps(failed)], failed=True)

    assert (read.address, read.outcome, read.confidence) == ("s3://b/k.png", "accepted", 0.97)
    assert (lost.address, lost.outcome, lost.error) == (
        "s3://b/x.png", "failed", "EndpointNotFound",
    )  # fmt: skip


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_what_no_batch_wrote_is_refused_by_line(value: Any) -> None:
    with pytest.raises(WorkflowError) as caught:
        list(batch_results.read_results([json.dumps(value)], failed=True))

    assert caught.value.code == "BatchResultInvalid"
    assert "Line 1" in caught.value.message
