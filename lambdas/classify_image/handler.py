"""ClassifyImage: sends the image of an execution to the SageMaker endpoint and adds its inferences.

Takes and gives the flat object of ``workflow.contract``; ``SCONES_ENDPOINT`` names the endpoint,
``SCONES_CLASSES`` the classes of its model.
Needs ``sagemaker:InvokeEndpoint`` on it, and ``s3:GetObject`` for images that came by reference.
"""

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from workflow import contract
from workflow.known_errors import read_error

_ENDPOINT = os.environ["SCONES_ENDPOINT"]
_CLASSES = contract.read_classes(os.environ.get("SCONES_CLASSES"))
# The state machine retries with backoff; more hidden retries here would only delay it.
_S3 = boto3.client(
    "s3", config=Config(connect_timeout=3, read_timeout=20, retries={"total_max_attempts": 2})
)
# SageMaker lets a model take 60 s for an answer, and says itself when these are over.
_RUNTIME = boto3.client(
    "sagemaker-runtime",
    config=Config(connect_timeout=3, read_timeout=70, retries={"total_max_attempts": 1}),
)


def handler(event: object, context: Any) -> contract.State:  # noqa: ANN401 - Lambda's own object
    """Add ``inferences``, ``label`` and ``confidence``; drop ``image_data``.

    Raises:
        ContractError: One of its subclasses, with what to do about it.
    """
    state = contract.unwrap(event)
    # Large images travel as a reference: a payload of Step Functions has 256 KiB at most.
    image = contract.inline_image(state) or _fetch_image(state)
    # A function that is called without a state machine still leaves a key to join on.
    inference_id = contract.inference_id(state.get("execution_arn") or context.aws_request_id)
    answer = _invoke_endpoint(image, inference_id)
    inferences = contract.read_inferences(answer, _CLASSES)
    classified = contract.with_inferences(state, inferences, _CLASSES)
    print(  # noqa: T201 - what a function prints is its log
        contract.log_line(
            "image_classified",
            endpoint=_ENDPOINT,
            label=classified["label"],
            confidence=classified["confidence"],
            inference_id=inference_id,
            execution_arn=state.get("execution_arn"),
            request_id=context.aws_request_id,
        )
    )
    return {**classified, "inference_id": inference_id}


def _fetch_image(state: contract.State) -> bytes:
    location = contract.image_location(state)
    try:
        answer = _S3.get_object(Bucket=location.bucket, Key=location.key)
        contract.check_size(answer["ContentLength"], str(location))
        image = answer["Body"].read()
    except (BotoCoreError, ClientError) as error:
        said = read_error(error)
        raise contract.storage_error(said.code, said.message, location, said.status) from error
    contract.check_reference(state, image)
    return image


def _invoke_endpoint(image: bytes, inference_id: str) -> str:
    contract.check_size(len(image), "The image")
    try:
        answer = _RUNTIME.invoke_endpoint(
            EndpointName=_ENDPOINT,
            ContentType=contract.content_type(image, "The image"),
            Accept="application/json",
            Body=image,
            InferenceId=inference_id,
        )
        # Replaced, not refused: what cannot be read is named by read_inferences, with its text.
        return answer["Body"].read().decode("utf-8", "replace")
    except (BotoCoreError, ClientError) as error:
        # A broken connection has a response, too: None.
        said, response = read_error(error), getattr(error, "response", None) or {}
        raise contract.endpoint_error(
            said.code,
            response.get("OriginalMessage") or said.message,
            _ENDPOINT,
            response.get("OriginalStatusCode"),
            said.status,
        ) from error
