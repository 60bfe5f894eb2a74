"""Message attributes: what SQS and SNS take for one, which are asked for, and their checksum. Pure.

Source: SQS Developer Guide, "Amazon SQS message metadata", with the calculation of the MD5 digest;
SNS has the same names and types, and ``String.Array`` beside them.
"""

import base64
import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any

from localcloud.errors import AwsError

Attributes = Mapping[str, Mapping[str, Any]]
"""``DataType`` and ``StringValue`` or ``BinaryValue`` (base64) by name."""

_NAME = re.compile(r"(?!(?i:aws|amazon)\.)[\w-]+(\.[\w-]+)*", re.ASCII)
_NAME_LIMIT = 256
_TYPES = ("String", "Number", "Binary")
_MOST = 10


def check_all(given: Attributes, *, most: int | None = _MOST) -> dict[str, dict[str, str]]:
    """Return attributes as they are kept, bytes as base64.

    Args:
        given: As a request has them.
        most: How many a message may have; None for any number.

    Raises:
        AwsError: ``InvalidParameterValue``.
    """
    if most is not None and len(given) > most:
        raise _invalid_error(
            f"Number of message attributes [{len(given)}] exceeds the allowed maximum [{most}]."
        )
    return {name: _check_one(name, attribute) for name, attribute in given.items()}


def _check_one(name: str, attribute: Mapping[str, Any]) -> dict[str, str]:
    if not _NAME.fullmatch(name) or len(name) > _NAME_LIMIT:
        raise _invalid_error(f"Invalid attribute name: '{name}'.")
    kind = str(attribute.get("DataType") or "")
    if not kind:
        text = f"The message attribute '{name}' must contain non-empty message attribute type."
        raise _invalid_error(text)
    prefix = kind.partition(".")[0]
    if prefix not in _TYPES:
        raise _invalid_error(
            f"The type of message (user) attribute '{name}' is invalid. You must use only the "
            "following supported type prefixes: Binary, Number, String."
        )
    field = "BinaryValue" if prefix == "Binary" else "StringValue"
    value = attribute.get(field)
    if not value:
        raise _invalid_error(
            f"The message attribute '{name}' must contain non-empty message attribute value for "
            f"message attribute type '{kind}'."
        )
    # JSON, in which messages are kept, has no bytes.
    if isinstance(value, bytes):
        value = base64.b64encode(value).decode()
    if prefix == "Number":
        _check_number(name, value)
    return {"DataType": kind, field: str(value)}


def _check_number(name: str, value: str) -> None:
    try:
        float(value)
    except ValueError:
        text = f"Can't cast the value of message (user) attribute '{name}' to a number."
        raise _invalid_error(text) from None


def select_named(attributes: Attributes, names: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Return the attributes that names ask for: ``All``, ``.*``, a name, or ``prefix.*``."""
    if "All" in names or ".*" in names:
        return dict(attributes)
    prefixes = tuple(name.removesuffix("*") for name in names if name.endswith(".*"))
    return {
        name: attribute
        for name, attribute in attributes.items()
        if name in names or (prefixes and name.startswith(prefixes))
    }


def total_size(attributes: Attributes) -> int:
    """Return how many bytes attributes add to a message: names, types and values."""
    return sum(
        len(name.encode()) + len(given["DataType"].encode()) + len(_value_bytes(given))
        for name, given in attributes.items()
    )


def message_size(message: Mapping[str, Any]) -> int:
    """Return the bytes of a message, by which SQS limits it: its body and its attributes."""
    attributes = check_all(message.get("MessageAttributes", {}), most=None)
    return len(message["MessageBody"].encode()) + total_size(attributes)


def md5_digest(attributes: Attributes) -> str:
    """Return the digest by which clients check attributes."""
    digest = hashlib.md5()  # noqa: S324 - SQS's checksum, not security
    for name, given in sorted(attributes.items()):
        for part in (name.encode(), given["DataType"].encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        value = _value_bytes(given)
        # The transport type of the digest's definition: 1 for text, 2 for bytes.
        transport = b"\x02" if "BinaryValue" in given else b"\x01"
        digest.update(transport + len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()


def _value_bytes(attribute: Mapping[str, Any]) -> bytes:
    if "BinaryValue" in attribute:
        return base64.b64decode(attribute["BinaryValue"])
    return str(attribute["StringValue"]).encode()


def _invalid_error(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)
