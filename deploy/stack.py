"""The stack: every resource of a deployment, in an order in which none needs a later one. Pure.

More than 400 lines because it lists every resource of a deployment in the order in which they are
made.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from deploy import alarms, policies
from deploy.package import Artifacts, lambda_digest
from deploy.resources import (
    Alarm,
    Alias,
    CloudResource,
    Document,
    EndpointConfig,
    ExistingEndpoint,
    Function,
    IamRole,
    Key,
    LogGroup,
    ModelArchive,
    Queue,
    Ref,
    Rule,
    SageMakerEndpoint,
    SageMakerModel,
    StateMachine,
    StorageBucket,
    Subscription,
    Topic,
    TrainingJob,
)
from workflow.settings import Settings
from workflow.thresholds import check_threshold

LOG_RETENTION_DAYS = 30
CAPTURE_RETENTION_DAYS = 365
QUEUE_RETENTION_SECONDS = 14 * 24 * 60 * 60
"""The longest SQS allows: a dashboard that is off for a week loses nothing."""
VARIANT = "AllTraffic"
MEMORY_MB = 512
"""A 6 MB photo is held as bytes, as base64 and as JSON; CPU share grows with memory."""
TIMEOUT_SECONDS = {"serialize_image": 60, "classify_image": 120, "filter_inferences": 60}
"""Longer than what the function itself waits for (SageMaker lets a model think for 60 s), and
shorter than the state machine waits for its task."""

# The hyperparameters of the starter notebook of the original project; the numbers of samples and
# classes are those of the list file.
HYPERPARAMETERS = {"image_shape": "3,32,32"}
TRAINING_VOLUME_GB = 50
TRAINING_SECONDS = 3600

_DIGEST_LENGTH = 12


def build_stack(
    settings: Settings, artifacts: Artifacts, *, weight: int = 100
) -> tuple[CloudResource, ...]:
    """Return everything a deployment is made of.

    Args:
        settings: What it is called and how it behaves.
        artifacts: The bytes and documents it is made from.
        weight: Percentage of new executions that reach a new version of the state machine.

    Returns:
        The resources; each refers only to earlier ones. An endpoint of our own comes last: what
        fails before it costs nothing.

    Raises:
        WorkflowError: ``SettingInvalid`` where the threshold is too low for the number of classes.
    """
    check_threshold(settings.threshold, len(artifacts.classes))
    existing, created = _make_serving(settings, artifacts)
    return (
        _make_bucket(settings),
        *_make_alerts(settings),
        *_make_executions_events(settings),
        *existing,
        *_make_functions(settings, artifacts),
        *_make_state_machine(settings, artifacts.definition, weight),
        *alarms.make_alarms(settings, _function_names(settings).values()),
        *created,
    )


def stack_keys(settings: Settings) -> tuple[Key, ...]:
    """Return the keys of all resources with fixed names that a deployment may ever have made.

    What is there but no longer wanted, such as the endpoint after ``--endpoint NAME``, is found
    through these; resources named by digest are found by ``Cloud.find``.
    """
    names = _fixed_names(settings)
    return tuple(Key(kind.KIND, name) for kind, found in names.items() for name in found)


def _fixed_names(settings: Settings) -> dict[type[CloudResource], tuple[str, ...]]:
    functions = _function_names(settings).values()
    return {
        StorageBucket: (settings.bucket,),
        IamRole: tuple(
            role_name(settings, part)
            for part in ("serialize", "classify", "filter", "states", "sagemaker")
        ),
        LogGroup: (
            *map(_function_log_group, functions),
            _states_log_group(settings),
            _endpoint_log_group(settings),
        ),
        Topic: (settings.topic,),
        Queue: (settings.executions_queue,),
        Rule: (
            settings.executions_rule,
            alarms.faults_rule(settings),
            alarms.input_rule(settings),
        ),
        SageMakerEndpoint: (settings.prefix,),
        Function: tuple(functions),
        StateMachine: (settings.state_machine,),
        Alias: (f"{settings.state_machine}/{settings.alias}",),
        Alarm: alarms.alarm_names(settings, functions),
    }


def name_with_digest(prefix: str, kind: type[CloudResource], **values: Any) -> str:  # noqa: ANN401 - any field
    """Return a name that ends in a digest of the specification, for immutable kinds."""
    known = {item.name for item in fields(kind)}
    if unknown := values.keys() - known:
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    # References are digested as text: the name is known before the values are.
    text = json.dumps(values, sort_keys=True)
    return f"{prefix}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]}"


def _make_bucket(settings: Settings) -> StorageBucket:
    return StorageBucket(
        name=settings.bucket,
        tags=settings.tags,
        policy=policies.bucket_policy(settings),
        expire_days={f"{settings.capture_prefix}/": CAPTURE_RETENTION_DAYS},
        # SSE-S3 needs no permissions; with a key of the organisation the roles need kms:Decrypt.
        encryption="aws:kms" if settings.organisation.kms_key else "AES256",
        kms_key=settings.organisation.kms_key,
    )


def _make_alerts(settings: Settings) -> tuple[CloudResource, ...]:
    topic = Topic(
        name=settings.topic,
        tags=settings.tags,
        policy=policies.topic_policy(settings, settings.topic_arn),
    )
    if settings.alarm_email is None:
        return (topic,)
    subscription = Subscription(
        name=f"{settings.topic}/{settings.alarm_email}",
        topic=Ref(topic.key, "arn"),
        address=settings.alarm_email,
    )
    return (topic, subscription)


def _make_executions_events(settings: Settings) -> tuple[CloudResource, ...]:
    arn = settings.arn("sqs", settings.executions_queue)
    queue = Queue(
        name=settings.executions_queue,
        tags=settings.tags,
        policy=policies.queue_policy(settings, arn),
        retention_seconds=QUEUE_RETENTION_SECONDS,
    )
    rule = Rule(
        name=settings.executions_rule,
        tags=settings.tags,
        description="Status changes of executions, for the dashboard",
        pattern=alarms.status_changes(settings),
        target=Ref(queue.key, "arn"),
    )
    return (queue, rule, *alarms.make_rules(settings, queue))


def part_role(
    settings: Settings, part: str, trust: Document, policy: Document
) -> tuple[tuple[IamRole, ...], str]:
    """Return the role of a part, none where the organisation gives one, and its ARN.

    Args:
        settings: Which deployment.
        part: Such as ``classify``.
        trust: Who may assume it.
        policy: What it may do.
    """
    if part in settings.organisation.roles:
        return (), settings.organisation.roles[part]
    role = IamRole(
        name=role_name(settings, part),
        tags=settings.tags,
        trust=trust,
        policy=policies.prescribed(settings, policy, part=part),
        path=settings.organisation.role_path,
        boundary=settings.organisation.permissions_boundary,
    )
    return (role,), Ref(role.key, "arn")


def _role_with_path(settings: Settings, role: str) -> str:
    """Return a role as it enters a name: its ARN has the path, which a reference does not show."""
    path = settings.organisation.role_path
    return role if path == "/" else f"{path} {role}"


def _network_placement(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return where functions, models and training jobs run; nothing where they are in no VPC."""
    organisation = settings.organisation
    if not organisation.subnets:
        return {}
    return {"subnets": organisation.subnets, "security_groups": organisation.security_groups}


def _make_serving(
    settings: Settings, artifacts: Artifacts
) -> tuple[tuple[CloudResource, ...], tuple[CloudResource, ...]]:
    """Return what answers InvokeEndpoint: what exists, and what is created."""
    if settings.existing_endpoint is not None:
        return (ExistingEndpoint(name=settings.existing_endpoint),), ()
    roles, role = part_role(
        settings,
        "sagemaker",
        policies.trust("sagemaker.amazonaws.com", settings, settings.arn("sagemaker", "*")),
        policies.endpoint_policy(settings, artifacts.image, training_data=settings.training_data),
    )
    log_group = _make_log_group(settings, _endpoint_log_group(settings))
    source, model = _make_model(settings, artifacts, role)
    config = endpoint_config(settings, Ref(model.key, "name"))
    endpoint = SageMakerEndpoint(
        name=settings.endpoint,
        tags=settings.tags,
        config=Ref(config.key, "name"),
        applied_model=Ref(model.key, "name"),
    )
    return (), (*roles, log_group, source, model, config, endpoint)


def _make_model(
    settings: Settings, artifacts: Artifacts, role: str
) -> tuple[CloudResource, SageMakerModel]:
    environment: dict[str, str] = {}
    if settings.training_data is None:
        source: CloudResource = _make_archive(settings, artifacts)
        model_data = Ref(source.key, "url")
        # Where the PyTorch inference container finds our code (SageMaker inference toolkit).
        environment = {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            "SAGEMAKER_REGION": settings.region,
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
        }
    else:
        source = _make_training_job(settings, settings.training_data, artifacts, role)
        model_data = Ref(source.key, "model_data")
    spec: dict[str, Any] = {
        "image": artifacts.image,
        "model_data": model_data,
        "role": role,
        "environment": environment,
        **_network_placement(settings),
    }
    name = name_with_digest(
        settings.prefix, SageMakerModel, **{**spec, "role": _role_with_path(settings, role)}
    )
    return source, SageMakerModel(name=name, tags=settings.tags, **spec)


def _make_archive(settings: Settings, artifacts: Artifacts) -> ModelArchive:
    key = f"{settings.model_prefix}{artifacts.model_digest}/model.tar.gz"
    return ModelArchive(
        name=f"{settings.bucket}/{key}",
        bucket=Ref(Key(StorageBucket.KIND, settings.bucket), "name"),
        digest=artifacts.model_digest,
        archive=artifacts.model,
    )


def training_list(data: str) -> str:
    """Return the address of the list file below a prefix of training data."""
    return f"{data.rstrip('/')}/train.lst"


def _make_training_job(
    settings: Settings, data: str, artifacts: Artifacts, role: str
) -> TrainingJob:
    samples = {
        "num_classes": str(len(artifacts.classes)),
        "num_training_samples": str(artifacts.training_samples),
    }
    data = data.rstrip("/")
    spec: dict[str, Any] = {
        "image": artifacts.image,
        "role": role,
        "hyperparameters": {**HYPERPARAMETERS, **samples},
        # The channels of the starter notebook.
        "channels": {
            "train": f"{data}/train/",
            "validation": f"{data}/test/",
            "train_lst": training_list(data),
            "validation_lst": f"{data}/test.lst",
        },
        "output": f"s3://{settings.bucket}/{settings.model_prefix}",
        "instance_type": settings.training_instance,
        "volume_gb": TRAINING_VOLUME_GB,
        "max_seconds": TRAINING_SECONDS,
        **_network_placement(settings),
    }
    told = {**spec, "role": _role_with_path(settings, role)}
    name = name_with_digest(settings.prefix, TrainingJob, **told)
    return TrainingJob(name=name, tags=settings.tags, **spec)


def endpoint_config(settings: Settings, model: str) -> EndpointConfig:
    """Return the configuration that serves a model by its name, or a reference to it."""
    spec: dict[str, Any] = {
        "model": model,
        "variant": VARIANT,
        "instance_type": settings.instance_type,
        "sampling_percentage": settings.sampling_percentage,
        "capture_url": f"s3://{settings.bucket}/{settings.capture_prefix}",
    }
    name = name_with_digest(settings.prefix, EndpointConfig, **spec)
    return EndpointConfig(name=name, tags=settings.tags, **spec)


def _make_functions(settings: Settings, artifacts: Artifacts) -> tuple[CloudResource, ...]:
    names = _function_names(settings)
    classes = {"SCONES_CLASSES": json.dumps(artifacts.classes)}
    environments = {
        "serialize_image": {},
        "classify_image": {"SCONES_ENDPOINT": settings.endpoint, **classes},
        "filter_inferences": {"SCONES_THRESHOLD": str(settings.threshold), **classes},
    }
    documents = {
        "serialize_image": policies.serialize_policy,
        "classify_image": policies.classify_policy,
        "filter_inferences": policies.filter_policy,
    }
    roles = {
        part: part_role(
            settings,
            part.partition("_")[0],
            policies.trust(
                "lambda.amazonaws.com", settings, *_with_versions(_function_arn(settings, part))
            ),
            document(settings, _function_log_group(names[part])),
        )
        for part, document in documents.items()
    }
    groups = [_make_log_group(settings, _function_log_group(name)) for name in names.values()]
    functions = [
        _make_function(settings, artifacts, part, environment, role=roles[part][1])
        for part, environment in environments.items()
    ]
    return (*(role for made, _ in roles.values() for role in made), *groups, *functions)


def _make_function(
    settings: Settings,
    artifacts: Artifacts,
    part: str,
    environment: Mapping[str, str],
    *,
    role: str,
) -> Function:
    name = _function_names(settings)[part]
    archive = artifacts.functions[part]
    return Function(
        name=name,
        tags=settings.tags,
        handler=f"lambdas.{part}.handler.handler",
        role=role,
        log_group=Ref(Key(LogGroup.KIND, _function_log_group(name)), "name"),
        description=f"Scones Unlimited: {part.replace('_', ' ')}",
        environment=environment,
        memory_mb=MEMORY_MB,
        timeout_seconds=TIMEOUT_SECONDS[part],
        code_sha256=lambda_digest(archive),
        archive=archive,
        subnets=settings.organisation.subnets,
        security_groups=settings.organisation.security_groups,
    )


def _make_state_machine(
    settings: Settings, definition: Document, weight: int
) -> tuple[CloudResource, ...]:
    roles, role = part_role(
        settings,
        "states",
        policies.trust(
            "states.amazonaws.com", settings, *_with_versions(settings.state_machine_arn)
        ),
        policies.states_policy(settings),
    )
    log_group = _make_log_group(settings, _states_log_group(settings))
    machine = StateMachine(
        name=settings.state_machine,
        tags=settings.tags,
        definition=_fill_in(definition, _function_names(settings)),
        role=role,
        log_group=Ref(log_group.key, "arn"),
        log_level="ERROR",
    )
    alias = Alias(
        name=f"{settings.state_machine}/{settings.alias}",
        tags=settings.tags,
        version=Ref(machine.key, "version_arn"),
        weight=weight,
    )
    return (*roles, log_group, machine, alias)


def _fill_in(definition: Document, names: Mapping[str, str]) -> Document:
    """Return the definition with ``${SerializeImageArn}`` and the like as function versions."""
    text = json.dumps(definition)
    for part, name in names.items():
        placeholder = "${" + part.title().replace("_", "") + "Arn}"
        # A version and not the function: a running execution keeps the code it began with.
        text = text.replace(placeholder, Ref(Key(Function.KIND, name), "version_arn"))
    filled: Document = json.loads(text)
    return filled


def _function_names(settings: Settings) -> dict[str, str]:
    return {
        "serialize_image": settings.serialize_function,
        "classify_image": settings.classify_function,
        "filter_inferences": settings.filter_function,
    }


def _function_arn(settings: Settings, part: str) -> str:
    return settings.arn("lambda", f"function:{_function_names(settings)[part]}")


def _with_versions(arn: str) -> tuple[str, str]:
    """Return the ARN itself and those of its versions and aliases."""
    return arn, f"{arn}:*"


def role_name(settings: Settings, part: str) -> str:
    """Return the name of a role; IAM is global, so it holds the region."""
    return f"{settings.prefix}-{part}-{settings.region}"


def _function_log_group(function: str) -> str:
    return f"/aws/lambda/{function}"


def _endpoint_log_group(settings: Settings) -> str:
    """Return where SageMaker writes what the container of the endpoint says."""
    return f"/aws/sagemaker/Endpoints/{settings.prefix}"


def _states_log_group(settings: Settings) -> str:
    """Return the log group, under a prefix whose resource policy AWS keeps short by itself."""
    return f"/aws/vendedlogs/states/{settings.state_machine}"


def _make_log_group(settings: Settings, name: str) -> LogGroup:
    return LogGroup(name=name, tags=settings.tags, retention_days=LOG_RETENTION_DAYS)
