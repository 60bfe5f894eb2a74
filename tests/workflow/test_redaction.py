"""What leaves an execution holds no secrets, no image and no account id, and keeps its shape."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import jpeg, png
from workflow.redaction import redact, redact_text
from workflow.secret_forms import REDACTED, SAMPLE_IMAGE

SAMPLE = base64.b64encode(SAMPLE_IMAGE).decode()


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "dbPasswd",
        "api_key",
        "apiKey",
        "Authorization",
        "session_id",
        "secretValue",
        "aws_access_key",
        "x-amz-security-token",
        "clientCredentials",
        "private-key",
        "Cookie",
    ],
)
def test_values_of_secret_keys_are_gone(key: str) -> None:
    assert redact({"a": [{key: "hunter2"}]}) == {"a": [{key: REDACTED}]}


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_an_empty_secret_stays_empty(empty: object) -> None:
    assert redact({"token": empty}) == {"token": empty}


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "Bearer abc.def-123",
        "https://b.s3.amazonaws.com/k?X-Amz-Credential=abc123&X-Amz-Signature=abc123",
        "postgres://me:hunter2@db/x",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc123",
        "-----BEGIN RSA PRIVATE KEY-----\nabc123\n-----END RSA PRIVATE KEY-----",
        "aws_secret_access_key = abc123",
    ],
)
def test_secrets_in_text_are_gone(text: str) -> None:
    found = redact_text(f"before {text} after")

    assert REDACTED in found
    assert found.startswith("before ")
    assert not [secret for secret in ("abc123", "hunter2", "AKIA") if secret in found]


@pytest.mark.parametrize("image", [png(), jpeg()])
def test_images_become_the_sample(image: bytes) -> None:
    data = base64.b64encode(image).decode()

    assert redact({"image_data": data, "inferences": []}) == {
        "image_data": SAMPLE,
        "inferences": [],
    }
    assert redact({"photo": data}) == {"photo": SAMPLE}
    assert redact_text(f"cannot read {data}") == f"cannot read {SAMPLE}"


def test_image_data_that_is_no_base64_stays_none() -> None:
    assert redact({"image_data": "%%%"}) == {"image_data": "(redacted, was no base64)"}
    assert redact({"image_data": ""}) == {"image_data": ""}


def test_other_long_data_is_gone() -> None:
    assert redact({"blob": "A1" * 200}) == {"blob": REDACTED}


def test_pixels_are_gone_however_they_are_nested() -> None:
    image = [[[0.25, 0.5, 0.75]] * 16] * 16

    assert "0.25" not in json.dumps(redact({"image": image}))
    assert redact([[0.25, 0.5], [0.75]]) == [[0.25, 0.5], [0.75]]


def test_account_ids_become_the_documentations() -> None:
    arn = "arn:aws:sagemaker:eu-west-1:999988887777:endpoint/x"

    assert redact_text(arn) == arn.replace("999988887777", "123456789012")
    assert redact_text("1234567890123 is no account") == "1234567890123 is no account"


def test_json_within_text_is_redacted_and_stays_text() -> None:
    body = json.dumps({"statusCode": 200, "body": json.dumps({"token": "hunter2", "n": 1})})

    assert json.loads(json.loads(redact_text(body))["body"]) == {"token": REDACTED, "n": 1}
    assert redact_text("{no json 999988887777") == "{no json 123456789012"


def test_what_is_nested_beyond_measure_is_gone() -> None:
    value: object = "hunter2"
    for _ in range(60):
        value = [value]

    assert "hunter2" not in json.dumps(redact(value))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(values)
def test_redacting_twice_is_redacting_once(value: object) -> None:
    assert redact(redact(value)) == redact(value)
