"""Constraints: what AWS refuses in the input of an operation before it looks at what it names.

Sizes, enumerations and required members come from botocore's model of the service.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session

from localcloud.errors import AwsError
from localcloud.wire import Params

# Member of an input -> what its ARN must name.
_ARNS = {
    "stateMachineArn": "stateMachine",
    "stateMachineVersionArn": "stateMachine",
    "stateMachineAliasArn": "stateMachine",
    "executionArn": "execution",
}
_ARN_PARTS = 7
# These have an error of their own.
_LEFT_ALONE = frozenset({"name"})


def check_input(operation: str, params: Params) -> None:
    """Refuse an input that AWS would refuse by its shape.

    Raises:
        AwsError: ``ValidationException`` or ``InvalidArn``.
    """
    wrong = list(_find_violations(_input_shape(operation), params, ""))
    if wrong:
        count = f"{len(wrong)} validation error{'s' if len(wrong) > 1 else ''} detected"
        raise AwsError("ValidationException", f"{count}: {'; '.join(wrong)}")
    for member, kind in _ARNS.items():
        if member in params:
            _check_arn(params[member], kind)
    if "roleArn" in params and not params["roleArn"].startswith("arn:aws:iam::"):
        raise AwsError("InvalidArn", f"Invalid Role Arn: '{params['roleArn']}'")


@cache
def _input_shape(operation: str) -> Any:  # noqa: ANN401 - botocore has no types
    model = botocore.session.get_session().get_service_model("stepfunctions")
    return model.operation_model(operation).input_shape


def _check_arn(arn: str, kind: str) -> None:
    parts = arn.split(":", _ARN_PARTS - 1)
    if len(parts) != _ARN_PARTS or parts[0] != "arn" or parts[2] != "states":
        raise AwsError("InvalidArn", f"Invalid Arn: 'Invalid ARN prefix: {arn}'")
    if parts[5] != kind:
        text = f"Invalid Arn: 'Resource type not valid in this context: {parts[5]}'"
        raise AwsError("InvalidArn", text)


def _find_violations(shape: Any, given: Mapping[str, Any], at: str) -> Iterator[str]:  # noqa: ANN401
    for name in shape.required_members:
        if given.get(name) is None:
            place = f"Value null at '{at}{name}'"
            yield f"{place} failed to satisfy constraint: Member must not be null"
    for name, value in given.items():
        member = shape.members.get(name)
        if member is None or value is None or name in _LEFT_ALONE:
            continue
        yield from _limit_violations(member, value, f"{at}{name}")
        if member.type_name == "structure" and isinstance(value, Mapping):
            yield from _find_violations(member, value, f"{at}{name}.")


def _limit_violations(member: Any, value: Any, at: str) -> Iterator[str]:  # noqa: ANN401 - botocore has no types
    hidden = member.metadata.get("sensitive") or not isinstance(value, str | int)
    shown = f"Value at '{at}'" if hidden else f"Value {json.dumps(value)[:200]!s} at '{at}'"
    shown = shown.replace('"', "'") + " failed to satisfy constraint: Member must "
    least, most = member.metadata.get("min"), member.metadata.get("max")
    if member.type_name in ("integer", "long") and isinstance(value, int):
        if most is not None and value > most:
            yield f"{shown}have value less than or equal to {most}"
        if least is not None and value < least:
            yield f"{shown}have value greater than or equal to {least}"
    elif member.type_name in ("string", "list") and isinstance(value, str | list):
        # A lone surrogate, which JSON may hold as \ud800, has no UTF-8 and must not fail the check.
        size = len(value.encode(errors="surrogatepass")) if isinstance(value, str) else len(value)
        if most is not None and size > most:
            yield f"{shown}have length less than or equal to {most}"
        if least is not None and size < least:
            yield f"{shown}have length greater than or equal to {least}"
        words = member.metadata.get("enum")
        if words and value not in words:
            yield f"{shown}satisfy enum value set: [{', '.join(words)}]"
