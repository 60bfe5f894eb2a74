"""Which requests a web page has sent, told by the headers that no page can leave out."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud import browsers

PORT = 4577
CLIENT = {"host": f"127.0.0.1:{PORT}", "user-agent": "Boto3"}
IMAGE = {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
SIGNED = "X-Amz-Signature=0"

words = st.text(string.ascii_letters + string.digits + "-.:[]/ ", max_size=30)


def refusal(headers, method="GET", path="/bucket/key", query="", port=PORT):
    return browsers.find_refusal(method, path, query, {**CLIENT, **headers}, port=port)


@pytest.mark.parametrize("host", ["127.0.0.1:4577", "localhost:4577", "LocalHost:4577"])
def test_a_client_is_answered(host):
    assert refusal({"host": host}) is None


def test_an_address_typed_into_a_browser_is_answered():
    assert refusal({"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}) is None


@given(origin=words, method=st.sampled_from(["GET", "POST", "OPTIONS", "HEAD", "PUT"]))
def test_whatever_names_an_origin_is_refused(origin, method):
    assert refusal({"origin": origin}, method) is not None
    assert refusal({"origin": origin, **IMAGE}, method, query=SIGNED) is not None


@given(site=words.filter(lambda site: site not in ("none", "same-origin")))
def test_whatever_another_site_asks_is_refused(site):
    assert refusal({"sec-fetch-site": site}) is not None


@given(host=words)
def test_only_loopback_names_with_the_port_are_answered(host):
    allowed = {f"{name}:{PORT}" for name in browsers.LOOPBACK}
    assert (refusal({"host": host}) is None) == (host.lower() in allowed)


@pytest.mark.parametrize(
    "host", ["", "127.0.0.1", "127.0.0.1:80", "evil.example:4577", "127.0.0.1.evil.example:4577",
             "127.0.0.1:4577,127.0.0.1:4577", "user@127.0.0.1:4577", "0.0.0.0:4577"],
)  # fmt: skip
def test_other_hosts_are_refused(host):
    assert refusal({"host": host}) is not None


def test_a_signature_covers_the_port_of_a_forwarded_one():
    assert refusal({"host": "localhost:9000"}, port=None) is None
    assert refusal({"host": "evil.example:9000"}, port=None) is not None


@pytest.mark.parametrize("query", ["X-Amz-Signature=0", "AWSAccessKeyId=a&Signature=b&Expires=1"])
def test_a_page_may_show_an_object_by_a_presigned_address(query):
    assert refusal(IMAGE, query=query) is None


@pytest.mark.parametrize(
    ("headers", "changed"),
    [
        ({}, {"query": ""}),
        ({}, {"query": "Signature=b"}),
        ({}, {"method": "POST"}),
        ({}, {"method": "HEAD"}),
        ({}, {"path": "/bucket"}),
        ({}, {"path": "/_localcloud/faults"}),
        ({"sec-fetch-dest": "script"}, {}),
        ({"sec-fetch-dest": "iframe"}, {}),
        ({"sec-fetch-mode": "cors"}, {}),
        ({"origin": "http://127.0.0.1:8501"}, {}),
        ({"host": "evil.example:4577"}, {}),
    ],
)
def test_a_page_may_ask_for_nothing_else(headers, changed):
    assert refusal({**IMAGE, **headers}, **{"query": SIGNED, **changed}) is not None


BODY = {"content-length": "5"}


@pytest.mark.parametrize(
    "kind", [*sorted(browsers.FORMS), "Text/Plain; charset=utf-8", "text/plain ;a=b"]
)
def test_the_body_of_a_form_is_known_by_its_type(kind):
    found = browsers.form_type("POST", {**BODY, "content-type": kind})
    assert found == kind.lower().partition(";")[0].strip()
    chunked = {"transfer-encoding": "chunked", "content-type": kind}
    assert browsers.form_type("POST", chunked) == found


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("PUT", {**BODY, "content-type": "text/plain"}),
        ("POST", {"content-length": "0", "content-type": "text/plain"}),  # CreateMultipartUpload
        ("POST", {**BODY, "content-type": "application/x-amz-json-1.0"}),
        ("POST", BODY),
    ],
)
def test_what_no_form_sends_is_none(method, headers):
    assert browsers.form_type(method, headers) is None
