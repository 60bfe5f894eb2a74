"""Objects: obstore trusts the certificates and takes the proxies that boto3 does."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dashboard.aws import cloud as clouds
from dashboard.aws.objects import Bucket
from tests.faulty_cloud import Fault, FaultyCloud
from workflow.errors import WorkflowError


@contextmanager
def served(body: bytes, asked: list[str], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that answers every GET with one body and notes what it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"e"')
            self.send_header("Last-Modified", "Thu, 26 Nov 2026 12:00:00 GMT")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # refused handshakes
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1 with its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A company")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "ca.pem"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "http_proxy", "HTTP_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


def opened(monkeypatch: pytest.MonkeyPatch, url: str) -> Bucket:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    return Bucket.of(boto3.Session(region_name="us-east-1"), "bucket")


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.parent / "key.pem")
    return context


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_certificates_of_the_environment_are_trusted(
    variable: str, certificate: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(certificate))
    with served(b"seen", [], tls) as url:
        assert opened(monkeypatch, url).read_whole("k") == b"seen"


def test_certificates_of_the_profile_are_trusted(
    certificate: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(f"[default]\nca_bundle = {certificate}\n")
    with served(b"seen", [], tls) as url:
        assert opened(monkeypatch, url).read_whole("k") == b"seen"


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_bundle_that_cannot_be_read_is_named(
    content: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    with pytest.raises(WorkflowError, match=r"bundle\.pem cannot be read.*AWS_CA_BUNDLE") as raised:
        opened(monkeypatch, "https://127.0.0.1:1")
    assert raised.value.code == "CaBundleUnreadable"


def test_a_proxy_is_used_for_what_boto3_uses_it_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    with served(b"by proxy", asked) as proxy, served(b"direct", []) as url:
        monkeypatch.setenv("http_proxy", proxy)
        bucket = opened(monkeypatch, url)
        client = boto3.client("s3", region_name="us-east-1")
        assert bucket.read_whole("k") == b"by proxy"
        assert client.get_object(Bucket="bucket", Key="k")["Body"].read() == b"by proxy"
        assert asked == [f"{url}/bucket/k"] * 2

        monkeypatch.setenv("no_proxy", "127.0.0.1")
        bucket = opened(monkeypatch, url)
        client = boto3.client("s3", region_name="us-east-1")
        assert bucket.read_whole("k") == b"direct"
        assert client.get_object(Bucket="bucket", Key="k")["Body"].read() == b"direct"


@pytest.mark.cloud
@pytest.mark.parametrize("listing", ["objects", "children"])
def test_the_page_of_a_proxy_is_no_empty_folder(listing: str) -> None:
    with FaultyCloud({}) as faulty:
        core = clouds._LocalSession(faulty.url)
        core.set_credentials("AKIAFAULTY", "secret")
        bucket = Bucket.of(clouds._make_session(core, "us-east-1"), "any")
        faulty.fail(Fault.FOREIGN)

        with pytest.raises(WorkflowError) as caught:
            list(getattr(bucket, listing)("labels"))

    assert caught.value.code == "AnswerMalformed"
