"""Image search: where the image of an execution lies, in a payload whose fields have any name.

Workflows of others call the fields ``Bucket`` and ``objectPath``, nest them in ``detail`` or in a
list of files, or give one ``s3://`` address. So anything that is a location in S3 is found: a whole
address, or a key beside or below a bucket. Where that is the wrong one, a JSONPath can be given.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from workflow.addresses import AddressError, checked_bucket, is_whole, read_address
from workflow.asl.data import Scope, json_or_none
from workflow.asl.paths import InvalidPath, PathNotFound, evaluate, parse
from workflow.errors import WorkflowError

_IMAGE: Final = re.compile(r"\.(png|jpe?g|gif|bmp|webp|tiff?|heic|avif)$", re.IGNORECASE)
_OTHER: Final = re.compile(
    r"\.(jsonl?|csv|txt|lst|parquet|tar|gz|zip|py|xml|log|pdf|html?|ya?ml|onnx|pt|h5|np[yz]|mp4)$",
    re.IGNORECASE,
)
_KEY_NAMES: Final = ("key", "path", "file", "filename", "object", "image", "photo", "name", "uri")
_NOT_IN_NAMES: Final = re.compile(r"[\s_.-]")
_MAX_NESTING: Final = 16
_LONGEST_ADDRESS: Final = 2_048
"""Bucket and key have 1,100 characters at most; what is longer is data, such as base64."""


def find_image(text: str | None) -> str | None:
    """Return ``s3://bucket/key`` of the first image in a payload, or None.

    What ends like an image counts before any other object of S3.

    Args:
        text: JSON of any shape; None for a payload that is not known.
    """
    found = [
        one
        for one in _find_locations(json_or_none(text), "", _MAX_NESTING)
        if not _OTHER.search(one)
    ]
    return next((one for one in found if _IMAGE.search(one)), next(iter(found), None))


def image_at(text: str | None, path: str) -> str | None:
    """Return ``s3://bucket/key`` of the image that a JSONPath leads to, or None.

    Args:
        text: JSON of any shape.
        path: Leads to an address, or to an object that holds one: ``$.detail.object``.

    Raises:
        WorkflowError: ``PathInvalid``.
    """
    try:
        value = evaluate(parse(path), Scope(json_or_none(text)))
    except InvalidPath as error:
        raise WorkflowError(
            "PathInvalid",
            f"{path!r} is no JSONPath: {error}",
            "Give the way to the image in the execution's input, such as $.detail.object.key.",
        ) from None
    except PathNotFound:
        return None
    if isinstance(value, str) and not is_whole(value):
        buckets = list(_find_buckets_below(json_or_none(text), _MAX_NESTING))
        return f"s3://{buckets[0]}/{value}" if buckets and value else None
    return next(_find_locations(value, "", _MAX_NESTING), None)


def _find_locations(value: object, bucket: str, depth: int) -> Iterator[str]:
    """Yield every location, outermost first; ``bucket`` is that of an object around."""
    if not depth:
        return
    if isinstance(value, str):
        yield from _find_in_text(value, bucket, depth)
    elif isinstance(value, Mapping):
        # Keys further inside belong to the innermost bucket around them.
        bucket = next(_find_buckets(value), bucket)
        yield from _find_keys(value, bucket)
        for item in value.values():
            yield from _find_locations(item, bucket, depth - 1)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, str) and bucket and _IMAGE.search(item) and not is_whole(item):
                yield f"s3://{bucket}/{item}"
            else:
                yield from _find_locations(item, bucket, depth - 1)


def _find_in_text(text: str, bucket: str, depth: int) -> Iterator[str]:
    if text[:1] in "{[" and text:
        yield from _find_locations(json_or_none(text), bucket, depth - 1)
    elif len(text) <= _LONGEST_ADDRESS and is_whole(text):
        try:
            address = read_address(text)
        except AddressError:
            return
        yield f"s3://{address.bucket}/{address.keys[0]}"


def _find_keys(value: Mapping[str, Any], bucket: str) -> Iterator[str]:
    """Keys in an object that knows its bucket, those that end like an image first."""
    if not bucket:
        return
    texts = [
        item
        for name, item in value.items()
        if isinstance(item, str)
        and _is_key_name(name)
        and 0 < len(item) <= _LONGEST_ADDRESS
        and not is_whole(item)
        and item[:1] not in "{["
        and item != bucket
    ]
    images = [item for item in texts if _IMAGE.search(item)]
    named = [str(value[name]) for name in value if _normalise_name(name).endswith("key")]
    # Without an image only a field that says key: names and paths hold other text too.
    for key in images or [item for item in named if item in texts]:
        yield f"s3://{bucket}/{key}"


def _find_buckets(value: Mapping[str, Any]) -> Iterator[str]:
    for name, item in value.items():
        if "bucket" in _normalise_name(name):
            given = item.get("name", item.get("Name")) if isinstance(item, Mapping) else item
            if isinstance(given, str) and _is_bucket(given):
                yield given


def _find_buckets_below(value: object, depth: int) -> Iterator[str]:
    if not depth:
        return
    if isinstance(value, Mapping):
        yield from _find_buckets(value)
        for item in value.values():
            yield from _find_buckets_below(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            yield from _find_buckets_below(item, depth - 1)


def _is_bucket(text: str) -> bool:
    try:
        return bool(checked_bucket(text))
    except AddressError:
        return False


def _is_key_name(name: object) -> bool:
    plain = _normalise_name(name)
    return "bucket" not in plain and any(part in plain for part in _KEY_NAMES)


def _normalise_name(name: object) -> str:
    return _NOT_IN_NAMES.sub("", str(name)).lower()
