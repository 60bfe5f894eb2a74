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
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlsplit

from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials as Key

from localcloud.credentials import Credentials
from localcloud.errors import AwsError
from localcloud.wire import HEADERS, Environ, is_query, read_body, request_headers

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
_DIGEST_HEADER = "x-amz-content-sha256"
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


def check_request(
    environ: Environ, credentials: Credentials, service: str, now: dt.datetime
) -> None:
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
        _check_scheme(environ, credentials, now)
    except _Refused as refused:
        problem = refused.problem
        code = problem.json
        if service == "s3":
            code = problem.s3
        elif is_query(environ):
            code = problem.query
        raise AwsError(code, str(refused), problem.status) from None


class _Signed(NamedTuple):
    """All that a signature of version 4 covers, and the key that it was made with."""

    access_key_id: str
    secret: str
    service: str
    region: str
    stamp: str
    method: str
    path: str
    params: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    digest: str


class _Signer(SigV4Auth):
    """botocore's signer, of requests that have come."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        """Return the headers that the client has signed; there are no others."""
        return request.headers

    def payload(self, request: AWSRequest) -> str:
        """Return the digest of the body."""
        return str(request.context["digest"])


class _S3Signer(_Signer, S3SigV4Auth):
    """The same for S3, whose paths are not normalized."""


@lru_cache(maxsize=512)
def _compute_signature(signed: _Signed) -> str:
    """Return the signature; one that polls sends the same request many times within a second."""
    request = AWSRequest(signed.method, f"http://cloud{signed.path}", dict(signed.headers))
    request.params = signed.params  # type: ignore[assignment]
    request.context |= {"timestamp": signed.stamp, "digest": signed.digest}
    signer = (_S3Signer if signed.service == "s3" else _Signer)(
        Key(signed.access_key_id, signed.secret), signed.service, signed.region
    )
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


class _OldUrl(HmacV1QueryAuth):
    """Signature version 2 in a presigned URL of S3, which boto3 makes unless it is told not to."""

    def __init__(self, key: Key, expires: str) -> None:
        super().__init__(key)
        self._until = expires

    def _get_date(self) -> str:
        return self._until


def _check_scheme(environ: Environ, credentials: Credentials, now: dt.datetime) -> None:
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
    signed_at = _parse_stamp(stamp)
    if parts is None or scope is None or signed_at is None:
        raise _Refused(_INCOMPLETE)
    headers = _signed_headers(parts["headers"], _INCOMPLETE)
    s3 = scope["service"] == "s3"
    if abs(now - signed_at) > SKEW:
        raise _Refused(_SKEWED, "" if s3 else _skew_message(stamp, signed_at, now))
    secret = _find_secret(credentials, scope["key"])
    signed = _collect_signed(
        environ, scope, secret=secret, stamp=stamp, params=query, names=headers
    )
    _compare_signatures(signed, environ, parts["signature"])


def _check_url(
    environ: Environ,
    query: list[tuple[str, str]],
    given: Mapping[str, str],
    credentials: Credentials,
    now: dt.datetime,
) -> None:
    scope = _CREDENTIAL.fullmatch(given.get("X-Amz-Credential", ""))
    stamp, expires = given.get("X-Amz-Date", ""), given.get("X-Amz-Expires", "")
    signed_at = _parse_stamp(stamp)
    if given.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" or scope is None or signed_at is None:
        raise _Refused(_INCOMPLETE_URL)
    # isdigit() alone takes digits of other scripts; the cut keeps int() from endless digits.
    if not (expires.isascii() and expires.isdigit() and 1 <= int(expires[:7]) <= _LONGEST):
        raise _Refused(_INCOMPLETE_URL)
    headers = _signed_headers(given.get("X-Amz-SignedHeaders", ""), _INCOMPLETE_URL)
    if signed_at - now > SKEW or now - signed_at > dt.timedelta(seconds=int(expires)):
        raise _Refused(_EXPIRED)
    # A signature cannot cover itself.
    params = [(name, value) for name, value in query if name != "X-Amz-Signature"]
    secret = _find_secret(credentials, scope["key"])
    signed = _collect_signed(
        environ, scope, secret=secret, stamp=stamp, params=params, names=headers
    )
    # Who presigns a URL of S3 does not know the body that it will be used with.
    if scope["service"] == "s3" and _DIGEST_HEADER not in environ[HEADERS]:
        signed = signed._replace(digest=_UNSIGNED)
    _compare_signatures(signed, environ, given.get("X-Amz-Signature", ""))


def _check_old_url(
    environ: Environ, given: Mapping[str, str], credentials: Credentials, now: dt.datetime
) -> None:
    expires = given.get("Expires", "")
    if not (expires.isascii() and expires.isdigit()):
        raise _Refused(_INCOMPLETE_URL)
    if now.timestamp() > int(expires[:12]):
        raise _Refused(_EXPIRED)
    key_id = given["AWSAccessKeyId"]
    signer = _OldUrl(Key(key_id, _find_secret(credentials, key_id)), expires)
    headers = HTTPHeaders()
    # Version 2 signs x-amz- parameters of the URL as if they were headers; a header counts more.
    moved = {name: value for name, value in given.items() if name.startswith("x-amz-")}
    for name, value in (moved | request_headers(environ)).items():
        headers[name] = value
    url = urlsplit(f"http://s3{_s3_path(environ)}?{environ['QUERY_STRING']}")
    signature = signer.get_signature(environ["REQUEST_METHOD"], url, headers)  # type: ignore[arg-type]
    # In constant time, and as bytes: compare_digest refuses text that is not ASCII.
    if not hmac.compare_digest(signature.encode(), given.get("Signature", "").encode()):
        raise _Refused(_MISMATCH)


def _skew_message(stamp: str, signed_at: dt.datetime, now: dt.datetime) -> str:
    """Return the sentence of every service but S3 about a clock that is wrong."""
    late, minutes = signed_at < now, SKEW // dt.timedelta(minutes=1)
    said = "expired" if late else "not yet current"
    order, sign = ("now earlier", "-") if late else ("still later", "+")
    limit = (now - SKEW if late else now + SKEW).strftime(_STAMP)
    moment = now.strftime(_STAMP)
    return f"Signature {said}: {stamp} is {order} than {limit} ({moment} {sign} {minutes} min.)"


def _find_secret(credentials: Credentials, access_key_id: str) -> str:
    secret = credentials.secret_of(access_key_id)
    if secret is None:
        raise _Refused(_UNKNOWN_KEY)
    return secret


@lru_cache(maxsize=64)
def _parse_stamp(stamp: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(stamp, _STAMP).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def _signed_headers(text: str, problem: _Problem) -> list[str]:
    names = text.lower().split(";")
    if "host" not in names:
        raise _Refused(problem)
    return names


def _collect_signed(
    environ: Environ,
    scope: re.Match[str],
    *,
    secret: str,
    stamp: str,
    params: list[tuple[str, str]],
    names: list[str],
) -> _Signed:
    """Return what the client has signed; S3's path in the one encoding that it signs."""
    given: dict[str, str] = environ[HEADERS]
    s3 = scope["service"] == "s3"
    if s3 and any(name.startswith("x-amz-") and name not in names for name in given):
        raise _Refused(_UNSIGNED_HEADERS)  # x-amz-copy-source would make a copy of an upload
    digest = given.get(_DIGEST_HEADER) or hashlib.sha256(read_body(environ)).hexdigest()
    return _Signed(
        scope["key"],
        secret,
        scope["service"],
        scope["region"],
        stamp,
        environ["REQUEST_METHOD"],
        # Other services sign the path as it was sent; S3 does not encode it a second time.
        _s3_path(environ) if s3 else environ["RAW_URI"].partition("?")[0],
        tuple(params),
        tuple((name, _decode_header(given.get(name, ""))) for name in names),
        digest,
    )


def _decode_header(value: str) -> str:
    """Return a header's value as the client wrote it, which is UTF-8 if it is not ASCII."""
    # WSGI hands header bytes over as Latin-1 (PEP 3333).
    return value.encode("latin-1", "replace").decode("utf-8", "replace")


def _s3_path(environ: Environ) -> str:
    return quote(unquote_to_bytes(environ["RAW_URI"].partition("?")[0]), safe="/-_.~")


def _compare_signatures(signed: _Signed, environ: Environ, given: str) -> None:
    """Compare the signatures, and the body with its digest where the client has given one."""
    if not hmac.compare_digest(_compute_signature(signed).encode(), given.encode()):
        raise _Refused(_MISMATCH)
    digest = environ[HEADERS].get(_DIGEST_HEADER)
    free = digest == _UNSIGNED or str(digest).startswith("STREAMING-")
    if digest is None or (signed.service == "s3" and free):
        return
    if digest != hashlib.sha256(read_body(environ)).hexdigest():
        raise _Refused(_OTHER_BODY)
