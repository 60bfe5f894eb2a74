"""Signatures that botocore and others make are taken, and nothing else is."""

import datetime as dt
import io
from urllib.parse import quote, unquote_to_bytes, urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Key
from hypothesis import given
from hypothesis import strategies as st

from localcloud import signatures
from localcloud.credentials import Credentials
from localcloud.errors import AwsError
from localcloud.wire import HEADERS

OURS = Credentials("AKIAOURS", "ours")
URL = "http://127.0.0.1:4577"
JSON = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AWSStepFunctions.ListX"}
QUERY = {"content-type": "application/x-www-form-urlencoded"}
NOW = dt.timedelta()
VARIABLES = ("REQUEST_METHOD", "RAW_URI", "QUERY_STRING", "wsgi.input")


def key(credentials=OURS):
    return Key(credentials.access_key_id, credentials.secret_access_key)


def environ(request):
    """What the server makes of a request."""
    prepared = request.prepare()
    split = urlsplit(prepared.url)
    target = split.path + (f"?{split.query}" if split.query else "")
    body = prepared.body or b""
    made = {
        "REQUEST_METHOD": prepared.method,
        "PATH_INFO": unquote_to_bytes(split.path).decode("latin-1"),
        "QUERY_STRING": split.query,
        "RAW_URI": target,
        "wsgi.input": io.BytesIO(body if isinstance(body, bytes) else body.encode()),
    }
    headers = {
        name: value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in prepared.headers.items()
    }
    return altered(made, {"host": split.netloc, **headers})


def altered(request, changed):
    """A request with other variables, or with other headers under any other name."""
    given = {name.lower(): value for name, value in changed.items() if name not in VARIABLES}
    made = {**request, **{name: changed[name] for name in changed if name in VARIABLES}}
    for name, value in given.items():
        bare = name.upper().replace("-", "_")
        made[bare if bare in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{bare}"] = value
    return {**made, HEADERS: {**request.get(HEADERS, {}), **given}}


def signed(service="s3", signer=None, *, method="GET", path="/bucket/key", data=b"", headers=None,
           credentials=OURS):  # fmt: skip
    request = AWSRequest(method, URL + path, dict(headers or {}), data)
    made = signer or (auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth)
    made(key(credentials), service, "us-east-1").add_auth(request)
    return environ(request)


def presigned(*, method="GET", path="/bucket/key", headers=None, old=False, expires=60):
    request = AWSRequest(method, URL + path, dict(headers or {}))
    if old:
        auth.HmacV1QueryAuth(key(), expires=expires).add_auth(request)
    else:
        auth.S3SigV4QueryAuth(key(), "s3", "us-east-1", expires=expires).add_auth(request)
    return environ(request)


def check(request, service="s3", later=NOW):
    signatures.check_request(request, OURS, service, dt.datetime.now(dt.UTC) + later)


def refused(request, service="s3", later=NOW):
    with pytest.raises(AwsError) as caught:
        check(request, service, later)
    return caught.value.code


@given(
    name=st.text(min_size=1, max_size=20), value=st.text(max_size=20), data=st.binary(max_size=9)
)
def test_s3_requests_of_any_key_query_and_body_are_taken(name, value, data):
    path = f"/bucket/{quote(name, safe='/~')}?{quote(name, safe='')}={quote(value, safe='')}"
    check(signed(method="PUT", path=path, data=data))
    check(presigned(path=path))


@given(name=st.text(min_size=1, max_size=20))
def test_old_presigned_urls_of_any_key_are_taken(name):
    check(presigned(path=f"/bucket/{quote(name, safe='/~')}?response-content-type=a", old=True))


@pytest.mark.parametrize(
    ("service", "path", "headers"),
    [
        ("states", "/", JSON),
        ("sns", "/", QUERY),
        ("lambda", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1/invocations", {}),
        ("lambda", "/2015-03-31/functions/arn:aws:lambda:us-east-1/invocations", {}),
        ("sagemaker", "/endpoints/e/invocations", {"content-type": "image/png"}),
    ],
)
def test_requests_of_other_services_are_taken(service, path, headers):
    check(signed(service, method="POST", path=path, data=b"{}", headers=headers), service)


def test_an_address_that_is_encoded_otherwise_on_the_way_is_the_same():
    request = signed(path="/bucket/a%28b%29%2A~")
    check({**request, "RAW_URI": "/bucket/a(b)*%7E"})


def test_the_key_of_a_role_signs_too():
    check(signed(credentials=OURS.of_role("a,role=of+a@function")))


@pytest.mark.parametrize("payload", ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                                     "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"])  # fmt: skip
def test_s3_takes_bodies_that_are_not_signed_and_others_do_not(payload):
    class Given(auth.SigV4Auth):
        """Signs the digest that the client gives."""

    headers = {"x-amz-content-sha256": payload}
    check(signed("s3", Given, method="PUT", path="/b/k", data=b"5\r\n", headers=headers))
    request = signed("states", Given, method="POST", path="/", data=b"{}", headers=headers)
    assert refused(request, "stepfunctions") == "InvalidSignatureException"


WRONG = Credentials("AKIAOURS", "another")
OTHER = Credentials("AKIAOTHER", "ours")


@pytest.mark.parametrize(
    ("service", "name", "headers", "codes"),
    [
        ("s3", "s3", {}, ("SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied")),
        ("sts", "sts", QUERY, ("SignatureDoesNotMatch", "InvalidClientTokenId",
                               "MissingAuthenticationToken")),
        ("states", "stepfunctions", JSON, ("InvalidSignatureException",
                                           "UnrecognizedClientException",
                                           "MissingAuthenticationTokenException")),
    ],
)  # fmt: skip
def test_each_service_refuses_in_its_own_words(service, name, headers, codes):
    options = {"method": "POST", "path": "/b/k", "data": b"{}", "headers": headers}
    wrong = refused(signed(service, credentials=WRONG, **options), name)
    other = refused(signed(service, credentials=OTHER, **options), name)
    nobody = refused(environ(AWSRequest("POST", f"{URL}/b/k", headers, b"{}")), name)
    assert (wrong, other, nobody) == codes


def test_the_secret_of_one_role_is_not_that_of_another():
    one, other = OURS.of_role("one"), OURS.of_role("other")
    stolen = Credentials(other.access_key_id, one.secret_access_key)
    assert refused(signed(credentials=stolen)) == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"REQUEST_METHOD": "DELETE"}, "SignatureDoesNotMatch"),
        ({"RAW_URI": "/bucket/other"}, "SignatureDoesNotMatch"),
        ({"QUERY_STRING": "acl"}, "SignatureDoesNotMatch"),
        ({"host": "127.0.0.1:4578"}, "SignatureDoesNotMatch"),
        ({"x-amz-copy-source": "/bucket/secret"}, "AccessDenied"),
        ({"wsgi.input": io.BytesIO(b"other")}, "XAmzContentSHA256Mismatch"),
        ({"x-amz-date": ""}, "AuthorizationHeaderMalformed"),
        ({"authorization": "AWS4-HMAC-SHA256 Credential=x"}, "AuthorizationHeaderMalformed"),
        ({"authorization": "AWS AKIAOURS:sig"}, "InvalidRequest"),
        ({"authorization": "Bearer x"}, "InvalidRequest"),
        ({"authorization": ""}, "AccessDenied"),
    ],
)
def test_nothing_of_a_request_can_be_changed(changed, code):
    assert refused(altered(signed(method="PUT", data=b"body"), changed)) == code


def test_what_is_not_signed_may_change():
    check(altered(signed(), {"user-agent": "another", "accept": "*/*"}))


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"REQUEST_METHOD": "PUT"}, "SignatureDoesNotMatch"),
        ({"RAW_URI": "/bucket/other"}, "SignatureDoesNotMatch"),
        ({"x-amz-copy-source": "/bucket/secret"}, "AccessDenied"),
    ],
)
def test_a_presigned_url_opens_what_it_names(changed, code):
    assert refused(altered(presigned(), changed)) == code


@pytest.mark.parametrize(
    "changed",
    [{"REQUEST_METHOD": "PUT"}, {"RAW_URI": "/bucket/other"}, {"x-amz-acl": "public-read"}],
)
def test_an_old_presigned_url_opens_what_it_names(changed):
    assert refused(altered(presigned(old=True), changed)) == "SignatureDoesNotMatch"


def test_presigned_urls_run_out():
    minute = dt.timedelta(minutes=1, seconds=2)
    for old in (False, True):
        check(presigned(old=old), later=minute - dt.timedelta(seconds=20))
        assert refused(presigned(old=old), later=minute) == "AccessDenied"


@pytest.mark.parametrize(
    ("part", "other"),
    [("X-Amz-Expires=60", "X-Amz-Expires=999999"), ("X-Amz-Expires=60", "X-Amz-Expires=-1"),
     ("X-Amz-Expires=60", "X-Amz-Expires=%C2%B2"), ("Headers=host", "Headers=accept"),
     ("X-Amz-Date=", "X-Amz-Date=x"), ("%2Fs3%2Faws4_request", "")],
)  # fmt: skip
def test_a_presigned_url_that_lacks_something_says_what_it_needs(part, other):
    request = presigned()
    changed = request["QUERY_STRING"].replace(part, other)
    assert changed != request["QUERY_STRING"]
    assert (
        refused(altered(request, {"QUERY_STRING": changed})) == "AuthorizationQueryParametersError"
    )


def test_a_clock_that_is_wrong_is_told_from_a_wrong_secret():
    skew = signatures.SKEW + dt.timedelta(minutes=1)
    for later in (skew, -skew):
        assert refused(signed(), later=later) == "RequestTimeTooSkewed"
    request = signed("states", method="POST", path="/", headers=JSON)
    with pytest.raises(AwsError, match=r"Signature expired: .* is now earlier than .* - 15 min"):
        check(request, "stepfunctions", skew)
    with pytest.raises(AwsError, match="Signature not yet current") as caught:
        check(request, "stepfunctions", -skew)
    assert caught.value.code == "InvalidSignatureException"
    check(signed(), later=signatures.SKEW - dt.timedelta(minutes=1))


@given(st.dictionaries(
    st.sampled_from(["authorization", "QUERY_STRING", "RAW_URI", "x-amz-date",
                     "x-amz-content-sha256", "content-type"]),
    st.text(st.characters(max_codepoint=255), max_size=40),
    min_size=1,
))  # fmt: skip
def test_any_bytes_are_refused_and_never_break_the_server(changed):
    request = signed("s3", method="PUT", data=b"body")
    unsigned = {"content-type"}
    now = {**request, **request[HEADERS]}
    if any(now.get(name) != value for name, value in changed.items() if name not in unsigned):
        with pytest.raises(AwsError):
            check(altered(request, changed))


@given(
    st.text("AWS4-HMACSH256Credential=/,SignedHeaders;host0123456789aws4_request \t", max_size=90)
)
def test_any_authorization_is_refused(text):
    with pytest.raises(AwsError):
        check(altered(signed(), {"authorization": f"AWS4-HMAC-SHA256 {text}"}))
