"""JSONata gives JSON, or an error that names the expression and the field."""

import threading

import pytest

from workflow.asl import queries, templates
from workflow.asl.data import Scope
from workflow.asl.failures import QueryError

SCOPE = Scope({"l": [1, 2], "n": None}, {"State": {"Name": "A"}}, {"v": None, "é": 'a"b\\'}, {})


def value(text: str) -> object:
    return queries.evaluate(text, SCOPE, "Output")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$sum($states.input.l)", 3),
        ("$states.context.State.Name", "A"),
        ("$v", None),
        ("$é", 'a"b\\'),
        ("{'n': null}", {"n": None}),
        ("4 / 2", 2),
        ("1 / 4", 0.25),
        ("[]", []),
        ("$partition([1..4], 3)", [[1, 2, 3], [4]]),
        ("$range(0, 1, 0.5)", [0, 0.5, 1]),
        ("$hash('a', 'SHA-1')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        (
            "$map(['MD5', 'SHA-256', 'SHA-384', 'SHA-512'], function($n){$length($hash('', $n))})",
            [32, 64, 96, 128],
        ),
        ("$parse('[1]')", [1]),
        ("$random(7) = $random(7)", True),
        ("$count($uuid())", 1),
    ],
)
def test_an_expression_has_its_value(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$nope", "returned nothing (undefined)."),
        ("$states.input.l + 'x'", "threw an error during evaluation. T2001"),
        ("function($x){$x}", "returned an unsupported result type."),
        ("[$sum]", "returned an unsupported result type."),
        ("$power(10, 400)", "threw an error during evaluation."),
        ("$parse('{')", "threw an error during evaluation."),
        ("$partition([1], 0)", "threw an error during evaluation."),
        ("$range(0, 1, 0)", "threw an error during evaluation."),
        ("$hash('a', 'x')", "threw an error during evaluation."),
        ("($f := function($n){1 + $f($n)}; $f(1))", "threw an error during evaluation."),
    ],
)
def test_what_goes_wrong_is_said_of_the_field(text: str, words: str) -> None:
    with pytest.raises(QueryError) as caught:
        value(text)

    assert caught.value.location == "Output"
    assert caught.value.detail.startswith(
        f"The JSONata expression '{text}' specified for the field 'Output' "
    )
    assert words in caught.value.detail
    assert "Error(" not in caught.value.detail


def test_an_expression_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "_LONGEST_MILLISECONDS", 50)

    with pytest.raises(QueryError) as caught:
        value("($f := function(){$f()}; $f())")

    assert "threw an error during evaluation." in caught.value.detail


def test_only_whole_strings_are_expressions() -> None:
    given = {"a": ["{% 1 + 1 %}", " {% 1 %}"], "b.$": "$.x"}

    assert templates.evaluate_template(given, SCOPE, "Output") == {
        "a": [2, " {% 1 %}"],
        "b.$": "$.x",
    }
    assert queries.syntax_fault("$a + 1") is None
    assert queries.syntax_fault("$a +") is not None


def test_the_place_within_a_payload_is_named() -> None:
    with pytest.raises(QueryError) as caught:
        templates.evaluate_template({"a": [0, {"b": "{% $no %}"}]}, SCOPE, "Arguments")

    assert caught.value.location == "Arguments/a[1]/b"


def test_threads_do_not_disturb_each_other() -> None:
    wrong: list[object] = []

    def evaluate(number: int) -> None:
        for _ in range(20):
            found = queries.evaluate(
                "$map([1..3], function($x){$x * $n})", Scope({}, {}, {"n": number}), "Output"
            )
            if found != [number, 2 * number, 3 * number]:
                wrong.append(found)

    threads = [threading.Thread(target=evaluate, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
