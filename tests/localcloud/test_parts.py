"""Parts of the local cloud that need no process: pacing, faults, capture, uploads, definitions."""

import base64
import hashlib
import json
import time
import zlib
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud import capture
from localcloud.aws_like.delivery import Delivery
from localcloud.errors import AwsError
from localcloud.faults import Faults
from localcloud.queues import Queues
from localcloud.quotas import Quotas
from localcloud.s3.objects import Object, Objects
from localcloud.s3.upload import unwrap_body
from localcloud.store import Store
from localcloud.wire import Call

AT_ONCE = Delivery((2.0, 2.0))


def test_a_bucket_of_tokens_empties_and_fills_at_the_published_rate():
    seconds = [0.0]
    quotas = Quotas(enabled=True, region="eu-central-1", clock=lambda: seconds[0])
    for _ in range(100):
        quotas.take_token("stepfunctions", "ListExecutions")
    with pytest.raises(AwsError, match="ThrottlingException"):
        quotas.take_token("stepfunctions", "ListExecutions")
    seconds[0] += 1.0
    quotas.take_token("stepfunctions", "ListExecutions")
    quotas.take_token("stepfunctions", "ListExecutions")
    with pytest.raises(AwsError, match="ThrottlingException"):
        quotas.take_token("stepfunctions", "ListExecutions")
    quotas.take_token("stepfunctions", "DescribeExecution")
    quotas.take_token("s3", "ListExecutions")


def test_quotas_that_are_off_let_everything_through():
    quotas = Quotas(enabled=False, region="us-east-1")
    for _ in range(2000):
        quotas.take_token("stepfunctions", "ListExecutions")


def test_a_fault_that_never_hits_is_no_fault():
    faults = Faults()
    faults.add_fault({"service": "s3", "error": "E", "probability": 0.0})
    faults.add_fault({"service": "s3", "operation": "GetObject", "error": "E", "count": 0})
    faults.apply_to("s3", "GetObject")
    faults.apply_to("sqs", "GetObject")


def test_a_fault_may_only_wait():
    faults = Faults()
    faults.add_fault({"service": "s3", "delay_seconds": 0.01})
    faults.apply_to("s3", "GetObject")


def test_a_message_stays_hidden_though_the_wall_clock_is_set(tmp_path, monkeypatch):
    cloud: Any = SimpleNamespace(store=Store(tmp_path), build_arn=lambda *_: "arn", account="1",
                                 endpoint_url="")  # fmt: skip
    queues = Queues(cloud)

    def call(operation, **params):
        queue = {"QueueUrl": "/q", "QueueName": "q"}
        operate: Any = queues.find_operation(operation)
        return operate(Call("sqs", operation, "", queue | params))

    call("CreateQueue")
    call("SendMessage", MessageBody="m")
    assert len(call("ReceiveMessage")["Messages"]) == 1
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    assert call("ReceiveMessage") == {}


CONFIG = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bucket/prefix/",
    "CaptureOptions": [{"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}


def recorded(config=CONFIG, **fields):
    return capture.build_record(
        config,
        **{
            "request": (b"\xff", "image/png"),
            "answer": (b"0.9,0.1", "text/csv; charset=utf-8"),
            "moment": 0.0,
            "event_id": "e",
            "inference_id": None,
            "custom_attributes": None,
            **fields,
        },
    )


def test_only_what_was_asked_for_is_captured():
    record = recorded()
    assert set(record["captureData"]) == {"endpointOutput"}
    assert record["captureData"]["endpointOutput"]["encoding"] == "CSV"
    assert record["eventMetadata"] == {"eventId": "e", "inferenceTime": "1970-01-01T00:00:00Z"}


def test_both_sides_may_be_asked_for_in_one_word():
    record = recorded({**CONFIG, "CaptureOptions": [{"CaptureMode": "InputAndOutput"}]})
    assert set(record["captureData"]) == {"endpointInput", "endpointOutput"}


def test_sampling_follows_the_percentage():
    assert all(capture.is_sampled(CONFIG) for _ in range(100))
    assert not any(
        capture.is_sampled({**CONFIG, "InitialSamplingPercentage": 0}) for _ in range(100)
    )
    assert not capture.is_sampled({**CONFIG, "EnableCapture": False})
    assert not capture.is_sampled(None)


def test_records_of_one_hour_are_one_file_and_full_files_leave_at_once(tmp_path):
    stored = []
    captures = capture.DataCapture(Store(tmp_path), lambda *args: stored.append(args), AT_ONCE)
    for number in range(100):
        captures.add_record(CONFIG, "endpoint", "variant", recorded(event_id=str(number)), 3599.5)
    ((bucket, key, body),) = stored
    assert bucket == "bucket"
    assert key.startswith("prefix/endpoint/variant/1970/01/01/00/59-59-500-")
    assert [json.loads(line)["eventMetadata"]["eventId"] for line in body.splitlines()] == [
        str(number) for number in range(100)
    ]
    captures.add_record(CONFIG, "endpoint", "variant", recorded(), 3600.0)
    captures.deliver_waiting()
    assert "/1970/01/01/01/00-00-000-" in stored[1][1]
    captures.deliver_waiting()
    assert len(stored) == 2


def test_a_line_is_written_to_the_byte_as_sagemaker_writes_it(tmp_path):
    stored = []
    captures = capture.DataCapture(Store(tmp_path), lambda *args: stored.append(args), AT_ONCE)
    captures.add_record(CONFIG, "endpoint", "variant", recorded(custom_attributes="a=1"), 0.0)
    captures.deliver_waiting()
    assert stored[0][2] == (
        b'{"captureData":{"endpointOutput":{"observedContentType":"text/csv; charset=utf-8",'
        b'"mode":"OUTPUT","data":"0.9,0.1","encoding":"CSV"}},"eventMetadata":{"eventId":"e",'
        b'"customAttributes":["a=1"],"inferenceTime":"1970-01-01T00:00:00Z"},"eventVersion":"0"}\n'
    )


def test_what_could_not_be_delivered_is_delivered_later_to_the_same_object(tmp_path):
    tried = []

    def fail(*given):
        tried.append(given)
        raise OSError("no space left")

    captures = capture.DataCapture(Store(tmp_path), fail, AT_ONCE)
    captures.add_record(CONFIG, "endpoint", "variant", recorded(), 0.0)
    with pytest.raises(OSError, match="no space"):
        captures.deliver_waiting()
    stored = []
    later = capture.DataCapture(Store(tmp_path), lambda *args: stored.append(args), AT_ONCE)
    later.deliver_waiting()
    assert stored == tried
    later.deliver_waiting()
    assert len(stored) == 1


@given(st.binary(max_size=300), st.integers(1, 50))
def test_chunks_are_joined_again(body, size):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = b"".join(b"%x;chunk-signature=0\r\n%s\r\n" % (len(p), p) for p in pieces)
    crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    sent = chunks + f"0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n".encode()
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(body)),
    }
    assert unwrap_body(sent, headers) == (body, {"crc32": crc})
    with pytest.raises(AwsError):
        unwrap_body(sent[: len(chunks) // 2], headers)


def test_a_digest_that_does_not_match_is_refused():
    right = base64.b64encode(hashlib.md5(b"x").digest()).decode()  # noqa: S324 - S3's own digest
    assert unwrap_body(b"x", {"content-md5": right})[0] == b"x"
    with pytest.raises(AwsError, match="BadDigest"):
        unwrap_body(b"y", {"content-md5": right})


KEYS = st.text(alphabet="ab/é", min_size=1, max_size=6)


@given(st.sets(KEYS, max_size=30), KEYS, KEYS, st.sampled_from(["", "/"]))
def test_lists_are_what_a_plain_reading_gives(tmp_path_factory, keys, prefix, after, delimiter):
    objects = Objects(Store(tmp_path_factory.mktemp("objects")))
    for key in keys:
        objects.put_version(Object(bucket="b", key=key, modified=1.0))
    expected = []
    for key in sorted(k for k in keys if k.startswith(prefix) and k > after):
        head, cut, _ = key[len(prefix) :].partition(delimiter or "\0")
        folded = prefix + head + cut if delimiter and cut else key
        if folded not in expected and not (folded != key and folded == after):
            expected.append(folded)
    found = [
        f if isinstance(f, str) else f.key for f in objects.list_keys("b", prefix, after, delimiter)
    ]
    assert found == expected
