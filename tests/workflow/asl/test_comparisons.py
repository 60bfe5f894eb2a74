"""The rules of a Choice compare by type, times as times, and know what is not there."""

from typing import Any

import pytest

from workflow.asl.comparisons import is_met
from workflow.asl.data import Scope
from workflow.asl.failures import LanguageError
from workflow.asl.times import read_time

DATA = {
    "s": "a*b\\c",
    "n": 1.5,
    "t": "2026-01-01T00:00:00Z",
    "later": "2026-01-01T01:00:00.5+00:30",
    "b": False,
    "null": None,
    "one": 1,
    "l": [{"p": 1}],
}


def met(**rule: Any) -> bool:
    return is_met(rule, Scope(DATA, {"State": {"Name": "C"}}, {"limit": 2}))


@pytest.mark.parametrize(
    "rule",
    [
        {"Variable": "$.s", "StringEquals": "a*b\\c"},
        {"Variable": "$.s", "StringMatches": "a*"},
        {"Variable": "$.s", "StringMatches": "a\\*b\\\\c"},
        {"Variable": "$.s", "StringLessThan": "b"},
        {"Variable": "$.n", "NumericGreaterThan": 1},
        {"Variable": "$.n", "NumericLessThanPath": "$limit"},
        {"Variable": "$.l[0].p", "NumericEqualsPath": "$.one"},
        {"Variable": "$.t", "TimestampEquals": "2026-01-01T02:00:00+02:00"},
        {"Variable": "$.t", "TimestampLessThanPath": "$.later"},
        {"Variable": "$.later", "TimestampGreaterThan": "2026-01-01T00:30:00Z"},
        {"Variable": "$.b", "BooleanEquals": False},
        {"Variable": "$.null", "IsNull": True},
        {"Variable": "$.null", "IsPresent": True},
        {"Variable": "$.no.such", "IsPresent": False},
        {"Variable": "$.t", "IsTimestamp": True},
        {"Variable": "$.s", "IsTimestamp": False},
        {"Variable": "$.b", "IsNumeric": False},
        {"Variable": "$$.State.Name", "StringEquals": "C"},
        {"Not": {"Variable": "$.n", "NumericEquals": 2}},
        {
            "And": [
                {"Variable": "$.one", "NumericEquals": 1},
                {"Variable": "$.b", "IsBoolean": True},
            ]
        },
        {"Or": [{"Variable": "$.one", "NumericEquals": 2}, {"Variable": "$.b", "IsBoolean": True}]},
    ],
)
def test_a_rule_is_met(rule: dict[str, Any]) -> None:
    assert met(**rule)


@pytest.mark.parametrize(
    "rule",
    [
        {"Variable": "$.n", "StringEquals": "1.5"},
        {"Variable": "$.b", "NumericEquals": 0},
        {"Variable": "$.one", "BooleanEquals": True},
        {"Variable": "$.s", "StringMatches": "a\\*"},
        {"Variable": "$.s", "TimestampLessThan": "2026-01-01T00:00:00Z"},
        {"Variable": "$.null", "NumericLessThan": 1},
    ],
)
def test_values_of_another_type_are_never_met(rule: dict[str, Any]) -> None:
    assert not met(**rule)


def test_presence_guards_what_follows_it() -> None:
    assert not met(
        And=[{"Variable": "$.no", "IsPresent": True}, {"Variable": "$.no", "NumericEquals": 1}]
    )


@pytest.mark.parametrize(
    "rule",
    [
        {"Variable": "$.no", "IsNull": True},
        {"Variable": "$.no", "NumericEquals": 1},
        {"Variable": "$.one", "NumericEqualsPath": "$.no"},
    ],
)
def test_a_variable_that_is_not_there_fails(rule: dict[str, Any]) -> None:
    with pytest.raises(LanguageError) as caught:
        met(**rule)

    assert caught.value.detail == (
        "Invalid path '$.no': The choice state's condition path references an invalid value."
    )


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "",
        "2026-01-01T25:00:00Z",
        "01-01-2026T00:00:00Z",
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert read_time(text) is None
    assert read_time(7) is None
