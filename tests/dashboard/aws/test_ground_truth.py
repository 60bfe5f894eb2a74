"""The log of ground truth against a simulated bucket."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from dashboard.aws import ground_truth
from dashboard.aws.ground_truth import GroundTruthLog
from dashboard.aws.objects import Bucket
from tests.simulated_s3 import BUCKET, ServedS3, SimulatedS3
from workflow.errors import WorkflowError
from workflow.reviews import GroundTruth, ground_truth_lines


@pytest.fixture
def s3() -> Iterator[SimulatedS3]:
    with ServedS3(SimulatedS3()) as served:
        yield served


@pytest.fixture
def log(s3: SimulatedS3) -> GroundTruthLog:
    session: Any = boto3.Session("x", "y", region_name="us-east-1")
    make = session.client
    session.client = lambda service: make(service, endpoint_url=s3.url)
    return GroundTruthLog(Bucket.of(session, BUCKET))


def labels(**given: str) -> bytes:
    return ground_truth_lines(GroundTruth(event, label) for event, label in given.items())


def key(name: str) -> str:
    return f"ground_truth/2026/11/23/12/{name}.jsonl"


def truths(log: GroundTruthLog) -> list[tuple[str, int]]:
    return log.truths().rows()


def errors(log: GroundTruthLog) -> list[tuple[str, int, str]]:
    return log.errors().select("key", "line", "reason").rows()


def gets(s3: SimulatedS3) -> int:
    return sum(request.startswith("GET") for request in s3.requests)


def test_every_object_is_read_once_and_again_when_it_has_changed(
    s3: SimulatedS3, log: GroundTruthLog
) -> None:
    s3.put({key("a"): labels(one="0", two="motorcycle"), key("b"): labels(one="1", three="junk")})
    log.refresh()
    before = log.version
    log.refresh()
    assert truths(log) == [("one", 0), ("two", 1), ("one", 1)]
    assert (gets(s3), log.version) == (2, before)
    s3.put({key("b"): labels(three="0")})
    log.refresh()
    assert truths(log) == [("one", 0), ("two", 1), ("three", 0)]
    assert (gets(s3), log.version != before) == (3, True)


def test_a_label_is_forgotten_with_its_object(s3: SimulatedS3, log: GroundTruthLog) -> None:
    s3.put({key("a"): labels(one="0"), key("b"): labels(two="1")})
    log.refresh()
    s3.forget(key("a"))
    log.refresh()
    assert truths(log) == [("two", 1)]


@pytest.mark.parametrize(
    "label", ["-1", "0.5", "nan", "inf", "1e300", "2147483648", "", "class 1", "\ud800"]
)
def test_a_label_that_is_no_class_is_none(s3: SimulatedS3, log: GroundTruthLog, label: str) -> None:
    s3.put({key("a"): labels(one=label, two="2147483647", three='"Bicycle"')})
    log.refresh()
    assert truths(log) == [("two", 2147483647), ("three", 0)]
    assert errors(log) == [(key("a"), 1, "no class")]


def test_lines_that_give_no_label_are_named(s3: SimulatedS3, log: GroundTruthLog) -> None:
    s3.put({key("a"): b"junk\n" + labels(one="0") + labels(**{"\ud800": "1"})})
    log.refresh()
    assert truths(log) == [("one", 0)]
    assert errors(log) == [(key("a"), 1, "not JSON"), (key("a"), 3, "no event id")]


@pytest.mark.parametrize("odd", ["ground_truth//a.jsonl", "ground_truth/2026//a.jsonl"])
def test_a_key_that_cannot_be_read_is_named_and_holds_up_no_other(
    s3: SimulatedS3, log: GroundTruthLog, odd: str
) -> None:
    s3.put({odd: labels(odd="1"), key("a"): labels(one="0")})
    for _ in range(2):
        log.refresh()
        assert truths(log) == [("one", 0)]
        assert errors(log) == [(odd, 0, "key unreadable")]
    assert gets(s3) == 1


def test_an_object_too_large_for_labels_is_named(
    s3: SimulatedS3, log: GroundTruthLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground_truth, "MAX_OBJECT_BYTES", 10)
    s3.put({key("a"): labels(one="0")})
    log.refresh()
    assert errors(log) == [(key("a"), 0, "object too large")]


def test_refused_objects_are_named_and_read_once_they_may_be(
    s3: SimulatedS3, log: GroundTruthLog
) -> None:
    s3.put({key(f"{n:02}"): labels(**{f"event-{n}": "0"}) for n in range(30)})
    s3.denied = {key(f"{n:02}") for n in range(25)}
    log.refresh()
    assert len(truths(log)) == 5
    assert sorted(errors(log)) == [(key(f"{n:02}"), 0, "AccessDenied") for n in range(25)]
    before, asked = log.version, gets(s3)
    log.refresh()
    assert (log.version, gets(s3)) == (before, asked + 1)
    s3.denied = set()
    log.refresh()
    assert len(truths(log)) == 30
    assert errors(log) == []
    assert log.version != before


def test_an_object_deleted_after_it_was_listed_is_named(
    s3: SimulatedS3, log: GroundTruthLog
) -> None:
    s3.put({key("a"): labels(one="0"), key("b"): labels(two="1")})
    s3.delete(key("a"))
    log.refresh()
    assert truths(log) == [("two", 1)]
    assert errors(log) == [(key("a"), 0, "NoSuchKey")]


def test_a_bucket_that_fails_leaves_what_was_read(
    s3: SimulatedS3, log: GroundTruthLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put({key("a"): labels(one="0")})
    log.refresh()
    s3.put({key("b"): labels(two="1")})
    error = s3._error
    s3.denied = None
    monkeypatch.setattr(s3, "_error", lambda *_: error(400, "ExpiredToken"))
    with pytest.raises(WorkflowError) as raised:
        log.refresh()
    assert raised.value.code == "ExpiredToken"
    assert truths(log) == [("one", 0)]
