"""The session: whose credentials, which account, which region, which cloud."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from boto3 import Session
from botocore.exceptions import BotoCoreError

from deploy.providers.clients import CONFIG
from deploy.providers.errors import explained
from deploy.providers.parsing import check_answers
from workflow import aws_errors
from workflow.errors import WorkflowError
from workflow.regions import Region, partition_of, resolve

__all__ = [
    "Session",
    "account_of",
    "caller_of",
    "cloud_url",
    "console_host",
    "is_aws",
    "open_session",
]

COMMERCIAL_CONSOLE = "console.aws.amazon.com"
"""Where the commercial partition has its console: its sign-in has a domain of its own."""


def open_session(
    environ: Mapping[str, str], *, region: str | None = None
) -> tuple[Session, Region]:
    """Open a session in the region that is meant; boto3 finds the credentials.

    Args:
        environ: ``SCONES_CLOUD``, and what names the region.
        region: The region that was asked for by an argument.

    Raises:
        WorkflowError: ``CloudNotNamed`` where nothing says which cloud is meant; the profile of
            the environment does not exist; nothing names a region.
    """
    profile = _read_profile()
    _check_cloud(environ, profile)
    found = resolve(environ, explicit=region, profile=profile.get("region"))
    partition_of(found.name)
    return check_answers(Session(region_name=found.name)), found


def account_of(session: Session) -> str:
    """Return the account that the session's credentials belong to.

    Raises:
        WorkflowError: There are no credentials, they have expired, or AWS cannot be reached.
    """
    with explained("sts", "the caller's identity"):
        return session.client("sts", config=CONFIG).get_caller_identity()["Account"]


def caller_of(session: Session) -> str:
    """Return the ARN of whoever the session's credentials belong to.

    Raises:
        WorkflowError: As ``account_of`` does.
    """
    with explained("sts", "the caller's identity"):
        return session.client("sts", config=CONFIG).get_caller_identity()["Arn"]


def cloud_url(session: Session) -> str:
    """Return where the session's calls go: AWS, or what AWS_ENDPOINT_URL names."""
    return session.client("sts", config=CONFIG).meta.endpoint_url


def is_aws(session: Session) -> bool:
    """Return whether the session's calls go to AWS."""
    suffix = partition_of(session.region_name).dns_suffix
    return (urlsplit(cloud_url(session)).hostname or "").endswith(f".{suffix}")


def console_host(session: Session) -> str:
    """Return the host of the AWS console in the session's region, as botocore places the sign-in.

    Nothing is sent: a presigned URL is made on this machine.
    """
    client: Any = session.client("signin")
    request = {"tokenInput": {"clientId": "none", "grantType": "none"}}
    host = urlsplit(client.generate_presigned_url("create_oauth2_token", request)).hostname or ""
    region, _, domain = host.partition(".signin.")
    if region != session.region_name:
        return f"{session.region_name}.{COMMERCIAL_CONSOLE}"
    return f"{region}.console.{domain}"


def _read_profile() -> Mapping[str, Any]:
    """Return the settings of the profile in use."""
    try:
        settings: Mapping[str, Any] = botocore.session.Session().get_scoped_config()
    except BotoCoreError as error:
        raise aws_errors.translate(
            operation="session", code=type(error).__name__, message=str(error)
        ) from error
    return settings


def _check_cloud(environ: Mapping[str, str], profile: Mapping[str, Any]) -> None:
    """Refuse to guess which cloud is meant: a guess could cost money."""
    chosen = environ.get("SCONES_CLOUD", "")
    if chosen not in {"", "aws"}:
        raise WorkflowError(
            "SettingInvalid",
            f"SCONES_CLOUD is {chosen!r}.",
            "Set it to aws, or leave it out and set AWS_ENDPOINT_URL to a local cloud.",
        )
    if not (chosen or environ.get("AWS_ENDPOINT_URL") or profile.get("endpoint_url")):
        raise WorkflowError(
            "CloudNotNamed",
            "Nothing says which cloud is meant: neither SCONES_CLOUD nor AWS_ENDPOINT_URL is set.",
            "Set SCONES_CLOUD=aws for your AWS account, or AWS_ENDPOINT_URL to the address that"
            " `python -m localcloud` prints.",
        )
