"""Parameters: the members of S3 requests that this cloud refuses, and in which words.

Every other member is used by its operation, or has no effect for the owner of a bucket on AWS
either (``RequestPayer``). ``tests/localcloud/test_s3_parameters.py`` holds this against botocore.
"""

import re
from collections.abc import Mapping

from localcloud.errors import AwsError
from localcloud.s3.request import Request

NOT_IMPLEMENTED = re.compile(
    r"x-amz-(copy-source-)?server-side-encryption-customer-.+"
    r"|x-amz-(bucket-)?object-lock-.+|x-amz-bypass-governance-retention|x-amz-mfa"
    r"|x-amz-write-offset-bytes|x-amz-(object-)?annotation-directive|x-amz-bucket-namespace"
    r"|x-amz-transition-default-minimum-object-size"
    r"|x-amz-if-match-(last-modified-time|size|initiated-time)|x-amz-object-ownership"
    r"|x-amz-checksum-(sha512|md5|xxhash.+)"
)
"""Headers that ask for what is not here: customer keys, Object Lock, directory buckets."""

_HARMLESS = ("false", "bucketownerenforced")
"""Values that ask for what is so anyway."""

_PRIVATE = ("private", "bucket-owner-full-control")
_OWNERS = ("x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner")


def check_parameters(request: Request, account: str) -> None:
    """Refuse a request whose parameters cannot be honoured, before anything is changed.

    Raises:
        AwsError: ``NotImplemented``; ``AccessControlListNotSupported`` as AWS answers for buckets
            without access control lists; ``AccessDenied`` where the bucket is expected to be
            another account's.
    """
    for name, value in request.headers.items():
        if NOT_IMPLEMENTED.fullmatch(name) and value.lower() not in _HARMLESS:
            raise AwsError(
                "NotImplemented",
                "A header you provided implies functionality that is not implemented by the local "
                "cloud",
                501,
                {"Header": name},
            )
    if any(request.headers.get(name, account) != account for name in _OWNERS):
        raise AwsError("AccessDenied", "Access Denied", 403)
    if _grants_access(request.headers):
        raise AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs")


def _grants_access(headers: Mapping[str, str]) -> bool:
    """Return whether a request gives somebody but the owner access."""
    canned = headers.get("x-amz-acl", "private")
    return canned not in _PRIVATE or any(name.startswith("x-amz-grant-") for name in headers)
