"""The kinds of AWS resource a deployment is made of, as frozen records.

A record holds what is wanted, never what is there. A dependency is a :class:`Ref` in one of its
fields: a string that stands for an attribute of another resource until that one exists.

More than 400 lines because it has a record for each kind of resource.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self, TypeAlias

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
Properties: TypeAlias = Mapping[str, Json]
Document: TypeAlias = Mapping[str, Any]
"""A JSON document in AWS's own form: an IAM policy, a state machine definition, a pattern."""

_REF = re.compile(r"\$\{ref:(?P<kind>[a-z0-9.-]+)/(?P<name>[^#}]+)#(?P<attribute>[a-z_]+)\}")


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What a resource is called in plans: kind and name, such as ``iam.role/x-classify``."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Ref(str):
    """An attribute of another resource, such as its ARN, as text that is filled in once known.

    It may stand alone in a field or inside a longer text (a function's version within a
    definition), and it may be digested like any other text before its value is known.
    """

    __slots__ = ()

    def __new__(cls, key: Key, attribute: str) -> Self:
        """Refer to ``attribute`` of the resource called ``key``."""
        return super().__new__(cls, f"${{ref:{key}#{attribute}}}")


@dataclass(frozen=True, kw_only=True)
class CloudResource:
    """What is wanted of one AWS resource.

    Attributes:
        name: Its name in AWS, unique within its kind.
        tags: Tags that mark it as owned by this deployment.
    """

    KIND: ClassVar[str]
    TITLE: ClassVar[str]
    """What people call this kind, such as ``IAM role``."""
    VOLATILE: ClassVar[frozenset[str]] = frozenset()
    """Outputs that get a new value when the resource is updated."""
    FIXED: ClassVar[frozenset[str]] = frozenset()
    """Properties that AWS does not change: another value means another resource."""
    EXTERNAL: ClassVar[bool] = False
    """True for what must exist already and is only looked at."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict, metadata={"compared": False})

    @property
    def key(self) -> Key:
        """The key of the resource in plans and references."""
        return Key(self.KIND, self.name)

    def properties(self) -> dict[str, Json]:
        """Return the fields that are compared with what AWS has, as JSON."""
        return {
            item.name: _to_json(getattr(self, item.name))
            for item in fields(self)
            if item.name != "name" and item.metadata.get("compared", True)
        }

    def wanted(self, _observed: Properties | None) -> dict[str, Json]:
        """Return the properties wanted, given those observed (None: there is nothing yet)."""
        return self.properties()

    def refs(self) -> tuple[tuple[Key, str], ...]:
        """Return keys and attributes this resource depends on, in order of their appearance."""
        # A dict keeps the order and drops repetitions; a set would shuffle plans.
        found: dict[tuple[Key, str], None] = {}

        def note(text: str) -> str:
            for match in _REF.finditer(text):
                found[(Key(match["kind"], match["name"]), match["attribute"])] = None
            return text

        for item in fields(self):
            _map_text(getattr(self, item.name), note)
        return tuple(found)

    def resolved(self, outputs: Mapping[Key, Mapping[str, str]]) -> Self:
        """Return the same resource with every reference filled in whose value is in ``outputs``."""

        def fill(text: str) -> str:
            return _REF.sub(
                # A reference without a value stays as it is: it is known after apply.
                lambda m: outputs.get(Key(m["kind"], m["name"]), {}).get(m["attribute"], m[0]),
                text,
            )

        values = {item.name: _map_text(getattr(self, item.name), fill) for item in fields(self)}
        return replace(self, **values)


def redact_refs(text: str, placeholder: str) -> str:
    """Replace the references left in ``text``, for showing it to people."""
    return _REF.sub(placeholder, text)


def _map_text(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - any field of a record
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _map_text(item, change) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return tuple(_map_text(item, change) for item in value)
    return value


def _to_json(value: Any) -> Json:  # noqa: ANN401 - any field of a record
    if isinstance(value, Mapping):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_to_json(item) for item in value]
    return value  # type: ignore[no-any-return]  # str, int, float, bool or None by the records below


@dataclass(frozen=True, kw_only=True)
class StorageBucket(CloudResource):
    """An S3 bucket. Outputs: ``name``, ``contents`` (top folders that deploy did not make).

    Attributes:
        policy: The bucket policy.
        expire_days: Key prefix to the number of days after which its objects are deleted.
    """

    KIND = "s3.bucket"
    TITLE = "S3 bucket"

    policy: Document
    expire_days: Mapping[str, int]
    public_access: str = "blocked"
    encryption: str = "AES256"
    kms_key: str | None = None
    ownership: str = "BucketOwnerEnforced"
    abort_upload_days: int = 7


@dataclass(frozen=True, kw_only=True)
class BucketContents(CloudResource):
    """Every object of a bucket: only ever deleted, and only by ``destroy --empty-bucket``."""

    KIND = "s3.contents"
    TITLE = "contents of the bucket"


@dataclass(frozen=True, kw_only=True)
class ModelArchive(CloudResource):
    """A ``model.tar.gz`` in the bucket, under a key that holds its digest. Outputs: ``url``.

    Attributes:
        name: ``bucket/key``.
        bucket: Name of the bucket.
        digest: Hex SHA-256 of what is packed in the archive.
    """

    KIND = "s3.object"
    TITLE = "model archive"

    bucket: str
    digest: str
    archive: bytes = field(repr=False, metadata={"compared": False})


@dataclass(frozen=True, kw_only=True)
class IamRole(CloudResource):
    """An IAM role with one inline policy. Outputs: ``arn``."""

    KIND = "iam.role"
    TITLE = "IAM role"
    FIXED = frozenset({"path"})

    trust: Document
    policy: Document
    path: str = "/"
    boundary: str | None = None


@dataclass(frozen=True, kw_only=True)
class LogGroup(CloudResource):
    """A CloudWatch log group. Outputs: ``arn`` (without ``:*``), ``name``."""

    KIND = "logs.group"
    TITLE = "log group"

    retention_days: int


@dataclass(frozen=True, kw_only=True)
class Topic(CloudResource):
    """An SNS topic. Outputs: ``arn``."""

    KIND = "sns.topic"
    TITLE = "SNS topic"

    policy: Document


@dataclass(frozen=True, kw_only=True)
class Subscription(CloudResource):
    """An e-mail subscription of a topic; its owner confirms it by mail. Outputs: ``arn``.

    Attributes:
        name: ``topic/address``.
    """

    KIND = "sns.subscription"
    TITLE = "e-mail subscription"

    topic: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Queue(CloudResource):
    """An SQS queue, encrypted by SQS's own keys. Outputs: ``arn``, ``url``."""

    KIND = "sqs.queue"
    TITLE = "SQS queue"

    policy: Document
    retention_seconds: int
    encrypted: bool = True


@dataclass(frozen=True, kw_only=True)
class Rule(CloudResource):
    """An EventBridge rule on the default bus with one target. Outputs: ``arn``."""

    KIND = "events.rule"
    TITLE = "EventBridge rule"

    pattern: Document
    target: str
    description: str
    state: str = "ENABLED"


@dataclass(frozen=True, kw_only=True)
class Function(CloudResource):
    """A Lambda function whose code and configuration are published as a version.

    Outputs: ``arn``, ``version``, ``version_arn`` (the version that equals what is wanted).

    Attributes:
        code_sha256: Base64 SHA-256 of the zip, as Lambda reports it.
        published: Whether the newest version equals the code and configuration.
    """

    KIND = "lambda.function"
    TITLE = "Lambda function"
    VOLATILE = frozenset({"version", "version_arn"})

    handler: str
    role: str
    log_group: str
    description: str
    environment: Mapping[str, str]
    memory_mb: int
    timeout_seconds: int
    code_sha256: str
    archive: bytes = field(repr=False, metadata={"compared": False})
    runtime: str = "python3.13"
    architecture: str = "arm64"
    log_format: str = "JSON"
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    state: str = "Active"
    published: bool = True


@dataclass(frozen=True, kw_only=True)
class StateMachine(CloudResource):
    """A Standard state machine, published as a version.

    Outputs: ``arn``, ``version_arn`` (the version that equals what is wanted).

    Attributes:
        log_group: ARN of the log group, without ``:*``.
        log_level: Step Functions' log level: ALL, ERROR, FATAL or OFF.
    """

    KIND = "states.machine"
    TITLE = "state machine"
    VOLATILE = frozenset({"version_arn"})

    definition: Document
    role: str
    log_group: str
    log_level: str
    published: bool = True


@dataclass(frozen=True, kw_only=True)
class Alias(CloudResource):
    """An alias of a state machine that routes executions to versions by weight.

    Outputs: ``arn``; ``routes``, the ARNs of its versions, that of most executions first;
    ``shifted_at``, when it was changed last, in ISO 8601.

    Attributes:
        name: ``state machine/alias``.
        version: ARN of the version that new executions should reach.
        weight: Percentage of new executions that reach it now; the rest stays where it is.
    """

    KIND = "states.alias"
    TITLE = "state machine alias"

    version: str
    weight: int = 100

    def wanted(self, observed: Properties | None) -> dict[str, Json]:
        """Return the properties wanted; a shift that went further, or has no other side, stays."""
        properties = self.properties()
        if observed is None:
            # A new alias has one version only, which gets everything.
            return {**properties, "weight": 100}
        # Only a shift to the same version counts: another version starts again at its share.
        reached = observed.get("weight", 0) if observed.get("version") == self.version else 0
        return {**properties, "weight": max(self.weight, int(str(reached)))}


@dataclass(frozen=True, kw_only=True)
class TrainingJob(CloudResource):
    """A SageMaker training job; a failed one is tried again under the next name.

    Outputs: ``model_data``, the S3 URL of the trained model.
    """

    KIND = "sagemaker.training-job"
    TITLE = "training job"
    VOLATILE = frozenset({"model_data"})

    image: str
    role: str
    hyperparameters: Mapping[str, str]
    channels: Mapping[str, str]
    output: str
    instance_type: str
    volume_gb: int
    max_seconds: int
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    status: str = "Completed"


@dataclass(frozen=True, kw_only=True)
class SageMakerModel(CloudResource):
    """A SageMaker model; immutable, so its name ends in a digest. Outputs: ``name``."""

    KIND = "sagemaker.model"
    TITLE = "SageMaker model"

    image: str
    model_data: str
    role: str
    environment: Mapping[str, str]
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EndpointConfig(CloudResource):
    """A SageMaker endpoint configuration; immutable, named by a digest. Outputs: ``name``."""

    KIND = "sagemaker.endpoint-config"
    TITLE = "endpoint configuration"

    model: str
    variant: str
    instance_type: str
    sampling_percentage: int
    capture_url: str
    instance_count: int = 1
    capture_enabled: bool = True
    capture_modes: tuple[str, ...] = ("Input", "Output")
    csv_content_types: tuple[str, ...] = ("text/csv",)
    json_content_types: tuple[str, ...] = ("application/json",)


@dataclass(frozen=True, kw_only=True)
class SageMakerEndpoint(CloudResource):
    """A SageMaker endpoint. Outputs: ``arn``, ``name``, ``status``, ``serves``.

    Attributes:
        config: Name of its configuration.
        applied_model: Name of the model of the settings, kept in a tag: a rollout may have it serve
            another one since.
        status: The status wanted.
    """

    KIND = "sagemaker.endpoint"
    TITLE = "SageMaker endpoint"

    config: str
    applied_model: str
    status: str = "InService"


@dataclass(frozen=True, kw_only=True)
class ExistingEndpoint(CloudResource):
    """A SageMaker endpoint that somebody else made. Outputs: ``arn``, ``variant``."""

    KIND = "sagemaker.existing-endpoint"
    TITLE = "existing endpoint"
    EXTERNAL = True


@dataclass(frozen=True, kw_only=True)
class Alarm(CloudResource):
    """A CloudWatch alarm on a metric, or on an expression of several. Outputs: ``arn``.

    Attributes:
        metrics: Name to ``namespace``, ``name`` and ``dimensions`` of each metric.
        expression: Metric math over the names; empty where the one metric itself is watched.
        topic: ARN of the topic that is told.
        periods: How many periods are looked at.
        datapoints: How many of them have to be over the threshold.
    """

    KIND = "cloudwatch.alarm"
    TITLE = "alarm"

    description: str
    metrics: Mapping[str, Document]
    topic: str
    expression: str = ""
    period_seconds: int = 60
    periods: int = 1
    datapoints: int = 1
    statistic: str = "Sum"
    threshold: float = 0.0
    comparison: str = "GreaterThanThreshold"
    missing_data: str = "notBreaching"


CREATION_ORDER: tuple[type[CloudResource], ...] = (
    StorageBucket,
    BucketContents,
    ModelArchive,
    IamRole,
    LogGroup,
    Topic,
    Subscription,
    Queue,
    Rule,
    ExistingEndpoint,
    Function,
    StateMachine,
    Alias,
    Alarm,
    TrainingJob,
    SageMakerModel,
    EndpointConfig,
    SageMakerEndpoint,
)
"""Kinds in an order in which none needs a later one, what costs money last.

They are deleted in the reverse, so that what costs money goes first.
"""
