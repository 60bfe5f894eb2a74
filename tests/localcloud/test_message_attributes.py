"""Message attributes of SQS and SNS: what is taken, and the digest that clients check."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.sqs.models import Message

from localcloud.errors import AwsError
from localcloud.message_attributes import check_all, md5_digest, select_named, total_size

TEXT = st.builds(lambda text: {"DataType": "String", "StringValue": text}, st.text(min_size=1))
BYTES = st.builds(
    lambda data: {"DataType": "Binary.png", "BinaryValue": base64.b64encode(data).decode()},
    st.binary(min_size=1),
)
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)


@given(st.dictionaries(NAMES, TEXT | BYTES, min_size=1, max_size=10))
def test_the_digest_is_that_of_another_implementation(attributes):
    other = Message("id", "body")
    other.message_attributes = {
        name: {**one, "BinaryValue": base64.b64decode(one.get("BinaryValue", ""))}
        for name, one in attributes.items()
    }
    assert md5_digest(check_all(attributes)) == other.attribute_md5


def test_bytes_are_kept_as_base64_and_counted_as_bytes():
    kept = check_all({"b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}})
    assert kept == {"b": {"DataType": "Binary", "BinaryValue": "AAE="}}
    assert total_size(kept) == len("b") + len("Binary") + 2


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], set()),
        (["All"], {"a.b", "a.c", "ab"}),
        ([".*"], {"a.b", "a.c", "ab"}),
        (["ab", "none"], {"ab"}),
        (["a.*"], {"a.b", "a.c"}),
    ],
)
def test_attributes_come_by_name_and_prefix(names, expected):
    given = {name: {"DataType": "String", "StringValue": "x"} for name in ("a.b", "a.c", "ab")}
    assert set(select_named(given, names)) == expected


@pytest.mark.parametrize(
    "attributes",
    [
        {f"n{n}": {"DataType": "String", "StringValue": "x"} for n in range(11)},
        {"AWS.x": {"DataType": "String", "StringValue": "x"}},
        {"a..b": {"DataType": "String", "StringValue": "x"}},
        {"a b": {"DataType": "String", "StringValue": "x"}},
        {"a": {"StringValue": "x"}},
        {"a": {"DataType": "Text", "StringValue": "x"}},
        {"a": {"DataType": "String", "StringValue": ""}},
        {"a": {"DataType": "String", "BinaryValue": b"x"}},
        {"a": {"DataType": "Number", "StringValue": "many"}},
    ],
)
def test_what_sqs_refuses_is_refused(attributes):
    with pytest.raises(AwsError, match="InvalidParameterValue"):
        check_all(attributes)
