"""Request: an HTTP request as S3 sees it: which operation, on which bucket and key."""

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl

from localcloud.errors import AwsError
from localcloud.wire import Environ, read_body, request_headers

# What a bucket can be asked about by a word in the query, and botocore's name for it.
SUBRESOURCES = {
    "policy": "BucketPolicy",
    "encryption": "BucketEncryption",
    "lifecycle": "BucketLifecycleConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "versioning": "BucketVersioning",
    "tagging": "BucketTagging",
    "publicAccessBlock": "PublicAccessBlock",
    "cors": "BucketCors",
    "notification": "BucketNotificationConfiguration",
    "acl": "BucketAcl",
    "logging": "BucketLogging",
    "website": "BucketWebsite",
    "policyStatus": "BucketPolicyStatus",
    "location": "BucketLocation",
    "accelerate": "BucketAccelerateConfiguration",
    "requestPayment": "BucketRequestPayment",
    "replication": "BucketReplication",
    "object-lock": "ObjectLockConfiguration",
}
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}


@dataclass(frozen=True)
class Request:
    """One request to S3.

    Attributes:
        method: The HTTP method.
        bucket: The bucket; empty for ListBuckets.
        key: The key; empty for requests about the bucket.
        query: The query by name; a word without value has the value ``""``.
        headers: The headers in lower case.
        environ: The request itself.
    """

    method: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    environ: Environ

    @cached_property
    def body(self) -> bytes:
        """The raw body."""
        return read_body(self.environ)

    @cached_property
    def subresource(self) -> str | None:
        """The word of ``SUBRESOURCES`` in the query, if any."""
        return next((word for word in self.query if word in SUBRESOURCES), None)

    @cached_property
    def operation(self) -> str:
        """The operation, by botocore's name.

        Raises:
            AwsError: ``MethodNotAllowed``.
        """
        name = self._object_operation() if self.key else self._bucket_operation()
        if name is None:
            raise AwsError(
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
                405,
            )
        return name

    def _bucket_operation(self) -> str | None:
        query = self.query
        if not self.bucket:
            return "ListBuckets" if self.method in ("GET", "HEAD") else None
        if self.method == "GET" and "versions" in query:
            return "ListObjectVersions"
        if self.method == "GET" and "uploads" in query:
            return "ListMultipartUploads"
        if self.method == "POST":
            return "DeleteObjects" if "delete" in query else None
        if self.subresource is not None and self.method in _VERBS:
            return _VERBS[self.method] + SUBRESOURCES[self.subresource]
        lists = "ListObjectsV2" if query.get("list-type") == "2" else "ListObjects"
        names = {"PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket"}
        return {**names, "GET": lists}.get(self.method)

    def _object_operation(self) -> str | None:
        query = self.query
        if self.method == "POST":
            if "uploads" in query:
                return "CreateMultipartUpload"
            return "CompleteMultipartUpload" if "uploadId" in query else None
        for word, name in (("tagging", "ObjectTagging"), ("acl", "ObjectAcl")):
            if word in query and self.method in _VERBS:
                return _VERBS[self.method] + name
        if "uploadId" in query:
            copied = "x-amz-copy-source" in self.headers
            put = "UploadPartCopy" if copied else "UploadPart"
            return {"PUT": put, "GET": "ListParts", "DELETE": "AbortMultipartUpload"}.get(
                self.method
            )
        if self.method == "GET" and "attributes" in query:
            return "GetObjectAttributes"
        put = "CopyObject" if "x-amz-copy-source" in self.headers else "PutObject"
        names = {"PUT": put, "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
        return names.get(self.method)


def read_request(environ: Environ) -> Request:
    """Return the S3 request in an HTTP request, path style."""
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    bucket, _, key = path.removeprefix("/").partition("/")
    query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
    headers = request_headers(environ)
    return Request(environ["REQUEST_METHOD"], bucket, key, query, headers, environ)


def read_number(text: str) -> int:
    """Return a parameter that has to be a number of zero or more.

    Raises:
        AwsError: ``InvalidArgument``.
    """
    if not text.isdecimal():
        raise AwsError("InvalidArgument", f"{text!r} is not a number.")
    return int(text)
