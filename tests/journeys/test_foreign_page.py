"""A page of another origin, in a real browser, beside the dashboard and its cloud: it gets nothing.

The page sends everything to a server of the test's own, too: what arrives there shows that the
browser did send it.
"""

import base64
import io
import json
import threading
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.configloader import load_config
from botocore.credentials import Credentials
from playwright.sync_api import Browser, Page

from tests.builders import PNG
from tests.journeys.browser import App

pytestmark = pytest.mark.journey

CREDENTIAL = quote("AKIA/20260101/us-east-1/lambda/aws4_request", safe="")
CREATE = f"/2015-03-31/functions?X-Amz-Credential={CREDENTIAL}"
FAULT = "/_localcloud/faults"
SCRIPT = """
function form(base, path, type) {
    const made = document.createElement("form"), field = document.createElement("input");
    const frame = document.createElement("iframe");
    frame.name = "f" + Math.random();
    document.body.append(frame, made);
    [field.name, field.value] = [BODIES[path].slice(0, -2), '"}'];  // joined by "="
    Object.assign(made, {method: "post", action: base + path, enctype: type, target: frame.name});
    made.append(field);
    return new Promise(done => { frame.onload = () => done("loaded"); made.submit(); });
}
function blindly(base, path) {
    const sent = {method: "POST", mode: "no-cors", body: BODIES[path]};
    return fetch(base + path, sent).then(answer => answer.type);
}
function openly(base, path) {
    const headers = {"content-type": "application/json"};
    return fetch(base + path, {method: "POST", headers, body: BODIES[path]}).then(a => a.text());
}
function read(url) { return fetch(url).then(answer => answer.text()); }
function picture(url) {
    const image = new Image();
    return new Promise(done => {
        image.onload = () => done(image.naturalWidth);
        image.onerror = () => done("refused");
        image.src = url;
    });
}
function framed(url) {
    const frame = document.createElement("iframe");
    return new Promise(done => {
        frame.onload = () => done("loaded"); frame.src = url; document.body.append(frame);
    });
}
function socket(url) {
    return new Promise(done => {
        const made = new WebSocket(url, ["streamlit"]);
        made.onopen = () => done("open");
        made.onerror = () => done("refused");
    });
}
const tried = promise => promise.catch(error => "refused");
"""
PAGE = f"<!doctype html><title>Elsewhere</title><body><script>{SCRIPT}</script>"


class Elsewhere(ThreadingHTTPServer):
    """Serves the page on ``localhost``, and keeps what the page sends back to it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, str, str]] = []
        self.url = f"http://localhost:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Elsewhere

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.received.append((self.command, self.path, body.decode()))
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        if self.path == "/page":
            self.wfile.write(PAGE.encode())

    do_GET = do_POST = do_OPTIONS = _answer  # noqa: N815 - the names that are looked up

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - inherited
        """Say nothing."""


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    server = Elsewhere()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def cloud(deployed: App) -> Iterator[Callable[[str], Any]]:
    """Clients of the app's cloud."""
    environ = deployed.aws_environ
    keys = load_config(environ["AWS_SHARED_CREDENTIALS_FILE"])["profiles"]["default"]
    session = boto3.Session(**keys, region_name="us-east-1")
    made: list[Any] = []

    def client(service: str) -> Any:
        made.append(session.client(service, endpoint_url=environ["AWS_ENDPOINT_URL"]))  # type: ignore[call-overload]
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.fixture
def page(browser: Browser, elsewhere: Elsewhere) -> Iterator[Page]:
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(f"{elsewhere.url}/page")
    yield opened
    context.close()


def attempt(page: Page, call: str) -> Any:
    """What a function of the page comes to."""
    return page.evaluate(f"tried({call})")


def bodies(role: str) -> dict[str, str]:
    """What the page sends to each path: it would do its work if it were taken."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("attack.py", "def handler(event, context):\n    return event\n")
    code = base64.b64encode(packed.getvalue()).decode()
    function = {"FunctionName": "attack", "Runtime": "python3.13", "Handler": "attack.handler"}
    fault = {"service": "s3", "operation": "ListBuckets", "delay_seconds": 1, "message": ""}
    made = {**function, "Role": role, "Code": {"ZipFile": code}, "Description": ""}
    return {CREATE: json.dumps(made), FAULT: json.dumps(fault)}


def faults(environ: dict[str, str]) -> str:
    """The faults that are switched on in the cloud of an environment."""
    url = f"{environ['AWS_ENDPOINT_URL']}{FAULT}"
    keys = load_config(environ["AWS_SHARED_CREDENTIALS_FILE"])["profiles"]["default"]
    request = AWSRequest("GET", url)
    SigV4Auth(Credentials(*keys.values()), "localcloud", "us-east-1").add_auth(request)
    signed = urllib.request.Request(url, headers=dict(request.headers.items()))  # noqa: S310 - loopback
    with urllib.request.urlopen(signed, timeout=30) as answer:  # noqa: S310 - loopback
        return str(json.loads(answer.read())["faults"])


def test_it_creates_runs_and_reads_nothing(
    deployed: App, page: Page, elsewhere: Elsewhere, cloud: Callable[[str], Any]
) -> None:
    cloud_url = deployed.aws_environ["AWS_ENDPOINT_URL"]
    functions = cloud("lambda")
    there = functions.list_functions()["Functions"]
    page.evaluate("given => { window.BODIES = given; }", bodies(there[0]["Role"]))
    ways = [f"form(BASE, {CREATE!r}, {kind!r})" for kind in ("text/plain", "multipart/form-data")]
    ways += [
        f"{name}(BASE, {path!r})" for name in ("blindly", "openly") for path in (CREATE, FAULT)
    ]

    for way in ways:
        attempt(page, way.replace("BASE", repr(elsewhere.url)))
    posts = [body for command, _, body in elsewhere.received if command == "POST"]
    assert len(posts) == len(ways)
    assert json.loads(posts[0])["Description"] == "="  # a form can send JSON
    assert {attempt(page, f"openly({cloud_url!r}, {path!r})") for path in (CREATE, FAULT)} == {
        "refused"
    }
    for way in ways:
        attempt(page, way.replace("BASE", repr(cloud_url)))
    assert attempt(page, f"read('{cloud_url}/')") == "refused"
    assert attempt(page, f"read('{deployed.url}/_stcore/host-config')") == "refused"

    assert functions.list_functions()["Functions"] == there
    assert faults(deployed.aws_environ) == "[]"
    frames = [frame for frame in page.frames if cloud_url in frame.url]
    assert all("AccessDenied" in frame.content() for frame in frames)


def test_it_cannot_frame_the_dashboard_or_open_its_socket(
    deployed: App, page: Page, elsewhere: Elsewhere
) -> None:
    assert attempt(page, f"framed('{elsewhere.url}/framed')") == "loaded"
    attempt(page, f"framed('{deployed.url}/')")
    assert [frame.url for frame in page.frames if "framed" in frame.url]
    shown = [frame for frame in page.frames if frame.url.startswith(deployed.url)]
    assert all("Streamlit" not in frame.content() for frame in shown)

    address = deployed.url.removeprefix("http")
    assert attempt(page, f"socket('ws{address}/_stcore/stream')") == "refused"
    own = page.context.new_page()
    own.goto(deployed.url)
    own.add_script_tag(content=SCRIPT)
    assert attempt(own, f"socket('ws{address}/_stcore/stream')") == "open"


def test_a_presigned_image_is_shown_and_what_is_not_presigned_is_not(
    deployed: App, page: Page, cloud: Callable[[str], Any]
) -> None:
    s3 = cloud("s3")
    bucket = next(one["Name"] for one in s3.list_buckets()["Buckets"])
    s3.put_object(Bucket=bucket, Key="images/shown.png", Body=PNG, ContentType="image/png")
    where = {"Bucket": bucket, "Key": "images/shown.png"}
    url = s3.generate_presigned_url("get_object", Params=where)

    assert attempt(page, f"picture({url!r})") != "refused"
    assert attempt(page, f"picture({url.partition('?')[0]!r})") == "refused"
    assert attempt(page, f"read({url!r})") == "refused"
