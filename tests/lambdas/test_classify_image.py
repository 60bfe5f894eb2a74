"""ClassifyImage invokes the endpoint once, under one id, and believes only probabilities."""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.response import StreamingBody
from botocore.stub import Stubber

from tests.builders import PNG
from workflow import contract

from .conftest import BUCKET, ENDPOINT, Context, classes, peak

ARN = "arn:aws:states:us-east-1:123456789012:execution:scones:one"


@pytest.fixture
def classify(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("classify_image")


@pytest.fixture
def endpoint(classify: ModuleType) -> Iterator[Stubber]:
    with Stubber(classify._RUNTIME) as stub:
        yield stub
        stub.assert_no_pending_responses()


def answers(stub: Stubber, answer: object, *, image: bytes = PNG, arn: str = ARN) -> None:
    body = json.dumps(answer).encode()
    stub.add_response(
        "invoke_endpoint",
        {"Body": StreamingBody(io.BytesIO(body), len(body)), "ContentType": "application/json"},
        {
            "EndpointName": ENDPOINT,
            "ContentType": "image/png",
            "Accept": "application/json",
            "Body": image,
            "InferenceId": contract.inference_id(arn),
        },
    )


def inline(**more: object) -> dict[str, Any]:
    return {
        "s3_bucket": BUCKET,
        "s3_key": "images/a.png",
        "image_data": base64.b64encode(PNG).decode(),
        "inferences": [],
        "execution_arn": ARN,
        **more,
    }


def by_reference(image: bytes) -> dict[str, Any]:
    reference = {"size": len(image), "sha256": hashlib.sha256(image).hexdigest()}
    return inline(image_data="", image_ref=reference)


def test_adds_inferences_label_and_confidence_and_drops_the_image(
    classify: ModuleType, endpoint: Stubber, context: Context
) -> None:
    answers(endpoint, [0.97, 0.03])

    state = classify.handler(inline(), context)

    assert state["inferences"] == [0.97, 0.03]
    assert (state["label"], state["confidence"]) == ("bicycle", 0.97)
    assert state["inference_id"] == contract.inference_id(ARN)
    assert "image_data" not in state


def test_takes_the_wrapped_output_of_older_serializers(
    classify: ModuleType, endpoint: Stubber, context: Context
) -> None:
    answers(endpoint, [0.1, 0.9])

    state = classify.handler({"statusCode": 200, "body": inline()}, context)

    assert state["label"] == "motorcycle"


def test_reads_an_image_that_came_by_reference(
    classify: ModuleType, endpoint: Stubber, context: Context
) -> None:
    image = PNG + bytes(300_000)
    boto3.client("s3").put_object(Bucket=BUCKET, Key="images/a.png", Body=image)
    answers(endpoint, [0.97, 0.03], image=image)

    state = classify.handler(by_reference(image), context)

    assert state["label"] == "bicycle"


def test_notices_an_image_that_was_overwritten(
    classify: ModuleType, endpoint: Stubber, context: Context
) -> None:
    boto3.client("s3").put_object(Bucket=BUCKET, Key="images/a.png", Body=PNG)

    with pytest.raises(contract.ImageChanged):
        classify.handler(by_reference(PNG + b"x"), context)


def test_names_a_reference_that_is_gone(
    classify: ModuleType, endpoint: Stubber, context: Context
) -> None:
    with pytest.raises(contract.ImageNotFound):
        classify.handler(by_reference(PNG), context)


def test_uses_the_request_id_where_there_is_no_execution(
    classify: ModuleType, endpoint: Stubber, context: Context
) -> None:
    answers(endpoint, [0.97, 0.03], arn=context.aws_request_id)
    state = inline()
    del state["execution_arn"]

    assert classify.handler(state, context)["label"] == "bicycle"


def test_invokes_nothing_for_what_is_no_image(
    classify: ModuleType, endpoint: Stubber, context: Context
) -> None:
    with pytest.raises(contract.NotAnImage):
        classify.handler(inline(image_data=base64.b64encode(b"text").decode()), context)


def test_invokes_nothing_for_an_image_over_the_limit(
    classify: ModuleType, endpoint: Stubber, context: Context
) -> None:
    image = PNG + bytes(contract.MAX_IMAGE_BYTES)

    with pytest.raises(contract.ImageTooLarge):
        classify.handler(inline(image_data=base64.b64encode(image).decode()), context)


@pytest.mark.parametrize("answer", [{}, [], [0.5, 0.9], "text", [0.2, 0.3, 0.5]])
def test_believes_only_probabilities(
    classify: ModuleType, endpoint: Stubber, context: Context, answer: object
) -> None:
    answers(endpoint, answer)

    with pytest.raises(contract.BadInference):
        classify.handler(inline(), context)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", contract.EndpointUnavailable),
        ("ServiceUnavailable", contract.EndpointUnavailable),
        ("AccessDeniedException", contract.EndpointAccessDenied),
    ],
)
def test_translates_errors_of_the_endpoint(
    classify: ModuleType,
    endpoint: Stubber,
    context: Context,
    code: str,
    error: type[contract.ContractError],
) -> None:
    endpoint.add_client_error("invoke_endpoint", code, "why")

    with pytest.raises(error, match="why"):
        classify.handler(inline(), context)


@pytest.mark.parametrize(
    ("status", "error"), [(415, contract.ModelRejected), (500, contract.EndpointUnavailable)]
)
def test_tells_a_refusing_model_from_a_failing_one(
    classify: ModuleType,
    endpoint: Stubber,
    context: Context,
    status: int,
    error: type[contract.ContractError],
) -> None:
    endpoint.add_client_error(
        "invoke_endpoint",
        "ModelError",
        "Received client error",
        424,
        response_meta={},
        modeled_fields={"OriginalStatusCode": status, "OriginalMessage": "the model's own words"},
    )

    with pytest.raises(error, match="the model's own words"):
        classify.handler(inline(), context)


@pytest.mark.parametrize(
    "broken", [EndpointConnectionError, ConnectionClosedError, ReadTimeoutError]
)
def test_calls_an_unreachable_endpoint_transient(
    classify: ModuleType,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    broken: type[EndpointConnectionError],
) -> None:
    def refuse(**_: object) -> None:
        raise broken(endpoint_url="http://127.0.0.1:1")

    monkeypatch.setattr(classify._RUNTIME, "invoke_endpoint", refuse)

    with pytest.raises(contract.EndpointUnavailable, match="could not be reached"):
        classify.handler(inline(), context)


def test_calls_an_unreachable_s3_transient(
    classify: ModuleType, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    monkeypatch.setattr(classify._S3, "get_object", refuse)

    with pytest.raises(contract.StorageUnavailable, match="could not be reached"):
        classify.handler(by_reference(PNG), context)


def test_waits_for_a_model_as_long_as_sagemaker_does_and_asks_once(classify: ModuleType) -> None:
    config = classify._RUNTIME.meta.config

    assert config.read_timeout > 60
    assert config.retries["total_max_attempts"] == 1
    assert classify._S3.meta.config.retries["total_max_attempts"] == 2


@pytest.mark.parametrize("status", [0, None, 408, 429, 500, 502, 503, 504, 529])
def test_a_container_that_may_answer_later_is_not_the_images_fault(
    classify: ModuleType, endpoint: Stubber, context: Context, status: int | None
) -> None:
    modeled = {"OriginalMessage": "later"} | (
        {} if status is None else {"OriginalStatusCode": status}
    )
    endpoint.add_client_error(
        "invoke_endpoint", "ModelError", "Received an error", 424, modeled_fields=modeled
    )

    with pytest.raises(contract.EndpointUnavailable, match="later"):
        classify.handler(inline(), context)


@pytest.mark.parametrize("bucket", ["s3://b", "b/", "a b", "B_", "<name>"])
def test_a_request_that_botocore_refuses_is_not_tried_again(
    classify: ModuleType, context: Context, bucket: str
) -> None:
    with pytest.raises(contract.ContractError) as caught:
        classify.handler({**by_reference(PNG), "s3_bucket": bucket}, context)

    assert not isinstance(caught.value, contract.TRANSIENT)


@pytest.mark.parametrize(
    ("code", "message"), [(None, None), ("", ""), ("ThrottlingException", None), (None, "odd")]
)
def test_what_aws_leaves_out_breaks_nothing(
    classify: ModuleType,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    code: str | None,
    message: str | None,
) -> None:
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": message}}, "InvokeEndpoint")  # type: ignore[typeddict-item]

    monkeypatch.setattr(classify._RUNTIME, "invoke_endpoint", refuse)

    with pytest.raises(contract.ContractError) as caught:
        classify.handler(inline(), context)
    assert "None" not in str(caught.value)


@pytest.mark.parametrize("size", [2, 10, 100])
@pytest.mark.parametrize("named", [False, True])
def test_names_the_likeliest_of_as_many_classes_as_it_is_given(
    load: Callable[[str], ModuleType],
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    *,
    named: bool,
) -> None:
    names, row = classes(size), peak(size, size - 1, 0.9)
    monkeypatch.setenv("SCONES_CLASSES", json.dumps(names))
    classify = load("classify_image")
    by_name = dict(sorted(zip(names, row, strict=True), reverse=True))
    with Stubber(classify._RUNTIME) as stub:
        answers(stub, by_name if named else row)
        state = classify.handler(inline(), context)

    assert state["inferences"] == pytest.approx(row)
    assert (state["label"], state["confidence"]) == (names[-1], 0.9)
