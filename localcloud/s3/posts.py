"""Posts: objects that an HTML form uploads, under a policy that was signed before.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
Signatures of versions 4 and 2, which boto3 makes unless told otherwise. The signature is checked
whoever may call the cloud otherwise: a web page can send such a form.
"""

import base64
import datetime as dt
import hmac
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

from botocore.auth import HmacV1PostAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Key
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from localcloud.credentials import Credentials
from localcloud.errors import AwsError
from localcloud.s3 import xml
from localcloud.s3.request import Request
from localcloud.wire import HEADERS, Environ, Response

_TYPE = "multipart/form-data"
_UNCONDITIONED = ("policy", "x-amz-signature", "signature", "awsaccesskeyid", "file")
_OF_THE_FORM = (
    *_UNCONDITIONED, "key", "bucket", "acl", "tagging", "success_action_status",
    "success_action_redirect", "redirect", "x-amz-algorithm", "x-amz-credential", "x-amz-date",
    "x-amz-security-token",
)  # fmt: skip
_SCOPE = re.compile(r"([^/]+)/(\d{8})/([^/]+)/s3/aws4_request")
_STATUSES = ("200", "201", "204")


@dataclass(frozen=True, slots=True)
class Post:
    """A form that may be stored.

    Attributes:
        request: The upload, as a PutObject would ask for it.
        access_key: The access key id that the policy was signed with.
        fields: The fields of the form, by their names in lower case.
    """

    request: Request
    access_key: str
    fields: Mapping[str, str]


def is_form(environ: Environ) -> bool:
    """Return whether a request is a form for a bucket; its policy has the signature."""
    bucket, _, key = environ["PATH_INFO"].removeprefix("/").partition("/")
    return (
        environ["REQUEST_METHOD"] == "POST"
        and bool(bucket)
        and not key
        and not environ.get("QUERY_STRING")
        and "HTTP_AUTHORIZATION" not in environ
        and str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower() == _TYPE
    )


def read_form(environ: Environ, credentials: Credentials, now: dt.datetime) -> Post:
    """Read a form and hold it against its policy.

    Args:
        environ: The request.
        credentials: Of the cloud.
        now: The time, with a time zone.

    Raises:
        AwsError: As S3 refuses a form.
    """
    fields, file, name = _parse_form(environ)
    bucket = environ["PATH_INFO"].strip("/")
    if "key" not in fields:
        raise AwsError("InvalidArgument", "Bucket POST must contain a field named 'key'.")
    access_key = _check_signature(fields, credentials)
    given = {**fields, "bucket": bucket, "key": fields["key"].replace("${filename}", name)}
    _check_policy(_read_policy(fields["policy"]), given, len(file), now)
    headers = {
        name: value.encode().decode("latin-1")  # as headers come
        for name, value in fields.items()
        if name not in _OF_THE_FORM
    }
    if "acl" in fields:
        headers["x-amz-acl"] = fields["acl"]
    if "tagging" in fields:
        pairs = xml.parse_document(fields["tagging"].encode()).findall("TagSet/Tag")
        tags = [(xml.read_text(pair, "Key"), xml.read_text(pair, "Value")) for pair in pairs]
        headers["x-amz-tagging"] = urlencode(tags)
    inner = {**environ, "wsgi.input": io.BytesIO(file), HEADERS: headers}
    return Post(Request("PUT", bucket, given["key"], {}, headers, inner), access_key, fields)


def build_response(post: Post, stored: Response, endpoint_url: str) -> Response:
    """Return what a form is answered when its object is stored, as the form asks for it."""
    request, etag = post.request, stored.headers["etag"]
    location = f"{endpoint_url}/{request.bucket}/{request.key}"
    headers = {**stored.headers, "location": location}
    target = post.fields.get("success_action_redirect") or post.fields.get("redirect")
    if target:
        told = urlencode({"bucket": request.bucket, "key": request.key, "etag": etag})
        joint = "&" if "?" in target else "?"
        return Response(303, {**headers, "location": f"{target}{joint}{told}"})
    status = post.fields.get("success_action_status")
    if status != "201":
        return Response(int(status) if status in _STATUSES else 204, headers)
    content = {"Location": location, "Bucket": request.bucket, "Key": request.key, "ETag": etag}
    body = xml.build_document("PostResponse", content)
    return Response(201, {**headers, "content-type": "application/xml"}, body)


def _parse_form(environ: Environ) -> tuple[dict[str, str], bytes, str]:
    """Return the fields, the file, and the file's name."""
    length = int(environ.get("CONTENT_LENGTH") or 0) or None
    kind, options = parse_options_header(environ["CONTENT_TYPE"])
    stream = environ["wsgi.input"]
    try:
        _, form, files = FormDataParser(silent=False).parse(stream, kind, length, options)
    except ValueError as error:
        text = "The body of your POST request is not well-formed multipart/form-data."
        raise AwsError("MalformedPOSTRequest", text) from error
    fields = {str(name).lower(): str(value) for name, value in form.items()}
    uploads = [one for name, one in files.items() if name.lower() == "file"]
    if len(uploads) == 1:
        return fields, uploads[0].read(), uploads[0].filename or ""
    if "file" in fields:  # a part without a file name
        return fields, fields["file"].encode(), ""
    raise AwsError("InvalidArgument", "POST requires exactly one file upload per request.")


def _check_signature(fields: Mapping[str, str], credentials: Credentials) -> str:
    """Return the access key id that has signed the policy."""
    if "policy" not in fields:
        raise AwsError("AccessDenied", "Access Denied", 403)
    scope = _SCOPE.fullmatch(fields.get("x-amz-credential", ""))
    access_key = scope[1] if scope else fields.get("awsaccesskeyid", "")
    secret = credentials.secret_of(access_key)
    if secret is None:
        text = "The AWS Access Key Id you provided does not exist in our records."
        raise AwsError("InvalidAccessKeyId", text, 403)
    key = Key(access_key, secret)
    if scope:
        request = AWSRequest()
        request.context["timestamp"] = scope[2]
        made = SigV4Auth(key, "s3", scope[3]).signature(fields["policy"], request)
    else:
        made = cast("Any", HmacV1PostAuth(key)).sign_string(fields["policy"])
    given = fields.get("x-amz-signature" if scope else "signature", "")
    if not hmac.compare_digest(str(made).encode(), given.encode()):
        text = "The request signature we calculated does not match the signature you provided."
        raise AwsError("SignatureDoesNotMatch", text, 403)
    return access_key


def _read_policy(text: str) -> dict[str, Any]:
    try:
        policy = json.loads(base64.b64decode(text, validate=True))
        conditions = list(policy["conditions"])
        ends = dt.datetime.fromisoformat(policy["expiration"])
    except (ValueError, TypeError, KeyError) as error:
        raise AwsError("InvalidPolicyDocument", "Invalid Policy: Invalid JSON.") from error
    ends = ends if ends.tzinfo else ends.replace(tzinfo=dt.UTC)
    return {"conditions": conditions, "expiration": ends}


def _check_policy(
    policy: Mapping[str, Any], given: Mapping[str, str], size: int, now: dt.datetime
) -> None:
    if now > policy["expiration"]:
        raise _denied_error("Policy expired.")
    named = set()
    for condition in policy["conditions"]:
        if isinstance(condition, dict):
            tests = [("eq", name, value) for name, value in condition.items()]
        elif isinstance(condition, list) and len(condition) == 3:  # noqa: PLR2004 - test, field, value
            tests = [(str(condition[0]).lower(), condition[1], condition[2])]
        else:
            raise AwsError("InvalidPolicyDocument", "Invalid Policy: Invalid condition.")
        for test, name, value in tests:
            if test == "content-length-range":
                _check_size(size, int(name), int(value))
                continue
            field = str(name).removeprefix("$").lower()
            named.add(field)
            found = given.get(field, "")
            if not (found.startswith(value) if test == "starts-with" else found == value):
                shown = json.dumps([test, f"${field}", value])
                raise _denied_error(f"Policy Condition failed: {shown}")
    free = {*_UNCONDITIONED, "bucket"}
    extra = sorted(n for n in given if n not in named | free and not n.startswith("x-ignore-"))
    if extra:
        raise _denied_error(f"Extra input fields: {', '.join(extra)}")


def _check_size(size: int, least: int, most: int) -> None:
    if size > most:
        text = "Your proposed upload exceeds the maximum allowed size"
        raise AwsError("EntityTooLarge", text, 400, {"ProposedSize": size, "MaxSizeAllowed": most})
    if size < least:
        text = "Your proposed upload is smaller than the minimum allowed size"
        raise AwsError("EntityTooSmall", text, 400, {"ProposedSize": size, "MinSizeAllowed": least})


def _denied_error(reason: str) -> AwsError:
    return AwsError("AccessDenied", f"Invalid according to Policy: {reason}", 403)
