"""Services: what a Task calls, and its errors by the names that Step Functions gives them."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.response import StreamingBody

from localcloud.errors import AwsError
from workflow.asl.data import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.wire import Params

# What a Resource calls a service -> what botocore calls it, and what an error calls it.
_NAMES = {
    "lambda": ("lambda", "Lambda"),
    "s3": ("s3", "S3"),
    "sagemakerruntime": ("sagemaker-runtime", "SageMakerRuntime"),
    "sqs": ("sqs", "Sqs"),
    "sns": ("sns", "Sns"),
    "dynamodb": ("dynamodb", "DynamoDb"),
    "states": ("stepfunctions", "StepFunctions"),
    "sfn": ("stepfunctions", "Sfn"),
    "events": ("events", "EventBridge"),
    "sts": ("sts", "Sts"),
}
# Services whose errors keep another name in optimized integrations.
_OPTIMIZED_NAMES = {"dynamodb": "DynamoDB", "sqs": "SQS", "sns": "SNS"}


class ServiceError(Exception):
    """An error that a service answered.

    Args:
        error: As Step Functions names it, such as ``S3.NoSuchKeyException``.
        cause: Its message with service, status and request id.
    """

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(cause)
        self.error = error
        self.cause = cause


class Services(Protocol):
    """What a run can call."""

    def invoke_function(self, parameters: Mapping[str, Any], role_arn: str) -> Params:
        """Invoke a function: Lambda's answer with ``Payload`` as bytes.

        Raises:
            ServiceError: Lambda refuses.
        """

    def call_service(self, service: str, action: str, parameters: Mapping[str, Any]) -> Params:
        """Call any other service: its answer as JSON, ``ResponseMetadata`` included.

        Raises:
            ServiceError: It refuses.
        """

    def read_object(self, parameters: Mapping[str, Any]) -> bytes:
        """Return the bytes of an object of S3, by the parameters of GetObject.

        Raises:
            ServiceError: S3 refuses.
        """

    def describe_execution(self, execution_arn: str) -> Params:
        """Return an execution as DescribeExecution gives it."""


class CloudServices:
    """The services of the local cloud.

    Args:
        invoke: Invokes a function in this process, under a role.
        client: Makes the boto3 client of a service.
        describe: Gives an execution as DescribeExecution does.
    """

    def __init__(
        self,
        invoke: Callable[[Params, str], Params],
        client: Callable[[str], Any],
        describe: Callable[[str], Params],
    ) -> None:
        self._invoke = invoke
        self._client = client
        self._describe = describe

    def invoke_function(self, parameters: Mapping[str, Any], role_arn: str) -> Params:
        """Invoke a function; see ``Services``."""
        try:
            return self._invoke(dict(parameters), role_arn)
        except AwsError as error:
            raise _service_error("Lambda", error.code, error.message, error.status) from None

    def call_service(self, service: str, action: str, parameters: Mapping[str, Any]) -> Params:
        """Call a service; see ``Services``."""
        return dict(_to_json_value(self._call_client(service, action, parameters)))

    def read_object(self, parameters: Mapping[str, Any]) -> bytes:
        """Read an object; see ``Services``."""
        content: bytes = self._call_client("s3", "getObject", parameters)["Body"].read()
        return content

    def _call_client(self, service: str, action: str, parameters: Mapping[str, Any]) -> Params:
        name, shown = _NAMES[service]
        client = self._client(name)
        operation = operation_name(action)
        model = client.meta.service_model.operation_model(operation)
        method = getattr(client, _python_name(client, operation))
        try:
            return dict(method(**_build_input(model, parameters)))
        except ClientError as error:
            told = error.response["Error"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            raise _service_error(shown, told["Code"], told.get("Message", ""), status) from None
        except ParamValidationError as error:
            raise ServiceError(
                "States.Runtime",
                f"The Parameters '{to_json(parameters)}' could not be used to start the Task: "
                f"[{error.kwargs['report']}]",
            ) from None
        except BotoCoreError as error:
            raise ServiceError(f"{shown}.SdkClientException", str(error)) from None

    def describe_execution(self, execution_arn: str) -> Params:
        """Return an execution; see ``Services``."""
        return self._describe(execution_arn)


def client_name(service: str) -> str:
    """Return what botocore calls a service that a Resource names."""
    return _NAMES[service][0]


def operation_name(action: str) -> str:
    """Return what botocore calls an action that a Resource names."""
    return action[0].upper() + action[1:]


def optimized_error(service: str, error: str) -> str:
    """Return an error's name in an optimized integration, which writes some services otherwise."""
    prefix, _, code = error.partition(".")
    if prefix == "States":
        return error
    return f"{_OPTIMIZED_NAMES.get(service, prefix)}.{code}"


def _service_error(service: str, code: str, message: str, status: int) -> ServiceError:
    # Some codes have dots (AWS.SimpleQueueService.NonExistentQueue), error names have one only.
    name = code.rpartition(".")[2]
    ending = "" if name.endswith("Exception") else "Exception"
    about = f"Service: {service}, Status Code: {status}, Request ID: {uuid.uuid4()}"
    return ServiceError(f"{service}.{name}{ending}", f"{message} ({about})")


def _python_name(client: Any, operation: str) -> str:  # noqa: ANN401 - botocore makes clients at run time
    names = client.meta.method_to_api_mapping
    return next(str(python) for python, api in names.items() if api == operation)


def _build_input(model: Any, parameters: Mapping[str, Any]) -> Params:  # noqa: ANN401 - botocore has no types
    """Return parameters by the names of the service model, with objects as JSON text in bodies."""
    members = model.input_shape.members if model.input_shape else {}
    # Definitions write members in Pascal case, botocore's models of Step Functions and Logs do not.
    by_lower = {name.lower(): name for name in members}
    made = {}
    for key, value in parameters.items():
        name = by_lower.get(key.lower(), key)
        shape = members.get(name)
        textual = shape is not None and shape.type_name in ("blob", "string")
        made[name] = json.dumps(value) if textual and not isinstance(value, str) else value
    return made


def _to_json_value(value: Any) -> Any:  # noqa: ANN401 - any answer
    """Return an answer as JSON: bodies as text, times as ISO-8601."""
    if isinstance(value, StreamingBody):
        return value.read().decode(errors="replace")
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode(errors="replace")
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, dict):
        return {key: _to_json_value(item) for key, item in value.items()}
    return [_to_json_value(item) for item in value] if isinstance(value, list) else value
