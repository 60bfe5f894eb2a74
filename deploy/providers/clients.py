"""The clients that the providers share, and how they wait."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from itertools import chain, repeat
from typing import TYPE_CHECKING, TypedDict, TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError

from deploy.providers.errors import code_of
from workflow.regions import resource_arn

if TYPE_CHECKING:
    import boto3

CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 5},
    user_agent_extra="scones-unlimited-deploy",
)
"""Standard mode retries throttling and AWS's own faults with backoff and jitter.

A call that nobody answers ends after two and a half minutes.
"""

POLLING = (0.25, 0.5, 1, 2, 3, 5, 8)
LONGEST_POLL = 15
"""Seconds between looks at something that changes by itself: often at first, then patiently."""

Result = TypeVar("Result")


class Aws:
    """One account and region: its clients, and time that passes.

    Attributes:
        session: Whose credentials.
        account: The twelve-digit account id.
        region: The region of every client.
        partition: The partition of the region, first part of every ARN.
        pause: Sleeps a number of seconds; tests make it instant.
    """

    def __init__(
        self,
        session: "boto3.Session",
        *,
        account: str,
        region: str,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.session = session
        self.account = account
        self.region = region
        self.pause = pause
        self.s3 = session.client("s3", region_name=region, config=CONFIG)
        self.iam = session.client("iam", region_name=region, config=CONFIG)
        self.logs = session.client("logs", region_name=region, config=CONFIG)
        self.sns = session.client("sns", region_name=region, config=CONFIG)
        self.sqs = session.client("sqs", region_name=region, config=CONFIG)
        self.events = session.client("events", region_name=region, config=CONFIG)
        self.functions = session.client("lambda", region_name=region, config=CONFIG)
        self.states = session.client("stepfunctions", region_name=region, config=CONFIG)
        self.sagemaker = session.client("sagemaker", region_name=region, config=CONFIG)
        self.cloudwatch = session.client("cloudwatch", region_name=region, config=CONFIG)
        self.quotas = session.client("service-quotas", region_name=region, config=CONFIG)

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in this account and region."""
        return resource_arn(service, self.region, self.account, resource)

    def growing_waits(self) -> Iterator[Callable[[], None]]:
        """Yield one wait after the other, without end, each longer than the one before."""
        for seconds in chain(POLLING, repeat(LONGEST_POLL)):
            yield partial(self.pause, seconds)


@lru_cache(maxsize=4)
def account_of(
    session: "boto3.Session", number: str, region: str, pause: Callable[[float], None]
) -> Aws:
    """Return the clients of a session, each time the same ones: making them takes 0.2 s of CPU."""
    return Aws(session, account=number, region=region, pause=pause)


def call_or_none(call: Callable[[], Result], *missing: str) -> Result | None:
    """Return the answer of a read, or None where it fails with one of the ``missing`` codes."""
    try:
        return call()
    except ClientError as error:
        if code_of(error) in missing:
            return None
        raise


class Tag(TypedDict):
    """A tag in the form that most services take and give."""

    Key: str
    Value: str


def tag_list(tags: Mapping[str, str]) -> list[Tag]:
    """Return tags in the form that most services take."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_map(tags: Iterable[Tag]) -> dict[str, str]:
    """Return tags out of the form that most services give."""
    return {tag["Key"]: tag["Value"] for tag in tags}
