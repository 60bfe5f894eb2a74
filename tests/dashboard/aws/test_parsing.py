"""Whatever answers in AWS's place is a named error, and an answer of AWS is none."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dashboard.aws import cloud
from dashboard.aws.errors import explained
from workflow.errors import WorkflowError

ARN = "arn:aws:states:us-east-1:123456789012:execution:m:e"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"


@dataclass
class Answer:
    """What the server says to everything."""

    url: str
    body: bytes = b""
    kind: str = "application/x-amz-json-1.0"
    etag: str = '"9b2cf535f27731c974343645a3985328"'
    session: Any = field(init=False)

    def __post_init__(self) -> None:
        core = cloud._LocalSession(self.url)
        core.set_credentials("local", "local")
        self.session = cloud._make_session(core, "us-east-1")

    def call(self, service: str, operation: str, **request: Any) -> Any:
        client = self.session.client(service)
        with explained(f"{service}:{operation}", "it"):
            return getattr(client, operation)(**request)


@pytest.fixture(scope="module")
def answer() -> Iterator[Answer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Type", given.kind)
            self.send_header("Content-Length", str(len(given.body)))
            if given.etag:
                self.send_header("ETag", given.etag)
            self.end_headers()
            self.wfile.write(given.body)

        do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815 - names of http.server

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    given = Answer(f"http://127.0.0.1:{server.server_port}")
    yield given
    server.shutdown()
    thread.join()
    server.server_close()


CALLS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("stepfunctions", "get_execution_history", {"executionArn": ARN}),
    ("stepfunctions", "list_executions", {"stateMachineArn": MACHINE}),
    ("stepfunctions", "describe_execution", {"executionArn": ARN}),
    ("sqs", "receive_message", {"QueueUrl": "http://127.0.0.1/q"}),
    ("lambda", "get_function", {"FunctionName": "f"}),
    ("logs", "filter_log_events", {"logGroupName": "g"}),
    ("sagemaker", "describe_endpoint", {"EndpointName": "e"}),
    ("sts", "get_caller_identity", {}),
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Sign in</body></html>",
        b"<!DOCTYPE html><title>502</title>",
        b'{"events": [{"id": 1, "ty',
        b'{"hello": 1}',
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize(("service", "operation", "request_"), CALLS)
def test_an_answer_of_the_wrong_shape_is_a_named_error(
    service: str, operation: str, request_: dict[str, Any], body: bytes, answer: Answer
) -> None:
    answer.body = body

    with pytest.raises(WorkflowError, match="not one of AWS") as caught:
        answer.call(service, operation, **request_)

    assert caught.value.code == "AnswerMalformed"
    assert "proxy" in caught.value.remedy


@pytest.mark.parametrize(
    "body", [{"events": 5}, {"events": [5]}, {"events": [{"timestamp": "yes"}]}, {"nextToken": "x"}]
)
def test_members_of_other_types_are_a_named_error(body: object, answer: Answer) -> None:
    answer.body = json.dumps(body).encode()

    with pytest.raises(WorkflowError) as caught:
        answer.call("stepfunctions", "get_execution_history", executionArn=ARN)

    assert caught.value.code == "AnswerMalformed"


@pytest.mark.parametrize(
    ("service", "operation", "request_", "body"),
    [
        ("sqs", "receive_message", {"QueueUrl": "http://127.0.0.1/q"}, b"{}"),
        ("sqs", "delete_queue", {"QueueUrl": "http://127.0.0.1/q"}, b""),
        ("stepfunctions", "get_execution_history", {"executionArn": ARN}, b'{"events": []}'),
        ("s3", "put_object", {"Bucket": "bucket", "Key": "k"}, b""),
        ("s3", "list_objects_v2", {"Bucket": "bucket"}, b"<ListBucketResult/>"),
    ],
)
def test_an_answer_of_aws_is_none(
    service: str, operation: str, request_: dict[str, Any], body: bytes, answer: Answer
) -> None:
    answer.body = body

    assert answer.call(service, operation, **request_)["ResponseMetadata"]


@pytest.mark.parametrize("operation", ["put_object", "get_object", "head_object"])
def test_an_object_without_its_etag_is_not_of_s3(
    operation: str, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer.body = b""
    monkeypatch.setattr(answer, "etag", "")

    with pytest.raises(WorkflowError, match="It has no ETag") as caught:
        answer.call("s3", operation, Bucket="bucket", Key="k")

    assert caught.value.code == "AnswerMalformed"


def test_an_object_may_hold_anything(answer: Answer) -> None:
    answer.body = b"<html></html>"

    found = answer.call("s3", "get_object", Bucket="bucket", Key="k")

    assert found["Body"].read() == answer.body


def test_a_page_instead_of_a_listing_is_no_empty_bucket(answer: Answer) -> None:
    answer.body = b"<html></html>"

    with pytest.raises(WorkflowError, match="not one of AWS"):
        answer.call("s3", "list_objects_v2", Bucket="bucket")
