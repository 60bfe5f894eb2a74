"""Data that AWS's messages quote are masked as a whole: one fault is one group."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflow.histories import failure, lambda_cause
from workflow.fingerprints import fingerprint, normalised
from workflow.quoted_data import without_data

texts = st.text() | st.sampled_from(
    [
        "O'Brien, the input '{'",
        'He said "no"',
        "}'{",
        "line\nbreak",
        "\\",
        "Größe 猫 🛵",
        "arn:aws:s3:::bucket/key",
        "https://example.org/a?b=c",
        "2026-11-26T10:00:00Z",
        "An error occurred (ThrottlingException) when calling the X operation",
        "evaluated to 3, but expected a number",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
inputs = st.dictionaries(texts, values, min_size=1, max_size=4)

WHOLE = (
    "The JSONPath '$.body' specified for the field 'x.$' could not be found in the input '{}'",
    "Unable to apply ReferencePath $.a to input {}",
    "Lambda did not return an error type. Returned payload: {}",
    "The JSONata expression '$a' specified for the field 'Output/x' evaluated to {}",
    "The expression '$a' returned an unexpected result type. Was 'object' for value: {}",
    "Invalid path '$[0]' : Filter: [0] can only be applied to arrays. Current context is: {}",
)


def written(value: Any, *, ascii_only: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ascii_only)


@pytest.mark.parametrize("form", WHOLE)
@given(one=inputs, other=inputs)
def test_what_the_input_holds_does_not_matter(form: str, one: Any, other: Any) -> None:
    first = normalised(form.replace("{}", written(one)))

    assert first == normalised(form.replace("{}", written(other, ascii_only=True)))
    assert first == normalised(form.replace("{}", "*"))


@pytest.mark.parametrize("form", WHOLE)
@given(value=inputs, kept=st.integers(1))
def test_where_the_message_is_cut_does_not_matter(form: str, value: Any, kept: int) -> None:
    whole, data = form.replace("{}", written(value)), form.index("{}")
    cut = whole[: data + 1 + kept % len(written(value))]

    assert normalised(cut).rstrip("'") == normalised(whole).rstrip("'")


@given(one=values.filter(lambda value: value is not None), other=inputs)
def test_text_behind_the_data_is_kept(one: Any, other: Any) -> None:
    form = "The expression evaluated to {}, but expected a boolean"

    assert normalised(form.format(written(other))).endswith("but expected a boolean")
    if isinstance(one, dict | list | str):
        assert normalised(form.format(written(one))) == normalised(form.format(written(other)))


@pytest.mark.parametrize("value", ["Ana Lima", "3.5", "Tom, Dick and Harry", "a.b. c", "undefined"])
def test_a_value_that_is_no_json_is_masked_too(value: str) -> None:
    assert without_data(f"Seconds evaluated to {value}") == "Seconds evaluated to *"
    assert without_data(f"Seconds evaluated to '{value}'") == "Seconds evaluated to '*'"
    assert without_data(f"Seconds evaluated to {value}, but it must be whole") == (
        "Seconds evaluated to *, but it must be whole"
    )


@given(inputs, inputs)
def test_parameters_that_do_not_start_a_task_are_data(one: Any, other: Any) -> None:
    form = "The Parameters '{}' could not be used to start the Task: [The field 'b' is missing]"

    def told(value: Any) -> str:
        return normalised(form.replace("{}", written(value)))

    assert told(one) == told(other)
    assert told(one).endswith("The field 'b' is missing]")


def test_a_payload_that_is_no_json_is_data() -> None:
    form = (
        "Could not parse request body into json: Unrecognized token '{0}': was expecting a value "
        'at [Source: (byte[])"{0} and "more""; line: 1, column: 5]'
    )

    assert normalised(form.format("Ana")) == normalised(form.format("Bo's \nthing"))


def test_a_constraint_quotes_its_value() -> None:
    told = "1 error: Value '{}' at 'bucket' failed to satisfy constraint: Member must match"

    assert without_data(told.format("it's")) == without_data(told.format("é 3"))


encoded = (
    st.binary(min_size=18, max_size=300)
    .map(lambda data: base64.b64encode(data).decode())
    .filter(lambda text: any(sign in "0123456789+/=" for sign in text))
)


@given(encoded, encoded)
def test_base64_does_not_matter_with_any_padding(one: str, other: str) -> None:
    for form in ("Cannot decode {} of this request.", "Bad image: {}.", "Bad image '{}'"):
        assert normalised(form.format(one)) == normalised(form.format(other))


def test_different_faults_stay_apart() -> None:
    forms = [form.replace("{}", '{"a": 1}') for form in WHOLE]
    forms += [WHOLE[0].replace("$.body", "$.other").replace("{}", '{"a": 1}')]

    assert len({normalised(form) for form in forms}) == len(forms)


@given(st.sampled_from(WHOLE), texts, texts)
def test_masking_twice_is_masking_once(form: str, value: str, behind: str) -> None:
    once = without_data(form.replace("{}", value) + behind)

    assert without_data(once) == once


@given(st.text())
def test_text_without_data_stays_as_it_is(text: str) -> None:
    message = f"KeyError: {text.replace('value', '').replace('input', '')}"
    if not any(word in message.lower() for word in ("evaluated", "payload", "context", "number")):
        assert without_data(message) == message


def test_the_groups_are_those_of_the_faults() -> None:
    cause = WHOLE[0].replace("{}", '{"driver": "Bo"}')
    digests = {
        fingerprint(failure(error="States.Runtime", cause=cause.replace("Bo", name))).digest
        for name in ("Ana Lima", "Cy 'the' Doe", "{", "x" * 5_000, datetime.now(UTC).isoformat())
    }

    assert len(digests) == 1


def test_what_lambda_says_in_the_payload_is_read() -> None:
    told = "Lambda did not return an error type. Returned payload: "
    late = told + json.dumps({"errorMessage": "2026-11-26T10:00:00Z 1 Task timed out after 3.00 s"})
    killed = told + json.dumps({"errorMessage": "Runtime exited with error: signal: killed"})
    own = [told + json.dumps({"errorMessage": text}) for text in ("Ana is unknown", "Bo is late")]

    def digest(cause: str) -> str:
        return fingerprint(failure(error="Lambda.Unknown", cause=cause)).digest

    assert len({digest(late), digest(killed), digest(own[0])}) == 3
    assert digest(own[0]) == digest(own[1])
    assert digest(lambda_cause("x")) != digest(own[0])
