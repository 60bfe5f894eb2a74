"""Charts of the Overview page."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from dashboard.overview import charts
from dashboard.shared.time_range import TimeRange
from tests.captured import NOW, captured, counted
from workflow.class_names import ClassNames


@pytest.mark.parametrize(("classes", "drawn"), [(2, 2), (5, 5), (10, 5), (100, 5)])
def test_the_largest_classes_have_a_bar_each_and_all_others_one(classes: int, drawn: int) -> None:
    labels = pl.Series("label", np.arange(1_000) % classes, pl.Int32)
    counts = counted(captured(1_000).with_columns(labels))
    shown = TimeRange(timedelta(days=1), ZoneInfo("UTC"))
    names = ClassNames(tuple(f"kind {label:02}" for label in range(classes)))

    figure = charts.draw_volume(counts, shown, [], NOW, names)

    assert len(figure.data) == drawn
    assert len({one.marker.color for one in figure.data}) == drawn
    assert sum(sum(one.y) for one in figure.data) == 1_000
    if classes > drawn:
        assert figure.data[-1].name == f"{classes - drawn + 1} other classes"


@pytest.mark.parametrize(("threshold", "lines"), [(0.9, 1), (0.0, 0)])
def test_no_line_is_drawn_for_a_threshold_that_nobody_set(threshold: float, lines: int) -> None:
    shown = TimeRange(timedelta(days=1), ZoneInfo("UTC"))

    figure = charts.draw_confidence(counted(captured(100)), threshold, shown, [], NOW)

    assert len(figure.layout.shapes) == lines
