"""Account: what an account allows and how long things take in it, kindly or as on AWS."""

import random
from dataclasses import dataclass, field
from typing import Final

CONCURRENCY: Final = 1000
NEW_ACCOUNTS_CONCURRENCY: Final = 10
NEW_ACCOUNTS_INSTANCES: Final = 2


@dataclass(frozen=True, slots=True)
class AwsLike:
    """How unkind the local cloud is.

    Attributes:
        speed: How many times faster than on AWS time passes, for all that takes a while.
        seed: What is left to chance follows from it.
    """

    speed: float = 1.0
    seed: int = 1

    def random_for(self, *subject: object) -> random.Random:
        """Return the random numbers of one subject: the same for the same seed."""
        return random.Random(f"{self.seed}/{'/'.join(map(str, subject))}")  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True)
class Durations:
    """How long things take, in seconds.

    Attributes:
        function_pending: From creating or changing a function until it is ready.
        endpoint_creating: From creating or updating an endpoint until it serves, at least.
        endpoint_deleting: From deleting an endpoint until it is gone.
        training: From creating a training job until it has ended, at least.
        capture: The shortest and the longest wait of a captured record for its delivery.
    """

    function_pending: float = 0.2
    endpoint_creating: float = 1.0
    endpoint_deleting: float = 0.0
    training: float = 1.0
    capture: tuple[float, float] = (2.0, 2.0)


def _aws_durations(speed: float) -> Durations:
    """Return AWS's durations as seen in deployments of this workflow, the long ones shortened.

    An endpoint takes three to eight minutes there, training ten, a capture one to five.
    """
    return Durations(
        function_pending=4 / speed,
        endpoint_creating=60 / speed,
        endpoint_deleting=15 / speed,
        training=90 / speed,
        capture=(60 / speed, 180 / speed),
    )


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """How long executions are kept.

    Attributes:
        days: After their end. AWS keeps them for 90
            (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
        megabytes: That all histories together take at most; the oldest executions go first. AWS
            has no such limit, a disk has.
    """

    days: float = 90.0
    megabytes: float = 4096.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account that the local cloud plays.

    Attributes:
        quotas: Whether AWS's request rates are enforced.
        lambda_concurrency: How many invocations of functions may run at once.
        endpoint_instances: How many instances of a type endpoints may have; None for any number.
        durations: How long things take.
        aws_like: How unkind it is; None where it is kind.
        history: How long executions are kept.
    """

    quotas: bool = False
    lambda_concurrency: int = CONCURRENCY
    endpoint_instances: int | None = None
    durations: Durations = field(default_factory=Durations)
    aws_like: AwsLike | None = None
    history: HistoryLimits = field(default_factory=HistoryLimits)


def new_account(aws_like: AwsLike, lambda_concurrency: int | None) -> Account:
    """Return an account as AWS hands it out.

    Args:
        aws_like: How unkind it is.
        lambda_concurrency: Another concurrency than a new account's.
    """
    return Account(
        quotas=True,
        lambda_concurrency=lambda_concurrency or NEW_ACCOUNTS_CONCURRENCY,
        endpoint_instances=NEW_ACCOUNTS_INSTANCES,
        durations=_aws_durations(aws_like.speed),
        aws_like=aws_like,
    )
