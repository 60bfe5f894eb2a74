"""Conditions: preconditions and ranges of S3 requests.

Source: S3 User Guide, "Add preconditions to S3 operations with conditional requests".
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from localcloud.errors import AwsError
from localcloud.s3.objects import Object

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_SOURCE = "x-amz-copy-source-"


def check_read(headers: Mapping[str, str], found: Object) -> None:
    """Check the conditions of a GET or HEAD.

    Raises:
        AwsError: ``PreconditionFailed`` or ``NotModified``.
    """
    wanted, unwanted = headers.get("if-match"), headers.get("if-none-match")
    if wanted is not None:  # a match wins over If-Unmodified-Since
        if not _matches_etag(wanted, found):
            raise precondition_failed()
    elif _changed_since(headers.get("if-unmodified-since"), found, missing=False):
        raise precondition_failed()
    if unwanted is not None:
        modified = not _matches_etag(unwanted, found)
    else:
        modified = _changed_since(headers.get("if-modified-since"), found, missing=True)
    if not modified:
        raise AwsError("NotModified", "Not Modified", 304)


def check_source(headers: Mapping[str, str], found: Object) -> None:
    """Check the conditions that a copy makes of its source.

    Raises:
        AwsError: ``PreconditionFailed``.
    """
    given = {k.removeprefix(_SOURCE): v for k, v in headers.items() if k.startswith(_SOURCE)}
    try:
        check_read(given, found)
    except AwsError as error:
        # A copy has no 304: where a read is not modified, the copy fails with 412.
        raise precondition_failed() from error


def check_write(headers: Mapping[str, str], found: Object | None) -> None:
    """Check the conditions of a PUT, a copy or the completion of a multipart upload.

    Args:
        headers: The headers of the request, in lower case.
        found: What the key holds now.

    Raises:
        AwsError: ``PreconditionFailed``, ``NoSuchKey`` or ``NotImplemented``.
    """
    exists = found is not None and not found.deleted
    unwanted, wanted = headers.get("if-none-match"), headers.get("if-match")
    # Of If-None-Match, S3 takes only * on writes.
    if unwanted not in (None, "*"):
        raise AwsError(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            501,
            {"Header": "If-None-Match"},
        )
    if unwanted and exists:
        raise precondition_failed()
    # S3 answers 404 here, where HTTP would have 412.
    if wanted is not None and not exists:
        raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
    if wanted is not None and found is not None and not _matches_etag(wanted, found):
        raise precondition_failed()


def check_delete(wanted: str | None, found: Object | None) -> None:
    """Check the ETag that a delete insists on; ``*`` is any.

    Raises:
        AwsError: ``PreconditionFailed``.
    """
    if wanted is not None and (found is None or found.deleted or not _matches_etag(wanted, found)):
        raise precondition_failed()


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return (start, length) of a Range; None where the whole object is meant.

    Raises:
        AwsError: ``InvalidRange``.
    """
    match = _RANGE.fullmatch(header or "")
    # A range that cannot be read is ignored (RFC 9110, section 14.2).
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        # bytes=-N are the last N bytes, or all where there are fewer.
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    if start >= size or start > end:
        raise AwsError("InvalidRange", "The requested range is not satisfiable", 416)
    return start, end - start + 1


def precondition_failed() -> AwsError:
    """Return the error of a condition that does not hold."""
    return AwsError(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        412,
    )


def _matches_etag(tags: str, found: Object) -> bool:
    return any(tag.strip().strip('"') in ("*", found.etag) for tag in tags.split(","))


def _changed_since(date: str | None, found: Object, *, missing: bool) -> bool:
    """Return whether an object is newer than an HTTP date; ``missing`` for an unreadable date."""
    try:
        # HTTP dates have whole seconds: the fraction would make an object newer than its own date.
        return int(found.modified) > parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return missing
