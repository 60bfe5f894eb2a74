"""A bucket in moto, for what is kept in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BUCKET = "scones-unlimited-dev-123456789012-us-east-1"


@contextmanager
def empty_bucket() -> Iterator["S3Client"]:
    """Yield a client of an S3 that holds ``BUCKET`` and nothing in it, one for each call."""
    with mock_aws():
        client = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def s3() -> Iterator["S3Client"]:
    with empty_bucket() as client:
        yield client
