"""S3: the operations on objects, and the front door of the service."""

import base64
import hashlib
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from email.utils import formatdate, parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from localcloud.cloud import Cloud
from localcloud.errors import AwsError
from localcloud.s3 import request as requests
from localcloud.s3 import xml
from localcloud.s3.buckets import OWNER, Buckets, document, stamp
from localcloud.s3.objects import UNVERSIONED, Object, Objects, Part
from localcloud.s3.request import SUBRESOURCES, Request
from localcloud.s3.upload import CHECKSUMS, unwrap
from localcloud.service import now
from localcloud.wire import Call, Environ, Response, access_key

_KEY_LIMIT = 1024
_PAGE = 1000
_KEPT_HEADERS = (
    "content-type", "content-encoding", "content-disposition", "content-language",
    "cache-control", "expires",
)  # fmt: skip
_OVERRIDES = {f"response-{name}": name for name in _KEPT_HEADERS}
_ACTIONS = {
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CopyObject": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "ListObjects": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_MIN_PART = 5 * 1024 * 1024

Handler = Callable[[Request], Response]


def refuse(environ: Environ, error: AwsError) -> Response:
    """The response of S3 that carries an error."""
    request_id = _request_id()
    members = {"Resource": environ["PATH_INFO"], "RequestId": request_id, "HostId": "local"}
    body = xml.error(error.code, error.message, {**error.members, **members})
    headers = {"content-type": "application/xml", "x-amz-request-id": request_id}
    return Response(error.status, {**headers, "x-amz-id-2": "local"}, body)


def _request_id() -> str:
    return uuid.uuid4().hex[:16].upper()


class S3:
    """The ``s3`` service: requests over HTTP, and reads and writes of the other services."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._buckets = Buckets(cloud.store, cloud.region)
        self._objects = Objects(cloud.store)
        self._uploads = cloud.store.table("s3.upload")
        self._lock = threading.RLock()
        settings = {
            verb + name: self._buckets.setting
            for verb in ("Get", "Put", "Delete")
            for name in SUBRESOURCES.values()
        }
        self._handlers: dict[str, Handler] = {
            **settings,
            "ListBuckets": lambda _: self._buckets.listed(),
            "CreateBucket": self._buckets.create,
            "HeadBucket": self._buckets.head,
            "DeleteBucket": lambda r: self._buckets.delete(r, empty=self._objects.empty),
            "ListObjects": self._list,
            "ListObjectsV2": self._list_v2,
            "ListObjectVersions": self._list_versions,
            "PutObject": self._put,
            "CopyObject": self._copy,
            "GetObject": self._get,
            "HeadObject": self._get,
            "DeleteObject": self._delete,
            "DeleteObjects": self._delete_many,
            "GetObjectTagging": self._get_tagging,
            "PutObjectTagging": self._put_tagging,
            "DeleteObjectTagging": self._delete_tagging,
            "GetObjectAcl": self._get_acl,
            "PutObjectAcl": lambda _: Response(200, {}),
            "GetObjectAttributes": self._attributes,
            "CreateMultipartUpload": self._begin,
            "UploadPart": self._put_part,
            "UploadPartCopy": self._copy_part,
            "CompleteMultipartUpload": self._complete,
            "AbortMultipartUpload": self._abort,
            "ListParts": self._list_parts,
            "ListMultipartUploads": self._list_uploads,
        }

    def answer(self, environ: Environ) -> Response:
        """Answer one HTTP request."""
        try:
            request = requests.read(environ)
            self._cloud.admit(Call("s3", request.operation, self._cloud.region, {}))
            self._authorize(request, access_key(environ))
            response = self._handlers[request.operation](request)
        except AwsError as error:
            return refuse(environ, error)
        response.headers |= {"x-amz-request-id": _request_id(), "x-amz-id-2": "local"}
        return response

    # -- for the other services ----------------------------------------------------------------

    def exists(self, bucket: str, key: str) -> bool:
        """Whether there is such an object."""
        found = self._objects.find(bucket, key)
        return found is not None and not found.deleted

    def read(self, bucket: str, key: str) -> bytes:
        """The bytes of an object.

        Raises:
            AwsError: ``NoSuchBucket`` or ``NoSuchKey``.
        """
        with self._reading(bucket, key, None) as found:
            return self._objects.read(found)

    def write(self, bucket: str, key: str, body: bytes, content_type: str) -> bool:
        """Store an object; gives False where there is no such bucket."""
        if bucket not in self._buckets:
            return False
        about = {"headers": {"content-type": content_type}, "metadata": {}, "tags": {}}
        self._store(bucket, key, body, about)
        return True

    # -- objects -------------------------------------------------------------------------------

    def _put(self, request: Request) -> Response:
        self._buckets.check(request.bucket)
        if len(request.key.encode()) > _KEY_LIMIT:
            raise AwsError("KeyTooLongError", "Your key is too long")
        body, checksums = unwrap(request.body, request.headers)
        about = {**_about(request), "checksums": checksums}
        with self._lock:
            self._check_write(request)
            stored = self._store(request.bucket, request.key, body, about)
        headers = {"etag": f'"{stored.etag}"', **_sse(), **_version(stored)}
        return Response(200, headers | {f"x-amz-checksum-{k}": v for k, v in checksums.items()})

    def _copy(self, request: Request) -> Response:
        self._buckets.check(request.bucket)
        with self._source(request) as source:
            stored = replace(
                source,
                bucket=request.bucket,
                key=request.key,
                version=self._new_version(request.bucket),
                latest=True,
                modified=now(),
                file=self._objects.copy_file(source.file),
                about=_about_copy(request, source),
            )
        self._objects.put(stored)
        content = {"LastModified": stamp(stored.modified), "ETag": f'"{stored.etag}"'}
        return document("CopyObjectResult", content, {**_sse(), **_version(stored)})

    def _get(self, request: Request) -> Response:
        version = request.query.get("versionId")
        with self._reading(request.bucket, request.key, version) as found:
            return self._content(request, found)

    def _content(self, request: Request, found: Object) -> Response:
        _check_conditions(request, found)
        headers = {
            "last-modified": formatdate(found.modified, usegmt=True),
            "etag": f'"{found.etag}"',
            "accept-ranges": "bytes",
            "content-type": "binary/octet-stream",
            **found.about["headers"],
            **{f"x-amz-meta-{k}": v for k, v in found.about["metadata"].items()},
            **_sse(),
            **_version(found),
        }
        if found.about.get("tags"):
            headers["x-amz-tagging-count"] = str(len(found.about["tags"]))
        for word, name in _OVERRIDES.items():
            if word in request.query:
                headers[name] = request.query[word]
        status, start, length = 200, 0, found.size
        if window := _window(request.headers.get("range"), found.size):
            status, (start, length) = 206, window
            headers["content-range"] = f"bytes {start}-{start + length - 1}/{found.size}"
        elif request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            given = found.about.get("checksums", {})
            headers |= {f"x-amz-checksum-{k}": v for k, v in given.items()}
        headers["content-length"] = str(length)
        if request.method == "HEAD":
            return Response(status, headers)
        return Response(status, headers, self._objects.read(found, start, length))

    def _delete(self, request: Request) -> Response:
        self._buckets.check(request.bucket)
        gone = self._remove(request.bucket, request.key, request.query.get("versionId"))
        headers = {}
        if gone.get("marker"):
            headers = {"x-amz-delete-marker": "true", "x-amz-version-id": gone["version"]}
        return Response(204, headers)

    def _delete_many(self, request: Request) -> Response:
        self._buckets.check(request.bucket)
        body, _ = unwrap(request.body, request.headers)
        root = xml.parse(body)
        wanted = root.findall("Object")
        if not 1 <= len(wanted) <= _PAGE:
            raise AwsError("MalformedXML", "DeleteObjects takes 1 to 1,000 keys.")
        deleted = []
        for item in wanted:
            key, version = xml.text(item, "Key"), item.findtext("VersionId")
            gone = self._remove(request.bucket, key, version)
            entry: dict[str, Any] = {"Key": key, "VersionId": version}
            if gone.get("marker"):
                entry |= {"DeleteMarker": True, "DeleteMarkerVersionId": gone["version"]}
            deleted.append(entry)
        quiet = xml.text(root, "Quiet") == "true"
        return document("DeleteResult", {} if quiet else {"Deleted": deleted})

    # -- lists ---------------------------------------------------------------------------------

    def _list(self, request: Request) -> Response:
        return self._listing(request, after=request.query.get("marker", ""), version=1)

    def _list_v2(self, request: Request) -> Response:
        query = request.query
        after = query.get("start-after", "")
        if token := query.get("continuation-token"):
            try:
                after = base64.urlsafe_b64decode(token).decode()
            except ValueError as error:
                raise AwsError(
                    "InvalidArgument", "The continuation token provided is incorrect"
                ) from error
        return self._listing(request, after=after, version=2)

    def _listing(self, request: Request, *, after: str, version: int) -> Response:
        self._buckets.check(request.bucket)
        query = request.query
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        size = min(_number(query.get("max-keys", "1000")), _PAGE)
        shown: list[Object | str] = []
        more = False
        for found in self._objects.keys(request.bucket, prefix, after, delimiter):
            if len(shown) == size:
                more = size > 0
                break
            shown.append(found)
        encode = _encoder(query)
        content: dict[str, Any] = {
            "Name": request.bucket,
            "Prefix": encode(prefix),
            "MaxKeys": size,
            "Delimiter": encode(delimiter) or None,
            "EncodingType": query.get("encoding-type"),
            "IsTruncated": more,
            "Contents": [_entry(o, encode) for o in shown if isinstance(o, Object)],
            "CommonPrefixes": [{"Prefix": encode(p)} for p in shown if isinstance(p, str)],
        }
        last = shown[-1] if shown else ""
        if version == 1:
            marker = encode(last if isinstance(last, str) else last.key)
            content |= {"Marker": encode(after), "NextMarker": marker if more else None}
        else:
            behind = last + "\U0010ffff" if isinstance(last, str) else last.key
            token = base64.urlsafe_b64encode(behind.encode()).decode()
            content |= {
                "KeyCount": len(shown),
                "StartAfter": encode(query.get("start-after", "")) or None,
                "ContinuationToken": query.get("continuation-token"),
                "NextContinuationToken": token if more else None,
            }
        return document("ListBucketResult", content)

    def _list_versions(self, request: Request) -> Response:
        self._buckets.check(request.bucket)
        query = request.query
        prefix = query.get("prefix", "")
        size = min(_number(query.get("max-keys", "1000")), _PAGE)
        start = (query.get("key-marker", ""), query.get("version-id-marker", ""))
        found = list(self._objects.versions(request.bucket, prefix))
        if start[0]:
            places = [i for i, o in enumerate(found) if (o.key, o.version) == start]
            behind = [i for i, o in enumerate(found) if o.key > start[0]]
            at = places[0] + 1 if places else (behind[0] if behind else len(found))
            found = found[at:]
        shown, more = found[:size], len(found) > size
        encode = _encoder(query)
        versions = [
            {**_entry(o, encode), "VersionId": o.version, "IsLatest": o.latest}
            for o in shown
            if not o.deleted
        ]
        markers = [
            {
                "Key": encode(o.key),
                "VersionId": o.version,
                "IsLatest": o.latest,
                "LastModified": stamp(o.modified),
                "Owner": OWNER,
            }
            for o in shown
            if o.deleted
        ]
        content = {
            "Name": request.bucket,
            "Prefix": encode(prefix),
            "MaxKeys": size,
            "EncodingType": query.get("encoding-type"),
            "IsTruncated": more,
            "NextKeyMarker": encode(shown[-1].key) if more else None,
            "NextVersionIdMarker": shown[-1].version if more else None,
            "Version": versions,
            "DeleteMarker": markers,
        }
        return document("ListVersionsResult", content)

    # -- tags, grants, attributes --------------------------------------------------------------

    def _get_tagging(self, request: Request) -> Response:
        tags = self._found(request).about.get("tags", {})
        entries = [{"Key": key, "Value": value} for key, value in tags.items()]
        return document("Tagging", {"TagSet": {"Tag": entries}})

    def _put_tagging(self, request: Request) -> Response:
        found = self._found(request)
        body, _ = unwrap(request.body, request.headers)
        pairs = xml.parse(body).findall("TagSet/Tag")
        tags = {xml.text(pair, "Key"): xml.text(pair, "Value") for pair in pairs}
        self._objects.save(replace(found, about={**found.about, "tags": tags}))
        return Response(200, _version(found))

    def _delete_tagging(self, request: Request) -> Response:
        found = self._found(request)
        self._objects.save(replace(found, about={**found.about, "tags": {}}))
        return Response(204, _version(found))

    def _get_acl(self, request: Request) -> Response:
        self._found(request)
        return document("AccessControlPolicy", {"Owner": OWNER, "AccessControlList": {}})

    def _attributes(self, request: Request) -> Response:
        found = self._found(request)
        content = {"ETag": found.etag, "ObjectSize": found.size, "StorageClass": "STANDARD"}
        modified = {"last-modified": formatdate(found.modified, usegmt=True)}
        return document("GetObjectAttributesResponse", content, modified)

    # -- multipart uploads ---------------------------------------------------------------------

    def _begin(self, request: Request) -> Response:
        self._buckets.check(request.bucket)
        upload = uuid.uuid4().hex
        self._uploads[upload] = {
            "bucket": request.bucket,
            "key": request.key,
            "about": _about(request),
            "started": now(),
        }
        content = {"Bucket": request.bucket, "Key": request.key, "UploadId": upload}
        return document("InitiateMultipartUploadResult", content)

    def _put_part(self, request: Request) -> Response:
        upload = self._upload(request)
        body, checksums = unwrap(request.body, request.headers)
        number = _number(request.query.get("partNumber", ""))
        etag = hashlib.md5(body).hexdigest()  # noqa: S324 - that is what an ETag is
        part = self._objects.put_part(upload, number, body, etag)
        headers = {f"x-amz-checksum-{k}": v for k, v in checksums.items()}
        return Response(200, {"etag": f'"{part.etag}"', **headers})

    def _copy_part(self, request: Request) -> Response:
        upload = self._upload(request)
        with self._source(request) as source:
            window = _window(request.headers.get("x-amz-copy-source-range"), source.size)
            body = self._objects.read(source, *(window or (0, source.size)))
        number = _number(request.query.get("partNumber", ""))
        etag = hashlib.md5(body).hexdigest()  # noqa: S324 - that is what an ETag is
        part = self._objects.put_part(upload, number, body, etag)
        content = {"LastModified": stamp(part.modified), "ETag": f'"{part.etag}"'}
        return document("CopyPartResult", content)

    def _complete(self, request: Request) -> Response:
        upload = self._upload(request)
        body, _ = unwrap(request.body, request.headers)
        wanted = [
            (_number(xml.text(part, "PartNumber")), xml.text(part, "ETag").strip('"'))
            for part in xml.parse(body).findall("Part")
        ]
        parts = _chosen(wanted, self._objects.parts(upload))
        digests = b"".join(bytes.fromhex(part.etag) for part in parts)
        etag = f"{hashlib.md5(digests).hexdigest()}-{len(parts)}"  # noqa: S324 - an ETag
        stored = Object(
            bucket=request.bucket,
            key=request.key,
            version=self._new_version(request.bucket),
            size=sum(part.size for part in parts),
            etag=etag,
            modified=now(),
            file=self._objects.join_files([part.file for part in parts]),
            about=self._uploads[upload]["about"],
        )
        self._objects.put(stored)
        self._drop(upload)
        content = {
            "Location": f"{self._cloud.endpoint_url}/{request.bucket}/{quote(request.key)}",
            "Bucket": request.bucket,
            "Key": request.key,
            "ETag": f'"{etag}"',
        }
        return document("CompleteMultipartUploadResult", content, _version(stored))

    def _abort(self, request: Request) -> Response:
        self._drop(self._upload(request))
        return Response(204, {})

    def _list_parts(self, request: Request) -> Response:
        upload = self._upload(request)
        parts = [
            {
                "PartNumber": part.number,
                "LastModified": stamp(part.modified),
                "ETag": f'"{part.etag}"',
                "Size": part.size,
            }
            for part in self._objects.parts(upload)
        ]
        content = {
            "Bucket": request.bucket,
            "Key": request.key,
            "UploadId": upload,
            "IsTruncated": False,
            "Part": parts,
        }
        return document("ListPartsResult", content)

    def _list_uploads(self, request: Request) -> Response:
        self._buckets.check(request.bucket)
        uploads = [
            {"Key": u["key"], "UploadId": name, "Initiated": stamp(u["started"])}
            for name, u in self._uploads.items()
            if u["bucket"] == request.bucket
        ]
        content = {"Bucket": request.bucket, "IsTruncated": False, "Upload": uploads}
        return document("ListMultipartUploadsResult", content)

    def _authorize(self, request: Request, key: str) -> None:
        """Check a function's role; it learns that a key is missing only where it may list."""
        action = _ACTIONS.get(request.operation)
        if action is None:
            return
        bucket = f"arn:aws:s3:::{request.bucket}"
        target = f"{bucket}/{request.key}" if request.key else bucket
        check = self._cloud.permissions.check
        check(key, action, target, code="AccessDenied", status=403)
        if action == "s3:GetObject" and not self.exists(request.bucket, request.key):
            check(key, "s3:ListBucket", bucket, code="AccessDenied", status=403)

    # -- helpers -------------------------------------------------------------------------------

    def _store(self, bucket: str, key: str, body: bytes, about: dict[str, Any]) -> Object:
        stored = Object(
            bucket=bucket,
            key=key,
            version=self._new_version(bucket),
            size=len(body),
            etag=hashlib.md5(body).hexdigest(),  # noqa: S324 - that is what an ETag is
            modified=now(),
            file=self._objects.write_file(body),
            about=about,
        )
        self._objects.put(stored)
        return stored

    def _new_version(self, bucket: str) -> str:
        """A version id where the bucket is versioned; ids sort by time."""
        if self._buckets.versioning(bucket) != "Enabled":
            return UNVERSIONED
        return f"{time.time_ns():016x}{uuid.uuid4().hex[:16]}"

    @contextmanager
    def _reading(self, bucket: str, key: str, version: str | None) -> Iterator[Object]:
        """Find an object whose bytes stay readable until the block ends."""
        self._buckets.check(bucket)
        with self._objects.reading(bucket, key, version) as found:
            yield _existing(found, key, version)

    def _source(self, request: Request) -> AbstractContextManager[Object]:
        """Find the object that a copy names."""
        path, _, query = request.headers["x-amz-copy-source"].partition("?")
        bucket, _, key = unquote(path).removeprefix("/").partition("/")
        return self._reading(bucket, key, dict(parse_qsl(query)).get("versionId"))

    def _found(self, request: Request) -> Object:
        self._buckets.check(request.bucket)
        version = request.query.get("versionId")
        found = self._objects.find(request.bucket, request.key, version)
        return _existing(found, request.key, version)

    def _remove(self, bucket: str, key: str, version: str | None) -> dict[str, Any]:
        """Delete a key or a version; says whether a delete marker was made or removed."""
        with self._lock:
            found = self._objects.find(bucket, key, version)
            if version is not None or not self._buckets.versioning(bucket):
                if found is not None:
                    self._objects.remove(found)
                return {"marker": found is not None and found.deleted, "version": version}
            marker = Object(
                bucket=bucket,
                key=key,
                version=self._new_version(bucket),
                deleted=True,
                modified=now(),
            )
            self._objects.put(marker)
            return {"marker": True, "version": marker.version}

    def _check_write(self, request: Request) -> None:
        """The conditions of a PUT: If-None-Match and If-Match."""
        found = self._objects.find(request.bucket, request.key)
        exists = found is not None and not found.deleted
        wanted = request.headers.get("if-match")
        if wanted is not None and not exists:
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
        if (request.headers.get("if-none-match") == "*" and exists) or (
            wanted is not None and found is not None and wanted.strip('"') != found.etag
        ):
            raise _precondition_failed()

    def _upload(self, request: Request) -> str:
        name = request.query["uploadId"]
        upload = self._uploads.get(name)
        if upload is None or (upload["bucket"], upload["key"]) != (request.bucket, request.key):
            raise AwsError(
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, or the "
                "upload may have been aborted or completed.",
                404,
            )
        return name

    def _drop(self, upload: str) -> None:
        del self._uploads[upload]
        self._objects.drop_parts(upload)


def _existing(found: Object | None, key: str, version: str | None) -> Object:
    """Refuse what is not there, and delete markers.

    Raises:
        AwsError: ``NoSuchKey``, ``NoSuchVersion`` or ``MethodNotAllowed``.
    """
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


def _about_copy(request: Request, source: Object) -> dict[str, Any]:
    """What a copy says about an object.

    Raises:
        AwsError: ``InvalidRequest`` for a copy onto itself that changes nothing.
    """
    about = source.about
    if request.headers.get("x-amz-metadata-directive") == "REPLACE":
        about = {**_about(request), "tags": about.get("tags", {})}
    elif (source.bucket, source.key) == (request.bucket, request.key):
        raise AwsError(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing the object's metadata, storage class, website redirect "
            "location or encryption attributes.",
        )
    if request.headers.get("x-amz-tagging-directive") == "REPLACE":
        about = {**about, "tags": _about(request)["tags"]}
    return about


def _about(request: Request) -> dict[str, Any]:
    """What a write says about an object."""
    headers = request.headers
    kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
    coding = [c.strip() for c in kept.pop("content-encoding", "").split(",")]
    if rest := ",".join(c for c in coding if c and c != "aws-chunked"):
        kept["content-encoding"] = rest
    metadata = {k[11:]: v for k, v in headers.items() if k.startswith("x-amz-meta-")}
    tags = dict(parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True))
    return {"headers": kept, "metadata": metadata, "tags": tags}


def _check_conditions(request: Request, found: Object) -> None:
    """The conditions of a GET or HEAD."""
    headers = request.headers
    wanted, unwanted = headers.get("if-match"), headers.get("if-none-match")
    if wanted is not None and wanted.strip('"') not in ("*", found.etag):
        raise _precondition_failed()
    since = headers.get("if-modified-since")
    if (unwanted is not None and unwanted.strip('"') in ("*", found.etag)) or (
        unwanted is None
        and since is not None
        and int(found.modified) <= parsedate_to_datetime(since).timestamp()
    ):
        raise AwsError("NotModified", "Not Modified", 304)
    until = headers.get("if-unmodified-since")
    if until is not None and int(found.modified) > parsedate_to_datetime(until).timestamp():
        raise _precondition_failed()


def _precondition_failed() -> AwsError:
    return AwsError(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        412,
    )


def _window(header: str | None, size: int) -> tuple[int, int] | None:
    """(start, length) of a Range; None where the whole object is meant.

    Raises:
        AwsError: ``InvalidRange``.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    if start >= size or start > end:
        raise AwsError("InvalidRange", "The requested range is not satisfiable", 416)
    return start, end - start + 1


def _chosen(wanted: list[tuple[int, str]], have: list[Part]) -> list[Part]:
    """The parts that a CompleteMultipartUpload names.

    Raises:
        AwsError: ``InvalidPart``, ``InvalidPartOrder`` or ``EntityTooSmall``.
    """
    by_number = {part.number: part for part in have}
    if [number for number, _ in wanted] != sorted({number for number, _ in wanted}):
        raise AwsError(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )
    for number, etag in wanted:
        if number not in by_number or by_number[number].etag != etag:
            raise AwsError(
                "InvalidPart",
                "One or more of the specified parts could not be found. The part may not have "
                "been uploaded, or the specified entity tag may not match the part's entity tag.",
            )
    parts = [by_number[number] for number, _ in wanted]
    if not parts:
        raise AwsError("MalformedXML", "You must specify at least one part")
    if any(part.size < _MIN_PART for part in parts[:-1]):
        raise AwsError(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
        )
    return parts


def _encoder(query: dict[str, str]) -> Callable[[str], str]:
    """How keys are written in a list: as they are, or percent-encoded where asked for."""
    if query.get("encoding-type") == "url":
        return lambda text: quote(text, safe="/*-._")
    return lambda text: text


def _entry(found: Object, encode: Callable[[str], str]) -> dict[str, Any]:
    return {
        "Key": encode(found.key),
        "LastModified": stamp(found.modified),
        "ETag": f'"{found.etag}"',
        "ChecksumAlgorithm": [
            n.upper() for n in CHECKSUMS if n in found.about.get("checksums", {})
        ],
        "Size": found.size,
        "StorageClass": "STANDARD",
    }


def _sse() -> dict[str, str]:
    return {"x-amz-server-side-encryption": "AES256"}


def _version(found: Object) -> dict[str, str]:
    return {} if found.version == UNVERSIONED else {"x-amz-version-id": found.version}


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise AwsError("InvalidArgument", f"{text!r} is no number.") from None
