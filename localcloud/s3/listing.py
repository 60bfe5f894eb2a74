"""Listing: ListObjects, ListObjectsV2 and ListObjectVersions."""

import base64
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from localcloud.errors import AwsError
from localcloud.s3.attributes import storage_class
from localcloud.s3.bucket_objects import BucketObjects
from localcloud.s3.buckets import OWNER, format_time, xml_response
from localcloud.s3.objects import Object, shared_prefix
from localcloud.s3.request import Request, read_number
from localcloud.s3.upload import CHECKSUMS
from localcloud.wire import Response

_PAGE = 1000
_BEHIND = "\U0010ffff"


class Listing:
    """The lists of a bucket's objects and versions."""

    def __init__(self, objects: BucketObjects) -> None:
        self._objects = objects

    def list_objects(self, request: Request) -> Response:
        """Answer ListObjects."""
        shown, more = self._collect_page(request, after=request.query.get("marker", ""))
        encode = key_encoder(request.query)
        marker = encode(_entry_key(shown[-1])) if shown else ""
        content = _build_content(request, shown, more=more, owners=True) | {
            "Marker": encode(request.query.get("marker", "")),
            "NextMarker": marker if more else None,
        }
        return xml_response("ListBucketResult", content)

    def list_objects_v2(self, request: Request) -> Response:
        """Answer ListObjectsV2."""
        query = request.query
        after = query.get("start-after", "")
        if token := query.get("continuation-token"):
            after = _decode_token(token)
        shown, more = self._collect_page(request, after=after)
        last = shown[-1] if shown else ""
        # The next page begins behind all keys of a prefix, hence the last character of Unicode.
        behind = last + _BEHIND if isinstance(last, str) else last.key
        owners = query.get("fetch-owner") == "true"
        content = _build_content(request, shown, more=more, owners=owners) | {
            "KeyCount": len(shown),
            "StartAfter": key_encoder(query)(query.get("start-after", "")) or None,
            "ContinuationToken": token,
            "NextContinuationToken": _encode_token(behind) if more else None,
        }
        return xml_response("ListBucketResult", content)

    def list_versions(self, request: Request) -> Response:
        """Answer ListObjectVersions."""
        self._objects.buckets.require_bucket(request.bucket)
        query = request.query
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        start = (query.get("key-marker", ""), query.get("version-id-marker", ""))
        everything = list(self._objects.objects.list_versions(request.bucket, prefix))
        folded = list(
            _fold_prefixes(_versions_after(everything, start), prefix, delimiter, start[0])
        )
        size = _page_size(request)
        shown, more = folded[:size], len(folded) > size
        encode = key_encoder(query)
        versions = [o for o in shown if isinstance(o, Object)]
        last = shown[-1] if more and shown else None
        content = {
            "Name": request.bucket,
            "Prefix": encode(prefix),
            "Delimiter": encode(delimiter) or None,
            "EncodingType": query.get("encoding-type"),
            "MaxKeys": size,
            "IsTruncated": more,
            "KeyMarker": encode(start[0]),
            "VersionIdMarker": start[1],
            "NextKeyMarker": encode(_entry_key(last)) if last is not None else None,
            "NextVersionIdMarker": last.version if isinstance(last, Object) else None,
            "Version": [_build_version(o, encode) for o in versions if not o.deleted],
            "DeleteMarker": [_build_marker(o, encode) for o in versions if o.deleted],
            "CommonPrefixes": _list_prefixes(shown, encode),
        }
        return xml_response("ListVersionsResult", content)

    def _collect_page(self, request: Request, *, after: str) -> tuple[list[Object | str], bool]:
        """Return the objects and shared prefixes of one page, and whether there are more."""
        self._objects.buckets.require_bucket(request.bucket)
        prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
        size = _page_size(request)
        shown: list[Object | str] = []
        for found in self._objects.objects.list_keys(request.bucket, prefix, after, delimiter):
            if len(shown) == size:
                # With max-keys=0 nothing is truncated, whatever the bucket holds.
                return shown, size > 0
            shown.append(found)
        return shown, False


def key_encoder(query: dict[str, str]) -> Callable[[str], str]:
    """Return how keys are written in a list: percent-encoded where asked for, else as they are."""
    if query.get("encoding-type") == "url":
        # XML 1.0 cannot hold every character that a key may have: encoding-type=url is for those.
        return lambda text: quote(text, safe="/*-._")
    return lambda text: text


def _page_size(request: Request) -> int:
    return min(read_number(request.query.get("max-keys", "1000")), _PAGE)


def _build_content(
    request: Request, shown: list[Object | str], *, more: bool, owners: bool
) -> dict[str, Any]:
    query, encode = request.query, key_encoder(request.query)
    owner = {"Owner": OWNER} if owners else {}
    return {
        "Name": request.bucket,
        "Prefix": encode(query.get("prefix", "")),
        "MaxKeys": _page_size(request),
        "Delimiter": encode(query.get("delimiter", "")) or None,
        "EncodingType": query.get("encoding-type"),
        "IsTruncated": more,
        "Contents": [_build_entry(o, encode) | owner for o in shown if isinstance(o, Object)],
        "CommonPrefixes": _list_prefixes(shown, encode),
    }


def _build_entry(found: Object, encode: Callable[[str], str]) -> dict[str, Any]:
    given = found.about.get("checksums", {})
    return {
        "Key": encode(found.key),
        "LastModified": format_time(found.modified),
        "ETag": f'"{found.etag}"',
        "ChecksumAlgorithm": [name.upper() for name in CHECKSUMS if name in given],
        "Size": found.size,
        "StorageClass": storage_class(found),
    }


def _build_version(found: Object, encode: Callable[[str], str]) -> dict[str, Any]:
    about = {"VersionId": found.version, "IsLatest": found.latest, "Owner": OWNER}
    return _build_entry(found, encode) | about


def _build_marker(found: Object, encode: Callable[[str], str]) -> dict[str, Any]:
    return {
        "Key": encode(found.key),
        "VersionId": found.version,
        "IsLatest": found.latest,
        "LastModified": format_time(found.modified),
        "Owner": OWNER,
    }


def _list_prefixes(shown: list[Object | str], encode: Callable[[str], str]) -> list[dict[str, str]]:
    return [{"Prefix": encode(prefix)} for prefix in shown if isinstance(prefix, str)]


def _versions_after(found: list[Object], start: tuple[str, str]) -> list[Object]:
    """Return the versions behind a key and version; behind all versions of a key without one."""
    key, version = start
    for place, one in enumerate(found):
        if (one.key, one.version) == start:
            return found[place + 1 :]
    return [one for one in found if one.key > key or (version and one.key == key)]


def _fold_prefixes(
    found: list[Object], prefix: str, delimiter: str, marker: str
) -> Iterator[Object | str]:
    """Yield versions, those that share a prefix behind the marker up to the delimiter as one."""
    last = marker
    for one in found:
        shared = shared_prefix(one.key, prefix, delimiter)
        if shared is None:
            yield one
        elif shared > last:
            yield shared
            last = shared


def _entry_key(entry: Object | str) -> str:
    return entry if isinstance(entry, str) else entry.key


def _encode_token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decode_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except ValueError as error:
        raise AwsError("InvalidArgument", "The continuation token provided is incorrect") from error
