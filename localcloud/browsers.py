"""Browsers: what tells a request of a web page from one of an AWS client.

A browser adds headers that a page can neither leave out nor change: ``Origin``, ``Sec-Fetch-Site``
and the ``Host`` that its address names. AWS clients send the last one only. Pure.
https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
FORM: Final = "application/x-www-form-urlencoded"
FORMS: Final = frozenset({FORM, "multipart/form-data", "text/plain"})
"""The types of the bodies that a page can send without asking first."""

_HOST = re.compile(r"(?P<name>\[[^\]]*\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")
_OWN = frozenset({"none", "same-origin"})
_PRESIGNED = ({"X-Amz-Signature"}, {"AWSAccessKeyId", "Signature"})


def find_refusal(
    method: str, path: str, query: str, headers: Mapping[str, str], *, port: int | None
) -> str | None:
    """Return why a request is not answered, as a sentence; None for one that no page has sent.

    Args:
        method: The HTTP method.
        path: The path, without the query.
        query: The query as it came.
        headers: All headers, their names in lower case.
        port: The port that ``Host`` has to name; None for any, where a signature covers it.
    """
    host = _HOST.fullmatch(headers.get("host", ""))
    if host is None or host["name"].lower() not in LOOPBACK:
        return (
            f"The local cloud answers on this machine only, not as {headers.get('host', '')!r}: "
            "use http://127.0.0.1."
        )
    if port not in (None, int(host["port"] or 80)):
        return f"The local cloud does not serve {headers['host']!r}: use http://127.0.0.1:{port}."
    if "origin" in headers:
        return f"The local cloud does not answer web pages, such as {headers['origin']!r}."
    if by_page(headers) and not _is_image(method, path, query, headers):
        return "The local cloud does not answer web pages, and one of another origin asks."
    return None


def by_page(headers: Mapping[str, str]) -> bool:
    """Return whether a page of another origin has sent a request."""
    return headers.get("sec-fetch-site", "none") not in _OWN


def form_type(method: str, headers: Mapping[str, str]) -> str | None:
    """Return the type of a body that a web page's form could have sent; None for other requests."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    return kind if method == "POST" and not empty and kind in FORMS else None


def _is_image(method: str, path: str, query: str, headers: Mapping[str, str]) -> bool:
    """Return whether a page shows an object at an address signed by somebody with the secret.

    Such an address opens the one object and expires; the page cannot read what it shows.
    """
    bucket, _, key = path.removeprefix("/").partition("/")
    names = parse_qs(query).keys()
    return (
        method == "GET"
        and headers.get("sec-fetch-dest") == "image"
        and headers.get("sec-fetch-mode") == "no-cors"
        and bool(key)
        and bucket != "_localcloud"
        and any(needed <= names for needed in _PRESIGNED)
    )
