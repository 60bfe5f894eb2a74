"""Intrinsic functions give what AWS's give, and refuse by name what they do not take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.asl import intrinsics
from workflow.asl.data import Scope
from workflow.asl.failures import LanguageError
from workflow.asl.intrinsics import InvalidCall

SCOPE = Scope(
    {"n": 3, "s": "ü{}", "l": [1, 1, True, None], "o": {"a": 1, "b": ["x", False]}, "t": "a{}b"},
    {"Execution": {"Name": "run"}},
    {"v": "var"},
)


def value(text: str) -> object:
    return intrinsics.evaluate(intrinsics.parse(text), SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("States.Array()", []),
        ("States.Array(null,1)", [None, 1]),
        ("States.Array('a', true, -1.5, $.n, States.Array($$.Execution.Name))",
         ["a", True, -1.5, 3, ["run"]]),
        ("States.Format('{} and {}', $.s, $v)", "ü{} and var"),
        ("States.Format('it\\'s \\{\\} \\\\ {}', 1)", "it's {} \\ 1"),
        ("States.Format($.t, 'x, y')", "ax, yb"),
        ("States.Format('{}{}{}', null, true, $.o)", "nulltrue{a=1, b=[x, false]}"),
        ("States.StringToJson('{\"a\": [1]}')", {"a": [1]}),
        ("States.StringToJson(' ')", None),
        ("States.JsonToString($.o)", '{"a":1,"b":["x",false]}'),
        ("States.ArrayPartition($.l, 3)", [[1, 1, True], [None]]),
        ("States.ArrayContains($.l, true)", True),
        ("States.ArrayContains($.l, 0)", False),
        ("States.ArrayRange(1, 9, 4)", [1, 5, 9]),
        ("States.ArrayRange(3, 1, -1)", [3, 2, 1]),
        ("States.ArrayGetItem($.l, 2)", True),
        ("States.ArrayLength($.l)", 4),
        ("States.ArrayUnique($.l)", [1, True, None]),
        ("States.Base64Encode('ü')", "w7w="),
        ("States.Base64Decode('w7w=')", "ü"),
        ("States.Hash('a', 'SHA-1')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ("States.JsonMerge($.o, States.StringToJson('{\"a\":2}'), false)",
         {"a": 2, "b": ["x", False]}),
        ("States.MathAdd(2.5, $.n)", 6),
        ("States.StringSplit('1.2+3', '.+')", ["1", "2", "3"]),
        ("States.StringSplit(',a,,b', ',')", ["a", "b"]),
    ],
)  # fmt: skip
def test_a_call_has_its_value(text: str, expected: object) -> None:
    assert value(text) == expected


def test_chance_is_within_its_bounds_and_repeats_with_its_seed() -> None:
    assert value("States.MathRandom(1, 2)") == 1
    assert value("States.MathRandom(0, 1000000, 7)") == value("States.MathRandom(0, 1000000, 7)")
    assert value("States.UUID()") != value("States.UUID()")


@pytest.mark.parametrize(
    "text",
    [
        "States.Format('{}')",
        "States.Format('{}', 1, 2)",
        "States.StringToJson('{')",
        "States.ArrayPartition($.l, 0)",
        "States.ArrayRange(0, 5, 0)",
        "States.ArrayRange(0, 2000, 1)",
        "States.ArrayGetItem($.l, 9)",
        "States.ArrayLength($.n)",
        "States.Base64Decode('?')",
        "States.Hash('a', 'SHA-0')",
        "States.JsonMerge($.o, $.n, false)",
        "States.JsonMerge($.o, $.o, true)",
        "States.MathRandom(2, 1)",
        "States.MathAdd(true, 1)",
        "States.StringSplit($.n, ',')",
    ],
)
def test_a_value_that_a_function_does_not_take_is_refused(text: str) -> None:
    with pytest.raises(LanguageError) as caught:
        value(text)

    assert caught.value.error == "States.IntrinsicFailure"
    assert caught.value.detail.startswith(f"The function '{text}' had the following error: ")


def test_a_path_that_leads_nowhere_is_an_error_at_run_time() -> None:
    with pytest.raises(LanguageError) as caught:
        value("States.Format('{}', $.no)")

    assert caught.value.error == "States.Runtime"
    assert "'$.no' could not be found in the input" in caught.value.detail


@pytest.mark.parametrize(
    "text",
    [
        "States.Nope()",
        "States.Array(1",
        "States.Array(1,)",
        "States.Array(1 2)",
        "States.UUID(1)",
        "States.Array('a)",
        "States.Array(a)",
        "States.Array() x",
        "States.Array($.)",
        "States.Array('a\\n')",
        "Array()",
    ],
)
def test_what_is_no_call_is_refused(text: str) -> None:
    with pytest.raises(InvalidCall):
        intrinsics.parse(text)


@given(st.text())
def test_any_text_survives_in_a_call(text: str) -> None:
    quoted = "".join(f"\\{char}" if char in "'\\{}" else char for char in text)

    assert value(f"States.Array('{quoted}')") == [text]
    assert value(f"States.Format('{quoted}')") == text


@given(st.text(alphabet="States.ArrayFomt()'{}$,.\\[] 01null", max_size=30))
def test_any_text_is_a_call_or_refused(text: str) -> None:
    try:
        intrinsics.parse(text)
    except InvalidCall:
        return
    assert text.startswith("States.")
