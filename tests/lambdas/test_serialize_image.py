"""SerializeImage reads an image from S3, or fails with an error a person can act on."""

import base64
import json
from collections.abc import Callable
from types import ModuleType

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from tests.builders import PNG
from workflow import contract

from .conftest import BUCKET, Context

Load = Callable[[str], ModuleType]


@pytest.fixture
def serialize(load: Load) -> ModuleType:
    return load("serialize_image")


def event(key: str = "images/a.png", bucket: str = BUCKET) -> contract.State:
    return contract.execution_input(contract.ImageLocation(bucket, key))


def put(body: bytes, key: str = "images/a.png") -> None:
    boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)


@pytest.mark.parametrize(
    "key", ["images/a.png", "images/two words.png", 'it\'s "quoted" & more.png', "ü/🚲.png"]
)
def test_puts_the_image_into_the_state(serialize: ModuleType, context: Context, key: str) -> None:
    put(PNG, key)

    state = serialize.handler(event(key), context)

    assert base64.b64decode(state["image_data"]) == PNG
    assert state["s3_key"] == key
    assert state["inferences"] == []


def test_takes_the_wrapped_input_of_older_projects(serialize: ModuleType, context: Context) -> None:
    put(PNG)

    state = serialize.handler({"statusCode": 200, "body": json.dumps(event())}, context)

    assert base64.b64decode(state["image_data"]) == PNG


def test_reads_the_key_of_an_s3_event_decoded(serialize: ModuleType, context: Context) -> None:
    put(PNG, "images/red flower (1).png")

    state = serialize.handler(event("images/red+flower+%281%29.png"), context)

    assert state["s3_key"] == "images/red flower (1).png"


def test_a_key_that_looks_encoded_is_taken_as_it_is_first(
    serialize: ModuleType, context: Context
) -> None:
    put(PNG, "images/a+b.png")
    put(b"text", "images/a b.png")

    state = serialize.handler(event("images/a+b.png"), context)

    assert state["s3_key"] == "images/a+b.png"


def test_a_whole_address_as_key_is_understood_by_every_function_after(
    serialize: ModuleType, context: Context
) -> None:
    put(PNG)

    state = serialize.handler(event(f"arn:aws:s3:::{BUCKET}/images/a.png"), context)

    assert (state["s3_bucket"], state["s3_key"]) == (BUCKET, "images/a.png")


def test_refers_to_an_image_too_large_for_the_state(
    serialize: ModuleType, context: Context
) -> None:
    put(PNG + bytes(contract.MAX_IMAGE_BYTES - len(PNG)))

    state = serialize.handler(event(), context)

    assert state["image_data"] == ""
    assert state["image_ref"]["size"] == contract.MAX_IMAGE_BYTES


def test_refuses_an_image_over_the_limit_of_the_endpoint(
    serialize: ModuleType, context: Context
) -> None:
    put(PNG + bytes(contract.MAX_IMAGE_BYTES))

    with pytest.raises(contract.ImageTooLarge, match="6,291,456"):
        serialize.handler(event(), context)


@pytest.mark.parametrize(("key", "bucket"), [("images/none.png", BUCKET), ("a.png", "no-bucket")])
def test_names_what_is_missing(
    serialize: ModuleType, context: Context, key: str, bucket: str
) -> None:
    with pytest.raises(contract.ImageNotFound, match=f"s3://{bucket}/{key}"):
        serialize.handler(event(key, bucket), context)


def test_refuses_a_text_that_is_named_png(serialize: ModuleType, context: Context) -> None:
    put(b"not a picture")

    with pytest.raises(contract.NotAnImage, match="is text"):
        serialize.handler(event(), context)


def test_explains_a_refusal_by_s3(serialize: ModuleType, context: Context) -> None:
    with Stubber(serialize._S3) as stub:
        stub.add_client_error("get_object", "AccessDenied", "Access Denied", 403)
        with pytest.raises(contract.ImageAccessDenied, match="may not read this prefix"):
            serialize.handler(event(), context)


def test_calls_an_unreachable_s3_transient(
    serialize: ModuleType, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    monkeypatch.setattr(serialize._S3, "get_object", refuse)

    with pytest.raises(contract.StorageUnavailable, match="could not be reached"):
        serialize.handler(event(), context)


def test_logs_one_json_line(
    serialize: ModuleType, context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    put(PNG)

    serialize.handler({**event(), "execution_arn": "arn:1"}, context)

    line = json.loads(capsys.readouterr().out)
    assert line["event"] == "image_serialized"
    assert line["size"] == len(PNG)
    assert line["inline"] is True
    assert line["execution_arn"] == "arn:1"
