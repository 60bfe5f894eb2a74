"""Event inputs: what the target of a rule gets of an event. Pure.

Source: EventBridge User Guide, "Input transformation". A variable whose path finds nothing is
replaced by nothing; within quotation marks an object loses its own.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from localcloud.errors import AwsError
from workflow.asl import paths
from workflow.asl.data import Scope, to_json

_VARIABLE = re.compile(r"<([A-Za-z0-9._-]+)>")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_WAYS = ("Input", "InputPath", "InputTransformer")
_OWN = "aws."


def check_target(target: Mapping[str, Any]) -> None:
    """Refuse a target whose input EventBridge refuses.

    Raises:
        AwsError: ``ValidationException``.
    """
    name = target["Id"]
    if sum(way in target for way in _WAYS) > 1:
        raise _invalid_error(f"Only one of {', '.join(_WAYS)} must be provided for target {name}.")
    variables = target.get("InputTransformer", {}).get("InputPathsMap", {})
    if any(variable.lower().startswith(_OWN) for variable in variables):
        raise _invalid_error(f"InputPathsMap of target {name} names a variable of AWS.")
    for path in (target.get("InputPath", "$"), *variables.values()):
        try:
            paths.parse(path)
        except paths.InvalidPath as error:
            raise _invalid_error(f"JsonPath for target {name} is invalid: {path}") from error
    if "Input" in target:
        try:
            json.loads(target["Input"])
        except ValueError as error:
            raise _invalid_error(f"JSON syntax error in input for target {name}") from error


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str) -> str:
    """Return what a target gets of an event.

    Args:
        target: The target as PutTargets has it.
        event: The event.
        rule_arn: The rule that it matches.
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return to_json(_find_value(target["InputPath"], event))
    if "InputTransformer" in target:
        return _transform_input(target["InputTransformer"], event, rule_arn)
    return to_json(event)


def _transform_input(given: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str) -> str:
    values = {
        name: _find_value(path, event) for name, path in given.get("InputPathsMap", {}).items()
    }
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rpartition("/")[2],
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": dict(event),
    }
    template = str(given["InputTemplate"])
    quoted = [match.span() for match in _QUOTED.finditer(template)]
    is_json = template.lstrip().startswith(("{", "["))

    def filled(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if value is None:
            return ""
        if is_json and not any(start < match.start() < end for start, end in quoted):
            return to_json(value)
        if isinstance(value, str):
            # Within quotation marks of the template: escaped, without quotation marks of its own.
            return to_json(value)[1:-1] if is_json else value
        return to_json(value).replace('"', "")

    return _VARIABLE.sub(filled, template)


def _find_value(path: str, event: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return paths.evaluate(paths.parse(path), Scope(event, {}, {}))
    except paths.PathNotFound:
        return None


def _invalid_error(message: str) -> AwsError:
    return AwsError("ValidationException", message)
