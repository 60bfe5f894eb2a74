"""Bucket objects: objects of buckets that exist, found and written with S3's errors."""

import hashlib
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote

from localcloud.errors import AwsError
from localcloud.s3.buckets import Buckets
from localcloud.s3.conditions import check_source
from localcloud.s3.objects import UNVERSIONED, Object, Objects
from localcloud.s3.request import Request
from localcloud.service import now


class BucketObjects:
    """What object operations share.

    Args:
        buckets: The buckets of the account.
        objects: Their objects.
    """

    def __init__(self, buckets: Buckets, objects: Objects) -> None:
        self.buckets = buckets
        self.objects = objects

    @contextmanager
    def open_object(self, bucket: str, key: str, version: str | None) -> Iterator[Object]:
        """Find an object whose bytes stay readable until the block ends.

        Raises:
            AwsError: ``NoSuchBucket``, ``NoSuchKey``, ``NoSuchVersion``, ``MethodNotAllowed``.
        """
        self.buckets.require_bucket(bucket)
        with self.objects.open_version(bucket, key, version) as found:
            yield _require_existing(found, key, version)

    @contextmanager
    def open_source(self, request: Request) -> Iterator[Object]:
        """Find the object that a copy names, and check the conditions that it makes.

        Raises:
            AwsError: As ``reading`` does, and ``PreconditionFailed``.
        """
        path, _, query = request.headers["x-amz-copy-source"].partition("?")
        bucket, _, key = unquote(path).removeprefix("/").partition("/")
        with self.open_object(bucket, key, dict(parse_qsl(query)).get("versionId")) as found:
            check_source(request.headers, found)
            yield found

    def find_object(self, request: Request) -> Object:
        """Find the object that a request names.

        Raises:
            AwsError: As ``reading`` does.
        """
        self.buckets.require_bucket(request.bucket)
        version = request.query.get("versionId")
        return _require_existing(
            self.objects.find_version(request.bucket, request.key, version), request.key, version
        )

    def store_object(self, bucket: str, key: str, body: bytes, about: dict[str, Any]) -> Object:
        """Write an object of an existing bucket."""
        stored = Object(
            bucket=bucket,
            key=key,
            version=self.make_version(bucket),
            size=len(body),
            etag=hashlib.md5(body).hexdigest(),  # noqa: S324 - that is what an ETag is
            modified=now(),
            file=self.objects.write_file(body),
            about=about,
        )
        self.objects.put_version(stored)
        return stored

    def make_version(self, bucket: str) -> str:
        """Make a version id where the bucket is versioned; ids sort by time."""
        if self.buckets.get_versioning(bucket) != "Enabled":
            return UNVERSIONED
        return f"{time.time_ns():016x}{uuid.uuid4().hex[:16]}"


def _require_existing(found: Object | None, key: str, version: str | None) -> Object:
    if found is not None and not found.deleted:
        return found
    if found is not None and version is not None:
        raise AwsError(
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
            405,
        )
    if version is not None:
        raise AwsError("NoSuchVersion", "The specified version does not exist.", 404)
    raise AwsError("NoSuchKey", "The specified key does not exist.", 404, {"Key": key})
