"""Objects of alerts in S3: keys under a prefix, without it and without ``.json``."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from dashboard.aws.errors import explained

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def list_keys(
    s3: "S3Client", bucket: str, prefix: str, beginning: str = ""
) -> Iterator[tuple[str, datetime]]:
    """List the keys under a prefix that begin so, and since when they are there.

    Raises:
        WorkflowError: AWS's own code.
    """
    with explained("s3:ListObjectsV2", f"s3://{bucket}/{prefix}"):
        pages = s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=bucket, Prefix=f"{prefix}{beginning}"):
            for item in page.get("Contents", []):
                key = item["Key"].removeprefix(prefix).removesuffix(".json")
                yield key, item["LastModified"]
