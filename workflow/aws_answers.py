"""Answers of AWS: what tells one from a page of a proxy, or from one that was cut short. Pure.

botocore takes a page of a proxy, an empty body or other JSON for an answer without members. The
edges that hold botocore give the body here before they believe it.
"""

import json
from collections.abc import Collection, Mapping
from typing import Final

FIRST_REDIRECT: Final = 300
"""Status from which on an answer is none of a call that went well."""

_PAGES: Final = (b"<html", b"<!doctype html")


def answer_problem(
    members: Mapping[str, Mapping[str, str]],
    headers: Collection[str],
    body: bytes | None,
    *,
    is_json: bool,
) -> str:
    """Return what is wrong with an answer that went well; empty where nothing is.

    Args:
        members: Of the answer, each with how it is serialized, as the models of botocore say it.
        headers: Names of those that came.
        body: As it came; None where it is data of any form.
        is_json: Whether AWS answers this call in JSON.
    """
    reason = header_problem(documented_names(members, "header"), headers)
    if reason or body is None:
        return reason
    return problem(body, documented_names(members, None), is_json=is_json)


def documented_names(
    members: Mapping[str, Mapping[str, str]], location: str | None
) -> frozenset[str]:
    """Return the names that members of an answer have in a place; None is the body."""
    return frozenset(
        how.get("name", name) for name, how in members.items() if how.get("location") == location
    )


def problem(body: bytes, members: Collection[str], *, is_json: bool) -> str:
    """Return what is wrong with the body of an answer that went well; empty where nothing is.

    Args:
        body: As it came.
        members: Names that AWS documents for the body; without any, it may be empty.
        is_json: Whether AWS answers this call in JSON.
    """
    if not body.strip():
        return "It is empty." if members else ""
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
    if value and known and known.isdisjoint(name.lower() for name in value):
        return f"It holds nothing that was asked for, but {min(value)[:40]!r}."
    return ""
