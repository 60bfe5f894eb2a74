"""Buckets: which there are, and the settings that each keeps as the XML or JSON it was given."""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from localcloud.errors import AwsError
from localcloud.s3 import xml
from localcloud.s3.request import Request, read_number
from localcloud.service import now
from localcloud.store import Store
from localcloud.wire import Response

_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_MAX_LISTED = 10_000
_OWNER = hashlib.sha256(b"localcloud").hexdigest()
OWNER = {"ID": _OWNER, "DisplayName": "localcloud"}

# What S3 answers where a setting was never made: an error code, or a document.
_ABSENT: dict[str, tuple[str, str] | tuple[str, dict[str, Any]]] = {
    "policy": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "lifecycle": (
        "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist",
    ),
    "ownershipControls": (
        "OwnershipControlsNotFoundError", "The bucket ownership controls were not found",
    ),
    "tagging": ("NoSuchTagSet", "The TagSet does not exist"),
    "publicAccessBlock": (
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    ),
    "cors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "website": (
        "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration",
    ),
    "replication": (
        "ReplicationConfigurationNotFoundError", "The replication configuration was not found",
    ),
    "object-lock": (
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    "encryption": (
        "ServerSideEncryptionConfiguration",
        {
            "Rule": {
                "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                "BucketKeyEnabled": False,
            }
        },
    ),
    "versioning": ("VersioningConfiguration", {}),
    "notification": ("NotificationConfiguration", {}),
    "logging": ("BucketLoggingStatus", {}),
    "accelerate": ("AccelerateConfiguration", {}),
    "requestPayment": ("RequestPaymentConfiguration", {"Payer": "BucketOwner"}),
    "acl": ("AccessControlPolicy", {"Owner": OWNER, "AccessControlList": {}}),
    "policyStatus": ("PolicyStatus", {"IsPublic": False}),
}  # fmt: skip
_ON_CREATION = {
    "publicAccessBlock": xml.build_document(
        "PublicAccessBlockConfiguration",
        dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"),
            True,
        ),
    ).decode(),
    "ownershipControls": xml.build_document(
        "OwnershipControls", {"Rule": {"ObjectOwnership": "BucketOwnerEnforced"}}
    ).decode(),
}


class Buckets:
    """The buckets of the account.

    Args:
        store: Where they are kept.
        region: The only region they can be in.
    """

    def __init__(self, store: Store, region: str) -> None:
        self._buckets = store.load_table("s3.bucket")
        self._region = region

    def __contains__(self, name: str) -> bool:
        return name in self._buckets

    def require_bucket(self, name: str) -> None:
        """Refuse a request about a bucket that is not there.

        Raises:
            AwsError: ``NoSuchBucket``.
        """
        if name not in self._buckets:
            raise AwsError(
                "NoSuchBucket", "The specified bucket does not exist", 404, {"BucketName": name}
            )

    def get_versioning(self, name: str) -> str:
        """Return ``Enabled``, ``Suspended`` or nothing."""
        given = self._buckets[name]["settings"].get("versioning")
        return xml.read_text(xml.parse_document(given.encode()), "Status") if given else ""

    def list_buckets(self, request: Request) -> Response:
        """Answer ListBuckets."""
        query = request.query
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        size = read_number(query.get("max-buckets", str(_MAX_LISTED)))
        here = query.get("bucket-region", self._region) == self._region
        names = [n for n in sorted(self._buckets) if here and n.startswith(prefix) and n > after]
        buckets = [
            {"Name": name, "CreationDate": format_time(self._buckets[name]["created"])}
            for name in names[:size]
        ]
        content = {
            "Owner": OWNER,
            "Buckets": {"Bucket": buckets},
            "Prefix": prefix or None,
            "ContinuationToken": names[size - 1] if 0 < size < len(names) else None,
        }
        return xml_response("ListAllMyBucketsResult", content)

    def create_bucket(self, request: Request) -> Response:
        """Answer CreateBucket."""
        name = request.bucket
        if not _NAME.fullmatch(name) or ".." in name:
            raise AwsError(
                "InvalidBucketName", "The specified bucket is not valid.", 400, {"BucketName": name}
            )
        if name in self._buckets:
            if self._region == "us-east-1":
                # us-east-1 alone answers its owner 200:
                # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
                return Response(200, {"location": f"/{name}"})
            raise AwsError(
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own "
                "it.",
                409,
            )
        self._buckets[name] = {"created": now(), "settings": dict(_ON_CREATION)}
        return Response(200, {"location": f"/{name}", "x-amz-bucket-region": self._region})

    def head_bucket(self, request: Request) -> Response:
        """Answer HeadBucket."""
        self.require_bucket(request.bucket)
        return Response(200, {"x-amz-bucket-region": self._region})

    def delete_bucket(self, request: Request, *, empty: Callable[[str], bool]) -> Response:
        """Answer DeleteBucket."""
        self.require_bucket(request.bucket)
        if not empty(request.bucket):
            raise AwsError(
                "BucketNotEmpty",
                "The bucket you tried to delete is not empty",
                409,
                {"BucketName": request.bucket},
            )
        del self._buckets[request.bucket]
        return Response(204, {})

    def handle_setting(self, request: Request) -> Response:
        """Get, put or delete one of a bucket's settings."""
        self.require_bucket(request.bucket)
        word = request.subresource
        assert word is not None  # noqa: S101 - the operation was made from it
        if request.method == "GET":
            return self._get_setting(request.bucket, word)
        settings = dict(self._buckets[request.bucket]["settings"])
        if request.method == "DELETE":
            settings.pop(word, None)
        else:
            settings[word] = _check_setting(word, request.body)
        self._buckets[request.bucket] = {**self._buckets[request.bucket], "settings": settings}
        return Response(204 if request.method == "DELETE" or word == "policy" else 200, {})

    def _get_setting(self, name: str, word: str) -> Response:
        if word == "location":
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html: null in
            # us-east-1.
            place = "" if self._region == "us-east-1" else self._region
            namespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
            text = f"<LocationConstraint {namespace}>{place}</LocationConstraint>"
            return Response(200, {"content-type": "application/xml"}, text.encode())
        given = self._buckets[name]["settings"].get(word)
        if given is not None:
            kind = "application/json" if word == "policy" else "application/xml"
            return Response(200, {"content-type": kind}, given.encode())
        root, content = _ABSENT[word]
        if isinstance(content, str):
            raise AwsError(root, content, 404, {"BucketName": name})
        return xml_response(root, content)


def xml_response(
    root: str, content: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    """Return a response of XML."""
    kind = {"content-type": "application/xml"}
    return Response(200, {**kind, **(headers or {})}, xml.build_document(root, content))


def format_time(seconds: float) -> str:
    """Return a time as S3 writes it in XML."""
    return f"{dt.datetime.fromtimestamp(int(seconds), dt.UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _check_setting(word: str, body: bytes) -> str:
    if word == "policy":
        try:
            policy = json.loads(body)
        except ValueError as error:
            raise AwsError(
                "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'"
            ) from error
        if not isinstance(policy, dict) or "Statement" not in policy:
            raise AwsError("MalformedPolicy", "Missing required field Statement")
    elif body:
        xml.parse_document(body)
    return body.decode()
