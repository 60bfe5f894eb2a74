"""A cause is read out of JSON, stack traces, nested executions, and text that was cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflow.histories import lambda_cause
from workflow.causes import is_rejection, read_cause

MARKER = "THRESHOLD_CONFIDENCE_NOT_MET"
RAISED_TEXT = json.dumps(
    {
        "errorMessage": "exceptions must derive from BaseException",
        "errorType": "TypeError",
        "stackTrace": [f'  File "/var/task/f.py", line 21, in handler\n    raise("{MARKER}")\n'],
    }
)
CHAINED = """Traceback (most recent call last):
  File "/var/task/app/read.py", line 3, in read
    return state["key"]
KeyError: 'key'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/var/task/app/main.py", line 9, in handler
    raise RuntimeError("wrapped")
RuntimeError: wrapped
"""


def test_a_lambda_cause_tells_error_message_and_frames() -> None:
    cause = read_cause("KeyError", lambda_cause("'a'"))

    assert (cause.error, cause.message) == ("KeyError", "'a'")
    assert cause.own_frame == cause.entry_frame == ("lambda_function.py", "lambda_handler")
    assert cause.source == "x"


def test_libraries_beside_the_handler_are_not_its_own_code() -> None:
    trace = [
        '  File "/var/task/lambdas/classify/handler.py", line 3, in handler\n    a\n',
        '  File "/var/task/lambdas/classify/model.py", line 4, in ask\n    b\n',
        '  File "/var/task/requests/api.py", line 5, in get\n    c\n',
    ]
    cause = read_cause("E", json.dumps({"errorMessage": "m", "stackTrace": trace}))

    assert cause.own_frame == ("lambdas/classify/model.py", "ask")
    assert cause.entry_frame == ("lambdas/classify/handler.py", "handler")


def test_a_node_function_is_read_too() -> None:
    trace = [
        "TypeError: x is undefined",
        "    at ask (/var/task/model.js:3:9)",
        "    at async handler (/var/task/index.js:9:3)",
    ]
    cause = read_cause("TypeError", json.dumps({"errorMessage": "m", "trace": trace}))

    assert cause.own_frame == ("model.js", "ask")
    assert cause.entry_frame == ("index.js", "handler")


def test_the_innermost_exception_of_a_java_chain_counts() -> None:
    cause = read_cause(
        "Outer",
        json.dumps(
            {
                "errorMessage": "outer",
                "errorType": "Outer",
                "cause": {"errorMessage": "inner", "errorType": "Inner"},
            }
        ),
    )

    assert (cause.error, cause.message) == ("Inner", "inner")


@pytest.mark.parametrize(
    "text", [CHAINED, json.dumps({"errorMessage": CHAINED, "errorType": "RuntimeError"})]
)
def test_the_first_exception_of_a_python_chain_counts(text: str) -> None:
    cause = read_cause("RuntimeError", text)

    assert (cause.error, cause.message) == ("KeyError", "'key'")
    assert cause.own_frame == ("app/read.py", "read")


def test_a_traceback_without_an_end_is_text() -> None:
    cause = read_cause("E", 'Traceback (most recent call last):\n  File "a')

    assert (cause.error, cause.own_frame) == ("E", None)


def test_the_cause_of_a_nested_execution_is_its_childs() -> None:
    child = {"ExecutionArn": "arn", "Error": "KeyError", "Cause": lambda_cause("'b'")}

    assert read_cause("States.TaskFailed", json.dumps(child)).message == "'b'"


def test_a_cut_cause_still_tells_error_and_message() -> None:
    whole = lambda_cause('a "quoted" text', "ValueError")
    cut = whole[: whole.index("decoder")]

    cause = read_cause("E", cut)

    assert (cause.error, cause.message) == ("ValueError", 'a "quoted" text')
    assert cause.own_frame == ("lambda_function.py", "lambda_handler")
    assert read_cause("E", whole[:-1]).source.startswith(read_cause("E", whole).source)


def test_a_cause_cut_within_its_message_keeps_what_is_left() -> None:
    assert read_cause("E", '{"errorMessage": "half a sen').message == "half a sen"
    assert read_cause("E", '{"errorMessage": "half \\ud8').message == "half \\ud8"
    assert read_cause("E", '{"errorMess').message == '{"errorMess'


def test_other_json_is_the_same_whatever_the_order_of_its_keys() -> None:
    one = read_cause("E", '{"b": 1, "a": 2}')

    assert one == read_cause("E", '{"a": 2, "b": 1}')
    assert one.message == '{"a": 2, "b": 1}'


def test_a_message_that_is_no_text_is_kept_as_json() -> None:
    assert read_cause("E", '{"errorMessage": {"a": 1}}').message == '{"a": 1}'


@given(error=st.none() | st.text(), cause=st.none() | st.text())
def test_no_text_raises(error: str | None, cause: str | None) -> None:
    read = read_cause(error, cause)

    assert isinstance(read.message, str)
    assert not is_rejection(error, cause)


@given(
    st.recursive(
        st.none() | st.text(),
        lambda inner: st.dictionaries(
            st.sampled_from(["Cause", "cause", "errorMessage", "errorType", "stackTrace", "Error"]),
            inner,
        ),
    )
)
def test_no_json_raises(value: object) -> None:
    read_cause("E", json.dumps(value))


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (MARKER, "Confidence 0.4 for bicycle is below the threshold 0.93"),
        ("Exception", lambda_cause(MARKER, "Exception")),
        ("TypeError", RAISED_TEXT),
        ("Error", json.dumps({"errorMessage": f"Error: {MARKER}"})),
        (None, "threshold confidence not met"),
    ],
)
def test_a_rejection_is_known_however_it_was_said(error: str | None, cause: str) -> None:
    assert is_rejection(error, cause)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("KeyError", lambda_cause("'threshold'")),
        ("TypeError", lambda_cause("exceptions must derive from BaseException", "TypeError")),
        (
            "KeyError",
            RAISED_TEXT.replace("exceptions must derive from BaseException", "'inferences'"),
        ),
        (None, None),
    ],
)
def test_a_fault_near_the_threshold_is_no_rejection(error: str | None, cause: str | None) -> None:
    assert not is_rejection(error, cause)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"Error": "EndpointNotFound", "Status": "FAILED"}, "EndpointNotFound"),
        ({"Error": None, "Cause": None, "Status": "TIMED_OUT"}, "States.Timeout"),
        ({"Status": "ABORTED"}, "States.TaskFailed"),
    ],
)
def test_a_nested_execution_without_a_cause_tells_its_error(
    answer: dict[str, str | None], error: str
) -> None:
    found = read_cause("States.TaskFailed", json.dumps({"ExecutionArn": "arn:x", **answer}))

    assert (found.error, found.message) == (error, f"The nested execution has {answer['Status']}.")


@pytest.mark.parametrize("said", [None, "", [], {}])
def test_what_a_function_left_out_is_not_called_none(said: object) -> None:
    for cause in (
        {"errorMessage": said, "errorType": said, "stackTrace": said},
        {"Error": said, "Cause": said},
        {"errorMessage": said},
    ):
        found = read_cause("E", json.dumps(cause))

        assert "None" not in f"{found.error} {found.message}"


@pytest.mark.parametrize(
    "frame",
    [
        'File "/var/task/f.py", line 3, in <module>\n    E = os.environ["ENDPOINT"]\n',
        'File "/var/task/f.py", line 3, in <module>\n    E = environ["ENDPOINT"]\n',
        'File "/var/lang/lib/python3.13/os.py", line 714, in __getitem__\n    raise\n',
    ],
)
def test_a_missing_environment_variable_is_told_from_a_missing_key(frame: str) -> None:
    missing = {"errorMessage": "'ENDPOINT'", "errorType": "KeyError", "stackTrace": [frame]}

    assert read_cause("KeyError", json.dumps(missing)).lacks_variable
    assert read_cause("KeyError", json.dumps(missing)[:-1]).lacks_variable
    assert not read_cause("KeyError", lambda_cause("'body'")).lacks_variable
