"""Subscription filters: the filter policies that SNS takes, and which messages pass them. Pure.

Source: SNS Developer Guide, "Amazon SNS message filtering". Policies are event patterns of at most
five keys and 150 combinations of values.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from localcloud import event_patterns
from localcloud.errors import AwsError
from localcloud.message_attributes import Attributes

_SCOPES = ("MessageAttributes", "MessageBody")
_KEYS = 5
_COMBINATIONS = 150
_RAW_PROTOCOLS = ("sqs", "http", "https", "firehose")


def check_settings(attributes: Mapping[str, str], protocol: str) -> None:
    """Refuse attributes of a subscription that SNS refuses.

    Args:
        attributes: All of the subscription.
        protocol: Its protocol.

    Raises:
        AwsError: ``InvalidParameter``.
    """
    scope = attributes.get("FilterPolicyScope", _SCOPES[0])
    if scope not in _SCOPES:
        text = f"FilterPolicyScope: Invalid value [{scope}]. Please use either MessageBody or "
        raise _invalid_error(f"{text}MessageAttributes")
    raw = attributes.get("RawMessageDelivery", "false").lower()
    if raw not in ("true", "false"):
        raise _invalid_error(f"RawMessageDelivery: Invalid value [{raw}]. Must be true or false.")
    if raw == "true" and protocol not in _RAW_PROTOCOLS:
        raise _invalid_error(
            f"Delivery protocol [{protocol}] does not support raw message delivery."
        )
    if attributes.get("FilterPolicy"):
        _check_policy(attributes["FilterPolicy"], nested=scope == "MessageBody")


def _check_policy(text: str, *, nested: bool) -> None:
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid_error("FilterPolicy: failed to parse JSON.") from error
    if not isinstance(policy, dict):
        raise _invalid_error("FilterPolicy: Filter policy must be an object")
    try:
        event_patterns.check_object(policy)
    except AwsError as error:
        reason = error.message.partition("Reason: ")[2]
        raise _invalid_error(f"FilterPolicy: {reason}") from error
    if len(policy) > _KEYS:
        raise _invalid_error(f"FilterPolicy: Filter policy can not have more than {_KEYS} keys")
    if not nested and any(isinstance(value, dict) for value in policy.values()):
        raise _invalid_error(
            "Filter policy scope MessageAttributes does not support nested filter policy"
        )
    if math.prod(_count_choices(policy)) > _COMBINATIONS:
        raise _invalid_error("FilterPolicy: Filter policy is too complex")


def _count_choices(policy: Mapping[str, Any], depth: int = 1) -> Iterator[int]:
    """Yield how many choices each key gives: its values, times its depth."""
    for name, value in policy.items():
        if isinstance(value, dict):
            yield from _count_choices(value, depth + 1)
        elif name == "$or":
            for one in value:
                yield from _count_choices(one, depth + 1)
        else:
            # "Filter policy constraints": AWS multiplies the number of values by the key's depth.
            yield len(value) * depth


def passes_filter(settings: Mapping[str, str], attributes: Attributes, message: str) -> bool:
    """Return whether a subscription gets a message.

    Args:
        settings: The attributes of the subscription.
        attributes: The attributes of the message.
        message: Its body.
    """
    policy = json.loads(settings.get("FilterPolicy") or "{}")
    if not policy:
        return True
    if settings.get("FilterPolicyScope") != "MessageBody":
        return event_patterns.matches_event(policy, _build_document(attributes))
    try:
        body = json.loads(message)
    except ValueError:
        return False
    return isinstance(body, dict) and event_patterns.matches_event(policy, body)


def _build_document(attributes: Attributes) -> dict[str, Any]:
    """Return attributes as a policy sees them: texts, numbers and arrays; it sees no bytes."""
    readers: dict[str, Callable[[str], Any]] = {"Number": float, "String.Array": json.loads}
    found: dict[str, Any] = {}
    for name, attribute in attributes.items():
        kind, text = attribute["DataType"], attribute.get("StringValue")
        if text is None:
            continue
        try:
            found[name] = readers.get(kind, str)(text)
        except ValueError:  # an array that is none is a text
            found[name] = text
    return found


def _invalid_error(reason: str) -> AwsError:
    return AwsError("InvalidParameter", f"Invalid parameter: {reason}")
