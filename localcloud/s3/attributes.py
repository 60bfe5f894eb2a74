"""Attributes: what a request says about an object, kept with it and answered again.

``Object.about`` holds ``headers``, ``metadata``, ``tags``, ``checksums``, ``storage`` (the storage
class), ``encryption`` (response headers) and ``parts`` (sizes, of a multipart upload).
"""

import re
from typing import Any
from urllib.parse import parse_qsl

from localcloud.errors import AwsError
from localcloud.s3.objects import UNVERSIONED, Object
from localcloud.s3.request import Request

_KEPT_HEADERS = (
    "content-type", "content-encoding", "content-disposition", "content-language",
    "cache-control", "expires", "x-amz-website-redirect-location",
)  # fmt: skip
_OVERRIDES = {f"response-{name}": name for name in _KEPT_HEADERS[:6]}
_METADATA = "x-amz-meta-"
_ENCRYPTION = "x-amz-server-side-encryption"
_AES256 = {_ENCRYPTION: "AES256"}
_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")
_STANDARD = "STANDARD"
_ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
_STORAGE_CLASSES = (
    _STANDARD, *_ARCHIVED, "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR",
    "REDUCED_REDUNDANCY",
)  # fmt: skip
_MAX_TAGS = 10
_TAG_CHARACTERS = re.compile(r"[\w\s+\-=.:/@]*")


def read_attributes(request: Request) -> dict[str, Any]:
    """Read what a write says about an object.

    Raises:
        AwsError: ``InvalidStorageClass``, ``InvalidTag`` or ``InvalidArgument``.
    """
    headers = request.headers
    kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
    coding = [c.strip() for c in kept.pop("content-encoding", "").split(",")]
    if rest := ",".join(c for c in coding if c and c != "aws-chunked"):
        kept["content-encoding"] = rest
    metadata = {
        name.removeprefix(_METADATA): value
        for name, value in headers.items()
        if name.startswith(_METADATA)
    }
    return {
        "headers": kept,
        "metadata": metadata,
        "tags": check_tags(parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True)),
        "storage": _check_storage_class(headers.get("x-amz-storage-class", _STANDARD)),
        "encryption": _read_encryption(headers),
    }


def copy_attributes(request: Request, source: Object) -> dict[str, Any]:
    """Return what a copy says about an object: the source's words, or its own where it gives some.

    Raises:
        AwsError: ``InvalidRequest`` for a copy onto itself that changes nothing; and those of
            ``given_attributes``.
    """
    given = read_attributes(request)
    replaces = request.headers.get("x-amz-metadata-directive") == "REPLACE"
    changes = replaces or any(
        name in request.headers
        for name in ("x-amz-storage-class", "x-amz-website-redirect-location", _ENCRYPTION)
    )
    if (source.bucket, source.key) == (request.bucket, request.key) and not changes:
        raise AwsError(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing the object's metadata, storage class, website redirect "
            "location or encryption attributes.",
        )
    about = given if replaces else {**given, **_source_attributes(source)}
    if request.headers.get("x-amz-tagging-directive") != "REPLACE":
        about["tags"] = source.about.get("tags", {})
    return {**about, "checksums": source.about.get("checksums", {})}


def check_tags(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return tags by key.

    Raises:
        AwsError: ``InvalidTag`` or ``BadRequest``.
    """
    tags = dict(pairs)
    if len(pairs) > _MAX_TAGS:
        raise AwsError("BadRequest", "Object tags cannot be greater than 10")
    if len(tags) < len(pairs):
        raise AwsError("InvalidTag", "Cannot provide multiple Tags with the same key")
    if not all(_TAG_CHARACTERS.fullmatch(text) for pair in pairs for text in pair):
        raise AwsError("InvalidTag", "The TagValue you have provided is invalid")
    return tags


def response_headers(request: Request, found: Object) -> dict[str, str]:
    """Return what S3 answers about an object, in headers.

    Raises:
        AwsError: ``InvalidObjectState`` where a GET asks for an archived object.
    """
    storage = storage_class(found)
    if storage in _ARCHIVED and request.method == "GET":
        raise AwsError(
            "InvalidObjectState",
            "The operation is not valid for the object's storage class",
            403,
            {"StorageClass": storage},
        )
    about = found.about
    headers = {"content-type": "binary/octet-stream", **about["headers"]}
    headers |= {f"{_METADATA}{name}": value for name, value in about["metadata"].items()}
    headers |= encryption_headers(found) | version_header(found)
    if storage != _STANDARD:
        headers["x-amz-storage-class"] = storage
    if about.get("tags"):
        headers["x-amz-tagging-count"] = str(len(about["tags"]))
    overrides = (word for word in _OVERRIDES if word in request.query)
    return headers | {_OVERRIDES[word]: request.query[word] for word in overrides}


def storage_class(found: Object) -> str:
    """Return the storage class of an object."""
    return str(found.about.get("storage", _STANDARD))


def encryption_headers(found: Object) -> dict[str, str]:
    """Return the headers that say how an object is encrypted."""
    return dict(found.about.get("encryption") or _AES256)


def version_header(found: Object) -> dict[str, str]:
    """Return the header with the version of an object, where its bucket has versions."""
    return {} if found.version == UNVERSIONED else {"x-amz-version-id": found.version}


def _source_attributes(source: Object) -> dict[str, Any]:
    return {name: source.about.get(name, {}) for name in ("headers", "metadata")}


def _check_storage_class(name: str) -> str:
    if name not in _STORAGE_CLASSES:
        raise AwsError("InvalidStorageClass", "The storage class you specified is not valid")
    return name


def _read_encryption(headers: dict[str, str]) -> dict[str, str]:
    given = {
        name: value
        for name, value in headers.items()
        if name.startswith(_ENCRYPTION) and name != f"{_ENCRYPTION}-context"
    }
    if given.get(_ENCRYPTION, "AES256") not in _ENCRYPTIONS:
        raise AwsError("InvalidArgument", "The encryption method specified is not supported")
    return given or dict(_AES256)
