"""Which messages pass the filter policy of a subscription, and which policies SNS takes."""

import json

import pytest

from localcloud.errors import AwsError
from localcloud.subscription_filters import check_settings, passes_filter

ATTRIBUTES = {
    "store": {"DataType": "String", "StringValue": "example_corp"},
    "price": {"DataType": "Number", "StringValue": "100"},
    "interests": {"DataType": "String.Array", "StringValue": '["soccer", "rugby", 7]'},
    "bytes": {"DataType": "Binary", "BinaryValue": "eA=="},
    "odd": {"DataType": "String.Array", "StringValue": "soccer"},
}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, True),
        ({"store": ["example_corp"]}, True),
        ({"store": ["other", "example_corp"], "price": [100]}, True),
        ({"store": ["example_corp"], "price": [99]}, False),
        ({"price": [{"numeric": [">", 50, "<=", 100]}]}, True),
        ({"price": ["100"]}, False),
        ({"store": [{"prefix": "example"}]}, True),
        ({"store": [{"suffix": "_inc"}]}, False),
        ({"store": [{"anything-but": ["example_corp"]}]}, False),
        ({"store": [{"anything-but": {"prefix": "other"}}]}, True),
        ({"store": [{"equals-ignore-case": "EXAMPLE_Corp"}]}, True),
        ({"store": [{"wildcard": "ex*_corp"}]}, True),
        ({"interests": ["rugby"]}, True),
        ({"interests": [7]}, True),
        ({"interests": ["chess"]}, False),
        ({"odd": ["soccer"]}, True),
        ({"bytes": [{"exists": True}]}, False),
        ({"none": [{"exists": False}]}, True),
        ({"none": ["x"]}, False),
        ({"$or": [{"store": ["x"]}, {"price": [{"numeric": ["=", 100]}]}]}, True),
    ],
)
def test_attributes_pass_a_policy_if_each_key_has_a_value_that_fits(policy, expected):
    settings = {"FilterPolicy": json.dumps(policy)}
    check_settings(settings, "sqs")
    assert passes_filter(settings, ATTRIBUTES, "{}") is expected


BODY = {
    "store": "x",
    "customer": {"interests": ["rugby"], "vip": True},
    "records": [{"name": "a", "n": 1}, {"name": "b", "n": 2}],
}


@pytest.mark.parametrize(
    ("policy", "body", "expected"),
    [
        ({"store": ["x"], "customer": {"interests": ["rugby"]}}, BODY, True),
        ({"customer": {"vip": [False]}}, BODY, False),
        ({"records": {"name": [{"prefix": "b"}]}}, BODY, True),
        ({"records": {"name": ["c"]}}, BODY, False),
        ({"store": ["x"]}, [BODY], False),
    ],
)
def test_a_policy_on_the_body_looks_into_objects_and_arrays(policy, body, expected):
    settings = {"FilterPolicy": json.dumps(policy), "FilterPolicyScope": "MessageBody"}
    check_settings(settings, "sqs")
    assert passes_filter(settings, {}, json.dumps(body)) is expected
    assert passes_filter(settings, {}, "no JSON") is False


@pytest.mark.parametrize(
    ("settings", "protocol"),
    [
        ({"FilterPolicy": "no JSON"}, "sqs"),
        ({"FilterPolicy": "[]"}, "sqs"),
        ({"FilterPolicy": '{"a": "b"}'}, "sqs"),
        ({"FilterPolicy": '{"a": []}'}, "sqs"),
        ({"FilterPolicy": '{"a": {"b": ["c"]}}'}, "sqs"),
        ({"FilterPolicy": '{"a": [{"unheard-of": 1}]}'}, "sqs"),
        ({"FilterPolicy": json.dumps({str(n): ["x"] for n in range(6)})}, "sqs"),
        ({"FilterPolicy": json.dumps({"a": list("abcdefghijklm"), "b": list("abcdefghijklm")})},
         "sqs"),
        ({"FilterPolicyScope": "Body"}, "sqs"),
        ({"RawMessageDelivery": "yes"}, "sqs"),
        ({"RawMessageDelivery": "true"}, "lambda"),
    ],
)  # fmt: skip
def test_settings_that_sns_refuses_are_refused(settings, protocol):
    with pytest.raises(AwsError, match="InvalidParameter: Invalid parameter: "):
        check_settings(settings, protocol)
