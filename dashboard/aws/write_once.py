"""Objects that are written once: of several writers exactly one creates each."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dashboard.aws.errors import explained
from workflow.known_errors import read_error

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# 412: it is there. 409: another conditional write of it is under way. The numbers come with
# answers that have no body.
_EXISTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


def create_once(client: "S3Client", bucket: str, key: str, body: bytes) -> bool:
    """Create an object unless there is one; whether this call created it.

    Of several writers exactly one creates it (S3 user guide, "Conditional writes").

    Raises:
        WorkflowError: AWS's own code.
    """
    with explained("s3:PutObject", f"s3://{bucket}/{key}"):
        try:
            client.put_object(
                Bucket=bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*"
            )
        except ClientError as error:
            if read_error(error).code in _EXISTS:
                return False
            raise
    return True
