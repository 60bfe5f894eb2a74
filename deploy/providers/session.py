"""The session: whose credentials, which account, which cloud."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from boto3 import Session
from botocore.exceptions import BotoCoreError

from deploy.providers.clients import CONFIG
from deploy.providers.errors import explained
from workflow import aws_errors
from workflow.settings import region_from

__all__ = ["Session", "account_of", "cloud_url", "is_aws", "open_session"]


def open_session(environ: Mapping[str, str]) -> Session:
    """A session in the region of the environment; boto3 finds the credentials.

    Raises:
        WorkflowError: The profile of the environment does not exist.
    """
    try:
        return Session(region_name=region_from(environ))
    except BotoCoreError as error:
        raise aws_errors.translate(
            operation="session", code=type(error).__name__, message=str(error)
        ) from error


def account_of(session: Session) -> str:
    """The account that the session's credentials belong to.

    Raises:
        WorkflowError: There are no credentials, they have expired, or AWS cannot be reached.
    """
    with explained("sts", "the caller's identity"):
        return session.client("sts", config=CONFIG).get_caller_identity()["Account"]


def cloud_url(session: Session) -> str:
    """Where the session's calls go: AWS, or what AWS_ENDPOINT_URL names."""
    return session.client("sts", config=CONFIG).meta.endpoint_url


def is_aws(session: Session) -> bool:
    """Whether the session's calls go to AWS."""
    return (urlsplit(cloud_url(session)).hostname or "").endswith(".amazonaws.com")
