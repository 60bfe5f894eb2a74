"""What moto does not answer of what ``deploy`` calls."""

from typing import Any

import pytest
from moto.awslambda.models import LambdaFunction
from moto.core.responses import ActionResult
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.sagemaker.responses import SageMakerResponse
from moto.stepfunctions.responses import StepFunctionResponse


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Teach moto the missing operations for one test.

    moto also takes a Deny whose condition it cannot check for one that applies, and so would
    refuse every object of a bucket that allows TLS only.
    """
    monkeypatch.setattr(FakeBucket, "get_permission", lambda *_: PermissionResult.NEUTRAL)
    for response, operation in (
        (StepFunctionResponse, list_state_machine_versions),
        (StepFunctionResponse, publish_state_machine_version),
        (SageMakerResponse, update_endpoint),
    ):
        monkeypatch.setattr(response, operation.__name__, operation, raising=False)
    remember_logging(monkeypatch)


def remember_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto's functions forget LoggingConfig and have no revisions."""
    create, update = LambdaFunction.__init__, LambdaFunction.update_configuration
    get = LambdaFunction.get_configuration

    def created(self: Any, account_id: str, spec: Any, *args: Any, **options: Any) -> None:
        self.logging = spec.get("LoggingConfig", {})
        create(self, account_id, spec, *args, **options)

    def updated(self: Any, changes: Any) -> Any:
        self.logging = changes.get("LoggingConfig", self.logging)
        return update(self, changes)

    def got(self: Any, *args: Any, **options: Any) -> Any:
        return {**get(self, *args, **options), "LoggingConfig": self.logging, "RevisionId": "1"}

    monkeypatch.setattr(LambdaFunction, "__init__", created)
    monkeypatch.setattr(LambdaFunction, "update_configuration", updated)
    monkeypatch.setattr(LambdaFunction, "get_configuration", got)


def list_state_machine_versions(self: Any) -> ActionResult:
    arn = self._get_param("stateMachineArn")
    machines = [one for one in self.stepfunction_backend.state_machines if one.arn == arn]
    versions = [version for machine in machines for version in machine.versions.values()]
    return ActionResult(
        {
            "stateMachineVersions": [
                {"stateMachineVersionArn": one.arn, "creationDate": one.creation_date}
                for one in sorted(versions, key=lambda one: -one.version)
            ]
        }
    )


def publish_state_machine_version(self: Any) -> ActionResult:
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    machine.publish(None)
    version = machine.latest_version
    return ActionResult(
        {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
    )


def update_endpoint(self: Any) -> ActionResult:
    endpoint = self.sagemaker_backend.endpoints[self._get_param("EndpointName")]
    endpoint.endpoint_config_name = self._get_param("EndpointConfigName")
    return ActionResult({"EndpointArn": endpoint.arn})
