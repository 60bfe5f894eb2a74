"""Event patterns: those that EventBridge takes, and those that it refuses."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.errors import AwsError
from localcloud.event_patterns import check_pattern
from localcloud.events import _matches_rule

VALID = [
    {"source": ["aws.states"]},
    {"source": [""], "detail": {"a": [1, 2.5, True, None]}},
    {"detail": {"a": [{"prefix": "x"}, "y"], "b": [{"suffix": ".png"}]}},
    {"detail": {"a": [{"prefix": {"equals-ignore-case": "X"}}]}},
    {"detail": {"a": [{"suffix": {"equals-ignore-case": ".PNG"}}]}},
    {"detail": {"a": [{"equals-ignore-case": "alice"}]}},
    {"detail": {"a": [{"wildcard": "a/*/b*"}]}},
    {"detail": {"a": [{"anything-but": "x"}]}},
    {"detail": {"a": [{"anything-but": ["x", "y"]}]}},
    {"detail": {"a": [{"anything-but": 5}]}},
    {"detail": {"a": [{"anything-but": [1, 2]}]}},
    {"detail": {"a": [{"anything-but": {"prefix": "x"}}]}},
    {"detail": {"a": [{"anything-but": {"suffix": ["x", "y"]}}]}},
    {"detail": {"a": [{"anything-but": {"equals-ignore-case": ["x"]}}]}},
    {"detail": {"a": [{"anything-but": {"wildcard": "*/lib/*"}}]}},
    {"detail": {"a": [{"exists": False}], "b": [{"exists": True}]}},
    {"detail": {"a": [{"numeric": [">", 0, "<=", 5]}], "b": [{"numeric": ["=", 3.5]}]}},
    {"detail": {"a": [{"cidr": "10.0.0.0/24"}], "b": [{"cidr": "2001:db8::/32"}]}},
    {"$or": [{"source": ["a"]}, {"detail": {"b": ["c"]}}]},
    {"detail": {"$or": [{"a": ["x"]}, {"b": [{"numeric": [">", 1]}]}]}},
]
INVALID = [
    [],
    {},
    "text",
    {"source": "aws.states"},
    {"source": 5},
    {"source": None},
    {"source": True},
    {"source": []},
    {"detail": {}},
    {"detail": {"a": []}},
    {"source": [["a"]]},
    {"source": [{}]},
    {"source": [{"unknown": "x"}]},
    {"source": [{"prefix": "x", "suffix": "y"}]},
    {"source": [{"prefix": 5}]},
    {"source": [{"prefix": {"equals": "x"}}]},
    {"source": [{"suffix": None}]},
    {"source": [{"equals-ignore-case": 5}]},
    {"source": [{"wildcard": "a**b"}]},
    {"source": [{"wildcard": 5}]},
    {"source": [{"anything-but": []}]},
    {"source": [{"anything-but": None}]},
    {"source": [{"anything-but": True}]},
    {"source": [{"anything-but": ["x", 1]}]},
    {"source": [{"anything-but": [["x"]]}]},
    {"source": [{"anything-but": {"exists": True}}]},
    {"source": [{"anything-but": {"prefix": ""}}]},
    {"source": [{"anything-but": {"prefix": "a", "suffix": "b"}}]},
    {"source": [{"exists": "true"}]},
    {"source": [{"exists": 1}]},
    {"source": [{"numeric": []}]},
    {"source": [{"numeric": [">"]}]},
    {"source": [{"numeric": ["!=", 1]}]},
    {"source": [{"numeric": [">", "1"]}]},
    {"source": [{"numeric": [">", 5, "<", 1]}]},
    {"source": [{"numeric": ["<", 5, ">", 1]}]},
    {"source": [{"numeric": ["=", 5, "<", 6]}]},
    {"source": [{"numeric": [">", 9e9]}]},
    {"source": [{"numeric": 5}]},
    {"source": [{"cidr": "10.0.0.0"}]},
    {"source": [{"cidr": "10.0.0.0/99"}]},
    {"source": [{"cidr": 5}]},
    {"$or": []},
    {"$or": [{"source": ["a"]}]},
    {"$or": {"source": ["a"]}},
    {"$or": [{"source": ["a"]}, {}]},
    {"source": ["x" * 3000]},
]


@pytest.mark.parametrize("pattern", VALID, ids=json.dumps)
def test_patterns_of_the_documentation_are_taken(pattern):
    check_pattern(json.dumps(pattern))


@pytest.mark.parametrize("pattern", INVALID, ids=lambda given: json.dumps(given)[:60])
def test_patterns_that_aws_refuses_are_refused(pattern):
    with pytest.raises(AwsError, match="Event pattern is not valid") as refused:
        check_pattern(json.dumps(pattern))
    assert refused.value.code == "InvalidEventPatternException"


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "[" * 5000])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(AwsError, match="Event pattern is not valid"):
        check_pattern(text)


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
names = st.sampled_from(
    ["source", "detail", "$or", "prefix", "anything-but", "numeric", "exists", "cidr", "wildcard"]
)
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2)
)


@given(documents)
def test_a_pattern_that_is_taken_can_be_matched(document):
    pattern = json.dumps(document)
    with contextlib.suppress(AwsError):
        check_pattern(pattern)
        _matches_rule(
            {"EventPattern": pattern}, {"source": "a", "detail": {"prefix": [1, "x", None]}}
        )
