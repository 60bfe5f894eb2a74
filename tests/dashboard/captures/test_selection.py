"""A selection means the bars that were clicked, whatever comes later."""

import polars as pl
import pytest

from dashboard.captures.selection import Selection, combine_bars
from workflow.class_names import ClassNames

NAMED = (3, 7, 12, 40)
OTHERS = Selection(0.98, 0.99, NAMED)


def bar(*labels: int, low: float = 0.98, high: float = 0.99) -> Selection:
    return Selection(low, high, labels, others=False)


@pytest.mark.parametrize(
    ("bars", "whole"),
    [
        ([bar(7)], bar(7)),
        ([bar(7), bar(3, low=0.5, high=0.51)], bar(3, 7, low=0.5)),
        ([OTHERS], OTHERS),
        ([OTHERS, Selection(0.99, 1.0, NAMED)], Selection(0.98, 1.0, NAMED)),
        ([OTHERS, bar(7), bar(40)], Selection(0.98, 0.99, (3, 12))),
        ([OTHERS, *map(bar, NAMED)], Selection(0.98, 0.99)),
    ],
)
def test_bars_together_hold_what_each_holds(bars: list[Selection], whole: Selection) -> None:
    every = pl.DataFrame({"label": range(1_000)})

    assert combine_bars(bars) == whole
    held = set(every.filter(whole.of_class())["label"])
    assert held == {label for one in bars for label in every.filter(one.of_class())["label"]}


def test_the_others_are_the_same_whatever_is_counted_later() -> None:
    labels = pl.DataFrame({"label": [0, 7, 40, 1_234]})

    assert labels.filter(OTHERS.of_class())["label"].to_list() == [0, 1_234]


@pytest.mark.parametrize(
    ("selection", "held"),
    [
        (bar(7), {7}),
        (bar(7, 40), {7, 40}),
        (bar(5), set()),
        (Selection(0.98, 0.99, (3, 7)), {12, 40, "others"}),
        (OTHERS, {"others"}),
        (Selection(0.5, 1.0), {*NAMED, "others"}),
        (Selection(0.5, 0.985), set()),
        (Selection(0.985, 1.0), set()),
        (bar(7, low=0.98 + 4e-7, high=0.99 - 4e-7), {7}),
    ],
)
def test_a_selection_holds_the_bars_that_lie_in_it(
    selection: Selection, held: set[int | str]
) -> None:
    drawn = {label: bar(label) for label in NAMED} | {"others": OTHERS}

    assert {name for name, one in drawn.items() if selection.includes(one)} == held


@pytest.mark.parametrize(
    ("selection", "words", "left_out"),
    [
        (Selection(0, 1), "all classes", ""),
        (bar(1), "motorcycle", ""),
        (bar(0, 1), "bicycle and motorcycle", ""),
        (bar(0, 1, 2), "bicycle, motorcycle and class 2", ""),
        (OTHERS, "996 other classes", "class 3, class 7, class 12 and class 40"),
        (Selection(0, 1, tuple(range(1, 1_000))), "1 other class", None),
    ],
)
def test_a_selection_is_said_in_words(
    selection: Selection, words: str, left_out: str | None
) -> None:
    assert selection.describe_classes(range(1_000), ClassNames().name) == words
    if left_out is not None:
        assert selection.left_out(ClassNames().name) == left_out


@pytest.mark.parametrize(
    ("selection", "text"),
    [
        (Selection(0.0, 1.0), "0-1"),
        (bar(0, low=0.99, high=1.0), "0.99-1 of 0"),
        (Selection(0.985, 0.99, (0, 3)), "0.985-0.99 but 0,3"),
    ],
)
def test_a_selection_goes_through_an_address(selection: Selection, text: str) -> None:
    assert selection.format_text() == text
    assert Selection.of_text(text) == selection


@pytest.mark.parametrize(
    "text", ["", "all", "0.9", "0.9-0.8", "0.9-1.2", "0.9-1 of", "0.9-1 of -1", "0.9-1 of 0,", "-1"]
)
def test_what_is_no_selection_is_none(text: str) -> None:
    assert Selection.of_text(text) is None
