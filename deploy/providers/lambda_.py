"""Lambda: functions, their code and configuration, and the versions they are published as."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from deploy.cloud import Observed
from deploy.providers.clients import Aws, call_or_none
from deploy.resources import Function, Json
from workflow.aws_errors import translate
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import FunctionConfigurationTypeDef

CODE_FIELDS = frozenset({"code_sha256", "architecture"})
"""Properties that belong to the code; the others belong to the configuration."""


class FunctionProvider:
    """Reads and writes :class:`Function`."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._lambda = aws.functions

    def read(self, name: str) -> Observed | None:
        """Return the function as it is now, and the newest version if it equals it."""
        answer = call_or_none(
            lambda: self._lambda.get_function(FunctionName=name), "ResourceNotFoundException"
        )
        if answer is None:
            return None
        told: Mapping[str, Any] = {**answer}  # its stub calls the key required
        if refused := told.get("TagsError"):
            raise translate(
                operation="lambda:ListTags",
                code=refused["ErrorCode"],
                message=refused["Message"],
                subject=name,
            )
        now = answer["Configuration"]
        properties = _read_properties(now)
        version = self._newest_version(name)
        # A version keeps its configuration for ever: equal to $LATEST means nothing is left to
        # publish.
        published = version is not None and _read_properties(version) == properties
        outputs = {"arn": now["FunctionArn"]}
        if version is not None and published:
            outputs["version"] = version["Version"]
            outputs["version_arn"] = f"{now['FunctionArn']}:{version['Version']}"
        return Observed(
            properties={**properties, "state": _describe_state(now), "published": published},
            outputs=outputs,
            tags=answer.get("Tags", {}),
            failure=_failure_reason(now),
        )

    def create(self, resource: Function) -> Iterator[str]:
        """Create and publish, and wait until the version can be invoked."""
        yield "Creating the function"
        answer = self._lambda.create_function(
            **_function_request(resource),
            Code={"ZipFile": resource.archive},
            Architectures=[resource.architecture],  # type: ignore[list-item]  # a Literal
            PackageType="Zip",
            Publish=True,
            Tags=dict(resource.tags),
        )
        yield from self._wait_until_ready(resource.name)
        yield from self._wait_until_ready(f"{resource.name}:{answer['Version']}")

    def update(self, resource: Function, observed: Observed) -> Iterator[str]:
        """Change code, then configuration, then publish; each only once the last has settled."""
        # Lambda refuses a change while another is under way (ResourceConflictException).
        yield from self._wait_until_ready(resource.name)
        wanted = resource.properties()
        changed = {key for key, value in observed.properties.items() if wanted[key] != value}
        if changed & CODE_FIELDS:
            yield "Uploading the code"
            self._lambda.update_function_code(
                FunctionName=resource.name,
                ZipFile=resource.archive,
                Architectures=[resource.architecture],  # type: ignore[list-item]  # a Literal
                RevisionId=self._read_revision(resource.name),
            )
            yield from self._wait_until_ready(resource.name)
        if changed - CODE_FIELDS - {"state", "published"}:
            yield "Updating the configuration"
            self._lambda.update_function_configuration(
                **_function_request(resource, before=observed),
                RevisionId=self._read_revision(resource.name),
            )
            yield from self._wait_until_ready(resource.name)
        yield "Publishing a version"
        answer = self._lambda.publish_version(
            FunctionName=resource.name,
            # Lambda refuses to publish if the code is no longer the one that was uploaded.
            CodeSha256=resource.code_sha256,
            RevisionId=self._read_revision(resource.name),
        )
        yield from self._wait_until_ready(f"{resource.name}:{answer['Version']}")

    def delete(self, name: str) -> Iterator[str]:
        """Delete the function with all its versions."""
        yield "Deleting the function"
        call_or_none(
            lambda: self._lambda.delete_function(FunctionName=name), "ResourceNotFoundException"
        )

    def _newest_version(self, name: str) -> "FunctionConfigurationTypeDef | None":
        pages = self._lambda.get_paginator("list_versions_by_function").paginate(FunctionName=name)
        versions = [
            version
            for page in pages
            for version in page["Versions"]
            if version["Version"] != "$LATEST"
        ]
        # Versions are numbers written as text: "10" sorts before "9".
        return max(versions, key=lambda version: int(version["Version"]), default=None)

    def _wait_until_ready(self, name: str) -> Iterator[str]:
        for wait in self._aws.growing_waits():
            now = self._lambda.get_function_configuration(FunctionName=name)
            if failure := _failure_reason(now):
                raise WorkflowError(
                    "FunctionFailed",
                    f"The function {name} failed: {failure}",
                    "Correct what the message names, then apply again.",
                )
            if _describe_state(now) == "Active":
                return
            yield f"Waiting until the function is ready: {_describe_state(now)}"
            wait()

    def _read_revision(self, name: str) -> str:
        """Return the revision to change, so that a change by somebody else meanwhile is noticed."""
        return self._lambda.get_function_configuration(FunctionName=name)["RevisionId"]


def read_variables(aws: Aws, function: str) -> Mapping[str, str]:
    """Return the environment of a function, or of the version of it that an ARN names."""
    answer = aws.functions.get_function_configuration(FunctionName=function)
    return answer.get("Environment", {}).get("Variables", {})


def read_concurrency(aws: Aws) -> int:
    """Return how many executions of functions the account may run at once in the region."""
    return aws.functions.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]


def _read_properties(now: "FunctionConfigurationTypeDef") -> dict[str, Json]:
    logging = now.get("LoggingConfig", {})
    return {
        "handler": now.get("Handler"),
        "role": now.get("Role"),
        "log_group": logging.get("LogGroup"),
        "description": now.get("Description", ""),
        "environment": dict(now.get("Environment", {}).get("Variables", {})),
        "memory_mb": now.get("MemorySize"),
        "timeout_seconds": now.get("Timeout"),
        "code_sha256": now.get("CodeSha256"),
        "runtime": now.get("Runtime"),
        "architecture": now.get("Architectures", ["x86_64"])[0],
        "log_format": logging.get("LogFormat"),
        # Sorted, since order has no meaning here and would look like a change.
        "subnets": sorted(now.get("VpcConfig", {}).get("SubnetIds", ())),
        "security_groups": sorted(now.get("VpcConfig", {}).get("SecurityGroupIds", ())),
    }


def _function_request(function: Function, *, before: Observed | None = None) -> dict[str, Any]:
    """Return the request; an empty VPC is only said where it takes the function out of one."""
    placed = function.subnets or (before is not None and before.properties.get("subnets"))
    places = {
        "SubnetIds": list(function.subnets),
        "SecurityGroupIds": list(function.security_groups),
    }
    vpc = {"VpcConfig": places} if placed else {}
    return {
        "FunctionName": function.name,
        "Runtime": function.runtime,
        "Role": function.role,
        "Handler": function.handler,
        "Description": function.description,
        "Timeout": function.timeout_seconds,
        "MemorySize": function.memory_mb,
        "Environment": {"Variables": dict(function.environment)},
        "LoggingConfig": {"LogFormat": function.log_format, "LogGroup": function.log_group},
        **vpc,
    }


def _describe_state(now: "Mapping[str, Any]") -> str:
    """Return Active, or what the function is waiting for; an inactive one can be invoked."""
    if now.get("LastUpdateStatus") == "InProgress":
        return "Updating"
    state = now.get("State", "Active")
    return "Active" if state in {"Active", "Inactive"} else str(state)


def _failure_reason(now: "Mapping[str, Any]") -> str:
    if now.get("State") == "Failed":
        return str(now.get("StateReason") or "Lambda gives no reason.")
    return ""
