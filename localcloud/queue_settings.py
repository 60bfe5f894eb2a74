"""Queue settings: the attributes of a queue that can be set, and the values that SQS takes. Pure.

Source: SQS API reference, ``SetQueueAttributes``.
"""

from collections.abc import Mapping
from typing import Final

from localcloud.errors import AwsError

BODY_LIMIT: Final = 1_048_576
"""Bytes of the largest message."""

DEFAULTS: Final = {
    "VisibilityTimeout": "30",
    "MaximumMessageSize": str(BODY_LIMIT),
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
}
"""What a queue has that nothing was said about."""

_RANGES: Final = {
    "VisibilityTimeout": (0, 43_200),
    "MaximumMessageSize": (1024, BODY_LIMIT),
    "MessageRetentionPeriod": (60, 1_209_600),
    "DelaySeconds": (0, 900),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
}
_SETTABLE: Final = {*_RANGES, "Policy", "SqsManagedSseEnabled"}


def check_attributes(attributes: Mapping[str, str]) -> None:
    """Refuse attributes that SQS refuses; an empty value stands for the default.

    Raises:
        AwsError: ``InvalidAttributeName`` or ``InvalidAttributeValue``.
    """
    for name, value in attributes.items():
        if name not in _SETTABLE:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")
        if name in _RANGES and value != "":
            check_range(name, value, "InvalidAttributeValue")


def check_range(name: str, value: str | int, code: str) -> None:
    """Refuse a number of an attribute, or of the parameter of the same name.

    Raises:
        AwsError: The code.
    """
    least, most = _RANGES[name]
    if not str(value).isdigit() or not least <= int(value) <= most:
        raise AwsError(code, f"Invalid value for the parameter {name}.")
