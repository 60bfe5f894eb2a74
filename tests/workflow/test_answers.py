"""Answers of endpoints of every kind are read as one probability a class, or are named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.answer_rows import OutputError, Row, fault, is_sound
from workflow.answers import read_text, read_value

CLASSES = ("bicycle", "motorcycle")


def values(answer: object) -> list[tuple[float, ...]]:
    """The rows of an answer, given as text or as what its JSON says."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return [row.values for row in read_text(text, CLASSES)]


def reason(answer: object) -> str:
    """Why an answer is no probabilities, by its reader or by its sum."""
    try:
        rows = values(answer)
    except OutputError as error:
        return error.reason
    return next(fault(row).reason for row in rows if not is_sound(row))


@pytest.mark.parametrize(
    "answer",
    [
        {"predictions": [[0.9, 0.1]]},
        {"outputs": [[0.9, 0.1]]},
        {"outputs": {"probabilities": [[0.9, 0.1]], "classes": [["bicycle", "motorcycle"]]}},
        {"predictions": [{"probabilities": [0.9, 0.1], "classes": ["0"], "logits": [4.0, 1.8]}]},
        {"predictions": [{"score": [0.9, 0.1], "predicted_label": 0}]},
        {"predictions": [{"score": 0.1, "predicted_label": 0}]},
        {"predictions": [{"0": 0.9, "1": 0.1}]},
        {"probabilities": [0.9, 0.1], "labels": ["bicycle", "motorcycle"]},
        {"prediction": 0, "label": "bicycle", "probabilities": [0.9, 0.1]},
        [{"label": "bicycle", "score": 0.9}, {"label": "motorcycle", "score": 0.1}],
        [[{"label": "bicycle", "score": 0.9}, {"label": "motorcycle", "score": 0.1}]],
        [{"label": "LABEL_0", "score": 0.9}, {"label": "LABEL_1", "score": 0.1}],
        [{"class": "Bicycle", "probability": "0.9"}, {"class": "Motorcycle", "probability": "0.1"}],
        {"bicycle": 0.9, "motorcycle": 0.1},
        {"bicycle": "0.9", "motorcycle": "0.1"},
        {"bicycle": 0.9, "motorcycle": 0.1, "latency_ms": 12},
        {"bicycle": 0.9, "motorcycle": 0.1, "epoch": 3},
        [{"bicycle": 0.9}, {"motorcycle": 0.1}],
        {"0": [0.9], "1": [0.1]},
        {"columns": ["bicycle", "motorcycle"], "data": [[0.9, 0.1]]},
        {"label": ["__label__bicycle", "__label__motorcycle"], "prob": [0.9, 0.1]},
        {"displayNames": ["bicycle", "motorcycle"], "confidences": [0.9, 0.1], "ids": ["7", "8"]},
        {"outputs": [{"name": "out", "shape": [1, 2], "datatype": "FP32", "data": [0.9, 0.1]}]},
        {
            "outputs": [
                {"name": "probabilities", "shape": [1, 2], "data": [0.9, 0.1]},
                {"name": "label", "shape": [1, 1], "data": ["bicycle"]},
            ]
        },
        {"results": [[["bicycle", 0.9], ["motorcycle", 0.1]]]},
        {"statusCode": 200, "body": '{"predictions": [[0.9, 0.1]]}'},
        {"predictions": ["0.9,0.1"]},
        {"mobilenet_softmax_v2": [[0.9, 0.1]], "took": 0.2},
        {"probabilities": "[0.9, 0.1]", "labels": "['bicycle', 'motorcycle']"},
        '"{\\"predictions\\": [[0.9, 0.1]]}"',
        "bicycle,motorcycle\n0.9,0.1\n",
        "bicycle,0.9\nmotorcycle,0.1",
        '{"label": "bicycle", "score": 0.9}\n{"label": "motorcycle", "score": 0.1}\n',
        '{"predictions": [[0.9, 0.1]]}\n',
    ],
)
def test_one_probability_a_class_is_read_whatever_it_is_wrapped_in(answer: object) -> None:
    assert values(answer) == [pytest.approx((0.9, 0.1))]


@pytest.mark.parametrize(
    "answer",
    [
        {"motorcycle": 0.1, "bicycle": 0.9},
        {"1": 0.1, "0": 0.9},
        [{"label": "motorcycle", "score": 0.1}, {"label": "bicycle", "score": 0.9}],
        {"probabilities": [0.1, 0.9], "labels": ["motorcycle", "bicycle"]},
        {"predictions": [[0.1, 0.9]], "labels": ["motorcycle", "bicycle"]},
        {"labels": [1, 0], "scores": [0.1, 0.9]},
        {"predicted_label": "bicycle", "probabilities": [0.1, 0.9]},
        "motorcycle,bicycle\n0.1,0.9",
    ],
)
def test_names_in_the_answer_win_over_positions(answer: object) -> None:
    assert values(answer) == [(0.9, 0.1)]


@pytest.mark.parametrize(
    "answer",
    [
        {"predictions": [[0.9, 0.1], [0.2, 0.8]]},
        {"predictions": [{"score": [0.9, 0.1]}, {"score": [0.2, 0.8]}]},
        [{"bicycle": 0.9, "motorcycle": 0.1}, {"bicycle": 0.2, "motorcycle": 0.8}],
        [
            [{"label": "bicycle", "score": 0.9}, {"label": "motorcycle", "score": 0.1}],
            [{"label": "motorcycle", "score": 0.8}, {"label": "bicycle", "score": 0.2}],
        ],
        {"outputs": [{"name": "p", "shape": [2, 2], "data": [0.9, 0.1, 0.2, 0.8]}]},
        "[0.9, 0.1]\n[0.2, 0.8]\n",
        '{"score": [0.9, 0.1]}\n{"score": [0.2, 0.8]}',
        "bicycle,motorcycle\n0.9,0.1\n0.2,0.8",
    ],
)
def test_each_image_of_a_batch_request_is_a_row(answer: object) -> None:
    assert values(answer) == [(0.9, 0.1), (0.2, 0.8)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"logits": [2.3, -1.2]}, "logits, not probabilities"),
        ([2.3, -1.2], "negative value"),
        ([7.1, 3.2], "values do not sum to 1"),
        ({"prediction": [[0.0, 0.5, 0.1, 0.1, 0.15, 0.15]]}, "boxes, no probability per class"),
        (
            [{"label": "bicycle", "score": 1.0, "box": {"xmin": 1, "xmax": 9}}],
            "boxes, no probability per class",
        ),
        (
            {"predictions": [{"detection_boxes": [[0.1, 0.4]], "detection_scores": [0.9, 0.1]}]},
            "boxes, no probability per class",
        ),
        ({"xmin": 0.1, "ymin": 0.2, "xmax": 0.3, "ymax": 0.4}, "no list of numbers"),
        ({"label": "bicycle", "score": 0.98}, "single value, no probability per class"),
        ([{"label": "bicycle", "score": 0.98}], "single value, no probability per class"),
        ({"predictions": [[0.98]]}, "single value, no probability per class"),
        ({"score": 17.5, "predicted_label": 1}, "single value, no probability per class"),
        ({"score": 0.9, "predicted_label": 0}, "score and label disagree"),
        ({"bicycle": 0.9, "motorcycle": None}, "no list of numbers"),
        ([0.9, None], "no list of numbers"),
        (["0.9", ""], "no list of numbers"),
        ({"predictions": []}, "empty output"),
        ({"predictions": [[float("nan"), 0.1]]}, "not finite"),
        ({"3": 0.9, "7": 0.1}, "some of the classes alone"),
        ([{"label": "a", "score": 0.5}, {"label": "a", "score": 0.5}], "a class is named twice"),
        ({"error": "worker died", "code": 500}, "no list of numbers"),
        ({"a": [0.9, 0.1], "b": [0.5, 0.5]}, "no list of numbers"),
        ({"embedding": [0.5, 0.5]}, "an embedding, no probability per class"),
        ("bicycle,0.9", "no list of numbers"),
        ('{"predictions": [[0.9,', "output is not JSON"),
        (json.dumps("x,y"), "no list of numbers"),
    ],
)
def test_what_is_no_probability_per_class_is_named(answer: object, expected: str) -> None:
    assert reason(answer) == expected


def test_other_classes_keep_their_names_and_one_order_whatever_comes_first() -> None:
    likely, unlikely = {"label": "cat", "score": 0.7}, {"label": "ant", "score": 0.3}

    for answer in ([likely, unlikely], [unlikely, likely]):
        assert read_value(answer, CLASSES) == [Row((0.3, 0.7), ("ant", "cat"))]


def test_what_is_nested_without_end_is_named() -> None:
    deep: Any = [0.9, 0.1]
    for _ in range(200):
        deep = {"predictions": [deep]}

    assert reason(deep) == "no list of numbers"


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["predictions", "labels", "label", "score", "data", "shape", "name"])
            | st.text(max_size=4),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


def rows_or_error(answer: object) -> list[Row] | OutputError:
    try:
        return read_value(answer, CLASSES)
    except OutputError as error:
        return error


@given(json_values | st.text(max_size=60))
def test_nothing_but_rows_or_a_named_error_comes_of_any_answer(answer: object) -> None:
    found = rows_or_error(answer)

    if isinstance(found, OutputError):
        assert found.reason
        assert len(found.detail) < 200
    else:
        assert all(isinstance(value, float) for row in found for value in row.values)


@given(st.floats(0, 1), st.permutations(CLASSES))
def test_a_named_probability_is_never_given_to_another_class(
    share: float, order: list[str]
) -> None:
    numbers = {"bicycle": share, "motorcycle": 1 - share}
    shapes: list[object] = [
        {name: numbers[name] for name in order},
        [{"label": name, "score": numbers[name]} for name in order],
        {"labels": order, "probabilities": [numbers[name] for name in order]},
        {"predictions": [{name: numbers[name] for name in order}]},
    ]

    for shape in shapes:
        assert [row.values for row in read_value(shape, CLASSES)] == [(share, 1 - share)]
