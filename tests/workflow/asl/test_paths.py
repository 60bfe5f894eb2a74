"""Paths give what AWS's JSONPath gives: one value or an array, by what they can match."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.asl import paths
from workflow.asl.data import Scope
from workflow.asl.paths import InvalidPath, PathNotFound

DATA = {
    "l": [{"p": 1, "q": "x"}, {"p": 2, "q": "y"}, {"p": 3}],
    "é": {"ü": "ß"},
    "a-b": 0,
    "it's": True,
    "none": None,
    "empty": [],
    "nested": {"p": 4, "l": [[1, 2], [3]]},
}


def value(text: str, data: object = DATA) -> object:
    scope = Scope(data, {"Execution": {"Id": "arn"}}, {"v": {"k": [7]}, "nothing": None})
    return paths.evaluate(paths.parse(text), scope)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$", DATA),
        ("$.l[0].p", 1),
        ("$.l[-1].p", 3),
        ("$['l'][1]['q']", "y"),
        ('$["a-b"]', 0),
        ("$.a-b", 0),
        ("$.é.ü", "ß"),
        ("$['it\\'s']", True),
        ("$.none", None),
        ("$.l[*].p", [1, 2, 3]),
        ("$.l[*].q", ["x", "y"]),
        ("$.l[0:2].p", [1, 2]),
        ("$.l[::2].p", [1, 3]),
        ("$.l[0,2].p", [1, 3]),
        ("$['a-b','none']", [0, None]),
        ("$..p", [1, 2, 3, 4]),
        ("$.nested.l[*][0]", [1, 3]),
        ("$.empty[*]", []),
        ("$.no.such[*].p", []),
        ("$.l[?(@.p > 1)].p", [2, 3]),
        ("$.l[?(@.q)].p", [1, 2]),
        ("$.l[?(!@.q)].p", [3]),
        ("$.l[?(@.q == 'x' || @.p >= 3)].p", [1, 3]),
        ("$.l[?(@.p != 1 && @.p < 3)].p", [2]),
        ("$.l[?(@.q in ['y', 'z'])].p", [2]),
        ("$.l[?(@.q =~ /X/i)].p", [1]),
        ("$.l[?(@.p == $.nested.p)]", []),
        ("$$.Execution.Id", "arn"),
        ("$v.k[0]", 7),
        ("$nothing", None),
    ],
)
def test_a_path_has_its_value(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$.no", "No results for path: $['no']"),
        ("$.no.such", "Missing property in path $['no']"),
        ("$.l[9]", "No results for path: $['l'][9]"),
        ("$other", "No results for path: $other"),
        ("$.none.k", "Expected to find an object with property ['k'] in path $['none']"),
    ],
)
def test_a_path_to_one_value_that_is_not_there_is_named(text: str, message: str) -> None:
    with pytest.raises(PathNotFound) as caught:
        value(text)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("found", "name"),
    [(None, "null"), (True, "boolean"), (1, "number"), (0.5, "number"), ("x", "string"),
     ([], "array")],
)  # fmt: skip
def test_what_stands_in_the_place_of_an_object_is_named(found: object, name: str) -> None:
    with pytest.raises(PathNotFound, match=f"but found '{name}'"):
        value("$.a.b", {"a": found})


@pytest.mark.parametrize(
    "text",
    [
        "", "l", "$.", "$..", "$.l[", "$.l[0", "$.l[a]", "$.l['a", "$.l[::0]", "$.l.length()",
        "$ .l", "$.l]", "$.l[?(@.p =~ p)]", "$.l[?(1)]", "$.l[?(@.p >)]", "$.l[?(@.p =~ /(/)]",
    ],
)  # fmt: skip
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(InvalidPath):
        paths.parse(text)


@pytest.mark.parametrize(
    ("path", "target", "expected"),
    [
        ("$", {"a": 1}, 9),
        ("$.b", {"a": 1}, {"a": 1, "b": 9}),
        ("$.b.c", {"a": 1}, {"a": 1, "b": {"c": 9}}),
        ("$.a[1]", {"a": [1, 2]}, {"a": [1, 9]}),
    ],
)
def test_a_result_is_put_where_the_path_says(path: str, target: object, expected: object) -> None:
    before = json.dumps(target)

    assert paths.assign_value(paths.parse(path), target, 9) == expected
    assert json.dumps(target) == before


@pytest.mark.parametrize(
    ("path", "target"), [("$.a", [1]), ("$.a.b", {"a": 1}), ("$.a[3]", {"a": [1]}), ("$.a", "x")]
)
def test_a_result_is_not_put_into_what_has_no_fields(path: str, target: object) -> None:
    with pytest.raises(PathNotFound):
        paths.assign_value(paths.parse(path), target, 9)


keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="'\\"), min_size=1)


@given(st.dictionaries(keys, st.integers(), min_size=1, max_size=3), keys)
def test_every_key_can_be_asked_for_in_quotes(data: dict[str, int], other: str) -> None:
    for key, found in data.items():
        assert value(f"$['{key}']", data) == found
    assert paths.assign_value(paths.parse(f"$['{other}']"), data, None) == {**data, other: None}


@given(st.text(alphabet="$.[]*?(@)'\"=<>!&|,:- ab01~/\\", max_size=20))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        path = paths.parse(text)
    except InvalidPath:
        return
    try:
        paths.evaluate(path, Scope({"a": [0, {"b": 1}]}))
    except PathNotFound:
        assert path.definite
