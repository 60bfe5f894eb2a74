"""What endpoints answer."""

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow.answer_rows import SUM_TOLERANCE, OutputError, fault
from workflow.outputs import Answers, bulk_rows, probability_rows, sound


def in_bulk(answers: list[str], encoding: str) -> list[list[float]] | None:
    """The rows of ``bulk_rows`` as lists."""
    bulk = bulk_rows(Answers.of([answer.encode() for answer in answers]), encoding)
    if bulk is None:
        return None
    values, widths = bulk
    assert len(values) == widths.sum()
    return [row.tolist() for row in np.split(values, np.cumsum(widths)[:-1])]


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("[0.9, 0.1]", "JSON"),
        (" [ 0.9,\n 0.1 ] ", "JSON"),
        ('["0.9", "0.1"]', "JSON"),
        ('"[0.9, 0.1]"', "JSON"),
        ("[[0.9, 0.1]]", "JSON"),
        ("[[[0.9, 0.1]]]", "JSON"),
        ('[{"label": "LABEL_1", "score": 0.9}, {"label": "LABEL_2", "score": 0.1}]', "JSON"),
        ('[{"label":"motorcycle","score":0.1},{"label":"__label__bicycle","score":0.9}]', "JSON"),
        ("0.9,0.1", "CSV"),
        ("0.9, 0.1\r\n", "CSV"),
        ('"0.9","0.1"', "CSV"),
        ("[0.9, 0.1]", "CSV"),
        ("0.9,0.1", "JSON"),
        (in_base64("[0.9, 0.1]"), "BASE64"),
        (in_base64("0.9,0.1\n"), "BASE64"),
        (in_base64("\ufeff[0.9, 0.1]"), "BASE64"),
        ("+0.9,.1", "CSV"),
        ("9e-1,1E-1", "CSV"),
    ],
)
def test_one_row_is_read_in_every_form_it_is_captured_in(data: str, encoding: str) -> None:
    assert probability_rows(data, encoding) == [[0.9, 0.1]]
    assert in_bulk([data], encoding) in ([[0.9, 0.1]], None)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("0.9,0.1\n0.2,0.8", "CSV"),
        ("0.9,0.1\r\n\r\n0.2,0.8\r\n", "CSV"),
        ("[[0.9, 0.1], [0.2, 0.8]]", "JSON"),
        ('[["0.9", "0.1"], [0.2, 0.8]]', "JSON"),
        (in_base64("0.9,0.1\n0.2,0.8"), "BASE64"),
    ],
)
def test_each_row_of_a_batch_request_is_a_row(data: str, encoding: str) -> None:
    assert probability_rows(data, encoding) == [[0.9, 0.1], [0.2, 0.8]]
    assert in_bulk([data], encoding) is None


@pytest.mark.parametrize(
    ("data", "encoding", "reason"),
    [
        ("", "JSON", "empty output"),
        ("  \n", "CSV", "empty output"),
        ("[0.9, ", "JSON", "output is not JSON"),
        ('{"generated_text": "a bicycle"}', "JSON", "no list of numbers"),
        ('["bicycle"]', "JSON", "no list of numbers"),
        ("[true, false]", "JSON", "no list of numbers"),
        ("[0.9, [0.1]]", "JSON", "no list of numbers"),
        ("[0.1,0.95", "JSON", "output is not JSON"),
        ("10.1,0.9]", "JSON", "no list of numbers"),
        ("bicycle", "CSV", "no list of numbers"),
        ("0.1,\n0.9", "CSV", "no list of numbers"),
        ("0.1,\r0.9", "CSV", "no list of numbers"),
        ("0_9,0.1", "CSV", "no list of numbers"),
        ("[1" + "0" * 400 + ", 0]", "JSON", "no list of numbers"),
        ("[" * 100_000, "JSON", "output is not JSON"),
        ("not base64!", "BASE64", "output is not base64 of text"),
        (base64.b64encode(b"\xff\xfe").decode(), "BASE64", "output is not base64 of text"),
        ("0.9,0.1", "XML", "unknown encoding"),
    ],
)
def test_what_holds_no_numbers_says_why(data: str, encoding: str, reason: str) -> None:
    with pytest.raises(OutputError) as raised:
        probability_rows(data, encoding)
    assert raised.value.reason == reason
    assert len(raised.value.detail) < 200
    assert in_bulk([data], encoding) is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([], "empty output"),
        ([0.3], "single value, no probability per class"),
        ([float("nan"), 0.5], "not finite"),
        ([float("inf"), 0.5], "not finite"),
        ([-0.1, 1.1], "negative value"),
        ([3.0, 4.0], "values do not sum to 1"),
        ([0.2, 0.2], "values do not sum to 1"),
    ],
)
def test_a_row_that_is_no_probabilities_is_named(row: list[float], reason: str) -> None:
    assert not sound(np.array(row), np.array([len(row)])).any()
    assert fault(row).reason == reason


def test_sound_rows_are_told_from_the_others_whatever_their_width() -> None:
    rows = [[0.5, 0.5], [0.3], [0.1] * 10, [], [0.001] * 1000, [0.7, 0.7]]
    values = np.array([value for row in rows for value in row])
    widths = np.array([len(row) for row in rows])
    assert sound(values, widths).tolist() == [True, False, True, False, True, False]


def test_a_row_cannot_borrow_from_its_neighbours() -> None:
    assert in_bulk(["[0.1,0.9],[0.5", "0.5]"], "JSON") is None
    assert in_bulk(["[0.1,0.9],[0.5,0.5]"], "JSON") is None
    assert in_bulk(["[0.1,0.9]\n[0.5,0.5]"], "JSON") is None
    assert in_bulk(["[0.1", "0.9]"], "JSON") is None
    assert in_bulk(["0.1,0.9", "[0.5,0.5]"], "JSON") is None


def test_rows_of_any_widths_are_read_together() -> None:
    rows = [[0.9, 0.1], [1.0], [0.2, 0.3, 0.5]]
    assert in_bulk([str(row) for row in rows], "JSON") == rows
    assert in_bulk(["0.9,0.1", "[1.0]", "0.2,0.3,0.5\r\n"], "CSV") == rows
    assert in_bulk(["[0.9, 0.1]", "[]"], "JSON") is None


def test_no_answers_at_all_are_no_rows() -> None:
    bulk = bulk_rows(Answers.of([]), "JSON")
    assert bulk is not None
    assert [part.tolist() for part in bulk] == [[], []]


def test_half_a_surrogate_pair_is_left_to_the_reader_of_single_answers() -> None:
    assert bulk_rows(Answers.of(["\ud800".encode(errors="surrogatepass")]), "CSV") is None


@pytest.mark.parametrize(
    "rows",
    [
        [[0.9]],
        [[0.1, 0.2, 0.7], [1.0]],
        [[1.0], [0.1, 0.2, 0.7]],
        [[0.1, 0.2, 0.3, 0.4], [1.0]],
    ],
)
def test_separators_need_not_be_as_many_in_each_answer(rows: list[list[float]]) -> None:
    assert in_bulk([str(row) for row in rows], "JSON") == rows


def test_many_answers_in_base64_are_read_together() -> None:
    assert in_bulk([in_base64("[0.9, 0.1]"), in_base64("0.2,0.8\n")], "BASE64") == [
        [0.9, 0.1],
        [0.2, 0.8],
    ]
    assert in_bulk([in_base64("[0.9, 0.1]"), "no base64"], "BASE64") is None


@pytest.mark.parametrize(
    ("row", "is_sound"),
    [
        ([0.0, 1.0], True),
        ([1.0], False),
        ([0.5, 0.5 + SUM_TOLERANCE / 2], True),
        ([1 + SUM_TOLERANCE / 2, 0.0], True),
        ([0.5, 0.5 + SUM_TOLERANCE * 2], False),
        ([0.5, 0.5 - SUM_TOLERANCE * 2], False),
        ([-0.5, 1.5], False),
        ([-0.5, 1.0], False),
        ([1.0, float("nan")], False),
    ],
)
def test_probabilities_lie_within_0_and_1_and_sum_to_1(row: list[float], *, is_sound: bool) -> None:
    assert sound(np.array(row), np.array([len(row)])).tolist() == [is_sound]


numbers = st.floats(0, 1) | st.sampled_from([float("nan"), -1.0, 1e400])
texts = (
    st.lists(numbers, max_size=4).map(repr)
    | st.lists(numbers, min_size=1, max_size=4).map(lambda row: ",".join(map(repr, row)))
    | st.text(st.sampled_from("[]{}\"',.0123456789eE+-na \n\r"), max_size=12)
)


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=4), st.sampled_from(["JSON", "CSV"]))
def test_reading_many_at_once_never_differs_from_reading_each(
    answers: list[str], encoding: str
) -> None:
    bulk = in_bulk(answers, encoding)
    if bulk is not None:
        one_by_one = [probability_rows(answer, encoding) for answer in answers]
        assert one_by_one == [[row] for row in bulk]
