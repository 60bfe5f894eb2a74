"""Answers of AWS: what tells one from a page of a proxy, or from one that was cut short. Pure.

botocore takes a page of a proxy, an empty body or other JSON for an answer without members. The
edges that hold botocore give the body here before they believe it.
"""

import json
from collections.abc import Collection
from typing import Final

_PAGES: Final = (b"<html", b"<!doctype html")


def problem(body: bytes, members: Collection[str], *, is_json: bool) -> str:
    """Return what is wrong with the body of an answer that went well; empty where nothing is.

    Args:
        body: As it came.
        members: Names that AWS documents for the body; without any, nothing is expected in it.
        is_json: Whether AWS answers this call in JSON.
    """
    if not members:
        return ""
    if not body.strip():
        return "It is empty."
    if body.lstrip()[:20].lower().startswith(_PAGES):
        return "It is a web page."
    return _json_problem(body, members) if is_json else ""


def header_problem(documented: Collection[str], headers: Collection[str]) -> str:
    """Return what is wrong with the headers of an answer that went well; empty where nothing is.

    S3 gives the ETag with every object that it writes or reads: without it, nothing was written.

    Args:
        documented: Names that AWS documents for the headers.
        headers: Names of those that came.
    """
    came = {name.lower() for name in headers}
    expected = "etag" in {name.lower() for name in documented}
    return "It has no ETag." if expected and "etag" not in came else ""


def _json_problem(body: bytes, members: Collection[str]) -> str:
    try:
        value = json.loads(body)
    except ValueError:
        return "It is not JSON, or was cut short."
    if not isinstance(value, dict):
        return "It is not a JSON object."
    known = {name.lower() for name in members}
    if value and known.isdisjoint(name.lower() for name in value):
        return f"It holds nothing that was asked for, but {min(value)[:40]!r}."
    return ""
