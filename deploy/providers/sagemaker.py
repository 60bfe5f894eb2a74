"""SageMaker: training jobs, models, endpoint configurations and endpoints."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

from deploy.cloud import Observed
from deploy.promotion import SERVES, VARIANTS
from deploy.providers.clients import Aws, tag_list, tag_map
from deploy.providers.errors import code_of, message_of
from deploy.resources import (
    EndpointConfig,
    Key,
    SageMakerEndpoint,
    SageMakerModel,
    TrainingJob,
)
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from types_boto3_sagemaker.type_defs import (
        DescribeEndpointConfigOutputTypeDef,
        DescribeEndpointOutputTypeDef,
        ProductionVariantOutputTypeDef,
    )

STEADY = frozenset({"InService", "Failed", "OutOfService", "UpdateRollbackFailed"})
"""States of an endpoint that last."""

APPLIED_MODEL: Final = "scones-applied-model"
"""Tag of an endpoint: the model of the settings that was applied last."""

Result = TypeVar("Result")


class ModelProvider:
    """Reads and writes :class:`SageMakerModel`."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._sagemaker = aws.sagemaker

    def read(self, name: str) -> Observed | None:
        """Return the container of the model."""
        model = _found(lambda: self._sagemaker.describe_model(ModelName=name))
        if model is None:
            return None
        container = model.get("PrimaryContainer", {})
        return Observed(
            properties={
                "image": container.get("Image"),
                "model_data": container.get("ModelDataUrl"),
                "role": model.get("ExecutionRoleArn"),
                "environment": dict(container.get("Environment", {})),
                **read_placement(model),
            },
            outputs={"name": name},
            tags=sagemaker_tags(self._aws, model["ModelArn"]),
        )

    def create(self, resource: SageMakerModel) -> Iterator[str]:
        """Create the model; SageMaker checks role and archive at once."""
        yield "Creating the model"
        self._sagemaker.create_model(
            ModelName=resource.name,
            ExecutionRoleArn=resource.role,
            PrimaryContainer={
                "Image": resource.image,
                "ModelDataUrl": resource.model_data,
                "Environment": dict(resource.environment),
            },
            Tags=tag_list(resource.tags),
            **vpc_config(resource),
        )

    def delete(self, name: str) -> Iterator[str]:
        """Delete the model; its archive stays."""
        yield "Deleting the model"
        _found(lambda: self._sagemaker.delete_model(ModelName=name))

    def list_names(self, containing: str) -> list[str]:
        """Return the names of the models that hold a text."""
        pages = self._sagemaker.get_paginator("list_models").paginate(NameContains=containing)
        return [one["ModelName"] for page in pages for one in page["Models"]]


class EndpointConfigProvider:
    """Reads and writes :class:`EndpointConfig`."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._sagemaker = aws.sagemaker

    def read(self, name: str) -> Observed | None:
        """Return the one variant and the data capture of the configuration."""
        config = _found(lambda: self._sagemaker.describe_endpoint_config(EndpointConfigName=name))
        if config is None:
            return None
        variant = config["ProductionVariants"][0]
        capture: Mapping[str, Any] = config.get("DataCaptureConfig", {})
        headers = capture.get("CaptureContentTypeHeader", {})
        return Observed(
            properties={
                "model": variant.get("ModelName"),
                "variant": variant["VariantName"],
                "instance_type": variant.get("InstanceType"),
                "instance_count": variant.get("InitialInstanceCount"),
                "sampling_percentage": capture.get("InitialSamplingPercentage"),
                "capture_url": capture.get("DestinationS3Uri"),
                "capture_enabled": capture.get("EnableCapture", False),
                "capture_modes": [one["CaptureMode"] for one in capture.get("CaptureOptions", ())],
                "csv_content_types": list(headers.get("CsvContentTypes", ())),
                "json_content_types": list(headers.get("JsonContentTypes", ())),
            },
            outputs={"name": name, VARIANTS: str(len(_all_variants(config)))},
            tags=sagemaker_tags(self._aws, config["EndpointConfigArn"]),
            created=config["CreationTime"],
        )

    def create(self, resource: EndpointConfig) -> Iterator[str]:
        """Create the configuration.

        The content types are named because without them SageMaker captures all data as base64.
        """
        yield "Creating the endpoint configuration"
        self._sagemaker.create_endpoint_config(**_config_request(resource))

    def delete(self, name: str) -> Iterator[str]:
        """Delete the configuration."""
        yield "Deleting the endpoint configuration"
        _found(lambda: self._sagemaker.delete_endpoint_config(EndpointConfigName=name))

    def list_names(self, containing: str) -> list[str]:
        """Return the names of the endpoint configurations that hold a text."""
        pages = self._sagemaker.get_paginator("list_endpoint_configs").paginate(
            NameContains=containing
        )
        return [one["EndpointConfigName"] for page in pages for one in page["EndpointConfigs"]]


class EndpointProvider:
    """Reads and writes :class:`SageMakerEndpoint`."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._sagemaker = aws.sagemaker

    def read(self, name: str) -> Observed | None:
        """Return configuration and status of the endpoint."""
        endpoint = self._describe_endpoint(name)
        # One that is being deleted is as good as gone: create waits until it is.
        if endpoint is None or endpoint["EndpointStatus"] == "Deleting":
            return None
        status, config = endpoint["EndpointStatus"], endpoint.get("EndpointConfigName", "")
        tags = sagemaker_tags(self._aws, endpoint["EndpointArn"])
        return Observed(
            properties={
                "config": config,
                "applied_model": tags.get(APPLIED_MODEL, ""),
                "status": status,
            },
            outputs={**_endpoint_outputs(endpoint), SERVES: self._serving_models(endpoint, config)},
            tags=tags,
            failure=f"It is {status}: {_failure_reason(endpoint)}"
            if status in STEADY - {"InService"}
            else "",
        )

    def create(self, resource: SageMakerEndpoint) -> Iterator[str]:
        """Create the endpoint and wait, some minutes, until it is in service."""
        yield from self._wait_until_steady(resource.name)
        self._sagemaker.create_endpoint(
            EndpointName=resource.name,
            EndpointConfigName=resource.config,
            Tags=tag_list({**resource.tags, APPLIED_MODEL: resource.applied_model}),
        )
        yield from self._wait_until_in_service(resource)

    def update(self, resource: SageMakerEndpoint, observed: Observed) -> Iterator[str]:
        """Move to another configuration: SageMaker keeps the old fleet until the new one serves."""
        yield from self._wait_until_steady(resource.name)
        endpoint = self._describe_endpoint(resource.name)
        # An earlier run that was cut off may have begun this update: then it is only waited for.
        if endpoint is None or endpoint.get("EndpointConfigName") != resource.config:
            self._sagemaker.update_endpoint(
                EndpointName=resource.name, EndpointConfigName=resource.config
            )
        yield from self._wait_until_in_service(resource)
        # Last: an update that is cut off leaves the settings' model one that is still asked for.
        self._sagemaker.add_tags(
            ResourceArn=str(observed.outputs["arn"]),
            Tags=tag_list({APPLIED_MODEL: resource.applied_model}),
        )

    def delete(self, name: str) -> Iterator[str]:
        """Delete the endpoint and wait until it is gone; until then it costs money."""
        yield from self._wait_until_steady(name)
        _found(lambda: self._sagemaker.delete_endpoint(EndpointName=name))
        yield from self._wait_until_steady(name)

    def _describe_endpoint(self, name: str) -> "DescribeEndpointOutputTypeDef | None":
        return _found(lambda: self._sagemaker.describe_endpoint(EndpointName=name))

    def _serving_models(self, endpoint: "DescribeEndpointOutputTypeDef", config: str) -> str:
        """Return the names of the models that get requests, the first variant's first."""
        described = _found(
            lambda: self._sagemaker.describe_endpoint_config(EndpointConfigName=config)
        )
        if described is None:
            return ""
        # A variant of weight 0 gets no requests: it serves nothing, whatever its configuration
        # says.
        idle = {
            one["VariantName"]
            for one in endpoint.get("ProductionVariants", ())
            if one.get("CurrentWeight") == 0
        }
        models = (
            one.get("ModelName", "")
            for one in _all_variants(described)
            if one["VariantName"] not in idle
        )
        return " ".join(dict.fromkeys(models))

    def _wait_until_steady(self, name: str) -> Iterator[str]:
        """Wait while the endpoint is changing; SageMaker refuses to touch it meanwhile."""
        for wait in self._aws.growing_waits():
            endpoint = self._describe_endpoint(name)
            if endpoint is None or endpoint["EndpointStatus"] in STEADY:
                return
            yield f"Waiting for the endpoint: {endpoint['EndpointStatus']}"
            wait()

    def _wait_until_in_service(self, resource: SageMakerEndpoint) -> Iterator[str]:
        # One that is not found was asked for too early: that is the caller's to wait for.
        for wait in self._aws.growing_waits():
            endpoint = self._sagemaker.describe_endpoint(EndpointName=resource.name)
            if endpoint["EndpointStatus"] in STEADY:
                break
            yield f"Waiting for the endpoint: {endpoint['EndpointStatus']}"
            wait()
        status, config = endpoint["EndpointStatus"], endpoint.get("EndpointConfigName")
        if status != "InService" or config != resource.config:
            raise WorkflowError(
                "EndpointFailed",
                f"The endpoint {resource.name} is {status} with the configuration {config},"
                f" not in service with {resource.config}: {_failure_reason(endpoint)}",
                "Read the log group /aws/sagemaker/Endpoints/"
                f"{resource.name}, correct the cause, then apply again.",
            )


class ExistingEndpointProvider:
    """Reads an endpoint that somebody else made."""

    def __init__(self, aws: Aws) -> None:
        self._sagemaker = aws.sagemaker

    def read(self, name: str) -> Observed | None:
        """Return the endpoint, where there is one."""
        endpoint = _found(lambda: self._sagemaker.describe_endpoint(EndpointName=name))
        if endpoint is None:
            return None
        return Observed(properties={}, outputs=_endpoint_outputs(endpoint))


def own_names(aws: Aws, prefix: str) -> list[Key]:
    """Return keys of the models and endpoint configurations named by prefix and digest."""
    pattern = re.compile(rf"{re.escape(prefix)}-[0-9a-f]{{12}}")
    listed = (
        (SageMakerModel.KIND, ModelProvider(aws).list_names(prefix)),
        (EndpointConfig.KIND, EndpointConfigProvider(aws).list_names(prefix)),
    )
    return [Key(kind, name) for kind, names in listed for name in names if pattern.fullmatch(name)]


def _found(call: Callable[[], Result]) -> Result | None:
    """Return the answer, or None where SageMaker says "could not find" (ValidationException)."""
    try:
        return call()
    except ClientError as error:
        absent = "could not find" in message_of(error).lower()
        if code_of(error) in {"ValidationException", "ResourceNotFound"} and absent:
            return None
        raise


def read_placement(described: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return where a model or a training job runs."""
    vpc = described.get("VpcConfig", {})
    return {
        "subnets": sorted(vpc.get("Subnets", ())),
        "security_groups": sorted(vpc.get("SecurityGroupIds", ())),
    }


def vpc_config(resource: SageMakerModel | TrainingJob) -> Any:  # noqa: ANN401 - boto3's own shape
    """Return the ``VpcConfig`` of a request; nothing where the resource is in no VPC."""
    if not resource.subnets:
        return {}
    groups = list(resource.security_groups)
    return {"VpcConfig": {"Subnets": list(resource.subnets), "SecurityGroupIds": groups}}


def sagemaker_tags(aws: Aws, arn: str) -> dict[str, str]:
    """Return the tags of a resource of SageMaker."""
    pages = aws.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    return tag_map(tag for page in pages for tag in page["Tags"])


def _all_variants(
    config: "DescribeEndpointConfigOutputTypeDef",
) -> list["ProductionVariantOutputTypeDef"]:
    """Return the production variants of a configuration, then its shadow variants."""
    return [*config["ProductionVariants"], *config.get("ShadowProductionVariants", ())]


def _failure_reason(endpoint: "DescribeEndpointOutputTypeDef") -> str:
    return endpoint.get("FailureReason") or "SageMaker gives no reason."


def _endpoint_outputs(endpoint: "DescribeEndpointOutputTypeDef") -> dict[str, str]:
    return {
        "arn": endpoint["EndpointArn"],
        "name": endpoint["EndpointName"],
        "status": endpoint["EndpointStatus"],
    }


def _config_request(config: EndpointConfig) -> dict[str, Any]:
    return {
        "EndpointConfigName": config.name,
        "ProductionVariants": [
            {
                "VariantName": config.variant,
                "ModelName": config.model,
                "InitialInstanceCount": config.instance_count,
                "InstanceType": config.instance_type,
                "InitialVariantWeight": 1.0,
            }
        ],
        "DataCaptureConfig": {
            "EnableCapture": config.capture_enabled,
            "InitialSamplingPercentage": config.sampling_percentage,
            "DestinationS3Uri": config.capture_url,
            "CaptureOptions": [{"CaptureMode": mode} for mode in config.capture_modes],
            "CaptureContentTypeHeader": {
                "CsvContentTypes": list(config.csv_content_types),
                "JsonContentTypes": list(config.json_content_types),
            },
        },
        "Tags": tag_list(config.tags),
    }
