"""Multipart uploads: begun, filled part by part, completed or aborted.

Source: S3 User Guide, "Uploading and copying objects using multipart upload".
"""

import hashlib
import threading
import uuid
from typing import Any
from urllib.parse import quote

from localcloud.errors import AwsError
from localcloud.s3 import xml
from localcloud.s3.attributes import (
    encryption_headers,
    read_attributes,
    version_header,
)
from localcloud.s3.bucket_objects import BucketObjects
from localcloud.s3.buckets import OWNER, format_time, xml_response
from localcloud.s3.conditions import check_write, parse_range
from localcloud.s3.listing import key_encoder
from localcloud.s3.objects import Object, UploadPart, shared_prefix
from localcloud.s3.request import Request, read_number
from localcloud.s3.upload import given_checksums, unwrap_body
from localcloud.service import now
from localcloud.store import Table
from localcloud.wire import Response

_MIN_PART = 5 * 1024 * 1024
_MAX_PARTS = 10_000
_PAGE = 1000


class MultipartUploads:
    """The multipart uploads under way.

    Args:
        objects: Where parts and completed objects go.
        uploads: What each upload was begun with, by its id.
        lock: Held while a write checks its conditions.
        url: The URL of the cloud.
    """

    def __init__(
        self, objects: BucketObjects, uploads: Table, lock: threading.RLock, url: str
    ) -> None:
        self._objects = objects
        self._uploads = uploads
        self._lock = lock
        self._url = url

    def begin_upload(self, request: Request) -> Response:
        """Answer CreateMultipartUpload."""
        self._objects.buckets.require_bucket(request.bucket)
        upload = uuid.uuid4().hex
        self._uploads[upload] = {
            "bucket": request.bucket,
            "key": request.key,
            "about": read_attributes(request),
            "started": now(),
        }
        content = {"Bucket": request.bucket, "Key": request.key, "UploadId": upload}
        return xml_response("InitiateMultipartUploadResult", content)

    def put_part(self, request: Request) -> Response:
        """Answer UploadPart."""
        upload = self._find_upload(request)
        body, checksums = unwrap_body(request.body, request.headers)
        part = self._keep_part(upload, request, body)
        headers = {f"x-amz-checksum-{k}": v for k, v in checksums.items()}
        return Response(200, {"etag": f'"{part.etag}"', **headers})

    def copy_part(self, request: Request) -> Response:
        """Answer UploadPartCopy."""
        upload = self._find_upload(request)
        with self._objects.open_source(request) as source:
            span = parse_range(request.headers.get("x-amz-copy-source-range"), source.size)
            body = self._objects.objects.read_bytes(source, *(span or (0, source.size)))
        part = self._keep_part(upload, request, body)
        content = {"LastModified": format_time(part.modified), "ETag": f'"{part.etag}"'}
        return xml_response("CopyPartResult", content)

    def complete_upload(self, request: Request) -> Response:
        """Answer CompleteMultipartUpload."""
        with self._lock:
            upload = self._find_upload(request)
            # Under the lock, or two completions with If-None-Match could both find the key free.
            check_write(
                request.headers, self._objects.objects.find_version(request.bucket, request.key)
            )
            stored = self._join_parts(request, upload)
            # The object first: should the process end in between, parts are left and none is lost.
            self._objects.objects.put_version(stored)
            self._drop_upload(upload)
        content = {
            "Location": f"{self._url}/{request.bucket}/{quote(request.key)}",
            "Bucket": request.bucket,
            "Key": request.key,
            "ETag": f'"{stored.etag}"',
        }
        headers = encryption_headers(stored) | version_header(stored)
        return xml_response("CompleteMultipartUploadResult", content, headers)

    def abort_upload(self, request: Request) -> Response:
        """Answer AbortMultipartUpload."""
        self._drop_upload(self._find_upload(request))
        return Response(204, {})

    def list_parts(self, request: Request) -> Response:
        """Answer ListParts."""
        upload, query = self._find_upload(request), request.query
        marker, size = (
            read_number(query.get("part-number-marker", "0")),
            _page_size(query, "max-parts"),
        )
        behind = [p for p in self._objects.objects.list_parts(upload) if p.number > marker]
        shown, more = behind[:size], len(behind) > size
        content = {
            "Bucket": request.bucket,
            "Key": request.key,
            "UploadId": upload,
            "Initiator": OWNER,
            "Owner": OWNER,
            "StorageClass": self._uploads[upload]["about"].get("storage", "STANDARD"),
            "PartNumberMarker": marker,
            "NextPartNumberMarker": shown[-1].number if shown else 0,
            "MaxParts": size,
            "IsTruncated": more,
            "Part": [_build_part(part) for part in shown],
        }
        return xml_response("ListPartsResult", content)

    def list_uploads(self, request: Request) -> Response:
        """Answer ListMultipartUploads."""
        self._objects.buckets.require_bucket(request.bucket)
        query, encode = request.query, key_encoder(request.query)
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        size = _page_size(query, "max-uploads")
        folded = self._fold_uploads(request, prefix, delimiter)
        shown, more = folded[:size], len(folded) > size
        content = {
            "Bucket": request.bucket,
            "KeyMarker": encode(query.get("key-marker", "")),
            "UploadIdMarker": query.get("upload-id-marker", ""),
            "Prefix": encode(prefix),
            "Delimiter": encode(delimiter) or None,
            "EncodingType": query.get("encoding-type"),
            "MaxUploads": size,
            "IsTruncated": more,
            "NextKeyMarker": encode(shown[-1][0]) if more and shown else None,
            "NextUploadIdMarker": shown[-1][1] if more and shown else None,
            "Upload": [
                {
                    "Key": encode(key),
                    "UploadId": upload,
                    "Initiated": format_time(self._uploads[upload]["started"]),
                    "StorageClass": self._uploads[upload]["about"].get("storage", "STANDARD"),
                    "Initiator": OWNER,
                    "Owner": OWNER,
                }
                for key, upload in shown
                if upload
            ],
            "CommonPrefixes": [{"Prefix": encode(key)} for key, upload in shown if not upload],
        }
        return xml_response("ListMultipartUploadsResult", content)

    def _fold_uploads(self, request: Request, prefix: str, delimiter: str) -> list[tuple[str, str]]:
        """Return (key, upload id) pairs behind the markers; (shared prefix, "") for folded keys."""
        query = request.query
        key_marker, upload_marker = query.get("key-marker", ""), query.get("upload-id-marker", "")
        found = []
        for upload, about in self._uploads.items():
            key = about["key"]
            behind = key > key_marker or (
                bool(upload_marker) and key == key_marker and upload > upload_marker
            )
            if about["bucket"] != request.bucket or not key.startswith(prefix) or not behind:
                continue
            shared = shared_prefix(key, prefix, delimiter)
            if shared is None:
                found.append((key, upload))
            # A shared prefix that was on the page before is not listed again.
            elif shared > key_marker:
                found.append((shared, ""))
        return sorted(set(found))

    def _keep_part(self, upload: str, request: Request, body: bytes) -> UploadPart:
        place = read_number(request.query.get("partNumber", ""))
        if not 1 <= place <= _MAX_PARTS:
            raise AwsError(
                "InvalidArgument",
                "Part number must be an integer between 1 and 10000, inclusive",
            )
        etag = hashlib.md5(body).hexdigest()  # noqa: S324 - that is what an ETag is
        return self._objects.objects.put_part(upload, place, body, etag)

    def _join_parts(self, request: Request, upload: str) -> Object:
        """Return the object that the parts named by a completion make.

        Raises:
            AwsError: ``InvalidRequest`` where the sizes do not add up, or that of ``_chosen``.
        """
        wanted = [
            (read_number(xml.read_text(part, "PartNumber")), xml.read_text(part, "ETag").strip('"'))
            for part in xml.parse_document(request.body).findall("Part")
        ]
        parts = _choose_parts(wanted, self._objects.objects.list_parts(upload))
        size = sum(part.size for part in parts)
        expected = request.headers.get("x-amz-mp-object-size")
        if expected is not None and read_number(expected) != size:
            raise AwsError(
                "InvalidRequest",
                "The provided 'x-amz-mp-object-size' header value does not match what was "
                "computed.",
            )
        # S3's ETag of an upload in parts: MD5 of the parts' MD5s, then the number of parts.
        digests = b"".join(bytes.fromhex(part.etag) for part in parts)
        about: dict[str, Any] = dict(self._uploads[upload]["about"])
        about |= {
            "checksums": given_checksums(request.headers),
            "parts": [part.size for part in parts],
        }
        return Object(
            bucket=request.bucket,
            key=request.key,
            version=self._objects.make_version(request.bucket),
            size=size,
            etag=f"{hashlib.md5(digests).hexdigest()}-{len(parts)}",  # noqa: S324 - an ETag
            modified=now(),
            file=self._objects.objects.join_files([part.file for part in parts]),
            about=about,
        )

    def _find_upload(self, request: Request) -> str:
        name = request.query["uploadId"]
        upload = self._uploads.get(name)
        # An upload id is good for its own key only.
        if upload is None or (upload["bucket"], upload["key"]) != (request.bucket, request.key):
            raise AwsError(
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, or the "
                "upload may have been aborted or completed.",
                404,
            )
        return name

    def _drop_upload(self, upload: str) -> None:
        del self._uploads[upload]
        self._objects.objects.drop_parts(upload)


def _page_size(query: dict[str, str], name: str) -> int:
    return min(read_number(query.get(name, str(_PAGE))), _PAGE)


def _build_part(part: UploadPart) -> dict[str, Any]:
    return {
        "PartNumber": part.number,
        "LastModified": format_time(part.modified),
        "ETag": f'"{part.etag}"',
        "Size": part.size,
    }


def _choose_parts(wanted: list[tuple[int, str]], have: list[UploadPart]) -> list[UploadPart]:
    """Return the parts that a CompleteMultipartUpload names.

    Raises:
        AwsError: ``InvalidPart``, ``InvalidPartOrder`` or ``EntityTooSmall``.
    """
    by_number = {part.number: part for part in have}
    # The set: a number that is given twice is out of order too.
    if [place for place, _ in wanted] != sorted({place for place, _ in wanted}):
        raise AwsError(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )
    for place, etag in wanted:
        if place not in by_number or by_number[place].etag != etag:
            raise AwsError(
                "InvalidPart",
                "One or more of the specified parts could not be found. The part may not have "
                "been uploaded, or the specified entity tag may not match the part's entity tag.",
            )
    parts = [by_number[place] for place, _ in wanted]
    if not parts:
        raise AwsError("MalformedXML", "You must specify at least one part")
    # The last part may be of any size.
    if any(part.size < _MIN_PART for part in parts[:-1]):
        raise AwsError(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
        )
    return parts
