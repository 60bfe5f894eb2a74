"""Checks: what would end a deployment, or surprise whoever pays for it, before it begins. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from deploy.model.container import END_OF_PATCH
from deploy.prices import price_of
from deploy.resources import CloudResource, EndpointConfig, Json, TrainingJob
from workflow.errors import WorkflowError
from workflow.known_errors import is_denial
from workflow.regions import partition_of
from workflow.settings import Settings

REQUEST_QUOTA = "Ask for more under Service Quotas in the AWS console, then check again."
LAMBDA_AT_ONCE = 10
"""Concurrent executions of a new account: enough for one execution, not for repair in bulk."""

ENDPOINT_QUOTA = "{} for endpoint usage"
TRAINING_QUOTA = "{} for training job usage"


class PreflightLevel(StrEnum):
    """How a finding stands in the way: a PROBLEM ends ``apply`` before anything is created."""

    OK = "OK"
    UNKNOWN = "UNKNOWN"
    WARNING = "WARNING"
    PROBLEM = "PROBLEM"


@dataclass(frozen=True, slots=True)
class PreflightFinding:
    """One thing that was looked at.

    Attributes:
        level: How it stands in the way.
        topic: What was looked at, such as ``region``.
        says: What was found, in a sentence.
        remedy: What to do about it; empty where it is OK.
    """

    level: PreflightLevel
    topic: str
    says: str
    remedy: str = ""

    def to_json(self) -> dict[str, Json]:
        """Return the finding as JSON."""
        return {
            "level": self.level.value,
            "topic": self.topic,
            "says": self.says,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedAccount:
    """What an account answered; an error where it could not be asked.

    Attributes:
        denied: Actions that the caller may not call on resources of the deployment.
        quotas: SageMaker's quotas by name; what AWS does not list lacks.
        lambda_at_once: Concurrent executions that Lambda allows.
    """

    denied: Sequence[str] | WorkflowError
    quotas: Mapping[str, float] | WorkflowError
    lambda_at_once: int | WorkflowError

    def raise_if_silent(self) -> None:
        """Raise the error of the last answer where none is of use, and not for want of permission.

        Raises:
            WorkflowError: AWS cannot be asked anything now.
        """
        answers = (self.denied, self.quotas, self.lambda_at_once)
        errors = [one for one in answers if isinstance(one, WorkflowError)]
        if len(errors) == len(answers) and not any(is_denial(one.code) for one in errors):
            raise errors[-1]


def quota_names(resources: Iterable[CloudResource]) -> tuple[str, ...]:
    """Return the names of the SageMaker quotas that resources need."""
    names = {
        EndpointConfig: ENDPOINT_QUOTA,
        TrainingJob: TRAINING_QUOTA,
    }
    return tuple(
        names[type(one)].format(one.instance_type)
        for one in resources
        if isinstance(one, EndpointConfig | TrainingJob)
    )


def collect_findings(
    settings: Settings, resources: Sequence[CloudResource], account: CheckedAccount, *, today: date
) -> tuple[PreflightFinding, ...]:
    """Return all findings, what stands in the way first.

    Args:
        settings: What is wanted.
        resources: What it is made of.
        account: What the account answered.
        today: The day on which it is asked.
    """
    found = (
        _check_region(settings),
        _check_names(settings),
        _check_permissions(account.denied),
        *_check_quotas(resources, account.quotas),
        _check_concurrency(account.lambda_at_once),
        _check_image(resources, today),
        _check_price(resources, settings.region),
    )
    # Members of Level are ordered from harmless to severe.
    order = list(reversed(PreflightLevel))
    return tuple(sorted(found, key=lambda finding: order.index(finding.level)))


def _check_region(settings: Settings) -> PreflightFinding:
    partition = partition_of(settings.region)
    where = f"{settings.region} of the partition {partition.name}"
    if settings.region in partition.regions:
        return PreflightFinding(PreflightLevel.OK, "region", f"The region is {where}.")
    return PreflightFinding(
        PreflightLevel.WARNING,
        "region",
        f"botocore does not know the region {where}.",
        "Correct the name, or upgrade boto3 if the region is new.",
    )


def _check_names(settings: Settings) -> PreflightFinding:
    return PreflightFinding(
        PreflightLevel.OK,
        "names",
        f"Every name begins with {settings.prefix} and is within its limits; the longest, of the"
        f" bucket, has {len(settings.bucket)} of 63 characters.",
    )


def _check_permissions(denied: Sequence[str] | WorkflowError) -> PreflightFinding:
    if isinstance(denied, WorkflowError):
        return _unknown_finding(
            "permissions", denied, "The first one that is missing ends `apply`."
        )
    if denied:
        return PreflightFinding(
            PreflightLevel.PROBLEM,
            "permissions",
            f"These credentials may not call {', '.join(denied)}.",
            "Ask an administrator to allow them; `python -m deploy policy operator` prints all.",
        )
    return PreflightFinding(
        PreflightLevel.OK, "permissions", "IAM's simulation allows every call of `apply`."
    )


def _check_quotas(
    resources: Sequence[CloudResource], quotas: Mapping[str, float] | WorkflowError
) -> Iterable[PreflightFinding]:
    for name in quota_names(resources):
        topic = f"quota: {name}"
        if isinstance(quotas, WorkflowError):
            yield _unknown_finding(topic, quotas, "A quota of 0 ends `apply` at this resource.")
        elif name not in quotas:
            yield PreflightFinding(
                PreflightLevel.UNKNOWN,
                topic,
                "AWS lists no such quota in this region: the type may not be offered here.",
                "Look under Service Quotas, or choose another type (--instance-type).",
            )
        else:
            yield _check_quota(topic, quotas[name])


def _check_quota(topic: str, value: float) -> PreflightFinding:
    if value < 1:
        return PreflightFinding(
            PreflightLevel.PROBLEM, topic, "The quota is 0: none can be started.", REQUEST_QUOTA
        )
    if value < 2 and "endpoint" in topic:  # noqa: PLR2004 - the one that serves and the next one
        return PreflightFinding(
            PreflightLevel.WARNING,
            topic,
            "The quota is 1: enough to create the endpoint, not to update it, for SageMaker starts"
            " the new instance beside the old one.",
            REQUEST_QUOTA,
        )
    return PreflightFinding(
        PreflightLevel.OK, topic, f"The quota is {value:g}, without what runs already."
    )


def _check_concurrency(value: int | WorkflowError) -> PreflightFinding:
    topic = "Lambda concurrency"
    if isinstance(value, WorkflowError):
        return _unknown_finding(topic, value, "Too little of it shows as throttled functions.")
    # New accounts start far below the default of 1,000 (Lambda developer guide, "Lambda quotas").
    if value <= LAMBDA_AT_ONCE:
        return PreflightFinding(
            PreflightLevel.WARNING,
            topic,
            f"The account runs at most {value} functions at once: more executions than that are"
            " throttled, and retried.",
            REQUEST_QUOTA,
        )
    return PreflightFinding(
        PreflightLevel.OK, topic, f"The account runs up to {value} functions at once."
    )


def _check_image(resources: Sequence[CloudResource], today: date) -> PreflightFinding:
    images = dict.fromkeys(
        one.properties()["image"] for one in resources if "image" in one.properties()
    )
    if not images:
        return PreflightFinding(
            PreflightLevel.OK, "container image", "None is needed: the endpoint exists already."
        )
    says = f"SageMaker pulls {', '.join(map(str, images))}."
    # The built-in algorithm's image has no end of patch that AWS publishes.
    if not any("/pytorch-inference:" in str(image) for image in images):
        return PreflightFinding(PreflightLevel.OK, "container image", says)
    if today <= END_OF_PATCH:
        return PreflightFinding(
            PreflightLevel.OK, "container image", f"{says} AWS patches it until {END_OF_PATCH}."
        )
    return PreflightFinding(
        PreflightLevel.WARNING,
        "container image",
        f"{says} AWS has not patched it since {END_OF_PATCH}, and publishes no newer one.",
        "It serves as before; docs/aws.md says which versions there are.",
    )


def _check_price(resources: Sequence[CloudResource], region: str) -> PreflightFinding:
    price = price_of(resources, region)
    if price.monthly_usd is None:
        return PreflightFinding(
            PreflightLevel.UNKNOWN, "price", price.says, "Look it up before you apply."
        )
    return PreflightFinding(PreflightLevel.OK, "price", price.says)


def _unknown_finding(topic: str, error: WorkflowError, consequence: str) -> PreflightFinding:
    return PreflightFinding(
        PreflightLevel.UNKNOWN,
        topic,
        f"It could not be looked up: {error.message}",
        f"Nothing has to be done. {consequence}",
    )
