"""SerializeImage: reads the image of an execution from S3 into its state, as data or reference.

Takes and gives the flat object of ``workflow.contract``. Needs ``s3:GetObject`` on the image.
"""

from contextlib import suppress
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from workflow import contract
from workflow.known_errors import read_error

# The state machine retries with backoff; more hidden retries here would only delay it.
_S3 = boto3.client(
    "s3", config=Config(connect_timeout=3, read_timeout=20, retries={"total_max_attempts": 2})
)


def handler(event: object, context: Any) -> contract.State:  # noqa: ANN401 - Lambda's own object
    """Add ``image_data`` (base64), or ``image_ref`` where the image is too large for the state.

    Raises:
        ContractError: One of its subclasses, with what to do about it.
    """
    state = contract.unwrap(event)
    location, image = _locate_image(contract.image_location(state))
    state |= {"s3_bucket": location.bucket, "s3_key": location.key}
    serialized = contract.with_image(state, image)
    print(  # noqa: T201 - what a function prints is its log
        contract.log_line(
            "image_serialized",
            image=location,
            size=len(image),
            inline="image_ref" not in serialized,
            execution_arn=state.get("execution_arn"),
            request_id=context.aws_request_id,
        )
    )
    return serialized


def _locate_image(location: contract.ImageLocation) -> tuple[contract.ImageLocation, bytes]:
    """Return the image, and where it was: a key from an S3 event may have to be decoded."""
    try:
        return location, _fetch_image(location)
    except (contract.ImageNotFound, contract.ImageAccessDenied):  # S3 says either, by the role
        for other in contract.other_locations(location):
            with suppress(contract.ImageNotFound, contract.ImageAccessDenied):
                return other, _fetch_image(other)
        raise


def _fetch_image(location: contract.ImageLocation) -> bytes:
    try:
        answer = _S3.get_object(Bucket=location.bucket, Key=location.key)
        # Before the body is read: an object of 5 GB would end the function without a word.
        contract.check_size(answer["ContentLength"], str(location))
        return answer["Body"].read()
    except (BotoCoreError, ClientError) as error:
        said = read_error(error)
        raise contract.storage_error(said.code, said.message, location, said.status) from error
