"""Function settings: a function's configuration, as Lambda checks, completes and compares it."""

import time
import uuid
from typing import Any

from localcloud.errors import AwsError
from localcloud.wire import Params

_CONFIGURABLE = [
    "Role",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "Environment",
    "Runtime",
    "TracingConfig",
    "EphemeralStorage",
    "LoggingConfig",
    "VpcConfig",
]
_VOLATILE = [
    "Version",
    "FunctionArn",
    "LastModified",
    "RevisionId",
    "State",
    "StateReason",
    "StateReasonCode",
    "Description",
    "LastUpdateStatus",
]
_RESERVED_VARIABLES = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
}


def renew_revision(configuration: Params) -> None:
    """Give a configuration that has changed its new time and revision."""
    seconds = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    configuration["LastModified"] = f"{stamp}.{int(seconds * 1000) % 1000:03d}+0000"
    configuration["RevisionId"] = str(uuid.uuid4())


def apply_changes(configuration: Params, wanted: Params) -> Params:
    """Return a configuration as a request wants it.

    Raises:
        AwsError: ``InvalidParameterValueException`` for environment variables that are Lambda's.
    """
    _check_variables(wanted)
    new = configuration | {field: wanted[field] for field in _CONFIGURABLE if field in wanted}
    return new | {
        "LoggingConfig": _complete_logging(new["FunctionName"], new.get("LoggingConfig", {}))
    }


def _check_variables(params: Params) -> None:
    variables = params.get("Environment", {}).get("Variables", {})
    reserved = [name for name in variables if name in _RESERVED_VARIABLES]
    if reserved:
        raise AwsError(
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            f"for modification. Reserved keys used in this request: {', '.join(reserved)}",
        )


def _complete_logging(name: str, given: Params) -> Params:
    levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
    as_json = given.get("LogFormat") == "JSON"
    defaults = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    return {**defaults, **(levels if as_json else {}), **given}


def frozen_settings(configuration: Params) -> dict[str, Any]:
    """Return what makes one version of a function differ from another."""
    return {k: v for k, v in configuration.items() if k not in _VOLATILE}


def build_statement(params: Params, arn: str, partition: str) -> Params:
    """Return the statement that AddPermission adds to the policy of a function."""
    who, made = params["Principal"], {"Sid": params["StatementId"], "Effect": "Allow"}
    if who.isdigit():
        principal = {"AWS": f"arn:{partition}:iam::{who}:root"}
    else:
        principal = {"Service" if who.endswith(".amazonaws.com") else "AWS": who}
    made |= {"Principal": principal, "Action": params["Action"], "Resource": arn}
    condition: Params = {}
    if "SourceArn" in params:
        condition["ArnLike"] = {"AWS:SourceArn": params["SourceArn"]}
    if "SourceAccount" in params:
        condition["StringEquals"] = {"AWS:SourceAccount": params["SourceAccount"]}
    return made | ({"Condition": condition} if condition else {})
