"""What the Inferences page shows is what the records say."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dashboard.captures import labelled_captures, record_filters
from dashboard.captures.periods import Period
from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.selection import Selection
from dashboard.inferences import model
from dashboard.shared.csv_files import csv_file
from tests.captured import NOW, captured, counted
from workflow.class_names import ClassNames
from workflow.feature_statistics import NumericalStatistics, StringStatistics
from workflow.intervals import Share

NONE_JUDGED = pl.DataFrame(schema={"bin": pl.Int16, "correct": pl.Boolean, "count": pl.Int64})
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize(
    "filters",
    [
        InferenceFilters(),
        InferenceFilters(endpoint="a"),
        InferenceFilters(variant="y"),
        InferenceFilters(label=1),
        InferenceFilters(label=7),
        InferenceFilters(label=-1),
        InferenceFilters(since=TODAY),
        InferenceFilters(until=TODAY),
        InferenceFilters(endpoint="b", label=0, since=TODAY),
    ],
)
def test_counts_and_records_are_filtered_alike(filters: InferenceFilters) -> None:
    frame = captured(2000, hours=40, endpoints=("a", "b"), variants=("x", "y"))

    kept = record_filters.select_counts(counted(frame), filters)["count"].sum()

    assert kept == record_filters.match_records(frame.lazy(), filters, now=NOW).collect().height


def test_the_records_behind_a_bar_are_newest_first() -> None:
    frame = captured(1000)
    found = record_filters.match_records(
        frame.lazy(), InferenceFilters(), Selection(0.9, 0.95, (1,), others=False), now=NOW
    ).collect()

    assert found["label"].unique().to_list() == [1]
    assert found["confidence"].is_between(0.9, 0.95, closed="left").all()
    assert found["inference_time"].is_sorted(descending=True)


def test_the_last_bar_includes_a_confidence_of_one() -> None:
    frame = captured(3).with_columns(confidence=pl.Series([0.5, 0.999, 1.0]))

    found = record_filters.match_records(
        frame.lazy(), InferenceFilters(), Selection(0.99, 1.0), now=NOW
    ).collect()

    assert found["confidence"].to_list() == [1.0, 0.999]


def test_a_record_without_a_time_comes_last() -> None:
    frame = captured(3)
    timeless = frame.with_columns(
        inference_time=pl.when(pl.col("event_id") == "event-0-2")
        .then(None)
        .otherwise("inference_time")
    )

    found = record_filters.match_records(timeless.lazy(), InferenceFilters(), now=NOW).collect()

    assert found["event_id"].to_list() == ["event-0-1", "event-0-0", "event-0-2"]


def test_a_record_of_the_future_is_not_the_newest_and_no_day_holds_it() -> None:
    frame = captured(3)
    late = pl.lit(datetime(2099, 1, 1, tzinfo=UTC), frame.schema["inference_time"])
    absurd = frame.with_columns(
        inference_time=pl.when(event_id="event-0-0").then(late).otherwise("inference_time")
    )

    found = record_filters.match_records(absurd.lazy(), InferenceFilters(), now=NOW).collect()
    since = InferenceFilters(since=datetime(2026, 1, 1, tzinfo=UTC))
    days = record_filters.match_records(absurd.lazy(), since, now=NOW).collect()

    assert found["event_id"].to_list() == ["event-0-2", "event-0-1", "event-0-0"]
    assert days.height == record_filters.select_counts(counted(absurd), since)["count"].sum() == 2
    assert not record_filters.has_usable_time(found["inference_time"][-1], NOW)
    assert record_filters.has_usable_time(found["inference_time"][0], NOW)
    assert not record_filters.has_usable_time(None, NOW)


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 records"), (1, "1 record"), (1500, "1,500 records")]
)
def test_one_record_is_no_records(count: int, said: str) -> None:
    assert model.count_records(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (10, "10 s"),
        (110, "110 s"),
        (180, "3 min"),
        (7100, "118 min"),
        (7200, "2 h"),
        (82800, "23 h"),
    ],
)
def test_a_duration_is_in_whole_units(seconds: float, said: str) -> None:
    assert model.format_span(timedelta(seconds=seconds)) == said


def test_the_summary_adds_up() -> None:
    frame = captured(2000)

    said = model.summarise_counts(counted(frame), 0.93)

    assert said.total == 2000
    assert said.rejected == Share(int((frame["confidence"] < 0.93).sum()), 2000)
    assert said.by_label == dict(frame["label"].value_counts().sort("label").iter_rows())
    assert said.untimed == 0
    assert said.first is not None


def test_the_summary_has_the_largest_classes_first_and_ties_by_number() -> None:
    frame = captured(6).with_columns(label=pl.Series([0, 900, 900, 5, 2, 2], dtype=pl.Int32))

    assert list(model.summarise_counts(counted(frame), 0.93).by_label.items()) == [
        (2, 2),
        (900, 2),
        (0, 1),
        (5, 1),
    ]


def test_nothing_selected_is_no_number() -> None:
    said = model.summarise_counts(counted(captured(0)), 0.93)

    assert said.total == 0
    assert math.isnan(said.rejected.value)
    assert math.isnan(said.expected_accuracy)
    assert said.first is said.last is None


def test_what_if_tells_coverage_and_pace() -> None:
    frame = captured(4800, hours=48)

    said = model.what_if(counted(frame), NONE_JUDGED, 0.95, Period.HOUR)

    rejected = int((frame["confidence"] < 0.95).sum())
    assert said.coverage == Share(4800 - rejected, 4800)
    assert said.rejected_per_day == pytest.approx(rejected / 2, rel=0.03)
    assert said.measured.count == 0
    assert said.spans_days


def test_less_than_a_day_is_not_made_a_day_of() -> None:
    frame = captured(600, hours=0.03)
    counts = counted(frame, Period.TEN_SECONDS)

    said = model.what_if(counts, NONE_JUDGED, 0.95, Period.TEN_SECONDS)

    assert not said.spans_days
    assert said.rejected == (frame["confidence"] < 0.95).sum()
    assert said.span is not None
    assert timedelta(seconds=100) <= said.span <= timedelta(seconds=120)


def test_no_time_no_pace() -> None:
    frame = captured(5).with_columns(inference_time=pl.lit(None, pl.Datetime("us", "UTC")))

    said = model.what_if(counted(frame), NONE_JUDGED, 0.95, Period.HOUR)

    assert math.isnan(said.rejected_per_day)


def test_a_truth_is_found_by_inference_id_and_else_by_event_id() -> None:
    frame = captured(4).with_columns(
        label=pl.Series([0, 0, 1, 1], dtype=pl.Int32), confidence=pl.Series([0.6, 0.7, 0.8, 0.9])
    )
    truths = pl.DataFrame(
        {
            "event_id": ["inference-0-0", "event-0-1", "inference-0-2", "event-0-2", "unknown"],
            "truth": [0, 1, 1, 0, 0],
        },
        schema_overrides={"truth": pl.Int32},
    )

    judged = labelled_captures.count_judged(
        labelled_captures.judge_records(frame, truths), InferenceFilters(), NOW
    )

    assert judged.rows() == [(120, True, 1), (140, False, 1), (160, True, 1)]
    assert model.measure_accuracy(judged, 0.5) == Share(2, 3)
    assert model.measure_accuracy(judged, 0.75) == Share(1, 1)
    assert model.measure_accuracy(judged, 0.9) == Share(0, 0)


@pytest.mark.parametrize(
    ("filters", "share"),
    [
        (InferenceFilters(), Share(6, 12)),
        (InferenceFilters(label=0), Share(6, 6)),
        (InferenceFilters(label=1), Share(0, 6)),
        (InferenceFilters(endpoint="a"), Share(3, 6)),
        (InferenceFilters(endpoint="none"), Share(0, 0)),
        (InferenceFilters(variant="y"), Share(2, 4)),
        (InferenceFilters(since=TODAY), Share(2, 6)),
        (InferenceFilters(until=TODAY), Share(4, 6)),
    ],
)
def test_measured_accuracy_follows_the_filters(filters: InferenceFilters, share: Share) -> None:
    frame = captured(12, hours=24, endpoints=("a", "b"), variants=("x", "y", "z")).with_columns(
        label=pl.Series([0, 0, 1, 1] * 3, dtype=pl.Int32), confidence=pl.lit(0.9)
    )
    truths = frame.select("event_id", truth=pl.lit(0, pl.Int32))

    judged = labelled_captures.count_judged(
        labelled_captures.judge_records(frame, truths), filters, NOW
    )

    assert model.measure_accuracy(judged, 0.5) == share


def test_a_later_truth_replaces_an_earlier_one() -> None:
    truths = pl.DataFrame(
        {"event_id": ["event-0-0"] * 2, "truth": [0, 1]}, schema_overrides={"truth": pl.Int32}
    )
    frame = captured(1).with_columns(label=pl.lit(1, pl.Int32))

    judged = labelled_captures.count_judged(
        labelled_captures.judge_records(frame, truths), InferenceFilters(), NOW
    )

    assert model.measure_accuracy(judged, 0) == Share(1, 1)


def test_measured_accuracy_is_swept_with_its_interval() -> None:
    judged = pl.DataFrame(
        {"bin": [120, 190], "correct": [False, True], "count": [2, 8]},
        schema_overrides={"bin": pl.Int16},
    )

    rows = model.measured_sweep(judged)

    assert rows.filter(threshold=0.5)["value"].item() == 0.8
    assert rows.filter(threshold=0.7)["value"].item() == 1.0
    assert rows["threshold"].max() == 0.95
    assert (rows["low"] <= rows["value"]).all()
    assert model.measured_sweep(NONE_JUDGED).is_empty()


def test_statistics_hold_every_record() -> None:
    frame = captured(700)

    found = model.statistics_of(counted(frame), ClassNames())

    confidence, label = found.features
    assert found.item_count == 700
    assert isinstance(confidence, NumericalStatistics)
    assert confidence.histogram.total == 700
    assert isinstance(label, StringStatistics)
    assert sum(label.counts.values()) == 700
    assert set(label.counts) == {"bicycle", "motorcycle"}


def test_counts_are_parted_at_a_moment() -> None:
    counts = counted(captured(600, hours=6))
    at = NOW - timedelta(hours=3)

    before, after = (
        record_filters.filter_between(counts, end=at),
        record_filters.filter_between(counts, start=at),
    )

    assert before["count"].sum() == after["count"].sum() == 300


def test_a_selection_spans_the_time_of_its_records() -> None:
    counts = counted(captured(600, hours=48))

    assert timedelta(hours=46) < model.time_spanned(counts) <= timedelta(hours=48)
    assert model.time_spanned(counts.clear()) == timedelta()


def test_the_period_follows_the_filters() -> None:
    frame = pl.concat([captured(10, hours=24 * 40), captured(10, hours=0.1, seed=1)])

    assert record_filters.period_of(frame, InferenceFilters(), NOW) is Period.DAY
    assert record_filters.period_of(frame, InferenceFilters(since=TODAY), NOW) is Period.TEN_SECONDS
    assert record_filters.period_of(frame.clear(), InferenceFilters(), NOW) is Period.HOUR


def test_csv_has_no_lists_and_runs_no_formula() -> None:
    frame = captured(1).with_columns(
        key=pl.lit("=HYPERLINK(1)"), probabilities=pl.lit([0.25, 0.75], pl.List(pl.Float64))
    )

    read = pl.read_csv(csv_file(frame))

    assert read["probabilities"].item() == "[0.25, 0.75]"
    assert read["key"].item() == "'=HYPERLINK(1)"
    assert read["endpoint"].item() == "endpoint"


def test_the_truth_of_a_record_is_that_of_its_inference_id_and_the_last_one_given() -> None:
    given = [("event", 0), ("inference", 0), ("inference", 1), ("other", 7)]
    truths = pl.DataFrame(given, schema=["event_id", "truth"], orient="row")

    assert labelled_captures.truth_of(truths, ["inference", "event"]) == 1
    assert labelled_captures.truth_of(truths, ["another", "event"]) == 0
    assert labelled_captures.truth_of(truths, ["other"]) == 7
    assert labelled_captures.truth_of(truths, ["nobody"]) is None


def test_the_largest_probabilities_are_shown_with_their_classes() -> None:
    many = [0.001] * 1_000
    many[700], many[3] = 0.6, 0.2

    assert model.format_likeliest([0.25, 0.75], ClassNames()) == "motorcycle 0.7500, bicycle 0.2500"
    assert model.format_likeliest(many, ClassNames()) == (
        "class 700 0.6000, class 3 0.2000, bicycle 0.0010, motorcycle 0.0010, class 2 0.0010,"
        " 995 more"
    )


def test_the_table_of_records_says_classes_and_probabilities_in_words() -> None:
    rows = pl.DataFrame(
        {
            "inference_time": [NOW, None],
            "label": [1, 7],
            "confidence": [0.75, 1.0],
            "probabilities": [[0.25, 0.75], [1.0]],
            "endpoint": ["e", "e"],
            "variant": ["v", "v"],
            "key": ["k", "k"],
            "line": [1, 2],
            "event_id": ["a", "b"],
            "inference_id": [None, "c"],
        }
    )

    shown = model.records_table(rows, ClassNames())

    assert shown["Class"].to_list() == ["motorcycle", "class 7"]
    assert shown["Probabilities"][0] == "motorcycle 0.7500, bicycle 0.2500"
    assert shown["Time"].to_list() == [NOW, None]
    assert model.records_table(rows.clear(), ClassNames()).is_empty()


@pytest.mark.parametrize(
    "selection",
    [
        Selection(0.5, 1.0),
        Selection(0.9, 0.95, (0, 3), others=False),
        Selection(0.7, 1.0, (0, 1, 2, 3)),
        Selection(0.98, 0.99, (999,)),
    ],
)
def test_as_many_records_are_counted_behind_a_bar_as_are_found(selection: Selection) -> None:
    labels = pl.Series("label", np.arange(20_000) ** 2 % 1_000, pl.Int32)
    frame = captured(20_000).with_columns(labels)

    found = record_filters.match_records(
        frame.lazy(), InferenceFilters(), selection, now=NOW
    ).collect()

    assert model.count_behind(counted(frame), selection) == found.height > 0
    assert set(found["label"].is_in(selection.labels)) == {not selection.others}
