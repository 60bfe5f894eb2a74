"""Settings: which workflow, in which account and region, and the resource names that follow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from workflow.contract import read_classes
from workflow.errors import WorkflowError
from workflow.organisation import Organisation
from workflow.regions import Region, partition_of, resource_arn

DEFAULT_THRESHOLD = 0.93
DEFAULT_INSTANCE_TYPE = "ml.m5.large"
DEFAULT_TRAINING_INSTANCE = "ml.g4dn.xlarge"
"""The smallest with a GPU: new accounts have no quota for the ml.p3.2xlarge of the notebook."""

_SLUG = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,23}")
_ACCOUNT = re.compile(r"\d{12}")
_ENDPOINT = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62}")
_INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+")
_S3_PREFIX = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?")
_RESERVED = ("xn--", "sthree-", "amzn-s3-demo-")
"""Beginnings that no bucket's name may have (S3 User Guide, "Bucket naming rules")."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a deployment is called, where it lives and how it behaves.

    Every resource name is a function of ``project``, ``stage``, ``account`` and ``region``, so no
    state file is needed to find a resource again.

    Attributes:
        project: Lower-case slug, 1 to 24 characters; first part of every name.
        stage: Lower-case slug, such as ``dev`` or ``prod``; second part of every name.
        account: The twelve-digit AWS account id, as ``sts:GetCallerIdentity`` gives it.
        region: The AWS region, such as ``us-east-1``.
        region_source: Where the region's name comes from, for people; empty where nobody asks.
        threshold: The confidence at or above which an inference is accepted, above 0, at most 1;
            how low it may be depends on the number of classes (``thresholds.check_threshold``).
        existing_endpoint: Name of a SageMaker endpoint to use instead of creating one, or None.
        training_data: ``s3://bucket/prefix`` of images and ``.lst`` files to train SageMaker's
            built-in image classification on, instead of serving the model shipped here, or None.
        training_instance: SageMaker instance type of the training job.
        instance_type: SageMaker instance type of the endpoint.
        sampling_percentage: Share of invocations that data capture keeps, 0 to 100.
        classes: Names of the model's classes in the order of its answer; empty for those that its
            manifest names.
        alarm_email: Address subscribed to the alerts topic, or None.
        organisation: What a company prescribes for everything that is created.
        owner: The tags by which the deployment knows what it owns.
        tags: Those, and the ones that the organisation prescribes.
    """

    account: str
    region: str
    region_source: str = field(default="", compare=False)
    project: str = "scones-unlimited"
    stage: str = "dev"
    threshold: float = DEFAULT_THRESHOLD
    existing_endpoint: str | None = None
    training_data: str | None = None
    training_instance: str = DEFAULT_TRAINING_INSTANCE
    instance_type: str = DEFAULT_INSTANCE_TYPE
    sampling_percentage: int = 100
    classes: tuple[str, ...] = ()
    alarm_email: str | None = None
    organisation: Organisation = field(default_factory=Organisation)
    owner: Mapping[str, str] = field(init=False)
    tags: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        _check_settings(self)
        # Own tags win over the organisation's: by them the deployment knows what it may delete.
        owner = {"project": self.project, "stage": self.stage, "managed-by": "scones-unlimited"}
        object.__setattr__(self, "owner", owner)
        object.__setattr__(self, "tags", {**self.organisation.tags, **owner})

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, account: str, region: Region) -> Self:
        """Read the ``SCONES_*`` variables.

        Raises:
            WorkflowError: ``SettingInvalid`` where a variable has a value that cannot be used.
        """
        return cls(
            account=account,
            project=environ.get("SCONES_PROJECT", "scones-unlimited"),
            stage=environ.get("SCONES_STAGE", "dev"),
            region=region.name,
            region_source=region.source,
            threshold=_read_number(environ, "SCONES_THRESHOLD", DEFAULT_THRESHOLD),
            existing_endpoint=environ.get("SCONES_ENDPOINT") or None,
            training_data=environ.get("SCONES_TRAINING_DATA") or None,
            training_instance=environ.get("SCONES_TRAINING_INSTANCE") or DEFAULT_TRAINING_INSTANCE,
            instance_type=environ.get("SCONES_INSTANCE_TYPE") or DEFAULT_INSTANCE_TYPE,
            sampling_percentage=_read_whole_number(environ, "SCONES_SAMPLING_PERCENTAGE", 100),
            classes=_parse_classes(environ.get("SCONES_CLASSES")),
            alarm_email=environ.get("SCONES_ALARM_EMAIL") or None,
            organisation=Organisation.from_env(environ),
        )

    @property
    def partition(self) -> str:
        """First part of every ARN in the region, such as ``aws`` or ``aws-cn``."""
        return partition_of(self.region).name

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of a service in this account and region."""
        return resource_arn(service, self.region, self.account, resource)

    @property
    def bucket_arn(self) -> str:
        """ARN of the bucket; S3 has names that are unique in a partition, so it has no region."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def prefix(self) -> str:
        """First part of every resource name: ``{project}-{stage}``."""
        return f"{self.project}-{self.stage}"

    @property
    def bucket(self) -> str:
        """The S3 bucket of images, models and captures; globally unique by account and region."""
        return f"{self.prefix}-{self.account}-{self.region}"

    @property
    def serialize_function(self) -> str:
        """Name of the Lambda function that serializes an image."""
        return f"{self.prefix}-serialize-image"

    @property
    def classify_function(self) -> str:
        """Name of the Lambda function that classifies an image."""
        return f"{self.prefix}-classify-image"

    @property
    def filter_function(self) -> str:
        """Name of the Lambda function that filters inferences."""
        return f"{self.prefix}-filter-inferences"

    @property
    def state_machine(self) -> str:
        """Name of the state machine."""
        return self.prefix

    @property
    def state_machine_arn(self) -> str:
        """ARN of the state machine, without version or alias."""
        return self.arn("states", f"stateMachine:{self.state_machine}")

    @property
    def batch_machine(self) -> str:
        """Name of the state machine that classifies many photos at once."""
        return f"{self.prefix}-batch"

    @property
    def batch_machine_arn(self) -> str:
        """ARN of the state machine that classifies many photos at once."""
        return self.arn("states", f"stateMachine:{self.batch_machine}")

    @property
    def alias(self) -> str:
        """Name of the state machine alias through which executions are started."""
        return "live"

    @property
    def alias_arn(self) -> str:
        """ARN of the state machine alias through which executions are started."""
        return f"{self.state_machine_arn}:{self.alias}"

    @property
    def endpoint(self) -> str:
        """Name of the SageMaker endpoint: the existing one, or the one that deploy creates."""
        return self.existing_endpoint or self.prefix

    @property
    def topic(self) -> str:
        """Name of the SNS topic of alerts."""
        return f"{self.prefix}-alerts"

    @property
    def topic_arn(self) -> str:
        """ARN of the SNS topic of alerts."""
        return self.arn("sns", self.topic)

    @property
    def executions_queue(self) -> str:
        """Name of the SQS queue that receives the status changes of executions."""
        return f"{self.prefix}-executions"

    @property
    def executions_rule(self) -> str:
        """Name of the EventBridge rule that sends the status changes of executions there."""
        return f"{self.prefix}-executions"

    @property
    def model_prefix(self) -> str:
        """Key prefix of model archives, with its final slash."""
        return "models/"

    @property
    def upload_prefix(self) -> str:
        """Key prefix of submitted images, with its final slash."""
        return "images/"

    @property
    def capture_prefix(self) -> str:
        """Key prefix of data capture (SageMaker adds endpoint, variant and hour), no final slash.

        It is the prefix of the original project's notebook.
        """
        return "data_capture"


def _read_number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name)
    if not text:
        return default
    try:
        return float(text)
    except ValueError:
        raise WorkflowError(
            "SettingInvalid", f"{name} is {text!r}, which is not a number.", f"Correct {name}."
        ) from None


def _parse_classes(text: str | None) -> tuple[str, ...]:
    try:
        return read_classes(text) if text else ()
    except (ValueError, RecursionError) as error:
        raise WorkflowError(
            "SettingInvalid",
            f"SCONES_CLASSES cannot be used: {error}.",
            'Give all names in the order of the answer, such as ["bicycle", "motorcycle"].',
        ) from None


def _read_whole_number(environ: Mapping[str, str], name: str, default: int) -> int:
    number = _read_number(environ, name, float(default))
    if not number.is_integer():
        raise WorkflowError(
            "SettingInvalid", f"{name} is {number}, which is not whole.", f"Correct {name}."
        )
    return int(number)


def _check_settings(settings: Settings) -> None:
    # AWS's own limits, checked before any call: AWS would refuse only in the middle of a
    # deployment.
    rules = (
        (
            _SLUG.fullmatch(settings.project) is not None,
            f"The project name {settings.project!r} is not a slug.",
            "Use 1 to 24 lower-case letters, digits and single hyphens, a letter first.",
        ),
        (
            _SLUG.fullmatch(settings.stage) is not None and len(settings.stage) <= 8,  # noqa: PLR2004 - bucket names end at 63
            f"The stage {settings.stage!r} is not a short slug.",
            "Use 1 to 8 lower-case letters, digits and single hyphens, a letter first.",
        ),
        (
            not settings.bucket.startswith(_RESERVED),
            f"S3 reserves bucket names that begin as {settings.bucket!r} does.",
            f"Choose a project name that does not begin with {', '.join(_RESERVED)}.",
        ),
        (
            _ACCOUNT.fullmatch(settings.account) is not None,
            f"{settings.account!r} is not an AWS account id.",
            "Give the twelve digits that `aws sts get-caller-identity` prints.",
        ),
        (
            0 < settings.threshold <= 1,
            f"The threshold {settings.threshold} is no number above 0 and at most 1.",
            "Choose 0.5 to 1, or less where there are more than two classes; 0.93 is the default.",
        ),
        (
            0 <= settings.sampling_percentage <= 100,  # noqa: PLR2004 - a percentage
            f"The sampling percentage {settings.sampling_percentage} is outside 0 to 100.",
            "Choose a whole number from 0 to 100; 100 captures every inference.",
        ),
        (
            settings.existing_endpoint is None
            or _ENDPOINT.fullmatch(settings.existing_endpoint) is not None,
            f"{settings.existing_endpoint!r} cannot be the name of a SageMaker endpoint.",
            "Give the name, not the ARN: up to 63 letters, digits and hyphens.",
        ),
        (
            settings.existing_endpoint is None or settings.training_data is None,
            "An existing endpoint and training data are both given, but only one can be used.",
            "Leave out SCONES_ENDPOINT (--endpoint) or SCONES_TRAINING_DATA (--train).",
        ),
        (
            settings.existing_endpoint is None or settings.existing_endpoint != settings.prefix,
            f"The endpoint {settings.prefix!r} is the one that this deployment creates itself.",
            "Leave SCONES_ENDPOINT (--endpoint) out, or name another endpoint.",
        ),
        (
            settings.training_data is None
            or _S3_PREFIX.fullmatch(settings.training_data) is not None,
            f"{settings.training_data!r} is no S3 prefix.",
            "Give s3://bucket/prefix, the folder that holds train/, test/, train.lst and test.lst.",
        ),
        (
            _INSTANCE.fullmatch(settings.training_instance) is not None,
            f"{settings.training_instance!r} is not a SageMaker instance type.",
            "Use one with a GPU, such as ml.g4dn.xlarge.",
        ),
        (
            _INSTANCE.fullmatch(settings.instance_type) is not None,
            f"{settings.instance_type!r} is not a SageMaker instance type.",
            "Use one such as ml.m5.large.",
        ),
        (
            settings.alarm_email is None or _EMAIL.fullmatch(settings.alarm_email) is not None,
            f"{settings.alarm_email!r} is not an e-mail address.",
            "Set SCONES_ALARM_EMAIL to an address, or leave it out.",
        ),
    )
    partition_of(settings.region)
    for holds, message, remedy in rules:
        if not holds:
            raise WorkflowError("SettingInvalid", message, remedy)
