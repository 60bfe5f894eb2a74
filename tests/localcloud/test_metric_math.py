"""Metric math: what CloudWatch's expressions give for each period."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from localcloud.errors import AwsError
from localcloud.metric_math import check_expression, compute_expression

A = {0.0: 4.0, 60.0: 0.0, 120.0: 1.0}
B = {0.0: 2.0, 60.0: 0.0}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a", A),
        ("a + b", {0.0: 6.0, 60.0: 0.0}),
        ("100 * b / a", {0.0: 50.0}),
        ("-a - 1", {0.0: -5.0, 60.0: -1.0, 120.0: -2.0}),
        ("a + FILL(b, 10)", {0.0: 6.0, 60.0: 0.0, 120.0: 11.0}),
        ("IF(a >= 4, b / a, 0)", {0.0: 0.5, 60.0: 0.0, 120.0: 0.0}),
        ("IF(a > 0, a)", {0.0: 4.0, 120.0: 1.0}),
        ("a != 1", {0.0: 1.0, 60.0: 1.0, 120.0: 0.0}),
    ],
)
def test_expressions_give_a_value_for_each_period(expression, expected):
    assert compute_expression(expression, {"a": A, "b": B}) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "a +",
        "c",
        "a; b",
        "ANOMALY_DETECTION_BAND(a, 2)",
        "IF(a)",
        "FILL(a)",
        "a.real",
        "a[0]",
        "'text'",
        "True",
        "1 < a < 2",
        "a ** 2",
        "(lambda: a)()",
        "IF(condition=a)",
    ],
)
def test_what_cannot_be_computed_is_refused(expression):
    with pytest.raises(AwsError, match="cannot compute"):
        check_expression(expression, {"a": A, "b": B})


@given(st.text(max_size=30))
@example("a\0")
def test_any_text_is_computed_or_refused(text):
    with contextlib.suppress(AwsError):
        assert set(compute_expression(text, {"a": A, "b": B})) <= set(A)
