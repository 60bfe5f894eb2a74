"""What a browser would send, request by request, to a cloud that anybody else may use."""

import contextlib
import http.client
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
import obstore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from obstore.store import S3Store

from tests.conftest import start_local_cloud, stop_local_cloud

pytestmark = pytest.mark.cloud

CREDENTIAL = "AKIA/20260101/us-east-1/{}/aws4_request"
FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
IMAGE = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def open_cloud(tmp_path_factory):
    """A cloud that takes any credentials: what it refuses, it refuses to browsers."""
    cloud = start_local_cloud(tmp_path_factory.mktemp("open"), "--any-credentials")
    yield cloud
    stop_local_cloud(cloud)


def send(cloud, method, target, headers=None, body=None):
    """Send exactly that; gives status, headers and body."""
    split = urlsplit(cloud.endpoint_url)
    connection = http.client.HTTPConnection(split.hostname, split.port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def attack():
    """The body of a form that creates a function."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", "def handler(event, context): ...")
    return json.dumps({"FunctionName": "attack", "Role": "r", "Code": {"ZipFile": ""}}).encode()


def query(service):
    return f"X-Amz-Credential={quote(CREDENTIAL.format(service), safe='')}"


BROWSER = [
    pytest.param(
        "POST", f"/2015-03-31/functions?{query('lambda')}",
        {**FOREIGN, "Content-Type": "text/plain", "Sec-Fetch-Mode": "navigate"},
        id="form",
    ),
    pytest.param(
        "POST", f"/2015-03-31/functions?{query('lambda')}", {"Content-Type": "text/plain"},
        id="form of a browser that says nothing",
    ),
    pytest.param(
        "POST", f"/2015-03-31/functions?{query('lambda')}",
        {"Content-Type": "multipart/form-data; boundary=x"}, id="form with a file",
    ),
    pytest.param(
        "POST", f"/?{query('states')}",
        {"Content-Type": "application/x-www-form-urlencoded"}, id="form to a JSON protocol",
    ),
    pytest.param(
        "POST", f"/2015-03-31/functions?{query('lambda')}",
        {**FOREIGN, "Sec-Fetch-Mode": "no-cors"}, id="fetch without cors",
    ),
    pytest.param(
        "OPTIONS", "/2015-03-31/functions",
        {**FOREIGN, "Access-Control-Request-Method": "POST",
         "Access-Control-Request-Private-Network": "true"},
        id="preflight",
    ),
    pytest.param(
        "POST", f"/?{query('sts')}",
        {"Origin": "null", "Content-Type": "application/x-www-form-urlencoded"},
        id="form of a sandboxed frame to a query protocol",
    ),
    pytest.param("GET", "/", {"Host": "rebound.example:4577"}, id="rebound name"),
    pytest.param("GET", "/", {"Host": "127.0.0.1:1"}, id="another port"),
    pytest.param("GET", "/", {"Sec-Fetch-Site": "same-site"}, id="page of another port"),
    pytest.param("GET", "/bucket/key", {**IMAGE}, id="image that is not presigned"),
    pytest.param("POST", "/_localcloud/faults", FOREIGN, id="fault"),
    pytest.param(
        "POST", "/_localcloud/faults", {"Content-Type": "text/plain"}, id="fault by a form"
    ),
    pytest.param(
        "GET", "/_localcloud/health", {"Host": "rebound.example"}, id="health by a rebound name"
    ),
    pytest.param("DELETE", "/_localcloud/faults", FOREIGN, id="faults cleared"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "target", "headers"), BROWSER)
def test_what_a_page_sends_is_refused(open_cloud, method, target, headers):
    body = attack() if method == "POST" else None
    status, answered, said = send(open_cloud, method, target, headers, body)
    assert status == 403
    assert b"local cloud" in said or b"web page" in said
    assert not [name for name in answered if name.lower().startswith("access-control")]
    assert open_cloud.client("lambda").list_functions()["Functions"] == []
    assert open_cloud.admin("GET", "faults") == {"faults": []}


def test_a_body_that_is_refused_is_not_read(open_cloud):
    """The answer comes though only the headers have been sent."""
    split = urlsplit(open_cloud.endpoint_url)
    connection = http.client.HTTPConnection(split.hostname, split.port, timeout=30)
    with contextlib.closing(connection):
        connection.putrequest("POST", "/")
        for name, value in {**FOREIGN, "Content-Length": "999999999", "Expect": "x"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 403
        assert answer.getheader("connection") == "close"


def test_any_other_client_may_do_anything_there(open_cloud):
    client = boto3.client(
        "s3", endpoint_url=open_cloud.endpoint_url, region_name="us-east-1",
        aws_access_key_id="any", aws_secret_access_key="any",
    )  # fmt: skip
    client.list_buckets()
    client.close()
    assert send(open_cloud, "GET", "/_localcloud/health")[0] == 200


@pytest.fixture(scope="module")
def bucket(local_cloud):
    local_cloud.client("s3").create_bucket(Bucket="gate")
    local_cloud.client("s3").put_object(Bucket="gate", Key="a b.png", Body=PNG)
    return "gate"


def unsigned(cloud, target, headers=None):
    return send(cloud, "GET", target, headers)[0]


def test_whoever_has_no_key_is_kept_out(local_cloud, bucket):
    for target in ("/", f"/{bucket}", f"/{bucket}/a%20b.png", "/_localcloud/health",
                   "/_localcloud/faults", f"/_localcloud/blobs/{'0' * 64}"):  # fmt: skip
        assert unsigned(local_cloud, target) == 403
    names = ("sts", "stepfunctions", "lambda", "s3", "iam")
    calls = ("get_caller_identity", "list_state_machines", "list_functions", "list_buckets",
             "list_roles")  # fmt: skip
    for name, call in zip(names, calls, strict=True):
        make: Any = boto3.client
        client = make(
            name, endpoint_url=local_cloud.endpoint_url, region_name="us-east-1",
            aws_access_key_id="local", aws_secret_access_key="local",
        )  # fmt: skip
        with pytest.raises(ClientError, match="python -m localcloud env") as caught:
            getattr(client, call)()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        client.close()


def fetched(url, **headers):
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
        return answer.read()


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_links_open_in_a_browser_and_show_as_images(local_cloud, bucket, version):
    s3 = boto3.client(
        "s3", endpoint_url=local_cloud.endpoint_url, region_name="us-east-1",
        config=Config(signature_version=version), **local_cloud.keys,
    )  # fmt: skip
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b.png"})
    s3.close()
    assert fetched(url) == PNG
    assert fetched(url, **{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}) == PNG
    assert fetched(url, **IMAGE) == PNG
    for headers in (FOREIGN, {**IMAGE, "Sec-Fetch-Dest": "script"}, {**IMAGE, **FOREIGN}):
        assert unsigned(local_cloud, url.removeprefix(local_cloud.endpoint_url), headers) == 403


def test_an_image_needs_its_signature_even_where_credentials_do_not_matter(open_cloud):
    s3 = open_cloud.client("s3")
    s3.create_bucket(Bucket="shown")
    s3.put_object(Bucket="shown", Key="k", Body=PNG)
    target = "/shown/k?AWSAccessKeyId=a&Signature=b&Expires=9999999999"
    assert unsigned(open_cloud, target) == 200
    assert unsigned(open_cloud, target, IMAGE) == 403


def test_the_code_of_a_function_is_downloaded_by_its_link_alone(local_cloud, build):
    name = build.function(local_cloud, "def handler(event, context): ...")
    link = local_cloud.client("lambda").get_function(FunctionName=name)["Code"]["Location"]
    assert zipfile.ZipFile(io.BytesIO(fetched(link))).namelist() == ["handler.py"]
    assert unsigned(local_cloud, urlsplit(link).path) == 403


OTHER_ROLES = """
import boto3, os
def handler(event, context):
    keys = {"aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"], **event}
    client = boto3.client("s3", **keys) if event else boto3.client("s3")
    return [b["Name"] for b in client.list_buckets()["Buckets"]]
"""


def test_a_function_signs_as_its_role_and_as_no_other(local_cloud, build, bucket):
    functions = local_cloud.client("lambda")
    name = build.function(local_cloud, OTHER_ROLES, Timeout=30)
    answer = functions.invoke(FunctionName=name, Payload=b"{}")
    assert bucket in json.loads(answer["Payload"].read())
    event = json.dumps({"aws_access_key_id": local_cloud.keys["aws_access_key_id"]})
    refused = functions.invoke(FunctionName=name, Payload=event)
    assert "SignatureDoesNotMatch" in json.loads(refused["Payload"].read())["errorMessage"]


PRESIGNS = """
import boto3, urllib.request, urllib.error
def handler(event, context):
    url = boto3.client("s3").generate_presigned_url("get_object", Params=event)
    try:
        return urllib.request.urlopen(url).status
    except urllib.error.HTTPError as error:
        return error.code
"""


def test_a_function_cannot_presign_what_its_role_may_not_read(local_cloud, build, bucket):
    name = build.function(local_cloud, PRESIGNS, role=build.role(local_cloud), Timeout=30)
    event = json.dumps({"Bucket": bucket, "Key": "a b.png"})
    answer = local_cloud.client("lambda").invoke(FunctionName=name, Payload=event)
    assert json.loads(answer["Payload"].read()) == 403


def test_obstore_reads_writes_and_lists(local_cloud, bucket):
    keys = local_cloud.keys
    store = S3Store(
        bucket, endpoint=local_cloud.endpoint_url, region="us-east-1",
        access_key_id=keys["aws_access_key_id"], secret_access_key=keys["aws_secret_access_key"],
        client_options={"allow_http": True},
    )  # fmt: skip
    odd = "odd/é ~(1)*'!+=&?#,;:@$.png"
    for key in ("plain", odd):
        obstore.put(store, key, PNG)
        assert obstore.get(store, key).bytes() == PNG
    obstore.put(store, "many", b"x" * 11_000_000, chunk_size=5 * 1024 * 1024)
    assert obstore.head(store, "many")["size"] == 11_000_000
    assert [item["path"] for item in obstore.list(store, "odd").collect()] == [odd]
    assert fetched(obstore.sign(store, "GET", odd, timedelta(minutes=1))) == PNG
    obstore.delete(store, [odd, "plain", "many"])


def test_the_command_that_gives_other_clients_the_credentials(local_cloud):
    command = [sys.executable, "-m", "localcloud", "env", "--dir", str(local_cloud.directory)]
    exports = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ask = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    script = f'{exports}\n{sys.executable} -c "{ask}"'
    hidden = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environ = {**hidden, "AWS_PROFILE": "nobodys", "AWS_SESSION_TOKEN": "old"}
    found = subprocess.run(
        ["sh", "-c", script], env=environ, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == local_cloud.account


def test_without_a_cloud_the_command_says_so(tmp_path):
    command = [sys.executable, "-m", "localcloud", "env", "--dir", str(tmp_path / "none")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (2, "")
    assert json.loads(said.stderr)["code"] == "CloudUnreachable"
    assert not (tmp_path / "none").exists()


def test_curl_asks_what_no_aws_has(local_cloud):
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("There is no curl on this machine.")
    user = ":".join(local_cloud.keys.values())
    url = f"{local_cloud.endpoint_url}/_localcloud/health"
    command = [curl, "-sf", "--aws-sigv4", "aws:amz:us-east-1:localcloud", "--user", user, url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(said)["account"] == local_cloud.account


def test_the_secret_lies_where_only_its_owner_can_read_it(local_cloud):
    file = local_cloud.directory / "credentials"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(local_cloud.directory.stat().st_mode) == 0o700
    secret = local_cloud.keys["aws_secret_access_key"]
    assert secret not in (local_cloud.directory / "endpoint.json").read_text()
