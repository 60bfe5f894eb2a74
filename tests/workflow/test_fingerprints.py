"""Fingerprints: stable under what changes from run to run, apart for different errors."""

import json
import string
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.workflow.histories import failure, lambda_cause
from workflow.executions import Failure, Kind
from workflow.fingerprints import explain, fingerprint, normalised, of_parts

MARKER = "THRESHOLD_CONFIDENCE_NOT_MET"
RAISED_TEXT = json.dumps(
    {
        "errorMessage": "exceptions must derive from BaseException",
        "errorType": "TypeError",
        "stackTrace": [f'  File "/var/task/f.py", line 21, in handler\n    raise("{MARKER}")\n'],
    }
)

MESSAGES = (
    "An error occurred (404) when calling the HeadObject operation: Not Found",
    "An error occurred (AccessDenied) when calling the GetObject operation: Access Denied",
    "An error occurred (ModelError) when calling the InvokeEndpoint operation: Server error",
    "An error occurred (ValidationError) when calling the InvokeEndpoint operation: Not found.",
    "Unable to import module 'lambda_function': No module named 'PIL'",
    "Unable to import module 'lambda_function': No module named 'numpy'",
    "Object of type float32 is not JSON serializable",
    "Object of type float64 is not JSON serializable",
    "Unsupported content type application/x-image",
    "Unsupported content type image/png",
    "'inferences'",
    "'image_data'",
    "list index out of range",
    "string indices must be integers, not 'str'",
    "'NoneType' object has no attribute 'read'",
    "Rate exceeded",
    "Task timed out",
    "User is not authorized to perform: sagemaker:InvokeEndpoint",
    "User is not authorized to perform: s3:GetObject",
)
"""Messages of different problems: none of them may fall into one group."""

uuids = st.uuids().map(str)
accounts = st.integers(10**11, 10**12 - 1).map(str)
words = st.text("abcdefghijklmnopqrstuvwxyz_-", min_size=1, max_size=12)
keys = st.builds(
    "{}/{}{}.{}".format, words, words, st.integers(0, 10**6), st.sampled_from(["png", "jpg"])
)
moments = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - see above
    timezones=st.just(UTC),
)
changing = st.one_of(
    uuids,
    accounts,
    keys,
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    moments.map(datetime.isoformat),
    moments.map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.123Z")),
    st.builds("s3://{}/{}".format, words.filter(str.isalpha), keys),
    st.builds("arn:aws:sagemaker:eu-west-1:{}:endpoint/{}".format, accounts, words),
    st.builds("/var/{}/{}".format, words.filter(str.isalpha), keys),
    st.integers(0, 2**64).map(hex),
    st.text("0123456789abcdef", min_size=8, max_size=64),
    st.builds("https://{}.amazonaws.com/{}".format, words.filter(str.isalpha), keys),
)
"""What changes from run to run."""


@given(changing, changing)
def test_ids_numbers_times_keys_and_paths_do_not_matter(one: str, other: str) -> None:
    template = "The thing {} could not be found by request {}, sorry"

    first = normalised(template.format(one, other))

    assert first == normalised(template.format(other, one))
    assert first == "The thing * could not be found by request *, sorry"


@given(st.lists(st.floats(0, 1), min_size=1), st.lists(st.floats(0, 1), min_size=1))
def test_the_length_of_a_list_of_numbers_does_not_matter(
    one: list[float], other: list[float]
) -> None:
    assert normalised(f"the sum of {one} is not 1") == normalised(f"the sum of {other} is not 1")


@given(message=st.sampled_from(MESSAGES), line=st.integers(1, 9999), request=uuids, at=moments)
def test_the_run_itself_does_not_matter(
    message: str, line: int, request: str, at: datetime
) -> None:
    one = failure(cause=lambda_cause(message))
    other = replace(
        failure(cause=lambda_cause(message, line=line, request=request)),
        execution_arn=request,
        failed_at=at,
        version="7",
        image="s3://b/k",
        attempt=3,
    )

    assert fingerprint(one) == fingerprint(other)


@given(st.dictionaries(st.text(string.ascii_letters), st.text(string.ascii_letters)))
def test_the_order_of_keys_in_a_cause_does_not_matter(cause: dict[str, str]) -> None:
    backwards = dict(reversed(cause.items()))

    assert fingerprint(failure(cause=json.dumps(cause))) == fingerprint(
        failure(cause=json.dumps(backwards))
    )


@pytest.mark.parametrize(("one", "other"), [*combinations(MESSAGES, 2)])
def test_different_problems_stay_apart(one: str, other: str) -> None:
    assert fingerprint(failure(cause=lambda_cause(one))) != fingerprint(
        failure(cause=lambda_cause(other))
    )


names = st.text(string.ascii_letters, min_size=1)


@given(names, names, names, names)
def test_another_error_or_state_is_another_problem(
    error: str, state: str, other_error: str, other_state: str
) -> None:
    assume((error, state) != (other_error, other_state))
    cause = lambda_cause("no")

    assert fingerprint(failure(error=error, state=state, cause=cause)) != fingerprint(
        failure(error=other_error, state=other_state, cause=cause)
    )


def test_the_place_in_the_own_code_matters_and_the_librarys_does_not() -> None:
    cause = lambda_cause("no")
    elsewhere = cause.replace("lambda_handler", "read_image")
    deeper = cause.replace("in decode", "in raw_decode")

    assert fingerprint(failure(cause=cause)) != fingerprint(failure(cause=elsewhere))
    assert fingerprint(failure(cause=cause)) == fingerprint(failure(cause=deeper))


REJECTIONS = (
    failure(
        error=MARKER, cause="Confidence 0.41 for bicycle is below the threshold 0.93: s3://b/k"
    ),
    failure(error="Exception", cause=lambda_cause(MARKER, "Exception")),
    failure(error="TypeError", cause=RAISED_TEXT, state="Filter"),
)


def test_a_rejection_is_one_problem_however_it_was_said() -> None:
    (only,) = {fingerprint(rejection).digest for rejection in REJECTIONS}

    assert "rejection" in dict(fingerprint(REJECTIONS[0]).parts)
    assert "below the threshold" in explain(fingerprint(REJECTIONS[0]))
    assert only


def test_a_silent_rejection_is_no_loud_one() -> None:
    silent = failure(error="Silent.Rejection", cause=f"The body says {MARKER!r}.", kind=Kind.SILENT)

    assert fingerprint(silent) != fingerprint(REJECTIONS[0])


def test_the_exception_inside_a_state_error_is_part_of_the_problem() -> None:
    one = failure(error="States.TaskFailed", cause=lambda_cause("no", "KeyError"))
    other = failure(error="States.TaskFailed", cause=lambda_cause("no", "IndexError"))

    assert fingerprint(one) != fingerprint(other)
    assert ("exception", "KeyError") in fingerprint(one).parts


def test_a_group_explains_its_own_hash() -> None:
    found = fingerprint(failure(cause=lambda_cause("no image 17 in /tmp/x.png")))

    text = explain(found)

    assert found.digest in text
    assert all(value in text for _, value in found.parts)
    assert "no image * in *" in text
    assert of_parts(found.parts) == found


def test_a_fingerprint_of_today_is_that_of_tomorrow() -> None:
    """Notes are kept by digest: raise VERSION when this changes on purpose."""
    plain = Failure(
        execution_arn="a",
        state="S",
        error="E",
        cause="c",
        failed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )

    assert fingerprint(plain).digest == "11289a54857a854f"


@pytest.mark.parametrize(
    ("message", "normal"),
    [
        ("Line 13 of /tmp/a b.png", "Line * of *"),
        ("cannot read 'my holiday 3.png'", "cannot read '*'"),
        (
            "There is no object for s3://b/my photo 3.png. Upload it",
            "There is no object for *. Upload it",
        ),
        ("There is no object for s3://b/key. Upload it", "There is no object for *. Upload it"),
        ("int8 and s3 and utf-8 stay", "int8 and s3 and utf-8 stay"),
        ("at 2026-01-02 03:04:05.678 it", "at * it"),
        ("mail a.b@example.org now", "mail * now"),
        (r"open C:\Users\me\x.txt failed", "open * failed"),
        ("object at 0x7f1c2e of deadbeefcafe", "object at * of *"),
        ("took  -5\n\tor 12.5% or .5", "took * or * or *"),
        ("image-classification-2024-01-02-03-04-05-678 is down", "* is down"),
        ("", ""),
    ],
)
def test_the_table_masks(message: str, normal: str) -> None:
    assert normalised(message) == normal


@given(st.text())
def test_any_text_is_normalised_once_and_for_all(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


def test_a_message_without_end_is_read_to_a_bound() -> None:
    assert len(normalised("word " * 100_000)) < 2_001
