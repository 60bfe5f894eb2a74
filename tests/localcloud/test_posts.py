"""Objects that a form uploads: presigned POST, through boto3 and an HTTP client."""

import base64
import json
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from urllib3.filepost import encode_multipart_formdata

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def bucket(local_cloud):
    local_cloud.client("s3").create_bucket(Bucket="posts")
    return "posts"


@pytest.fixture(params=["s3v4", "s3"])
def presigned(request, local_cloud, bucket):
    client = boto3.client(
        "s3",
        endpoint_url=local_cloud.endpoint_url,
        region_name=local_cloud.region,
        config=Config(signature_version=request.param, s3={"addressing_style": "path"}),
        **local_cloud.keys,
    )
    yield lambda key, **options: client.generate_presigned_post(bucket, key, **options)
    client.close()


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def send(post, body=b"photo", headers=None, **changed):
    """(status, headers, body) of a form; the file comes last, as S3 wants it."""
    fields = {**post["fields"], **changed, "file": ("van.jpg", body)}
    data, kind = encode_multipart_formdata(fields)
    given = {"Content-Type": kind, **(headers or {})}
    request = urllib.request.Request(post["url"], data, given)  # noqa: S310 - loopback
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_a_form_with_a_signed_policy_stores_its_file(local_cloud, bucket, presigned):
    extra = {"Content-Type": "image/jpeg", "x-amz-meta-taken-by": "van-7", "acl": "private"}
    conditions = [{name: value} for name, value in extra.items()]
    status, headers, _ = send(presigned("in/${filename}", Fields=extra, Conditions=[
        *conditions, ["content-length-range", 1, 10], ["starts-with", "$key", "in/"]]))  # fmt: skip
    found = local_cloud.client("s3").get_object(Bucket=bucket, Key="in/van.jpg")
    assert status == 204
    assert found["Body"].read() == b"photo"
    assert (found["ContentType"], found["Metadata"]) == ("image/jpeg", {"taken-by": "van-7"})
    assert headers["etag"] == found["ETag"]


def test_a_form_is_answered_as_it_asks(presigned):
    def asked(**fields):
        conditions = [{name: value} for name, value in fields.items()]
        return send(presigned("k", Fields=fields, Conditions=conditions))

    status, _, body = asked(success_action_status="201")
    assert status == 201
    assert b"<PostResponse" in body
    assert b"<Key>k</Key>" in body
    assert asked(success_action_status="200")[0] == 200
    status, headers, _ = asked(success_action_redirect="http://127.0.0.1/done?a=1")
    query = parse_qs(urlsplit(headers["location"]).query)
    assert (status, query["a"], query["key"]) == (303, ["1"], ["k"])


def test_a_form_that_differs_from_its_policy_stores_nothing(local_cloud, bucket, presigned):
    post = presigned("kept", Conditions=[["content-length-range", 2, 6]])
    name = "x-amz-signature" if "x-amz-signature" in post["fields"] else "signature"
    policy = json.loads(base64.b64decode(post["fields"]["policy"]))
    other = base64.b64encode(json.dumps({**policy, "more": 1}).encode()).decode()
    refused = {
        b"Policy Condition failed": send(post, key="other"),
        b"Extra input fields: x-amz-meta-a": send(post, **{"x-amz-meta-a": "1"}),
        b"EntityTooLarge": send(post, b"seven  "),
        b"EntityTooSmall": send(post, b"1"),
        b"SignatureDoesNotMatch": send(post, **{name: "0" * 64}),
        b"The request signature": send(post, policy=other),
        b"web page": send(post, headers={"Origin": "https://example.com"}),
    }
    for text, (status, _, body) in refused.items():
        assert text in body
        assert status in (400, 403)
    keys = local_cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="kept")
    assert keys["KeyCount"] == 0


def test_a_policy_expires_and_is_no_use_to_whoever_has_no_key(presigned):
    status, _, body = send(presigned("late", ExpiresIn=-60))
    assert (status, b"Policy expired" in body) == (403, True)
    post = presigned("late")
    fields = {k: v for k, v in post["fields"].items() if k == "key"}
    assert send({**post, "fields": fields})[0] == 403


def test_a_form_may_not_ask_for_what_is_not_here(presigned):
    lock = {"x-amz-object-lock-mode": "COMPLIANCE"}
    status, _, body = send(presigned("lock", Fields=lock, Conditions=[lock]))
    assert (status, b"NotImplemented" in body) == (501, True)
