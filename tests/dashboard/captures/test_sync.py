"""The sync of captures against a simulated bucket."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import polars as pl
import pytest
from botocore.exceptions import NoRegionError
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.aws import objects
from dashboard.aws.objects import Bucket
from dashboard.captures import fetcher, lister, writer
from dashboard.captures import sync as module
from dashboard.captures.lister import PlannedListing, plan_listings, settled_hours
from dashboard.captures.sync import last_pass, sync_captures
from dashboard.captures.sync_progress import CaptureProgress
from dashboard.captures.tables import TABLES
from dashboard.shared.store import MERGE_AT, SegmentStore
from tests.builders import capture_lines, captured, png
from tests.simulated_s3 import BUCKET, ServedS3, SimulatedS3
from workflow.captures import DUPLICATE, SHADOW_VARIANT, image_of
from workflow.errors import WorkflowError

NOW = datetime.now(UTC)
BRANCH = "data_capture/scones/AllTraffic"


def key(hours_ago: float, name: str = "a", branch: str = BRANCH) -> str:
    return f"{branch}/{NOW - timedelta(hours=hours_ago):%Y/%m/%d/%H}/{name}.jsonl"


def line(event_id: str, **event: Any) -> bytes:
    return capture_lines(captured(event_id=event_id, **event))


@pytest.fixture
def s3() -> Iterator[SimulatedS3]:
    with ServedS3(SimulatedS3()) as served:
        yield served


@pytest.fixture
def store(tmp_path: Path) -> SegmentStore:
    return SegmentStore(tmp_path / "store", TABLES)


def bucket(s3: SimulatedS3, name: str = BUCKET) -> Bucket:
    session: Any = boto3.Session(
        aws_access_key_id="x", aws_secret_access_key="y", region_name="us-east-1"
    )
    make = session.client
    session.client = lambda service: make(service, endpoint_url=s3.url)
    return Bucket.of(session, name)


def sync(s3: SimulatedS3, store: SegmentStore, **options: Any) -> CaptureProgress:
    options = dict[str, Any]({"report": lambda _: None, "stop": threading.Event()}) | options
    return sync_captures(bucket(s3), "data_capture", store, **options)


def events(store: SegmentStore) -> list[str]:
    return sorted(store.scan("captures").collect()["event_id"].to_list())


def errors(store: SegmentStore) -> list[tuple[str, str]]:
    return list(store.scan("errors").select("key", "reason").collect().iter_rows())


def gets(s3: SimulatedS3) -> list[str]:
    return [request for request in s3.requests if request.startswith("GET")]


def test_everything_is_read_once(s3: SimulatedS3, store: SegmentStore) -> None:
    s3.put({key(h): line(f"e{h}") for h in range(30)})
    first = sync(s3, store)
    assert (first.listed, first.found, first.read, first.captures) == (30, 30, 30, 30)
    assert first.all_listed
    assert first.seconds_left == 0
    second = sync(s3, store)
    assert (second.found, second.read) == (0, 0)
    assert len(events(store)) == 30
    assert len(gets(s3)) == 30


def test_a_refresh_lists_only_the_last_hours_and_finds_late_keys(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({key(h): line(f"e{h}") for h in range(30)})
    sync(s3, store)
    s3.put({key(1, "late"): line("late"), key(0, "new"): line("new")})
    refreshed = sync(s3, store)
    assert refreshed.listed <= 5
    assert refreshed.read == 2
    assert {"late", "new"} <= set(events(store))


def test_passes_that_find_nothing_leave_the_versions_of_what_was_read(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({key(0): line("e0") + b"junk\n"})
    sync(s3, store)
    before = store.table_version("captures"), store.table_version("errors")
    for _ in range(2 * MERGE_AT):
        sync(s3, store)
    assert (store.table_version("captures"), store.table_version("errors")) == before


def test_a_key_that_comes_days_late_is_found_by_a_full_check(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({key(h): line(f"e{h}") for h in range(5)})
    sync(s3, store)
    s3.put({key(72, "late"): line("late")})
    assert sync(s3, store).read == 0
    assert sync(s3, store, full=True).read == 1
    assert "late" in events(store)


def test_a_new_endpoint_and_a_renamed_one_are_found(s3: SimulatedS3, store: SegmentStore) -> None:
    s3.put({key(0): line("e0")})
    sync(s3, store)
    other = key(100, branch="data_capture/renamed/v2")
    s3.put({other: line("e1")})
    sync(s3, store)
    rows = store.scan("captures").select("endpoint", "variant").collect().rows()
    assert rows == [("scones", "AllTraffic"), ("renamed", "v2")]


def test_objects_in_another_layout_are_read_too(s3: SimulatedS3, store: SegmentStore) -> None:
    s3.put(
        {
            "data_capture/a.jsonl": line("e0"),
            "data_capture/scones/b.jsonl": line("e1"),
            "data_capture/scones/x/c.jsonl": line("e2"),
            "elsewhere/d.jsonl": line("e3"),
        }
    )
    sync(s3, store)
    assert events(store) == ["e0", "e1", "e2"]
    assert sync(s3, store).read == 0


def test_what_a_changed_object_held_before_is_replaced(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({key(0): line("old") + b"junk\n", key(0, "b"): line("other")})
    sync(s3, store)
    s3.put({key(0): line("new")})
    sync(s3, store)
    assert events(store) == ["new", "other"]
    assert errors(store) == []
    assert store.count_rows("objects") == 2


def test_an_event_delivered_twice_is_counted_once_and_reported(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({key(1): line("e1"), key(1, "no time"): line("e2", inferenceTime="{%s}")})
    sync(s3, store)
    s3.put({key(0): line("e1"), key(0, "b"): line("e2", inferenceTime="{%s}") + line("e3")})
    sync(s3, store)
    assert events(store) == ["e1", "e2", "e3"]
    assert sorted(errors(store)) == [(key(0), DUPLICATE), (key(0, "b"), DUPLICATE)]


def test_lines_that_are_no_captures_are_kept_as_errors(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({key(0): line("e1") + b"junk\n"})
    assert sync(s3, store).errors == 1
    (row,) = store.scan("errors").collect().to_dicts()
    assert (row["key"], row["line"], row["reason"]) == (key(0), 2, "not JSON")
    assert row["found_at"] >= NOW


def test_one_image_is_fetched_by_its_range(s3: SimulatedS3, store: SegmentStore) -> None:
    s3.put({key(0): line("e1") + line("e2")})
    sync(s3, store)
    row = store.scan("captures").filter(event_id="e2").collect().to_dicts()[0]
    found = bucket(s3).read_range(row["key"], row["offset"], row["length"])
    assert image_of(found) == (png(), "image/png")
    assert bucket(s3).read_whole(row["key"]) == line("e1") + line("e2")


def test_a_pass_that_is_stopped_is_resumed(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REPORT_SECONDS", 0.0)
    monkeypatch.setattr(module, "IN_FLIGHT", 1)  # no reader is far ahead of what is reported
    s3.put({key(h): line(f"e{h}") for h in range(300)})
    stop = threading.Event()

    def report(progress: CaptureProgress) -> None:
        if progress.read >= 20:
            stop.set()

    stopped = sync(s3, store, stop=stop, report=report)
    assert 20 <= stopped.read < 300
    assert last_pass(store) is None
    assert store.count_rows("objects") == stopped.read
    rest = sync(s3, store)
    assert rest.read == 300 - stopped.read
    assert len(events(store)) == 300
    assert len(set(gets(s3))) == len(gets(s3)) == 300
    assert last_pass(store) is not None


SYNC = """
import sys, threading
from pathlib import Path
import boto3
from dashboard.captures import sync as captures, writer
from dashboard.aws.objects import Bucket
from dashboard.captures.tables import TABLES
from dashboard.shared.store import MERGE_AT, SegmentStore
writer.COMMIT_SECONDS = 0.0
url, root = sys.argv[1:]
session = boto3.Session("x", "y", region_name="us-east-1")
make = session.client
session.client = lambda service: make(service, endpoint_url=url)
bucket, store = Bucket.of(session, "captures"), SegmentStore(Path(root), TABLES)
stop = threading.Event()
captures.sync_captures(bucket, "data_capture", store, report=lambda _: None, stop=stop)
"""


@pytest.mark.process
def test_a_pass_that_is_killed_is_resumed_and_nothing_is_counted_twice(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put({key(h): line(f"e{h}") for h in range(600)})
    s3.latency = 0.2
    answer = s3.answer

    def stall_at_last(*request: Any) -> tuple[int, str, bytes]:
        if len(s3.requests) > 400:  # so that it is killed before its end, however late that is
            s3.latency = 600.0
        return answer(*request)

    monkeypatch.setattr(s3, "answer", stall_at_last)
    process = subprocess.Popen([sys.executable, "-c", SYNC, s3.url, str(store.root)])
    while store.count_rows("captures") < 30 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = store.count_rows("objects")
    assert 30 <= before < 600
    monkeypatch.setattr(s3, "answer", answer)
    s3.latency = 0.0
    assert sync(s3, store).read == 600 - before
    assert events(store) == sorted(f"e{h}" for h in range(600))


def test_what_was_read_before_the_permission_was_lost_is_kept(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({key(h): line(f"e{h}") for h in range(200)})
    s3.denied = {key(h) for h in range(150)}
    with pytest.raises(WorkflowError) as raised:
        sync(s3, store)
    assert raised.value.code == "AccessDenied"
    assert "s3:GetObject" in raised.value.message
    assert 0 < store.count_rows("captures") <= 50
    s3.denied = set()
    sync(s3, store)
    assert len(events(store)) == 200
    assert errors(store) == []


def test_one_refused_object_is_named_and_holds_up_no_other(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({key(h): line(f"e{h}") for h in range(3)})
    s3.denied = {key(1)}
    for _ in range(2):
        assert sync(s3, store).errors == 1
        assert errors(store) == [(key(1), "AccessDenied")]
    s3.denied = set()
    sync(s3, store)
    assert len(events(store)) == 3


def test_an_object_that_stays_refused_changes_nothing_until_it_is_refused_otherwise(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put({key(h): line(f"e{h}") for h in range(3)})
    s3.denied = {key(1)}
    sync(s3, store)
    before = [store.table_version(table) for table in ("captures", "errors", "objects")]
    assert sync(s3, store).errors == 1
    assert gets(s3).count(f"GET {key(1)}") == 2
    assert [store.table_version(table) for table in ("captures", "errors", "objects")] == before
    error = s3._error
    monkeypatch.setattr(s3, "_error", lambda status, _: error(status, "InvalidObjectState"))
    sync(s3, store)
    assert errors(store) == [(key(1), "InvalidObjectState")]
    assert store.table_version("errors") != before[1]
    assert store.table_version("captures") == before[0]


A_ROW = 20
AT_MOST = A_ROW + fetcher.IN_FLIGHT - 1
"""Requests for refused objects of one pass: some are under way when it gives up."""


def test_refused_objects_hold_up_what_lies_behind_them_for_one_pass_only(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_FLIGHT", 1)
    refused = {key(h) for h in range(10, 40)}
    s3.put({name: line(name) for name in refused} | {key(h): line(f"e{h}") for h in range(5)})
    s3.denied = refused
    with pytest.raises(WorkflowError) as raised:
        sync(s3, store)
    assert raised.value.code == "AccessDenied"
    assert len(errors(store)) == A_ROW
    assert events(store) == []
    assert sync(s3, store).errors == 30
    assert events(store) == [f"e{h}" for h in range(5)]
    assert sorted(errors(store)) == sorted((name, "AccessDenied") for name in refused)
    assert last_pass(store) is not None


def test_a_bucket_that_refuses_everything_costs_few_requests(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({f"{BRANCH}/{n:04}.jsonl": b"x" for n in range(2000)})
    s3.denied = None
    named = [0]
    for _ in range(3):
        s3.requests.clear()
        with pytest.raises(WorkflowError):
            sync(s3, store)
        assert A_ROW <= len(gets(s3)) <= AT_MOST
        named.append(len(errors(store)))
    assert all(later - before >= A_ROW for before, later in pairwise(named))


@pytest.fixture
def refused(s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of three hundred objects that a pass has named as refused."""
    keys = [f"{BRANCH}/{n:03}.jsonl" for n in range(300)]
    s3.put({name: line(name) for name in keys})
    s3.denied = set(keys)
    monkeypatch.setattr(fetcher, "_REFUSED_IN_A_ROW", 1000)
    assert sync(s3, store).errors == 300
    monkeypatch.setattr(fetcher, "_REFUSED_IN_A_ROW", A_ROW)
    s3.requests.clear()
    return keys


def test_few_of_many_that_stay_refused_are_asked_for_again(
    s3: SimulatedS3, store: SegmentStore, refused: list[str]
) -> None:
    before = [store.table_version(table) for table in ("captures", "errors", "objects")]
    again = sync(s3, store)
    assert again.errors == again.found == again.read == len(refused)
    assert A_ROW <= len(gets(s3)) <= AT_MOST
    assert [store.table_version(table) for table in ("captures", "errors", "objects")] == before


def test_all_that_were_refused_are_read_once_they_may_be(
    s3: SimulatedS3, store: SegmentStore, refused: list[str]
) -> None:
    s3.denied = set()
    assert sync(s3, store).captures == len(refused)
    assert errors(store) == []


def test_one_of_many_that_may_be_read_now_has_its_turn_in_time(
    s3: SimulatedS3, store: SegmentStore, refused: list[str]
) -> None:
    s3.denied = set(refused[:-1])
    passes = 0
    while not events(store):
        passes += 1
        assert passes < 300  # each reaches it with a chance of more than one in fifteen
        sync(s3, store)
    assert events(store) == refused[-1:]
    assert len(errors(store)) == len(refused) - 1


def test_what_has_changed_since_it_was_refused_is_asked_for_first(
    s3: SimulatedS3, store: SegmentStore, refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = s3._contents

    def changed(name: str) -> str:
        text = listed(name)
        return text.replace("16:00:00.000Z", "17:00:00.000Z") if name == refused[-1] else text

    monkeypatch.setattr(s3, "_contents", changed)
    monkeypatch.setattr(module, "IN_FLIGHT", 1)
    s3.denied = set(refused[:-1])
    sync(s3, store)
    assert gets(s3)[0] == f"GET {refused[-1]}"
    assert events(store) == refused[-1:]


def test_an_object_whose_key_in_kms_is_gone_is_named_and_holds_up_no_other(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = s3._error
    monkeypatch.setattr(s3, "_error", lambda *_: error(400, "KMS.DisabledException"))
    s3.put({key(h): line(f"e{h}") for h in range(3)})
    s3.denied = {key(1)}
    sync(s3, store)
    assert errors(store) == [(key(1), "KMS.DisabledException")]
    assert events(store) == ["e0", "e2"]


def test_placeholders_of_folders_are_no_captures(s3: SimulatedS3, store: SegmentStore) -> None:
    hour = key(0).rpartition("/")[0]
    folders = ["data_capture", "data_capture/scones", BRANCH, hour]
    s3.put({key(0): line("e0"), **{f"{folder}/": b"" for folder in folders}})
    assert sync(s3, store).found == 1
    assert sync(s3, store).found == 0
    assert (events(store), errors(store)) == (["e0"], [])
    assert bucket(s3).children("data_capture") == (["data_capture/scones"], [])
    s3.put({"data_capture/empty/": b"", f"{BRANCH}/empty/": b""})
    sync(s3, store, full=True)
    assert sync(s3, store).found == 0
    assert sync(s3, store, full=True).found == 0
    assert errors(store) == []
    assert gets(s3) == [f"GET {key(0)}"]


def test_an_object_and_a_folder_of_the_same_name_are_told_apart(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({BRANCH: line("e0"), f"{BRANCH}/": b"", key(0): line("e1")})
    sync(s3, store)
    assert sync(s3, store, full=True).found == 0
    assert events(store) == ["e0", "e1"]


def test_an_object_deleted_after_it_was_listed_is_named(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({key(0): line("e0"), key(1): line("e1")})
    s3.delete(key(1))
    sync(s3, store)
    assert events(store) == ["e0"]
    assert errors(store) == [(key(1), "NoSuchKey")]


def test_an_object_too_large_to_be_a_capture_is_named(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher, "MAX_OBJECT_BYTES", 10)
    s3.put({key(0): line("e0")})
    sync(s3, store)
    assert errors(store) == [(key(0), "object too large")]
    assert gets(s3) == []
    assert sync(s3, store).found == 0


def test_an_empty_object_holds_nothing_and_is_known_from_then_on(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({key(0): b""})
    assert sync(s3, store).read == 1
    assert errors(store) == []
    assert sync(s3, store).found == 0


def test_an_object_replaced_after_it_was_listed_is_read_again_by_the_next_pass(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put({key(0): line("old")})
    answer = s3.answer

    def replacing(method: str, target: str, wanted: range | None) -> tuple[int, str, bytes]:
        if key(0) in target:
            s3.put({key(0): line("new") + line("newer")})
        return answer(method, target, wanted)

    monkeypatch.setattr(s3, "answer", replacing)
    sync(s3, store)
    sync(s3, store)
    assert events(store) == ["new", "newer"]
    assert errors(store) == []


@pytest.mark.parametrize("left", [b"", line("part")])
def test_an_object_cut_short_after_it_was_listed_ends_no_pass_and_is_read_again(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch, left: bytes
) -> None:
    whole = line("e0") + line("e1")
    s3.put({key(0): whole, key(1): line("other")})
    answer = s3.answer

    def cutting(method: str, target: str, wanted: range | None) -> tuple[int, str, bytes]:
        if key(0) in target:
            s3.put({key(0): left})
        return answer(method, target, wanted)

    monkeypatch.setattr(s3, "answer", cutting)
    sync(s3, store)
    assert last_pass(store) is not None
    assert events(store) == sorted([*(["part"] if left else []), "other"])
    assert errors(store) == []
    monkeypatch.setattr(s3, "answer", answer)
    s3.put({key(0): whole})  # as it was listed: its ETag is the same again
    sync(s3, store)
    assert events(store) == ["e0", "e1", "other"]
    assert sync(s3, store).found == 0


def test_a_defect_of_a_reader_ends_the_pass_and_is_told(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Bucket, "read_range", defect)
    s3.put({key(h): line(f"e{h}") for h in range(100)})
    with pytest.raises(ZeroDivisionError):
        sync(s3, store)


def test_a_store_that_cannot_be_written_ends_the_pass_while_readers_wait_for_room(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise WorkflowError("StoreUnwritable", "The disk is full.", "Free space.")

    monkeypatch.setattr(writer, "COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(fetcher, "IN_FLIGHT_BYTES", 1)
    monkeypatch.setattr(store, "commit", full)
    s3.put({key(h): line(f"e{h}") for h in range(100)})
    with pytest.raises(WorkflowError) as raised:
        sync(s3, store)
    assert raised.value.code == "StoreUnwritable"


def test_slow_down_is_waited_out(s3: SimulatedS3, store: SegmentStore) -> None:
    s3.put({key(h): line(f"e{h}") for h in range(10)})
    s3.slow_downs = 5
    assert sync(s3, store).read == 10
    assert len(gets(s3)) == 15


def test_little_is_asked_for_at_a_time_where_objects_are_large(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher, "IN_FLIGHT_BYTES", 1)
    s3.put({key(h): line(f"e{h}") for h in range(5)})
    assert sync(s3, store).read == 5


def test_a_pass_is_stored_bit_by_bit_and_tells_how_far_it_is(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(module, "_REPORT_SECONDS", 0.0)
    s3.put({key(h): line(f"e{h}") for h in range(30)})
    told: list[CaptureProgress] = []
    visible: list[int] = []

    def report(progress: CaptureProgress) -> None:
        told.append(progress)
        visible.append(store.count_rows("captures"))

    sync(s3, store, report=report)
    assert [p.read for p in told] == sorted(p.read for p in told)
    assert told[-1].read == 30
    assert any(0 < seen < 30 for seen in visible)
    assert told[-1].rate > 0


def test_a_bucket_that_is_missing_is_named(s3: SimulatedS3, store: SegmentStore) -> None:
    with pytest.raises(WorkflowError) as raised:
        sync_captures(
            bucket(s3, "nowhere"),
            "data_capture",
            store,
            report=lambda _: None,
            stop=threading.Event(),
        )
    assert raised.value.code == "NoSuchBucket"


@pytest.mark.parametrize(
    "odd",
    [
        f"{BRANCH}//double.jsonl",
        "data_capture//scones/AllTraffic/2025/11/24/16/a.jsonl",
        "data_capture/scones//2025/11/24/16/a.jsonl",
        "data_capture/./AllTraffic/2025/11/24/16/a.jsonl",
        f"{BRANCH}/2999/\x7f.jsonl",
    ],
)
def test_a_key_that_cannot_be_read_is_named_and_holds_up_no_other(
    s3: SimulatedS3, store: SegmentStore, odd: str
) -> None:
    s3.put({key(1): line("e1"), odd: line("odd")})
    sync(s3, store)
    assert errors(store) == [(odd, "key unreadable")]
    s3.put({key(0): line("e0"), key(0, branch="data_capture/other/v"): line("e2")})
    assert sync(s3, store).read == 2
    assert events(store) == ["e0", "e1", "e2"]
    assert errors(store) == [(odd, "key unreadable")]
    assert sync(s3, store, full=True).found == 0


def test_a_key_that_cannot_be_read_is_met_behind_thousands(
    s3: SimulatedS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PAGE", 10)
    keys = [f"{BRANCH}/{n:03}.jsonl" for n in range(25)]
    folder = [f"{BRANCH}/007-a", f"{BRANCH}/007/"]  # in this order; the second loses its slash
    odd = f"{BRANCH}/9//x"
    s3.put(dict.fromkeys([*keys, *folder, odd], b"x"))
    metas = [meta for page in bucket(s3).objects("data_capture") for meta in page]
    assert sorted(meta.key for meta in metas) == sorted(
        [*keys, *(name.removesuffix("/") for name in folder), odd]
    )
    assert [meta.key for meta in metas if not meta.readable] == [odd]
    after = list(bucket(s3).objects("data_capture", after=keys[-1]))
    assert [meta.key for page in after for meta in page] == [odd]


def test_an_object_whose_key_cannot_be_read_is_told_what_to_do_about(s3: SimulatedS3) -> None:
    with pytest.raises(WorkflowError) as raised:
        bucket(s3).read_whole(f"{BRANCH}//double.jsonl")
    assert raised.value.code == "KeyUnreadable"
    assert "//double.jsonl" in raised.value.message
    assert "Move or delete" in raised.value.remedy


def test_a_key_with_any_other_character_is_read(s3: SimulatedS3, store: SegmentStore) -> None:
    odd = key(0, "a b+c%25 é&<x>")
    s3.put({odd: line("e0")})
    sync(s3, store)
    assert store.scan("captures").collect()["key"].to_list() == [odd]
    assert sync(s3, store).found == 0


def test_a_server_that_is_gone_is_named(s3: SimulatedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = bucket(s3)
    monkeypatch.setattr(s3, "answer", lambda *_: (500, "", b""))
    with pytest.raises(WorkflowError) as raised:
        gone.read_whole("k")
    assert raised.value.code == "ServiceUnavailable"


def test_a_session_that_cannot_sign_is_told_so(
    s3: SimulatedS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_region(*_: object, **__: object) -> None:
        raise NoRegionError

    monkeypatch.setattr(boto3.Session, "client", no_region)
    with pytest.raises(WorkflowError) as raised:
        Bucket.of(boto3.Session(), BUCKET)
    assert raised.value.code == "NoRegionError"


def test_an_empty_prefix_is_no_error(s3: SimulatedS3, store: SegmentStore) -> None:
    assert sync(s3, store).listed == 0
    assert last_pass(store) is not None


def test_a_session_without_credentials_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3.Session, "get_credentials", lambda _: None)
    with pytest.raises(WorkflowError) as raised:
        Bucket.of(boto3.Session(region_name="us-east-1"), BUCKET)
    assert raised.value.code == "NoCredentialsError"


def test_a_second_pass_of_the_same_store_is_refused(s3: SimulatedS3, store: SegmentStore) -> None:
    with store.claim_purpose("sync"), pytest.raises(WorkflowError) as raised:
        sync(s3, store)
    assert raised.value.code == "AlreadyRunning"


def test_what_a_damaged_segment_held_is_read_again(s3: SimulatedS3, store: SegmentStore) -> None:
    s3.put({key(100): line("old")})
    sync(s3, store)
    (victim,) = store.root.glob("segments/*/captures.parquet")
    s3.put({key(0): line("new")})
    sync(s3, store)
    victim.write_bytes(bytes(10))
    assert events(store) == ["new"]
    assert sync(s3, store).read == 1
    assert events(store) == ["new", "old"]
    assert store.damaged == ()


def test_wrong_bytes_in_a_segment_are_found_and_read_again(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    s3.put({key(0): line("e0")})
    sync(s3, store)
    (victim,) = store.root.glob("segments/*/objects.parquet")
    victim.write_bytes(bytes(victim.stat().st_size))
    with pytest.raises(WorkflowError) as raised:
        sync(s3, store)
    assert raised.value.code == "StoreDamaged"
    sync(s3, store)
    assert events(store) == ["e0"]


def test_a_defect_is_not_taken_for_damage(
    s3: SimulatedS3, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> None:
        raise pl.exceptions.ComputeError

    monkeypatch.setattr(lister, "settled_hours", defect)
    s3.put({key(0): line("e0")})
    with pytest.raises(pl.exceptions.ComputeError):
        sync(s3, store)


# --- what to list


def test_nothing_known_lists_everything() -> None:
    assert plan_listings([BRANCH], {}, NOW) == [PlannedListing(BRANCH, None)]


def test_a_settled_branch_is_listed_from_two_hours_before() -> None:
    settled = {BRANCH: datetime(2026, 11, 23, 1, tzinfo=UTC)}
    (listing,) = plan_listings([BRANCH], settled, datetime(2026, 11, 23, 12, tzinfo=UTC))
    assert listing == PlannedListing(BRANCH, f"{BRANCH}/2026/11/22/23")


def test_a_clock_in_the_future_does_not_hide_what_comes_now() -> None:
    settled = {BRANCH: datetime(2036, 1, 1, 1, tzinfo=UTC)}
    (listing,) = plan_listings([BRANCH], settled, datetime(2026, 11, 23, 12, 30, tzinfo=UTC))
    assert listing == PlannedListing(BRANCH, f"{BRANCH}/2026/11/23/10")


def test_a_branch_whose_name_begins_like_another_is_listed_whole() -> None:
    settled = {BRANCH: NOW}
    assert plan_listings([f"{BRANCH}2"], settled, NOW) == [PlannedListing(f"{BRANCH}2", None)]


def test_a_prefix_that_includes_the_endpoint_is_settled_as_well() -> None:
    settled = {"p/AllTraffic": datetime(2026, 11, 23, 1, tzinfo=UTC)}
    (listing,) = plan_listings(["p/AllTraffic/2026"], settled, NOW)
    assert listing == PlannedListing("p/AllTraffic/2026", "p/AllTraffic/2026/11/22/23")


hours = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds it


@settings(deadline=None)
@given(hours, hours, st.integers(0, 119))
def test_no_key_of_the_last_two_hours_is_ever_left_out(
    settled: datetime, now: datetime, minutes_before: int
) -> None:
    (listing,) = plan_listings([BRANCH], {BRANCH: settled}, now)
    moment = min(settled, now) - timedelta(minutes=minutes_before)
    assert f"{BRANCH}/{moment:%Y/%m/%d/%H}/00-00-000-x.jsonl" > (listing.after or "")


def test_the_newest_hour_of_every_directory_is_settled() -> None:
    keys = ["a/e/v/2026/01/02/03/x", "a/e/v/2026/01/02/04/x", "a/e/w/2025/01/01/00/x", "stray"]
    assert settled_hours(keys) == {
        "a/e/v": datetime(2026, 1, 2, 4, tzinfo=UTC),
        "a/e/w": datetime(2025, 1, 1, tzinfo=UTC),
    }


def test_time_left_is_unknown_while_listing() -> None:
    progress = CaptureProgress(listed=10, found=10, read=5, seconds=2.0)
    assert progress.seconds_left is None
    assert CaptureProgress(found=10, read=5, seconds=2.0, all_listed=True).seconds_left == 2.0
    assert CaptureProgress().rate == 0


@pytest.mark.parametrize("name", [SHADOW_VARIANT, "Candidate"])
def test_what_a_shadow_answered_is_kept_apart_even_under_the_same_event(
    s3: SimulatedS3, store: SegmentStore, name: str
) -> None:
    shadow = f"data_capture/scones/{name}"
    copied = line("same") + line("only copied") + b"{}\n"
    s3.put({key(1): line("same"), key(1, branch=shadow): copied})

    sync(s3, store, shadows={name})

    assert events(store) == ["same"]
    shadows = store.scan("shadows").collect()
    assert sorted(shadows["event_id"]) == ["only copied", "same"]
    assert set(shadows["variant"]) == {name}
    assert [where for where, _ in errors(store)] == [key(1, branch=shadow)]


@pytest.mark.parametrize("size", [2, 10, 100])
def test_an_answer_by_name_is_kept_in_the_order_of_the_models_classes(
    s3: SimulatedS3, store: SegmentStore, size: int
) -> None:
    names = [f"kind {number}" for number in range(size)][::-1]
    row = [0.0] * (size - 1) + [1.0]
    s3.put({key(0): line("a", output=json.dumps(dict(zip(names, row, strict=True))))})

    sync(s3, store, classes=names)

    stored = store.scan("captures").select("probabilities", "label", "confidence").collect()
    assert stored.rows() == [(row, size - 1, 1.0)]


def test_an_answer_of_a_shadow_that_is_delivered_twice_is_counted_once_and_reported(
    s3: SimulatedS3, store: SegmentStore
) -> None:
    shadow = f"data_capture/scones/{SHADOW_VARIANT}"
    s3.put({key(1, branch=shadow): line("same")})
    sync(s3, store)
    s3.put({key(0): line("same"), key(0, branch=shadow): line("same") + line("other")})

    sync(s3, store)

    assert sorted(store.scan("shadows").collect()["event_id"]) == ["other", "same"]
    assert events(store) == ["same"]
    assert errors(store) == [(key(0, branch=shadow), DUPLICATE)]
