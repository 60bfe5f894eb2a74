"""Signatures: whether a request was signed by somebody who has the secret.

Signature version 4, in the header and in presigned URLs, and version 2 of the URLs that boto3
presigns for S3. The request is signed again by botocore's own signers, and the two signatures are
compared. The signatures of the chunks of a ``STREAMING-AWS4-HMAC-SHA256-PAYLOAD`` are not checked:
the one of their headers is.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlsplit

from botocore.auth import (
    HmacV1QueryAuth,
    S3SigV4Auth,
    S3SigV4QueryAuth,
    SigV4Auth,
    SigV4QueryAuth,
)
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials as Key

from localcloud.credentials import Credentials
from localcloud.errors import AwsError
from localcloud.wire import Environ, is_query, read_body, request_headers

SKEW = dt.timedelta(minutes=15)
_STAMP = "%Y%m%dT%H%M%SZ"
_LONGEST = 604_800  # seconds that a presigned URL may be valid
_HINT = 'This is a local cloud: eval "$(python -m localcloud env)" gives a shell its credentials.'
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<credential>.+?)\s*,"
    r"\s*SignedHeaders=(?P<headers>[^,\s]+)\s*,\s*Signature=(?P<signature>[^,\s]+)\s*"
)
_CREDENTIAL = re.compile(
    r"(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]*)/(?P<service>[^/]+)/aws4_request"
)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class _Problem:
    """One way in which a request is not signed well, and what each kind of service calls it."""

    s3: str
    query: str
    json: str
    message: str
    status: int = 403


_MISSING = _Problem(
    "AccessDenied",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    f"The request is not signed. {_HINT}",
)
_UNKNOWN_KEY = _Problem(
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    f"The AWS Access Key Id you provided does not exist in our records. {_HINT}",
)
_MISMATCH = _Problem(
    "SignatureDoesNotMatch",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "The request signature we calculated does not match the signature you provided. Check your "
    f"AWS Secret Access Key and signing method. {_HINT}",
)
_INCOMPLETE = _Problem(
    "AuthorizationHeaderMalformed",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "The signature needs a Credential, SignedHeaders with host among them, a Signature and a date.",
    400,
)
_INCOMPLETE_URL = _Problem(
    "AuthorizationQueryParametersError",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "A presigned URL needs X-Amz-Algorithm, X-Amz-Credential, X-Amz-Date, X-Amz-SignedHeaders with "
    f"host among them, X-Amz-Signature, and X-Amz-Expires from 1 to {_LONGEST} seconds.",
    400,
)
_SKEWED = _Problem(
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "The difference between the request time and the current time is too large.",
)
_EXPIRED = _Problem(
    "AccessDenied", "SignatureDoesNotMatch", "InvalidSignatureException", "Request has expired"
)
_UNSUPPORTED = _Problem(
    "InvalidRequest",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    400,
)
_UNSIGNED_HEADERS = _Problem(
    "AccessDenied",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "There were headers present in the request which were not signed",
)
_OTHER_BODY = _Problem(
    "XAmzContentSHA256Mismatch",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
    400,
)


class _Refused(Exception):  # noqa: N818 - turned into an error of the service
    def __init__(self, problem: _Problem, message: str = "") -> None:
        super().__init__(message or problem.message)
        self.problem = problem


def check(environ: Environ, credentials: Credentials, service: str, now: dt.datetime) -> None:
    """Refuse a request that none of the cloud's credentials has signed.

    Args:
        environ: The request.
        credentials: The cloud's.
        service: The service that is asked, by botocore's name; it decides how errors are called.
        now: The time, with a time zone.

    Raises:
        AwsError: As AWS refuses it.
    """
    try:
        _check(environ, credentials, now)
    except _Refused as refused:
        problem = refused.problem
        code = problem.json
        if service == "s3":
            code = problem.s3
        elif is_query(environ):
            code = problem.query
        raise AwsError(code, str(refused), problem.status) from None


class _Request(AWSRequest):
    """A request that has come, as botocore's signers want it."""

    @property
    def body(self) -> bytes:  # type: ignore[override]  # the stubs say str
        """The bytes that came, which need no preparation."""
        return bytes(self.data or b"")


class _Header(SigV4Auth):
    """Signature version 4 in the header, of a request that has come."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        """The headers that the client has signed, and no others."""
        chosen = HTTPHeaders()
        for name in request.context["signed_headers"]:
            chosen[name] = request.headers.get(name, "")
        return chosen

    def signature(self, string_to_sign: str, request: AWSRequest) -> str:
        """The signature, with a signing key that is derived once a day."""
        key = _signing_key(str(self.credentials.secret_key), self.credential_scope(request))
        return hmac.new(key, string_to_sign.encode(), hashlib.sha256).hexdigest()


class _S3Header(_Header, S3SigV4Auth):
    """The same for S3, whose paths are not normalized."""


class _Url(_Header, SigV4QueryAuth):
    """Signature version 4 in a presigned URL."""


class _S3Url(_Header, S3SigV4QueryAuth):
    """The same for S3, which does not sign the body."""


class _OldUrl(HmacV1QueryAuth):
    """Signature version 2 in a presigned URL of S3, which boto3 makes unless it is told not to."""

    def __init__(self, key: Key, expires: str) -> None:
        super().__init__(key)
        self._until = expires

    def _get_date(self) -> str:
        return self._until


@lru_cache(maxsize=64)
def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _check(environ: Environ, credentials: Credentials, now: dt.datetime) -> None:
    query = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
    given = dict(query)
    if authorization := environ.get("HTTP_AUTHORIZATION"):
        _check_header(environ, query, authorization, credentials, now)
    elif "X-Amz-Algorithm" in given or "X-Amz-Signature" in given:
        _check_url(environ, query, given, credentials, now)
    elif "AWSAccessKeyId" in given:
        _check_old_url(environ, given, credentials, now)
    else:
        raise _Refused(_MISSING)


def _check_header(
    environ: Environ,
    query: list[tuple[str, str]],
    authorization: str,
    credentials: Credentials,
    now: dt.datetime,
) -> None:
    if not authorization.startswith("AWS4-HMAC-SHA256"):
        raise _Refused(_UNSUPPORTED)
    parts = _AUTHORIZATION.fullmatch(authorization)
    scope = _CREDENTIAL.fullmatch(parts["credential"]) if parts else None
    stamp = environ.get("HTTP_X_AMZ_DATE", "")
    signed_at = _moment(stamp)
    if parts is None or scope is None or signed_at is None:
        raise _Refused(_INCOMPLETE)
    headers = _signed_headers(parts["headers"], _INCOMPLETE)
    s3 = scope["service"] == "s3"
    if abs(now - signed_at) > SKEW:
        raise _Refused(_SKEWED, "" if s3 else _skew(stamp, signed_at, now))
    signer = (_S3Header if s3 else _Header)(
        _key(credentials, scope["key"]), scope["service"], scope["region"]
    )
    request = _request(environ, query, s3=s3)
    request.context |= {"timestamp": stamp, "signed_headers": headers}
    _check_unsigned_headers(request, s3=s3)
    _compare(signer, request, parts["signature"])
    _check_payload(request, s3=s3)


def _check_url(
    environ: Environ,
    query: list[tuple[str, str]],
    given: Mapping[str, str],
    credentials: Credentials,
    now: dt.datetime,
) -> None:
    scope = _CREDENTIAL.fullmatch(given.get("X-Amz-Credential", ""))
    stamp, expires = given.get("X-Amz-Date", ""), given.get("X-Amz-Expires", "")
    signed_at = _moment(stamp)
    if given.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" or scope is None or signed_at is None:
        raise _Refused(_INCOMPLETE_URL)
    if not (expires.isascii() and expires.isdigit() and 1 <= int(expires[:7]) <= _LONGEST):
        raise _Refused(_INCOMPLETE_URL)
    headers = _signed_headers(given.get("X-Amz-SignedHeaders", ""), _INCOMPLETE_URL)
    if signed_at - now > SKEW or now - signed_at > dt.timedelta(seconds=int(expires)):
        raise _Refused(_EXPIRED)
    s3 = scope["service"] == "s3"
    signer = (_S3Url if s3 else _Url)(
        _key(credentials, scope["key"]), scope["service"], scope["region"]
    )
    signed = [(name, value) for name, value in query if name != "X-Amz-Signature"]
    request = _request(environ, signed, s3=s3)
    request.context |= {"timestamp": stamp, "signed_headers": headers}
    _check_unsigned_headers(request, s3=s3)
    _compare(signer, request, given.get("X-Amz-Signature", ""))
    _check_payload(request, s3=s3)


def _check_old_url(
    environ: Environ, given: Mapping[str, str], credentials: Credentials, now: dt.datetime
) -> None:
    expires = given.get("Expires", "")
    if not (expires.isascii() and expires.isdigit()):
        raise _Refused(_INCOMPLETE_URL)
    if now.timestamp() > int(expires[:12]):
        raise _Refused(_EXPIRED)
    signer = _OldUrl(_key(credentials, given["AWSAccessKeyId"]), expires)
    headers = HTTPHeaders()
    moved = {name: value for name, value in given.items() if name.startswith("x-amz-")}
    for name, value in (moved | request_headers(environ)).items():
        headers[name] = value
    url = urlsplit(f"http://s3{_s3_path(environ)}?{environ['QUERY_STRING']}")
    signature = signer.get_signature(environ["REQUEST_METHOD"], url, headers)  # type: ignore[arg-type]
    if not hmac.compare_digest(signature.encode(), given.get("Signature", "").encode()):
        raise _Refused(_MISMATCH)


def _skew(stamp: str, signed_at: dt.datetime, now: dt.datetime) -> str:
    """The sentence of every service but S3 about a clock that is wrong."""
    late, minutes = signed_at < now, SKEW // dt.timedelta(minutes=1)
    said = "expired" if late else "not yet current"
    order, sign = ("now earlier", "-") if late else ("still later", "+")
    limit = (now - SKEW if late else now + SKEW).strftime(_STAMP)
    moment = now.strftime(_STAMP)
    return f"Signature {said}: {stamp} is {order} than {limit} ({moment} {sign} {minutes} min.)"


def _key(credentials: Credentials, access_key_id: str) -> Key:
    secret = credentials.secret_of(access_key_id)
    if secret is None:
        raise _Refused(_UNKNOWN_KEY)
    return Key(access_key_id, secret)


def _moment(stamp: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(stamp, _STAMP).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def _signed_headers(text: str, problem: _Problem) -> list[str]:
    names = text.lower().split(";")
    if "host" not in names:
        raise _Refused(problem)
    return names


def _request(environ: Environ, params: list[tuple[str, str]], *, s3: bool) -> _Request:
    """A request as the signers see it; S3's path in the one encoding that is signed."""
    path = _s3_path(environ) if s3 else environ["RAW_URI"].partition("?")[0]
    headers = {
        name: value.encode("latin-1", "replace").decode("utf-8", "replace")
        for name, value in request_headers(environ).items()
    }
    request = _Request(environ["REQUEST_METHOD"], f"http://cloud{path}", headers)
    request.data, request.params = read_body(environ), params  # type: ignore[assignment]
    return request


def _s3_path(environ: Environ) -> str:
    return quote(unquote_to_bytes(environ["RAW_URI"].partition("?")[0]), safe="/-_.~")


def _check_unsigned_headers(request: _Request, *, s3: bool) -> None:
    """Let nobody add to what was signed: ``x-amz-copy-source`` makes a copy of an upload."""
    signed = request.context["signed_headers"]
    if s3 and any(n.lower() not in signed for n in request.headers if n.startswith("x-amz-")):
        raise _Refused(_UNSIGNED_HEADERS)


def _compare(signer: SigV4Auth, request: _Request, given: str) -> None:
    text = signer.string_to_sign(request, signer.canonical_request(request))
    if not hmac.compare_digest(signer.signature(text, request).encode(), given.encode()):
        raise _Refused(_MISMATCH)


def _check_payload(request: _Request, *, s3: bool) -> None:
    """Compare the body with its signed digest, where the client has given one."""
    digest = request.headers.get("x-amz-content-sha256")
    if digest is None or (s3 and (digest == _UNSIGNED or digest.startswith("STREAMING-"))):
        return
    if not _DIGEST.fullmatch(digest) or digest != hashlib.sha256(request.body).hexdigest():
        raise _Refused(_OTHER_BODY)
