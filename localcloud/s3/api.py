"""S3: the operations on objects, and the front door of the service."""

import datetime as dt
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from email.utils import formatdate
from typing import Any

from localcloud import wire
from localcloud.cloud import LocalCloud
from localcloud.errors import AwsError
from localcloud.s3 import posts, xml
from localcloud.s3 import request as requests
from localcloud.s3.attributes import (
    check_tags,
    copy_attributes,
    encryption_headers,
    read_attributes,
    response_headers,
    storage_class,
    version_header,
)
from localcloud.s3.bucket_objects import BucketObjects
from localcloud.s3.buckets import OWNER, Buckets, format_time, xml_response
from localcloud.s3.conditions import check_delete, check_read, check_write, parse_range
from localcloud.s3.listing import Listing
from localcloud.s3.multipart import MultipartUploads
from localcloud.s3.objects import Object, Objects
from localcloud.s3.parameters import check_parameters
from localcloud.s3.request import SUBRESOURCES, Request, read_number
from localcloud.s3.upload import unwrap_body
from localcloud.service import now
from localcloud.wire import Call, Environ, Response, access_key

_KEY_LIMIT = 1024
_MAX_DELETES = 1000
_ACTIONS = {
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CopyObject": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "ListObjects": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
}

Handler = Callable[[Request], Response]


def error_response(environ: Environ, error: AwsError) -> Response:
    """Return the response of S3 that carries an error."""
    request_id = _request_id()
    members = {"Resource": environ["PATH_INFO"], "RequestId": request_id, "HostId": "local"}
    body = xml.build_error(error.code, error.message, {**error.members, **members})
    headers = {"content-type": "application/xml", "x-amz-request-id": request_id}
    return Response(error.status, {**headers, "x-amz-id-2": "local"}, body)


def _request_id() -> str:
    return uuid.uuid4().hex[:16].upper()


class S3:
    """The ``s3`` service: requests over HTTP, and reads and writes of the other services."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._buckets = Buckets(cloud.store, cloud.region)
        self._objects = Objects(cloud.store)
        self._found = BucketObjects(self._buckets, self._objects)
        self._lock = threading.RLock()
        listing = Listing(self._found)
        uploads = MultipartUploads(
            self._found, cloud.store.load_table("s3.upload"), self._lock, cloud.endpoint_url
        )
        settings = {
            verb + name: self._buckets.handle_setting
            for verb in ("Get", "Put", "Delete")
            for name in SUBRESOURCES.values()
        }
        self._handlers: dict[str, Handler] = {
            **settings,
            "ListBuckets": self._buckets.list_buckets,
            "CreateBucket": self._buckets.create_bucket,
            "HeadBucket": self._buckets.head_bucket,
            "DeleteBucket": lambda r: self._buckets.delete_bucket(r, empty=self._objects.is_empty),
            "ListObjects": listing.list_objects,
            "ListObjectsV2": listing.list_objects_v2,
            "ListObjectVersions": listing.list_versions,
            "PutObject": self._put_object,
            "CopyObject": self._copy_object,
            "GetObject": self._get_object,
            "HeadObject": self._get_object,
            "DeleteObject": self._delete_object,
            "DeleteObjects": self._delete_objects,
            "GetObjectTagging": self._get_tagging,
            "PutObjectTagging": self._put_tagging,
            "DeleteObjectTagging": self._delete_tagging,
            "GetObjectAcl": self._get_acl,
            "PutObjectAcl": self._put_acl,
            "GetObjectAttributes": self._get_attributes,
            "CreateMultipartUpload": uploads.begin_upload,
            "UploadPart": uploads.put_part,
            "UploadPartCopy": uploads.copy_part,
            "CompleteMultipartUpload": uploads.complete_upload,
            "AbortMultipartUpload": uploads.abort_upload,
            "ListParts": uploads.list_parts,
            "ListMultipartUploads": uploads.list_uploads,
        }

    @property
    def operations(self) -> frozenset[str]:
        """The operations that it has, by botocore's names."""
        return wire.operation_names("s3") & self._handlers.keys()

    def answer_request(self, environ: Environ) -> Response:
        """Answer one HTTP request."""
        try:
            request, post, key = requests.read_request(environ), None, access_key(environ)
            if posts.is_form(environ):
                moment = dt.datetime.now(dt.UTC)
                post = posts.read_form(environ, self._cloud.credentials, moment)
                request, key = post.request, post.access_key
            self._cloud.admit_call(Call("s3", request.operation, self._cloud.region, {}))
            self._authorize_request(request, key)
            check_parameters(request, self._cloud.account)
            response = self._handlers[request.operation](request)
            if post is not None:
                response = posts.build_response(post, response, self._cloud.endpoint_url)
        except AwsError as error:
            return error_response(environ, error)
        response.headers |= {"x-amz-request-id": _request_id(), "x-amz-id-2": "local"}
        return response

    # -- for the other services ----------------------------------------------------------------

    def object_exists(self, bucket: str, key: str) -> bool:
        """Return whether there is such an object."""
        found = self._objects.find_version(bucket, key)
        return found is not None and not found.deleted

    def read_object(self, bucket: str, key: str, version: str | None = None) -> bytes:
        """Return the bytes of an object, or of one of its versions.

        Raises:
            AwsError: ``NoSuchBucket``, ``NoSuchKey`` or ``NoSuchVersion``.
        """
        with self._found.open_object(bucket, key, version) as found:
            return self._objects.read_bytes(found)

    def write_object(self, bucket: str, key: str, body: bytes, content_type: str) -> bool:
        """Store an object; return False where there is no such bucket."""
        if bucket not in self._buckets:
            return False
        about = {"headers": {"content-type": content_type}, "metadata": {}, "tags": {}}
        self._found.store_object(bucket, key, body, about)
        return True

    def write_past(
        self, bucket: str, key: str, body: bytes, content_type: str, modified: float
    ) -> None:
        """Store an object as if it had been written at a time, seconds since 1970."""
        self.write_object(bucket, key, body, content_type)
        stored = self._objects.find_version(bucket, key)
        if stored is not None:
            self._objects.save_version(replace(stored, modified=modified))

    def remove_objects(self, bucket: str, keys: Iterable[str]) -> None:
        """Remove the newest versions of objects for good; a key that is not there is no error."""
        for key in keys:
            stored = self._objects.find_version(bucket, key)
            if stored is not None:
                self._objects.remove_version(stored)

    # -- objects -------------------------------------------------------------------------------

    def _put_object(self, request: Request) -> Response:
        self._buckets.require_bucket(request.bucket)
        if len(request.key.encode()) > _KEY_LIMIT:
            raise AwsError("KeyTooLongError", "Your key is too long")
        body, checksums = unwrap_body(request.body, request.headers)
        about = {**read_attributes(request), "checksums": checksums}
        with self._lock:
            check_write(request.headers, self._objects.find_version(request.bucket, request.key))
            stored = self._found.store_object(request.bucket, request.key, body, about)
        headers = {"etag": f'"{stored.etag}"', **_encrypted_version(stored)}
        return Response(200, headers | {f"x-amz-checksum-{k}": v for k, v in checksums.items()})

    def _copy_object(self, request: Request) -> Response:
        self._buckets.require_bucket(request.bucket)
        with self._lock, self._found.open_source(request) as source:
            check_write(request.headers, self._objects.find_version(request.bucket, request.key))
            stored = replace(
                source,
                bucket=request.bucket,
                key=request.key,
                version=self._found.make_version(request.bucket),
                latest=True,
                modified=now(),
                file=self._objects.copy_file(source.file),
                about=copy_attributes(request, source),
            )
            self._objects.put_version(stored)
        content = {"LastModified": format_time(stored.modified), "ETag": f'"{stored.etag}"'}
        return xml_response("CopyObjectResult", content, _encrypted_version(stored))

    def _get_object(self, request: Request) -> Response:
        version = request.query.get("versionId")
        with self._found.open_object(request.bucket, request.key, version) as found:
            check_read(request.headers, found)
            span = _part_window(request, found) or parse_range(
                request.headers.get("range"), found.size
            )
            start, length = span or (0, found.size)
            headers = {
                "last-modified": formatdate(found.modified, usegmt=True),
                "etag": f'"{found.etag}"',
                "accept-ranges": "bytes",
                **response_headers(request, found),
                "content-length": str(length),
            }
            if span is not None:
                headers["content-range"] = f"bytes {start}-{start + length - 1}/{found.size}"
            elif request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
                given = found.about.get("checksums", {})
                headers |= {f"x-amz-checksum-{k}": v for k, v in given.items()}
            if "partNumber" in request.query and len(found.about.get("parts", ())):
                headers["x-amz-mp-parts-count"] = str(len(found.about["parts"]))
            status = 200 if span is None else 206
            if request.method == "HEAD":
                return Response(status, headers)
            return Response(status, headers, self._objects.read_bytes(found, start, length))

    def _delete_object(self, request: Request) -> Response:
        self._buckets.require_bucket(request.bucket)
        version, wanted = request.query.get("versionId"), request.headers.get("if-match")
        gone = self._remove_version(request.bucket, request.key, version, wanted)
        headers = {}
        if gone.get("marker"):
            headers = {"x-amz-delete-marker": "true", "x-amz-version-id": gone["version"]}
        return Response(204, headers)

    def _delete_objects(self, request: Request) -> Response:
        self._buckets.require_bucket(request.bucket)
        body, _ = unwrap_body(request.body, request.headers)
        root = xml.parse_document(body)
        named = root.findall("Object")
        if not 1 <= len(named) <= _MAX_DELETES:
            raise AwsError("MalformedXML", "DeleteObjects takes 1 to 1,000 keys.")
        deleted: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for item in named:
            key, version = xml.read_text(item, "Key"), item.findtext("VersionId")
            entry: dict[str, Any] = {"Key": key, "VersionId": version}
            try:
                gone = self._remove_version(request.bucket, key, version, item.findtext("ETag"))
            except AwsError as error:
                refused.append({**entry, "Code": error.code, "Message": error.message})
                continue
            if gone.get("marker"):
                entry |= {"DeleteMarker": True, "DeleteMarkerVersionId": gone["version"]}
            deleted.append(entry)
        quiet = xml.read_text(root, "Quiet") == "true"
        return xml_response("DeleteResult", {"Deleted": [] if quiet else deleted, "Error": refused})

    # -- tags, grants, attributes --------------------------------------------------------------

    def _get_tagging(self, request: Request) -> Response:
        tags = self._found.find_object(request).about.get("tags", {})
        entries = [{"Key": key, "Value": value} for key, value in tags.items()]
        return xml_response("Tagging", {"TagSet": {"Tag": entries}})

    def _put_tagging(self, request: Request) -> Response:
        found = self._found.find_object(request)
        body, _ = unwrap_body(request.body, request.headers)
        pairs = xml.parse_document(body).findall("TagSet/Tag")
        tags = check_tags(
            [(xml.read_text(pair, "Key"), xml.read_text(pair, "Value")) for pair in pairs]
        )
        self._objects.save_version(replace(found, about={**found.about, "tags": tags}))
        return Response(200, version_header(found))

    def _delete_tagging(self, request: Request) -> Response:
        found = self._found.find_object(request)
        self._objects.save_version(replace(found, about={**found.about, "tags": {}}))
        return Response(204, version_header(found))

    def _get_acl(self, request: Request) -> Response:
        self._found.find_object(request)
        grantee = {"ID": OWNER["ID"], "DisplayName": OWNER["DisplayName"]}
        grant = {"Grantee": grantee, "Permission": "FULL_CONTROL"}
        content = {"Owner": OWNER, "AccessControlList": {"Grant": grant}}
        return xml_response("AccessControlPolicy", content)

    def _put_acl(self, request: Request) -> Response:
        self._found.find_object(request)
        if request.body:
            raise AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs")
        return Response(200, {})

    def _get_attributes(self, request: Request) -> Response:
        found = self._found.find_object(request)
        parts = found.about.get("parts", [])
        checksums = found.about.get("checksums", {})
        known = {
            "ETag": found.etag,
            "Checksum": {f"Checksum{name.upper()}": text for name, text in checksums.items()},
            "ObjectParts": {"PartsCount": len(parts)} if parts else None,
            "StorageClass": storage_class(found),
            "ObjectSize": found.size,
        }
        wanted = request.headers.get("x-amz-object-attributes", "").split(",")
        chosen = {name.strip() for name in wanted}
        content = {name: value for name, value in known.items() if name in chosen and value}
        modified = {"last-modified": formatdate(found.modified, usegmt=True)}
        return xml_response(
            "GetObjectAttributesResponse", content, modified | version_header(found)
        )

    def _authorize_request(self, request: Request, key: str) -> None:
        """Check a function's role; it learns that a key is missing only where it may list."""
        action = _ACTIONS.get(request.operation)
        if action is None:
            return
        bucket = f"arn:{self._cloud.partition}:s3:::{request.bucket}"
        target = f"{bucket}/{request.key}" if request.key else bucket
        check = self._cloud.permissions.require_allowed
        check(key, action, target, code="AccessDenied", status=403)
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html: 403 instead of 404 for
        # those who may not list the bucket.
        if action == "s3:GetObject" and not self.object_exists(request.bucket, request.key):
            check(key, "s3:ListBucket", bucket, code="AccessDenied", status=403)

    def _remove_version(
        self, bucket: str, key: str, version: str | None, wanted: str | None
    ) -> dict[str, Any]:
        """Delete a key or a version; say whether a delete marker was made or removed."""
        with self._lock:
            found = self._objects.find_version(bucket, key, version)
            check_delete(wanted, found)
            if version is not None or not self._buckets.get_versioning(bucket):
                if found is not None:
                    self._objects.remove_version(found)
                return {"marker": found is not None and found.deleted, "version": version}
            marker = Object(
                bucket=bucket,
                key=key,
                version=self._found.make_version(bucket),
                deleted=True,
                modified=now(),
            )
            self._objects.put_version(marker)
            return {"marker": True, "version": marker.version}


def _encrypted_version(stored: Object) -> dict[str, str]:
    return encryption_headers(stored) | version_header(stored)


def _part_window(request: Request, found: Object) -> tuple[int, int] | None:
    """Return (start, length) of the part that a GET or HEAD asks for, if it does.

    Raises:
        AwsError: ``InvalidPartNumber``.
    """
    if "partNumber" not in request.query:
        return None
    wanted = read_number(request.query["partNumber"])
    sizes = found.about.get("parts") or [found.size]
    if not 1 <= wanted <= len(sizes):
        raise AwsError("InvalidPartNumber", "The requested partnumber is not satisfiable", 416)
    return sum(sizes[: wanted - 1]), sizes[wanted - 1]
