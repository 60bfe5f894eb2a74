"""Redaction: what leaves an execution when its data is exported, secrets and image bytes.

People commit exported tests, so account ids are replaced too, by AWS's documentation placeholder.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

SAMPLE_IMAGE: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAA"
    "AABJRU5ErkJggg=="
)
"""A red PNG of 2 x 2 pixels: it stands for every image, so that handlers still accept it."""

REDACTED: Final = "REDACTED"
NOT_BASE64: Final = "(redacted, was no base64)"

_MAX_NESTING: Final = 32
_SECRET_KEY: Final = re.compile(
    r"passw(or)?d|secret|token|api[_-]?key|authori[sz]ation|credential|private[_-]?key"
    r"|access[_-]?key|signature|cookie|session[_-]?id",
    re.IGNORECASE,
)
_SECRETS: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?<=[?&])(?:X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|Signature)=[^&\s\"']+"
    r"|\bBearer\s+[\w.~+/=-]+"
    r"|(?<=aws_secret_access_key = )\S+",
    re.DOTALL | re.IGNORECASE,
)
_ACCOUNT: Final = re.compile(r"(?<!\d)\d{12}(?!\d)")
_ACCOUNT_PLACEHOLDER: Final = "123456789012"
_IMAGE: Final = re.compile(r"(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR|Qk)[A-Za-z0-9+/]{40,}={0,2}")
_BYTES: Final = re.compile(r"[A-Za-z0-9+/_-]{200,}={0,2}")


def redact(value: Any, depth: int = _MAX_NESTING) -> Any:  # noqa: ANN401 - JSON of any shape
    """The value without secrets, image bytes and account ids; its shape stays.

    JSON inside text, as in a body, is redacted likewise and stays text.
    """
    if depth == 0:
        return REDACTED
    if isinstance(value, Mapping):
        return {key: _entry(str(key), item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [redact(item, depth - 1) for item in value]
    return redact_text(value, depth) if isinstance(value, str) else value


def redact_text(text: str, depth: int = _MAX_NESTING) -> str:
    """Text, or JSON as text, without secrets, image bytes and account ids."""
    if text.lstrip()[:1] in ("{", "[", '"'):
        try:
            return json.dumps(redact(json.loads(text), depth - 1))
        except (ValueError, RecursionError):
            pass
    sample = base64.b64encode(SAMPLE_IMAGE).decode()
    text = _SECRETS.sub(REDACTED, text)
    text = _IMAGE.sub(sample, text)
    text = _BYTES.sub(REDACTED, text)
    return _ACCOUNT.sub(_ACCOUNT_PLACEHOLDER, text)


def _entry(key: str, item: Any, depth: int) -> Any:  # noqa: ANN401 - JSON of any shape
    if _SECRET_KEY.search(key) and item not in (None, "", [], {}):
        return REDACTED
    if key == "image_data" and isinstance(item, str) and item:
        return base64.b64encode(SAMPLE_IMAGE).decode() if _is_base64(item) else NOT_BASE64
    return redact(item, depth)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True
