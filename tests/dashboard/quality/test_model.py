"""What labels of drawn photos say about all traffic."""

import math
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import polars as pl
import pytest

from dashboard.quality import charts, model
from dashboard.quality.model import Labels
from dashboard.review.model import DrawRequest, draw_photos
from tests.captured import NOW, captured
from workflow.draws import Draw, Stratum
from workflow.reviews import NEITHER, Review
from workflow.verdicts import ReviewAnswer, Verdict, verdicts

REQUEST = DrawRequest(size=100, random_share=0.5, threshold=0.9, since=None, by="ada")


def drawn(known: frozenset[str] = frozenset(), request: DrawRequest = REQUEST) -> Draw:
    return draw_photos(captured(1_000).lazy(), known, request, now=NOW, token="t", seed=3)


def judged(draw: Draw, wrong: int = 0, *, truth: int | None = None) -> dict[str, Verdict]:
    """Label every photo as the model did, but the first ones otherwise."""
    review = Review(reviewer="ada", brightness=0.5, sharpness=0.1, pixels=1024.0)
    answers = [
        ReviewAnswer(
            photo.id,
            (1 - photo.label if truth is None else truth) if place < wrong else photo.label,
            NOW,
            f"{place}",
            replace(review, brightness=place / 100),
        )
        for place, photo in enumerate(draw.photos)
    ]
    return verdicts(answers)


def test_a_label_stands_for_the_photos_of_its_stratum() -> None:
    draw = drawn()
    labels = model.labels_of([draw], judged(draw))
    low, high = (draw.strata[stratum] for stratum in Stratum)

    assert labels.rows.height == 100
    assert labels.photo_weights().sum() == pytest.approx(1_000)
    assert {round(weight, 6) for weight in labels.photo_weights()} == {
        round(size.population / size.drawn, 6) for size in (low, high)
    }


def test_mistakes_below_the_threshold_count_for_as_many_photos_as_there_are() -> None:
    draw = drawn()
    found = judged(draw)
    wrong = {
        photo.id: replace(found[photo.id], label=1 - photo.label)
        for photo in draw.photos
        if photo.stratum is Stratum.REJECTED
    }
    labels = model.labels_of([draw], {**found, **wrong})
    accepted = draw.strata[Stratum.ACCEPTED].population

    assert labels.estimate_share().value == pytest.approx(accepted / 1_000)
    assert labels.estimate_share(pl.col("confidence") >= 0.9).value == 1


def test_two_draws_of_one_population_are_one_sample() -> None:
    first = drawn()
    second = drawn(frozenset(photo.id for photo in first.photos))
    labels = model.labels_of([second, first], {**judged(first), **judged(second)})

    assert labels.rows.height == 200
    assert len(labels.populations) == 2
    assert labels.photo_weights().sum() == pytest.approx(1_000)


def test_draws_of_different_thresholds_count_by_their_labels() -> None:
    first = drawn()
    known = frozenset(photo.id for photo in first.photos)
    other = drawn(known, replace(REQUEST, size=50, threshold=0.8))
    labels = model.labels_of([other, first], {**judged(first), **judged(other)})

    assert len(labels.populations) == 4
    assert labels.photo_weights()[:50].sum() == pytest.approx(labels.photo_weights().sum() / 3)


def test_labels_of_photos_that_nobody_drew_are_told_and_do_not_count() -> None:
    draw = drawn()
    foreign = verdicts([ReviewAnswer("unknown", 1, NOW, "theirs.jsonl")])

    labels = model.labels_of([draw], {**judged(draw), **foreign})

    assert (labels.rows.height, labels.undrawn) == (100, 1)


def test_two_truths_of_one_photo_do_not_count_until_they_are_settled() -> None:
    draw = drawn()
    photo = draw.photos[0]
    truths = [ReviewAnswer(photo.id, label, NOW, f"theirs-{label}.jsonl") for label in (0, 1)]
    settling = ReviewAnswer(photo.id, 1, NOW, "ours.jsonl", Review(reviewer="eve", settles=True))

    disputed = model.labels_of([draw], {**judged(draw), **verdicts(truths)})
    settled = model.labels_of([draw], {**judged(draw), **verdicts([*truths, settling])})

    assert photo.id not in disputed.rows["id"]
    assert disputed.rows.height == 99
    assert settled.rows.filter(id=photo.id)["truth"].to_list() == [1]


def test_a_truth_that_is_no_class_of_the_model_is_a_mistake_of_the_model() -> None:
    draw, unknown = drawn(), 2**31 - 1
    labels = model.labels_of([draw], judged(draw, 10, truth=unknown))
    cells = model.count_confusion(labels)
    matrix = cells.select("said", "truth", "share", "labels")
    by_class = model.by_class(labels).filter(pl.col("class") == unknown)

    charts.draw_confusion(matrix, model.readable_classes(cells, labels), str)
    assert labels.rows.filter(model.RIGHT).height == 90
    assert cells.filter(truth=unknown)["labels"].sum() == 10
    assert by_class.select("measure", "value", "labels").rows() == [("recall", 0.0, 10)]


def test_a_class_without_a_label_has_no_precision_and_no_recall() -> None:
    draw = drawn()
    photos = tuple(msgspec.structs.replace(photo, label=0) for photo in draw.photos)
    draw = msgspec.structs.replace(draw, photos=photos)
    labels = model.labels_of([draw], judged(draw))

    assert set(model.by_class(labels)["class"]) == {0}
    assert model.count_confusion(labels)[["said", "truth"]].rows() == [(0, 0)]


def test_neither_makes_whatever_the_model_said_wrong() -> None:
    draw = drawn()
    labels = model.labels_of([draw], judged(draw, 100, truth=NEITHER))

    assert labels.estimate_share().value == 0
    assert set(model.count_confusion(labels)["truth"]) == {NEITHER}


def test_confusion_adds_up_to_all_photos_and_names_the_photos_behind() -> None:
    draw = drawn()
    labels = model.labels_of([draw], judged(draw, 10))
    cells = model.count_confusion(labels)
    wrong = cells.filter(pl.col("said") != pl.col("truth"))

    assert cells["photos"].sum() == pytest.approx(1_000)
    assert wrong["labels"].sum() == 10
    behind = [
        model.photos_behind(labels, said, truth) for said, truth in wrong[["said", "truth"]].rows()
    ]
    assert {one for ids in behind for one in ids} == {photo.id for photo in draw.photos[:10]}


def test_equally_frequent_confusions_are_in_the_order_of_the_classes() -> None:
    cells = model.count_confusion(made([0.9, 0.9], [False, True]))

    assert cells[["said", "truth"]].rows() == [(0, 0), (0, 1)]


def test_precision_and_recall_are_those_of_the_confusion() -> None:
    draw = drawn()
    labels = model.labels_of([draw], judged(draw, 10))
    cells = {
        (s, t): n for s, t, n in model.count_confusion(labels)[["said", "truth", "photos"]].rows()
    }
    rows = {(row["class"], row["measure"]): row for row in model.by_class(labels).to_dicts()}

    expected = cells[0, 0] / (cells[0, 0] + cells.get((0, 1), 0))
    assert rows[0, "precision"]["value"] == pytest.approx(expected)
    expected = cells[0, 0] / (cells[0, 0] + cells.get((1, 0), 0))
    assert rows[0, "recall"]["value"] == pytest.approx(expected)


def made(confidence: list[float], right: list[bool]) -> Labels:
    """Labels of one stratum of a large population."""
    rows = pl.DataFrame(
        {"confidence": confidence, "said": [0] * len(right), "truth": [int(not r) for r in right]}
    )
    empty = {name: pl.lit(None, kind) for name, kind in model.LABELS_SCHEMA.items()}
    missing = [value.alias(name) for name, value in empty.items() if name not in rows.columns]
    frame = rows.with_columns(missing).with_columns(stratum=pl.lit(0, pl.Int32))
    return Labels(frame.select(list(model.LABELS_SCHEMA)), (1e6,), (frame.height,), 0)


def test_a_calibrated_model_has_a_small_calibration_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 4_000)
    fair = made(confidence.tolist(), (rng.random(4_000) < confidence).tolist())
    bold = made([0.95] * 1_000, [True] * 700 + [False] * 300)

    assert model.calibration_error(fair).value < 0.03
    assert model.calibration_error(bold).value == pytest.approx(0.25)
    assert model.compute_reliability(bold).rows() == [
        pytest.approx((0.9, 0.95, 0.7, *model.compute_reliability(bold).row(0)[3:5], 1_000))
    ]


def test_each_bin_counts_its_own_labels() -> None:
    rows = model.compute_reliability(made([0.55, 0.55, 0.95, 1.0], [True, False, True, True]))

    assert rows.select("low", "value", "labels").rows() == [(0.5, 0.5, 2), (0.9, 1.0, 2)]


def test_no_label_has_no_calibration_error() -> None:
    assert math.isnan(model.calibration_error(made([], [])).value)


def test_a_threshold_reaches_the_wanted_accuracy_with_the_least_to_review() -> None:
    confidence = [0.6] * 200 + [0.8] * 400 + [0.95] * 400
    right = [place % 2 == 0 for place in range(200)] + [True] * 800
    choice = model.choose_threshold(model.by_threshold(made(confidence, right)), 0.97)

    assert choice.sure
    assert choice.threshold == 0.605
    assert choice.coverage == pytest.approx(0.8)


def test_a_threshold_that_only_the_estimate_reaches_is_said_to_be_unsure() -> None:
    few = made([0.6] * 10 + [0.95] * 10, [False] * 10 + [True] * 10)
    choice = model.choose_threshold(model.by_threshold(few), 0.97)

    assert not choice.sure
    assert choice.threshold == 0.605
    assert model.choose_threshold(model.by_threshold(few), 1.0).threshold == 0.605
    assert model.choose_threshold(
        model.by_threshold(made([0.9] * 99, [False] * 99)), 0.9
    ) == model.Choice(None, sure=False, coverage=0.0, accuracy=None)


def test_luck_at_a_low_threshold_is_not_chosen_past_a_failure() -> None:
    confidence = [0.7] * 500 + [0.95] * 100
    right = [True] * 500 + [True] * 60 + [False] * 40
    choice = model.choose_threshold(model.by_threshold(made(confidence, right)), 0.9)

    assert not choice.sure


def test_parts_of_traffic_have_their_own_accuracy() -> None:
    draw = drawn()
    labels = model.labels_of([draw], judged(draw, 34))
    bright = model.by_property(labels, "brightness")

    assert bright["part"].to_list() == list(model.THIRDS)
    assert bright["value"][0] < 0.1
    assert bright["value"][2] == 1
    assert model.by_variant(labels)["part"].to_list() == ["endpoint / AllTraffic"]
    assert model.by_day(labels, ZoneInfo("UTC"))["labels"].sum() == 100


def test_labels_of_a_time_range_stand_for_as_many_photos_as_before() -> None:
    draw = drawn()
    labels = model.labels_of([draw], judged(draw, 34))
    middle = labels.rows["time"].sort()[len(labels.rows) // 2]

    late = labels.filter_since(middle)

    assert labels.filter_since(None) == labels
    assert 0 < late.rows.height < labels.rows.height
    assert late.estimate_share() == labels.estimate_share(pl.col("time") >= middle)
    assert set(late.photo_weights()) <= set(labels.photo_weights())
    assert labels.filter_since(NOW + timedelta(days=1)).estimate_share().labels == 0


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_every_chart_draws_that_many_classes(classes: int) -> None:
    draw = drawn()
    photos = tuple(
        msgspec.structs.replace(photo, label=place % classes)
        for place, photo in enumerate(draw.photos)
    )
    draw = msgspec.structs.replace(draw, photos=photos)
    labels = model.labels_of([draw], judged(draw, 20, truth=classes - 1))
    cells = model.count_confusion(labels)
    shown = model.readable_classes(cells, labels)
    matrix = cells.select("said", "truth", "share", "labels")

    figure = charts.draw_confusion(matrix, shown, lambda label: f"class {label}")

    assert len(figure.data[0].x) == min(classes, 20)
    assert set(model.by_class(labels)["class"]) == set(range(classes))


def test_a_confusion_that_never_occurs_has_no_colour_of_its_own() -> None:
    rows = [(0, 0, 0.9, 90), (0, 1, 0.1, 10)]
    cells = pl.DataFrame(rows, schema=["said", "truth", "share", "labels"], orient="row")

    (trace,) = charts.draw_confusion(cells, [0, 1], str).data

    assert trace.z[0][1] is None
    assert trace.text[0][0] == "90.0%"
    assert trace.z[0][0] > trace.z[1][0] > 0
