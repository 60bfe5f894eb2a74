"""Photos drawn at random, and the order in which reviewers get them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dashboard.review import model
from dashboard.review.model import LEASE, DrawRequest, Slot
from tests.captured import NOW, captured
from workflow.class_names import ClassNames
from workflow.draws import Draw, Stratum
from workflow.errors import WorkflowError
from workflow.reviews import NEITHER, Review
from workflow.verdicts import ReviewAnswer, verdicts

CAPTURES = captured(500).lazy()
REQUEST = DrawRequest(size=40, random_share=0.5, threshold=0.93, since=None, by="ada")


def drawn(
    request: DrawRequest = REQUEST, known: frozenset[str] = frozenset(), seed: int = 1
) -> Draw:
    return model.draw_photos(CAPTURES, known, request, now=NOW, token="t", seed=seed)


def answered(draw: Draw, number: int, who: str, label: int | None = 0) -> ReviewAnswer:
    return ReviewAnswer(draw.photos[number].id, label, NOW, f"{who}-{number}", Review(reviewer=who))


def test_a_draw_mixes_rejections_with_random_picks_and_tells_their_chances() -> None:
    draw = drawn()
    rejected = [photo for photo in draw.photos if photo.confidence < 0.93]

    assert len(draw.photos) == 40
    assert len(rejected) == 20
    assert all(photo.stratum is Stratum.REJECTED for photo in rejected)
    assert sum(size.population for size in draw.strata.values()) == 500
    assert draw.strata[Stratum.REJECTED].drawn == 20


def test_every_photo_of_a_stratum_is_drawn_as_often() -> None:
    request = replace(REQUEST, size=20, random_share=1.0)
    counts: dict[str, int] = {}
    for seed in range(200):
        for photo in drawn(request, seed=seed).photos:
            counts[photo.id] = counts.get(photo.id, 0) + 1
    population = drawn(request).strata[Stratum.ACCEPTED].population
    expected = 200 * 20 / population
    spread = sum((n - expected) ** 2 / expected for n in counts.values())
    spread += expected * (population - len(counts))

    # Chi square of so many degrees of freedom; 0.1 % of all seeds would exceed it.
    assert spread < population + 3.3 * (2 * population) ** 0.5


def test_no_photo_is_drawn_twice_and_the_population_stays_whole() -> None:
    first = drawn()
    known = frozenset(photo.id for photo in first.photos)
    second = drawn(known=known, seed=2)

    assert not known & {photo.id for photo in second.photos}
    assert second.strata[Stratum.REJECTED].population == first.strata[Stratum.REJECTED].population


def test_a_draw_may_begin_at_a_day_and_says_where_nothing_is_left() -> None:
    later = replace(REQUEST, since=(NOW + timedelta(days=1)).date())

    with pytest.raises(WorkflowError) as caught:
        drawn(later)

    assert caught.value.code == "NothingToReview"


def test_photos_come_in_order_and_leased_ones_do_not() -> None:
    draw = drawn()
    leases = {Slot(0, 1).name: NOW, Slot(1, 1).name: NOW - LEASE}

    found = model.open_slots(draw, leases, {}, reviewer="ada", now=NOW)

    assert found == [Slot(number, 1) for number in range(1, 40)]


def test_every_tenth_photo_is_shown_to_a_second_reviewer() -> None:
    draw = drawn()
    known = verdicts([answered(draw, number, "ada") for number in range(40)])

    def left(who: str) -> list[Slot]:
        return model.open_slots(draw, {}, known, reviewer=who, now=NOW)

    assert left("ada") == []
    assert left("bob") == [Slot(number, 2) for number in (0, 10, 20, 30)]


def test_progress_tells_apart_what_reviewers_could_not() -> None:
    draw = drawn()
    known = verdicts(
        [
            answered(draw, 0, "ada"),
            answered(draw, 0, "bob", 1),
            answered(draw, 1, "ada", None),
            answered(draw, 2, "ada", NEITHER),
        ]
    )

    assert model.compute_progress(draw, known) == model.Progress(40, 1, 1, 1)


@pytest.mark.parametrize(("highest", "count"), [(0, 2), (9, 10), (99, 100), (5_000, 2)])
def test_classes_are_those_of_the_model_and_those_seen(highest: int, count: int) -> None:
    draw = drawn()
    known = verdicts([answered(draw, 0, "ada", highest)])

    assert model.list_classes([draw], known, ClassNames()) == list(range(count))


def test_the_table_of_draws_tells_each_probability() -> None:
    row = model.draws_table([drawn()], {}).row(0, named=True)

    assert row.pop("Of the rejected").startswith("20 of ")
    assert row.pop("Of the accepted").startswith("20 of ")
    assert row == {
        "Drawn": NOW,
        "By": "ada",
        "Photos": 40,
        "Reviewed": 0,
        "Threshold": pytest.approx(93),
    }
