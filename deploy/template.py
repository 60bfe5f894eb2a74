"""The CloudFormation template of a stack, for those who may only deploy templates. Pure.

It is made from the same resources as a plan, so both say the same. What a template cannot hold, the
functions' zips and the model archive, it expects in a bucket that its parameters name.

More than 400 lines because it has a block for each kind of resource.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from deploy.alarms import metric_queries
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
    Rule,
    SageMakerEndpoint,
    SageMakerModel,
    StateMachine,
    StorageBucket,
    Subscription,
    Topic,
)
from workflow.errors import WorkflowError
from workflow.settings import Settings

Block: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Entries of a template's ``Resources``."""

BUCKET = "ArtifactBucket"
PREFIX = "ArtifactPrefix"
_DIGEST = 10
_TEXT = re.compile(r"\$\{[A-Z]\w*(\.\w+)?\}")


def artifact_names(resources: Iterable[CloudResource]) -> dict[str, bytes]:
    """Return what has to be uploaded before the template is deployed, by its name."""
    found = {}
    for one in resources:
        if isinstance(one, Function | ModelArchive):
            found[_artifact_name(one)] = one.archive
    return found


def make_template(resources: Sequence[CloudResource], settings: Settings) -> dict[str, Any]:
    """Return the template as JSON.

    Args:
        resources: The stack, with its references.
        settings: Whose account and region its ARNs name; it is deployed there and nowhere else.

    Raises:
        WorkflowError: ``NotExportable`` where a template cannot hold a kind: a training job.
    """
    outputs = {one.key: _output_texts(one) for one in resources}
    blocks: dict[str, Any] = {}
    for one in resources:
        if type(one) not in _BLOCKS:
            raise WorkflowError(
                "NotExportable",
                f"A CloudFormation template cannot hold the {one.TITLE} {one.name}.",
                "Train with `python -m deploy apply --train`, then export with --endpoint NAME.",
            )
        blocks |= _BLOCKS[type(one)](one.resolved(outputs), settings)
        if isinstance(one, Function | StateMachine):
            blocks |= _version_block(one)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": (
            f"Scones Unlimited: {settings.prefix} in account {settings.account}, {settings.region}"
        ),
        "Metadata": {
            "Account": settings.account,
            "Region": settings.region,
            "UploadFirst": sorted(artifact_names(resources)),
        },
        "Parameters": {
            BUCKET: {
                "Type": "String",
                "Description": "Bucket that holds what Metadata.UploadFirst lists",
            },
            PREFIX: {
                "Type": "String",
                "Default": "scones-unlimited/",
                "Description": "Prefix of their keys, with its final slash",
            },
        },
        "Resources": _mark_substitutions(blocks),
        "Outputs": {
            "AliasArn": {
                "Description": "Where executions are started",
                "Value": settings.alias_arn,
            }
        },
    }


def _mark_substitutions(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Mark every text that names another resource or a parameter as one to be filled in."""
    if isinstance(value, str):
        # Only with a reference: Fn::Sub on a literal ${...} of a policy would be an error.
        return {"Fn::Sub": value} if _TEXT.search(value) else value
    if isinstance(value, Mapping):
        return {key: _mark_substitutions(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mark_substitutions(item) for item in value]
    return value


def _logical_id(key: Key) -> str:
    """Return the logical id of a resource: letters and digits only."""
    words = re.findall(r"[A-Za-z0-9]+", f"{key.kind.partition('.')[2]} {key.name}")
    return "".join(word[0].upper() + word[1:] for word in words)


def _version_id(resource: CloudResource) -> str:
    """Return the logical id of a version: another where anything differs, for versions last."""
    # CloudFormation publishes nothing for an unchanged logical id, so the id follows the content.
    text = json.dumps(resource.properties(), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{_logical_id(resource.key)}Version{digest}"


def _artifact_name(resource: Function | ModelArchive) -> str:
    if isinstance(resource, ModelArchive):
        return f"model-{resource.digest[:_DIGEST]}.tar.gz"
    digest = hashlib.sha256(resource.archive).hexdigest()[:_DIGEST]
    return f"{resource.name}-{digest}.zip"


def _artifact_key(resource: Function | ModelArchive) -> str:
    return f"${{{PREFIX}}}{_artifact_name(resource)}"


def _output_texts(resource: CloudResource) -> dict[str, str]:
    """Return what others refer to, as CloudFormation writes it."""
    name = _logical_id(resource.key)
    outputs = {"arn": f"${{{name}.Arn}}", "name": f"${{{name}}}"}
    match resource:
        case Function() | StateMachine():
            return {**outputs, "version_arn": f"${{{_version_id(resource)}}}"}
        case Topic():
            return {"arn": f"${{{name}}}"}
        case SageMakerModel():
            return {"name": f"${{{name}.ModelName}}"}
        case EndpointConfig():
            return {"name": f"${{{name}.EndpointConfigName}}"}
        case ModelArchive():
            return {"url": f"s3://${{{BUCKET}}}/{_artifact_key(resource)}"}
    return outputs


def _tag_list(resource: CloudResource) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in resource.tags.items()]


def _bucket_block(bucket: StorageBucket, _settings: Settings) -> Block:
    name = _logical_id(bucket.key)
    rules: list[dict[str, Any]] = [
        {"Id": f"expire-{prefix.strip('/')}", "Prefix": prefix, "ExpirationInDays": days}
        for prefix, days in bucket.expire_days.items()
    ]
    abort = {
        "Id": "abort-incomplete-uploads",
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": bucket.abort_upload_days},
    }
    blocked = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    return {
        name: {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BucketName": bucket.name,
                "PublicAccessBlockConfiguration": dict.fromkeys(blocked, True),
                "BucketEncryption": {
                    "ServerSideEncryptionConfiguration": [
                        {"ServerSideEncryptionByDefault": _encryption_rule(bucket)}
                    ]
                },
                "OwnershipControls": {"Rules": [{"ObjectOwnership": bucket.ownership}]},
                "LifecycleConfiguration": {
                    "Rules": [{**rule, "Status": "Enabled"} for rule in (*rules, abort)]
                },
                "Tags": _tag_list(bucket),
            },
        },
        f"{name}Policy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": f"${{{name}}}", "PolicyDocument": bucket.policy},
        },
    }


def _encryption_rule(bucket: StorageBucket) -> dict[str, str]:
    key = {"KMSMasterKeyID": bucket.kms_key} if bucket.kms_key else {}
    return {"SSEAlgorithm": bucket.encryption, **key}


def _vpc_config(resource: Function | SageMakerModel, subnets: str) -> dict[str, Any]:
    """Return where a resource runs; CloudFormation has two names for the subnets."""
    groups = list(resource.security_groups)
    places = {subnets: list(resource.subnets), "SecurityGroupIds": groups}
    return {"VpcConfig": places} if resource.subnets else {}


def _role_block(role: IamRole, settings: Settings) -> Block:
    documents: dict[str, Document] = {"permissions": role.policy}
    # The model archive lies in the artifact bucket here, which the role's policy does not know.
    if role.name.startswith(f"{settings.prefix}-sagemaker"):
        artifacts = f"arn:{settings.partition}:s3:::${{{BUCKET}}}/${{{PREFIX}}}*"
        documents["artifacts"] = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": artifacts}],
        }
    return _make_block(
        role,
        "AWS::IAM::Role",
        RoleName=role.name,
        Path=role.path,
        **({"PermissionsBoundary": role.boundary} if role.boundary else {}),
        AssumeRolePolicyDocument=role.trust,
        Policies=[
            {"PolicyName": name, "PolicyDocument": document} for name, document in documents.items()
        ],
    )


def _topic_block(topic: Topic, _settings: Settings) -> Block:
    name = _logical_id(topic.key)
    policy = {"Topics": [f"${{{name}}}"], "PolicyDocument": topic.policy}
    return {
        **_make_block(topic, "AWS::SNS::Topic", TopicName=topic.name),
        f"{name}Policy": {"Type": "AWS::SNS::TopicPolicy", "Properties": policy},
    }


def _subscription_block(one: Subscription, _settings: Settings) -> Block:
    return _make_block(
        one, "AWS::SNS::Subscription", TopicArn=one.topic, Protocol="email", Endpoint=one.address
    )


def _queue_block(queue: Queue, _settings: Settings) -> Block:
    name = _logical_id(queue.key)
    policy = {"Queues": [f"${{{name}}}"], "PolicyDocument": queue.policy}
    return {
        **_make_block(
            queue,
            "AWS::SQS::Queue",
            QueueName=queue.name,
            MessageRetentionPeriod=queue.retention_seconds,
            SqsManagedSseEnabled=queue.encrypted,
        ),
        f"{name}Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": policy},
    }


def _rule_block(rule: Rule, _settings: Settings) -> Block:
    return _make_block(
        rule,
        "AWS::Events::Rule",
        Name=rule.name,
        Description=rule.description,
        EventPattern=rule.pattern,
        State=rule.state,
        Targets=[{"Id": "queue", "Arn": rule.target}],
    )


def _log_group_block(group: LogGroup, _settings: Settings) -> Block:
    return _make_block(
        group, "AWS::Logs::LogGroup", LogGroupName=group.name, RetentionInDays=group.retention_days
    )


def _function_block(function: Function, _settings: Settings) -> Block:
    return _make_block(
        function,
        "AWS::Lambda::Function",
        FunctionName=function.name,
        Description=function.description,
        Handler=function.handler,
        Runtime=function.runtime,
        Architectures=[function.architecture],
        Role=function.role,
        MemorySize=function.memory_mb,
        Timeout=function.timeout_seconds,
        Environment={"Variables": function.environment},
        LoggingConfig={"LogFormat": function.log_format, "LogGroup": function.log_group},
        Code={"S3Bucket": f"${{{BUCKET}}}", "S3Key": _artifact_key(function)},
        **_vpc_config(function, "SubnetIds"),
    )


def _state_machine_block(machine: StateMachine, _settings: Settings) -> Block:
    return _make_block(
        machine,
        "AWS::StepFunctions::StateMachine",
        StateMachineName=machine.name,
        StateMachineType="STANDARD",
        RoleArn=machine.role,
        DefinitionString=json.dumps(machine.definition, indent=1),
        LoggingConfiguration={
            "Level": machine.log_level,
            "IncludeExecutionData": False,
            "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": machine.log_group}}],
        },
    )


def _version_block(resource: Function | StateMachine) -> Block:
    """Return a version of a resource; it stays where the next one takes its place."""
    name = f"${{{_logical_id(resource.key)}}}"
    kind, properties = (
        ("AWS::Lambda::Version", {"FunctionName": name})
        if isinstance(resource, Function)
        else ("AWS::StepFunctions::StateMachineVersion", {"StateMachineArn": name})
    )
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    return {_version_id(resource): {"Type": kind, **kept, "Properties": properties}}


def _alias_block(alias: Alias, _settings: Settings) -> Block:
    # All at once: CloudFormation has no shift that goes on from what is there.
    route = {"StateMachineVersionArn": alias.version, "Weight": 100}
    properties = {"Name": alias.name.partition("/")[2], "RoutingConfiguration": [route]}
    kind = "AWS::StepFunctions::StateMachineAlias"
    return {_logical_id(alias.key): {"Type": kind, "Properties": properties}}


def _model_block(model: SageMakerModel, _settings: Settings) -> Block:
    container = {"Image": model.image, "ModelDataUrl": model.model_data}
    return _make_block(
        model,
        "AWS::SageMaker::Model",
        ModelName=model.name,
        ExecutionRoleArn=model.role,
        PrimaryContainer={**container, "Environment": model.environment},
        **_vpc_config(model, "Subnets"),
    )


def _endpoint_config_block(config: EndpointConfig, _settings: Settings) -> Block:
    return _make_block(
        config,
        "AWS::SageMaker::EndpointConfig",
        EndpointConfigName=config.name,
        ProductionVariants=[
            {
                "VariantName": config.variant,
                "ModelName": config.model,
                "InstanceType": config.instance_type,
                "InitialInstanceCount": config.instance_count,
                "InitialVariantWeight": 1.0,
            }
        ],
        DataCaptureConfig={
            "EnableCapture": config.capture_enabled,
            "InitialSamplingPercentage": config.sampling_percentage,
            "DestinationS3Uri": config.capture_url,
            "CaptureOptions": [{"CaptureMode": mode} for mode in config.capture_modes],
            "CaptureContentTypeHeader": {
                "CsvContentTypes": config.csv_content_types,
                "JsonContentTypes": config.json_content_types,
            },
        },
    )


def _endpoint_block(endpoint: SageMakerEndpoint, _settings: Settings) -> Block:
    return _make_block(
        endpoint,
        "AWS::SageMaker::Endpoint",
        EndpointName=endpoint.name,
        EndpointConfigName=endpoint.config,
    )


def _alarm_block(alarm: Alarm, _settings: Settings) -> Block:
    return _make_block(
        alarm,
        "AWS::CloudWatch::Alarm",
        AlarmName=alarm.name,
        AlarmDescription=alarm.description,
        AlarmActions=[alarm.topic],
        Metrics=metric_queries(alarm),
        EvaluationPeriods=alarm.periods,
        DatapointsToAlarm=alarm.datapoints,
        Threshold=alarm.threshold,
        ComparisonOperator=alarm.comparison,
        TreatMissingData=alarm.missing_data,
    )


def _no_block(_resource: CloudResource, _settings: Settings) -> Block:
    """Return no entry, for what is uploaded, or exists already."""
    return {}


def _make_block(resource: CloudResource, kind: str, **properties: Any) -> Block:  # noqa: ANN401 - any JSON
    tags = {"Tags": _tag_list(resource)} if resource.tags else {}
    return {_logical_id(resource.key): {"Type": kind, "Properties": {**properties, **tags}}}


_BLOCKS: Mapping[type[CloudResource], Callable[[Any, Settings], Block]] = {
    Alarm: _alarm_block,
    Alias: _alias_block,
    StorageBucket: _bucket_block,
    SageMakerEndpoint: _endpoint_block,
    EndpointConfig: _endpoint_config_block,
    ExistingEndpoint: _no_block,
    Function: _function_block,
    LogGroup: _log_group_block,
    SageMakerModel: _model_block,
    ModelArchive: _no_block,
    Queue: _queue_block,
    IamRole: _role_block,
    Rule: _rule_block,
    StateMachine: _state_machine_block,
    Subscription: _subscription_block,
    Topic: _topic_block,
}
