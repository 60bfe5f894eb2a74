"""A connection that reaches nothing: its clients are for ``Stubber``."""

import boto3

from dashboard.aws.cloud import Cloud, Connection
from dashboard.aws.quotas import Pacer
from workflow.settings import Settings

ACCOUNT = "123456789012"


def unconnected() -> Connection:
    """A connection to AWS's documentation account with made-up credentials."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    cloud = Cloud(name="AWS", account=ACCOUNT, region="us-east-1")
    return Connection(
        cloud, Settings(account=ACCOUNT, region="us-east-1"), session, Pacer("us-east-1")
    )
